// Takes a block of a batch's rows through the stages `dense_forward`, `posterior`, `dense_backward` and
// `posterior_backward`, a workgroup a block. Rows need nothing of each other until the gradients: where
// there are blocks enough to keep a GPU busy, a layer finds its input where it was computed, and no
// block waits for another. What the gradients need goes to the workspace, as from the other stages.

// The table's entries of the encoder's layers, which come first, and of the decoder's.
override ENCODER: u32;
override DECODER: u32;

const LANES: u32 = 256u;
// Rows of a block, and the widest layer that there is room for.
const ROWS: u32 = 16u;
const WIDEST: u32 = 128u;
// Invocations that share a row.
const ROW_LANES: u32 = LANES / ROWS;
// Depth of a slab of weights.
const DEPTH: u32 = 8u;
// Widths up to which the depth of a product is divided among the invocations.
const NARROW_WIDTH: u32 = 16u;

// The values that a layer starts from: four rows of a unit each, see `quarter_at`.
var<workgroup> values: array<vec4<f32>, 512>;
// A slab of weights, see `weight_at`; also the parts of sums.
var<workgroup> slab: array<f32, 1024>;

// Where a quarter of the rows of a unit stands. The quarters are exchanged so that units side by side
// lie in different banks.
fn quarter_at(unit: u32, quarter: u32) -> u32 {
    return 4u * unit + (quarter ^ (unit / 2u % 4u));
}

// Where a weight stands in the slab, in different banks for columns side by side and for depths.
fn weight_at(depth: u32, column: u32) -> u32 {
    return depth * WIDEST + (column ^ (4u * depth));
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
fn needed(product: Product, quarter: u32, column: u32) -> vec4<f32> {
    let row = product.row + 4u * quarter;
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
    quarter: u32,
    column: u32,
    sums: vec4<f32>,
    brought: vec4<f32>,
) -> vec4<f32> {
    let row = product.row + 4u * quarter;
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
    var first: vec2<f32>;
    var second: vec2<f32>;
    var third: vec2<f32>;
    var fourth: vec2<f32>;
    if layer.function == RESIDUAL_OF {
        first = residual(product.member, row, column, x.x);
        second = residual(product.member, row + 1u, column, x.y);
        third = residual(product.member, row + 2u, column, x.z);
        fourth = residual(product.member, row + 3u, column, x.w);
    } else {
        first = activated(layer.function, x.x);
        second = activated(layer.function, x.y);
        third = activated(layer.function, x.z);
        fourth = activated(layer.function, x.w);
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

// The weight of a depth and column of a product; 0 past its end.
fn weight(product: Product, depth: u32, column: u32) -> f32 {
    if depth >= product.depth || column >= product.width {
        return 0.0;
    }
    let place = product.member * PARAMETERS + product.layer.weight;
    if product.backwards {
        return parameters[place + column * product.depth + depth];
    }
    return parameters[place + depth * product.width + column];
}

// The weights that an invocation brings of the slab that begins at some depth, along the memory.
struct Share {
    // Place of the first, distance to the next, and how many are inside the product.
    start: u32,
    stride: u32,
    count: u32,
}

fn share_of_slab(product: Product, lane: u32, first: u32) -> Share {
    let matrix = product.member * PARAMETERS + product.layer.weight;
    if product.backwards {
        let depth = first + lane % DEPTH;
        let column = lane / DEPTH;
        let every = LANES / DEPTH;
        let count = (product.width + every - 1u - min(column, product.width)) / every;
        return Share(
            matrix + column * product.depth + depth,
            every * product.depth,
            select(0u, count, depth < product.depth),
        );
    }
    let depth = first + lane / WIDEST;
    let column = lane % WIDEST;
    let count = (product.depth + 1u - min(depth, product.depth)) / 2u;
    return Share(
        matrix + depth * product.width + column,
        2u * product.width,
        select(0u, count, column < product.width),
    );
}

fn weight_of(share: Share, number: u32) -> f32 {
    if number < share.count {
        return parameters[share.start + number * share.stride];
    }
    return 0.0;
}

fn four_weights(share: Share) -> vec4<f32> {
    return vec4(
        weight_of(share, 0u),
        weight_of(share, 1u),
        weight_of(share, 2u),
        weight_of(share, 3u),
    );
}

// Puts them into the slab.
fn keep_four_weights(backwards: bool, lane: u32, four: vec4<f32>) {
    var at = vec2(lane / WIDEST, lane % WIDEST);
    var next = vec2(2u, 0u);
    if backwards {
        at = vec2(lane % DEPTH, lane / DEPTH);
        next = vec2(0u, LANES / DEPTH);
    }
    slab[weight_at(at.x, at.y)] = four.x;
    slab[weight_at(at.x + next.x, at.y + next.y)] = four.y;
    slab[weight_at(at.x + 2u * next.x, at.y + 2u * next.y)] = four.z;
    slab[weight_at(at.x + 3u * next.x, at.y + 3u * next.y)] = four.w;
}

// A product of any width: an invocation adds up eight rows of two columns, half of WIDEST apart, over
// half of the depth, and finishes one of the columns.
fn wide(product: Product, lane: u32) {
    let column = lane % (WIDEST / 2u);
    let other = column + WIDEST / 2u;
    let half = lane / WIDEST;
    let upper = lane % WIDEST / (WIDEST / 2u) * 2u;
    let lower = upper + 1u;
    let finished = select(column, other, half == 1u);
    // Weights are on their way two slabs before they are needed.
    var w = four_weights(share_of_slab(product, lane, 0u));
    var next = four_weights(share_of_slab(product, lane, DEPTH));
    var a = vec4(0.0);
    var b = vec4(0.0);
    var c = vec4(0.0);
    var d = vec4(0.0);
    for (var first = 0u; first < product.depth; first += DEPTH) {
        keep_four_weights(product.backwards, lane, w);
        workgroupBarrier();
        w = next;
        next = four_weights(share_of_slab(product, lane, first + 2u * DEPTH));
        for (var turn = 0u; turn < DEPTH / 2u; turn++) {
            // As `quarter_at` and `weight_at` of depth first + 2·turn + half.
            let unit = 4u * (first + half) + 8u * turn;
            let above = values[unit + (upper ^ turn)];
            let below = values[unit + (lower ^ turn)];
            let place = WIDEST * (half + 2u * turn) + (column ^ (4u * half) ^ (8u * turn));
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
    let own = lane % WIDEST;
    let given = 2u * WIDEST * half + own;
    let taken = 2u * WIDEST * (1u - half) + own;
    values[given] = select(c, a, half == 1u);
    values[given + WIDEST] = select(d, b, half == 1u);
    workgroupBarrier();
    let upper_sum = select(a, c, half == 1u) + values[taken];
    let lower_sum = select(b, d, half == 1u) + values[taken + WIDEST];
    // Both come before what is stored, which a GPU could not tell apart. Any earlier they would cost
    // registers, and with them workgroups that compute while others wait.
    let upper_brought = needed(product, upper, finished);
    let lower_brought = needed(product, lower, finished);
    workgroupBarrier();
    values[quarter_at(finished, upper)] = finish(product, upper, finished, upper_sum, upper_brought);
    values[quarter_at(finished, lower)] = finish(product, lower, finished, lower_sum, lower_brought);
}

// A narrow product: an invocation adds up four rows of one column over a share of the depth.
fn narrow(product: Product, lane: u32) {
    let sums = 4u * product.width;
    let shares = LANES / sums;
    let share = lane / sums;
    let own = lane % sums;
    let brought = needed(product, lane % 4u, lane / 4u);
    var sum = vec4(0.0);
    if share < shares {
        for (var k = share; k < product.depth; k += 4u * shares) {
            // Four loads at a time; past the end the weight is 0.
            let at = vec4(k) + shares * vec4(0u, 1u, 2u, 3u);
            let inside = min(at, vec4(product.depth - 1u));
            let w = vec4(
                weight(product, at.x, own / 4u),
                weight(product, at.y, own / 4u),
                weight(product, at.z, own / 4u),
                weight(product, at.w, own / 4u),
            );
            sum += w.x * values[quarter_at(inside.x, own % 4u)];
            sum += w.y * values[quarter_at(inside.y, own % 4u)];
            sum += w.z * values[quarter_at(inside.z, own % 4u)];
            sum += w.w * values[quarter_at(inside.w, own % 4u)];
        }
    }
    slab[lane] = sum.x;
    slab[lane + LANES] = sum.y;
    slab[lane + 2u * LANES] = sum.z;
    slab[lane + 3u * LANES] = sum.w;
    workgroupBarrier();
    if lane < 4u * NARROW_WIDTH {
        var total = vec4(0.0);
        for (var other = lane; lane < sums && other < shares * sums; other += sums) {
            total += vec4(
                slab[other],
                slab[other + LANES],
                slab[other + 2u * LANES],
                slab[other + 3u * LANES],
            );
        }
        values[quarter_at(lane / 4u, lane % 4u)] =
            finish(product, lane % 4u, lane / 4u, total, brought);
    }
}

// Brings a slot of this width to where the next product starts from.
fn bring(member: u32, first_row: u32, slot: u32, width: u32, lane: u32) {
    let end = 4u * ((width + DEPTH - 1u) / DEPTH * DEPTH);
    for (var element = lane; element < end; element += LANES) {
        let unit = element / 4u;
        let row = first_row + 4u * (element % 4u);
        var four = vec4(0.0);
        if unit < width && row < padded_count() {
            four = four_rows(member * WORKSPACE + slot, width, row, unit);
        }
        values[quarter_at(unit, element % 4u)] = four;
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
    let layers = ENCODER + DECODER;
    bring(member, row, BATCH, FEATURES, lane);
    // Forward through every layer, and back.
    for (var number = 0u; number < 2u * layers; number++) {
        if number == ENCODER {
            sample_posterior(member, row, lane);
            storageBarrier();
            workgroupBarrier();
            bring(member, row, SAMPLE, LATENT, lane);
        }
        if number == layers + DECODER {
            posterior_gradients(member, row, lane);
            storageBarrier();
            workgroupBarrier();
            bring(member, row, POSTERIOR_GRADIENT, 2u * LATENT, lane);
        }
        // The encoder's first layer has only the batch before it.
        if number == 2u * layers - 1u {
            break;
        }
        workgroupBarrier();
        let backwards = number >= layers;
        let layer = tiles[select(number, 2u * layers - 1u - number, backwards)].layer;
        let depth = select(layer.inputs, layer.outputs, backwards);
        let width = select(layer.outputs, layer.inputs, backwards);
        let product = Product(layer, member, row, backwards, depth, width);
        if width > NARROW_WIDTH {
            wide(product, lane);
        } else {
            narrow(product, lane);
        }
        // Others read what it left in the workspace.
        storageBarrier();
    }
}
