// Takes a block of a batch's rows through the stages `dense_forward`, `posterior`, `dense_backward` and
// `posterior_backward`, a workgroup a block. Rows need nothing of each other until the gradients: where
// there are blocks enough to keep a GPU busy, a layer finds its input where it was computed, and no
// block waits for another. What the gradients need goes to the workspace, as from the other stages.

// The table's entries of the encoder's layers, which come first, and of the decoder's.
override ENCODER: u32;
override DECODER: u32;
// The activation of every hidden layer, `activation.wgsl`.
override ACTIVATION: u32;

// Not every adapter allows as many invocations, or as much memory as they share: see `Target::within`.
const LANES: u32 = 512u;
// Rows of a block, the fours of them, and the widest layer that there is room for.
const ROWS: u32 = 32u;
const FOURS: u32 = ROWS / 4u;
const WIDEST: u32 = 128u;
// Invocations that share a row.
const ROW_LANES: u32 = LANES / ROWS;
// Depth of a slab of weights.
const DEPTH: u32 = 16u;
// Outputs up to which a product is narrow: too few for an invocation each, so that the depth is
// divided too. `bring` and `finish` fill the input of the next product with zeros up to a multiple of
// DEPTH, of which this has to be one.
const NARROW_WIDTH: u32 = 16u;
const_assert NARROW_WIDTH % DEPTH == 0u;

// The values that a layer starts from: four rows of a unit each, see `four_at`.
var<workgroup> values: array<vec4<f32>, FOURS * WIDEST>;
// A slab of weights, see `weight_at`; also four parts of sums an invocation.
var<workgroup> slab: array<f32, DEPTH * WIDEST>;
const_assert DEPTH * WIDEST == 4u * LANES;

// Where four rows of a unit stand. The fours are exchanged so that units side by side lie in different
// banks.
fn four_at(unit: u32, four: u32) -> u32 {
    return FOURS * unit + (four ^ (unit % FOURS));
}

// Where a weight stands in the slab, in different banks for columns side by side and for depths.
fn weight_at(depth: u32, column: u32) -> u32 {
    return depth * WIDEST + (column ^ (2u * depth));
}

fn keep_part(lane: u32, value: vec2<f32>) {
    slab[lane] = value.x;
    slab[lane + LANES] = value.y;
}

fn part(lane: u32) -> vec2<f32> {
    return vec2(slab[lane], slab[lane + LANES]);
}

// Four rows of a column of a slot of this width.
fn four_rows(slot: u32, width: u32, row: u32, column: u32) -> vec4<f32> {
    let place = slot + row * width + column;
    return vec4(
        workspace[place],
        workspace[place + width],
        workspace[place + 2u * width],
        workspace[place + 3u * width],
    );
}

fn keep_four_rows(slot: u32, width: u32, row: u32, column: u32, four: vec4<f32>) {
    let place = slot + row * width + column;
    workspace[place] = four.x;
    workspace[place + width] = four.y;
    workspace[place + 2u * width] = four.z;
    workspace[place + 3u * width] = four.w;
}

// A product of a layer, y = xW or, backwards, ∂loss/∂x = ∂loss/∂y Wᵀ.
struct Product {
    layer: Dense,
    member: u32,
    // First row of the block.
    row: u32,
    backwards: bool,
    // Width of what it starts from and of what it gives.
    depth: u32,
    width: u32,
}

// What the end of four rows of a column needs from memory: biases, or the slopes of what made x.
fn needed(product: Product, four: u32, column: u32) -> vec4<f32> {
    let row = product.row + 4u * four;
    let layer = product.layer;
    if column >= product.width || row >= padded_count() {
        return vec4(0.0);
    }
    if !product.backwards {
        return vec4(parameters[product.member * PARAMETERS + layer.bias + column]);
    }
    if layer.activated == 0u {
        return vec4(1.0);
    }
    let slopes = product.member * WORKSPACE + layer.x_gradient;
    return four_rows(slopes, product.width, row, column);
}

// Ends the sums of four rows of a column; gives what the next product starts from.
fn finish(
    product: Product,
    four: u32,
    column: u32,
    sums: vec4<f32>,
    brought: vec4<f32>,
) -> vec4<f32> {
    let row = product.row + 4u * four;
    if column >= product.width || row >= padded_count() {
        return vec4(0.0);
    }
    let layer = product.layer;
    let base = product.member * WORKSPACE;
    if product.backwards {
        let gradients = sums * brought;
        keep_four_rows(base + layer.x_gradient, product.width, row, column, gradients);
        return gradients;
    }
    let x = sums + brought;
    // The identity, where it is nothing else.
    var first = vec2(x.x, 0.0);
    var second = vec2(x.y, 0.0);
    var third = vec2(x.z, 0.0);
    var fourth = vec2(x.w, 0.0);
    if layer.function == RESIDUAL_OF {
        first = residual(product.member, row, column, x.x);
        second = residual(product.member, row + 1u, column, x.y);
        third = residual(product.member, row + 2u, column, x.z);
        fourth = residual(product.member, row + 3u, column, x.w);
    } else if layer.function != 0u {
        first = activated(ACTIVATION, x.x);
        second = activated(ACTIVATION, x.y);
        third = activated(ACTIVATION, x.z);
        fourth = activated(ACTIVATION, x.w);
    }
    let y = vec4(first.x, second.x, third.x, fourth.x);
    let gradients = vec4(first.y, second.y, third.y, fourth.y);
    keep_four_rows(base + layer.y, product.width, row, column, y);
    if layer.function != 0u {
        keep_four_rows(base + layer.y_gradient, product.width, row, column, gradients);
    }
    // The way back begins where the decoder ends.
    if layer.function == RESIDUAL_OF {
        return gradients;
    }
    return y;
}

// The weight of a depth and column of a product; 0 past its depth.
fn weight(product: Product, depth: u32, column: u32) -> f32 {
    if depth >= product.depth {
        return 0.0;
    }
    let place = product.member * PARAMETERS + product.layer.weight;
    if product.backwards {
        return parameters[place + column * product.depth + depth];
    }
    return parameters[place + depth * product.width + column];
}

// The weights that an invocation brings of the slab that begins at some depth, along the memory. Past
// the ends of a product they are any of its weights: for values that are 0, or sums that are left out.
fn four_weights(product: Product, lane: u32, first: u32) -> vec4<f32> {
    let matrix = product.member * PARAMETERS + product.layer.weight;
    var start = (first + lane / WIDEST) * product.width + lane % WIDEST;
    var stride = LANES / WIDEST * product.width;
    if product.backwards {
        start = lane / DEPTH * product.depth + first + lane % DEPTH;
        stride = LANES / DEPTH * product.depth;
    }
    let last = vec4(product.depth * product.width - 1u);
    let places = matrix + min(start + stride * vec4(0u, 1u, 2u, 3u), last);
    return vec4(
        parameters[places.x],
        parameters[places.y],
        parameters[places.z],
        parameters[places.w],
    );
}

// Puts them into the slab.
fn keep_four_weights(backwards: bool, lane: u32, four: vec4<f32>) {
    var at = vec2(lane / WIDEST, lane % WIDEST);
    var next = vec2(LANES / WIDEST, 0u);
    if backwards {
        at = vec2(lane % DEPTH, lane / DEPTH);
        next = vec2(0u, LANES / DEPTH);
    }
    slab[weight_at(at.x, at.y)] = four.x;
    slab[weight_at(at.x + next.x, at.y + next.y)] = four.y;
    slab[weight_at(at.x + 2u * next.x, at.y + 2u * next.y)] = four.z;
    slab[weight_at(at.x + 3u * next.x, at.y + 3u * next.y)] = four.w;
}

// The weights that an invocation has asked for: of the next slab of this product or, as it ends, of the
// first of the next one, which a narrow product does not use.
var<private> asked: vec4<f32>;

// A wide product: an invocation adds up eight rows of two columns, half of WIDEST apart, over half of the
// depth, and finishes one of the columns.
fn wide(product: Product, after: Product, lane: u32) {
    let column = lane % (WIDEST / 2u);
    let other = column + WIDEST / 2u;
    let half = lane / (LANES / 2u);
    let upper = lane % (LANES / 2u) / (WIDEST / 2u) * 2u;
    let lower = upper + 1u;
    let finished = select(column, other, half == 1u);
    var a = vec4(0.0);
    var b = vec4(0.0);
    var c = vec4(0.0);
    var d = vec4(0.0);
    for (var first = 0u; first < product.depth; first += DEPTH) {
        keep_four_weights(product.backwards, lane, asked);
        workgroupBarrier();
        // The next slab is on its way while this one is used.
        asked = four_weights(product, lane, first + DEPTH);
        for (var turn = 0u; turn < DEPTH / 2u; turn++) {
            // As `four_at` and `weight_at` of depth first + 2·turn + half.
            let unit = FOURS * (first + half + 2u * turn);
            let above = values[unit + (upper ^ half ^ (2u * turn % FOURS))];
            let below = values[unit + (lower ^ half ^ (2u * turn % FOURS))];
            let place = WIDEST * (half + 2u * turn) + (column ^ (2u * half) ^ (4u * turn));
            let left = slab[place];
            let right = slab[place + WIDEST / 2u];
            a += left * above;
            b += left * below;
            c += right * above;
            d += right * below;
        }
        workgroupBarrier();
    }
    // The halves exchange what the other finishes.
    let own = lane % (LANES / 2u);
    let given = LANES * half + own;
    let taken = LANES * (1u - half) + own;
    values[given] = select(c, a, half == 1u);
    values[given + LANES / 2u] = select(d, b, half == 1u);
    workgroupBarrier();
    asked = four_weights(after, lane, 0u);
    let upper_sum = select(a, c, half == 1u) + values[taken];
    let lower_sum = select(b, d, half == 1u) + values[taken + LANES / 2u];
    // Load both before storing: the compiler cannot prove that loads and stores do not alias. Loading
    // earlier would raise register use and lower occupancy.
    let upper_brought = needed(product, upper, finished);
    let lower_brought = needed(product, lower, finished);
    workgroupBarrier();
    values[four_at(finished, upper)] = finish(product, upper, finished, upper_sum, upper_brought);
    values[four_at(finished, lower)] = finish(product, lower, finished, lower_sum, lower_brought);
}

// The weights of a column at four depths; past the end they are 0.
fn narrow_weights(product: Product, depths: vec4<u32>, column: u32) -> vec4<f32> {
    return vec4(
        weight(product, depths.x, column),
        weight(product, depths.y, column),
        weight(product, depths.z, column),
        weight(product, depths.w, column),
    );
}

// What these weights add to four rows of their column.
fn narrow_sum(product: Product, depths: vec4<u32>, four: u32, weights: vec4<f32>) -> vec4<f32> {
    let inside = min(depths, vec4(product.depth - 1u));
    return weights.x * values[four_at(inside.x, four)]
        + weights.y * values[four_at(inside.y, four)]
        + weights.z * values[four_at(inside.z, four)]
        + weights.w * values[four_at(inside.w, four)];
}

// A narrow product: an invocation adds up four rows of one column over a share of the depth.
fn narrow(product: Product, after: Product, lane: u32) {
    let sums = FOURS * product.width;
    let shares = LANES / sums;
    let share = lane / sums;
    let own = lane % sums;
    let brought = needed(product, lane % FOURS, lane / FOURS);
    asked = four_weights(after, lane, 0u);
    var sum = vec4(0.0);
    if share < shares {
        // Eight loads at a time.
        for (var k = share; k < product.depth; k += 8u * shares) {
            let near = vec4(k) + shares * vec4(0u, 1u, 2u, 3u);
            let far = near + 4u * shares;
            let near_weights = narrow_weights(product, near, own / FOURS);
            let far_weights = narrow_weights(product, far, own / FOURS);
            sum += narrow_sum(product, near, own % FOURS, near_weights);
            sum += narrow_sum(product, far, own % FOURS, far_weights);
        }
    }
    slab[lane] = sum.x;
    slab[lane + LANES] = sum.y;
    slab[lane + 2u * LANES] = sum.z;
    slab[lane + 3u * LANES] = sum.w;
    workgroupBarrier();
    if lane < FOURS * NARROW_WIDTH {
        var sum_of_shares = vec4(0.0);
        for (var other = lane; lane < sums && other < shares * sums; other += sums) {
            sum_of_shares += vec4(
                slab[other],
                slab[other + LANES],
                slab[other + 2u * LANES],
                slab[other + 3u * LANES],
            );
        }
        values[four_at(lane / FOURS, lane % FOURS)] =
            finish(product, lane % FOURS, lane / FOURS, sum_of_shares, brought);
    }
}

// Brings a slot of this width to where the next product starts from.
fn bring(member: u32, first_row: u32, slot: u32, width: u32, lane: u32) {
    let end = FOURS * ((width + DEPTH - 1u) / DEPTH * DEPTH);
    for (var element = lane; element < end; element += LANES) {
        let unit = element / FOURS;
        let row = first_row + 4u * (element % FOURS);
        var four = vec4(0.0);
        if unit < width && row < padded_count() {
            four = four_rows(member * WORKSPACE + slot, width, row, unit);
        }
        values[four_at(unit, element % FOURS)] = four;
    }
}

fn sample_posterior(member: u32, first_row: u32, lane: u32) {
    if COMPONENTS > 0u {
        sample_mixture(member, first_row + lane / ROW_LANES, lane);
    } else if lane < ROWS && first_row + lane < padded_count() {
        sample_standard_normal(member, first_row + lane);
    }
}

fn posterior_gradients(member: u32, first_row: u32, lane: u32) {
    let end = min(first_row + ROWS, padded_count()) * LATENT;
    for (var element = first_row * LATENT + lane; element < end; element += LANES) {
        posterior_gradient(member, element);
    }
}

// The product of this number: forward through every layer, then back, where the encoder's first layer
// has only the batch before it.
fn product_of(member: u32, row: u32, number: u32) -> Product {
    let layers = ENCODER + DECODER;
    let backwards = number >= layers;
    let layer = tiles[select(number, 2u * layers - 1u - number, backwards)].layer;
    let depth = select(layer.inputs, layer.outputs, backwards);
    let width = select(layer.outputs, layer.inputs, backwards);
    return Product(layer, member, row, backwards, depth, width);
}

// Others of the workgroup read what was left in the workspace.
fn share_workspace() {
    storageBarrier();
    workgroupBarrier();
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = group.z;
    let row = running(group) * ROWS;
    if row >= padded_count() {
        return;
    }
    bring(member, row, BATCH, FEATURES, lane);
    let products = 2u * (ENCODER + DECODER) - 1u;
    var product = product_of(member, row, 0u);
    asked = four_weights(product, lane, 0u);
    for (var number = 0u; number <= products; number++) {
        // The posterior stands between encoder and decoder, in both directions. All else that is read
        // again, the slopes, is read by the invocation that wrote it.
        if number == ENCODER {
            share_workspace();
            sample_posterior(member, row, lane);
            share_workspace();
            bring(member, row, SAMPLE, LATENT, lane);
        }
        if number == ENCODER + 2u * DECODER {
            share_workspace();
            posterior_gradients(member, row, lane);
            share_workspace();
            bring(member, row, POSTERIOR_GRADIENT, 2u * LATENT, lane);
        }
        if number == products {
            break;
        }
        workgroupBarrier();
        let after = product_of(member, row, min(number + 1u, products - 1u));
        if product.width > NARROW_WIDTH {
            wide(product, after, lane);
        } else {
            narrow(product, after, lane);
        }
        product = after;
    }
}
