// The gradient of every parameter, and the losses: a workgroup computes one entry of `tiles`.
//
// Where a batch is large, its rows are divided into slices, and so are the gradients: whoever reads
// them adds the slices up.

// Kinds of tiles.
const WEIGHTS: u32 = 0u;
const BIAS: u32 = 1u;
const LOSSES: u32 = 2u;
const COLUMN_SIGMAS: u32 = 3u;
const PRIOR_GAUSSIANS: u32 = 4u;
const PRIOR_WEIGHTS: u32 = 5u;
const ELEMENTS: u32 = 6u;

// The entries that this pass computes.
override FIRST_TILE: u32;
override TILES: u32;
// Whether layers, and a σ that all columns share, take Adam's step here: what is neither divided nor
// clipped, and read by no other workgroup.
override DESCENDS: bool;

const LEFT_ALONG_DEPTH: bool = false;
const RIGHT_ALONG_DEPTH: bool = false;

// This workgroup's.
var<private> tile: Tile;

fn left(member: u32, row: u32, k: u32) -> f32 {
    return workspace[member * WORKSPACE + tile.layer.x + k * tile.layer.inputs + row];
}

fn right(member: u32, k: u32, column: u32) -> f32 {
    return workspace[member * WORKSPACE + tile.layer.y_gradient + k * tile.layer.outputs + column];
}

// What four of the weights need from memory.
struct Brought {
    state: State,
}

fn places_of(rows: vec4<u32>, columns: vec4<u32>) -> vec4<u32> {
    return tile.layer.weight + rows * tile.layer.outputs + columns;
}

fn bring(member: u32, rows: vec4<u32>, columns: vec4<u32>, size: vec2<u32>) -> Brought {
    var brought: Brought;
    if DESCENDS {
        let inside = rows < vec4(size.x) & columns < vec4(size.y);
        brought.state = state_of(member, places_of(rows, columns), inside);
    }
    return brought;
}

fn finish(
    member: u32,
    rows: vec4<u32>,
    columns: vec4<u32>,
    size: vec2<u32>,
    sums: vec4<f32>,
    brought: Brought,
) {
    let inside = rows < vec4(size.x) & columns < vec4(size.y);
    use_gradients(member, places_of(rows, columns), inside, sums, brought.state);
}

const FIRST_OF_FOUR: vec4<bool> = vec4(true, false, false, false);

// Takes the step of four parameters, those that are `inside`, where nothing else has to be known for
// it, or else keeps their gradients.
fn use_gradients(
    member: u32,
    at: vec4<u32>,
    inside: vec4<bool>,
    values: vec4<f32>,
    before: State,
) {
    if DESCENDS {
        descend(member, at, inside, values, before);
        return;
    }
    let place = gradients_of(member, tile.slice) + at;
    if inside.x {
        gradients[place.x] = values.x;
    }
    if inside.y {
        gradients[place.y] = values.y;
    }
    if inside.z {
        gradients[place.z] = values.z;
    }
    if inside.w {
        gradients[place.w] = values.w;
    }
}

// As `use_gradients`, of one.
fn use_gradient(member: u32, at: u32, value: f32) {
    var before: State;
    if DESCENDS {
        before = state_of(member, vec4(at), FIRST_OF_FOUR);
    }
    use_gradients(member, vec4(at), FIRST_OF_FOUR, vec4(value), before);
}

// Rows of the batch in a slice: the first, and the first that is none.
fn rows_of_slice(slice: u32) -> vec2<u32> {
    let each = (step.count + SLICES - 1u) / SLICES;
    return min(vec2(slice, slice + 1u) * each, vec2(step.count));
}

// The other kinds add up over the rows of the slice: those rows of an element that are an
// invocation's.
struct Rows {
    element: u32,
    first: u32,
    // The first that is none.
    end: u32,
    every: u32,
}

fn rows_of(lane: u32) -> Rows {
    let slice = rows_of_slice(tile.slice);
    let first = slice.x + lane / ABREAST;
    return Rows(tile.row + lane % ABREAST, first, slice.y, LANES / ABREAST);
}

// The bias of a layer: the sum of ∂loss/∂y.
fn bias(member: u32, lane: u32) {
    let own = rows_of(lane);
    let column = min(own.element, tile.layer.outputs - 1u);
    var sum = 0.0;
    for (var row = own.first; row < own.end; row += own.every) {
        sum += right(member, row, column);
    }
    sum = sum_of_element(lane, vec2(sum, 0.0)).x;
    if lane < ABREAST && own.element < tile.layer.outputs {
        use_gradient(member, tile.layer.bias + column, sum);
    }
}

// Elements of a layer's W and of b, which follows it, one by one: where there are few rows to add up.
fn elements(member: u32, lane: u32) {
    let layer = tile.layer;
    let element = tile.row + lane;
    let input = element / layer.outputs;
    if input > layer.inputs {
        return;
    }
    let output = element % layer.outputs;
    let own = vec4(layer.weight + element);
    // What the end needs from memory is on its way meanwhile.
    var before: State;
    if DESCENDS {
        before = state_of(member, own, FIRST_OF_FOUR);
    }
    let rows = rows_of_slice(tile.slice);
    let eights = rows.x + (rows.y - rows.x) / 8u * 8u;
    var sums = vec4(0.0);
    // Eight rows at a time, so that a GPU waits for all of their loads at once.
    for (var row = rows.x; row < eights; row += 8u) {
        let near = vec4(row) + vec4(0u, 1u, 2u, 3u);
        sums += addends(member, input, output, near) + addends(member, input, output, near + 4u);
    }
    for (var row = eights; row < rows.y; row++) {
        sums.x += addends(member, input, output, vec4(row)).x;
    }
    let sum = sums.x + sums.y + sums.z + sums.w;
    use_gradients(member, own, FIRST_OF_FOUR, vec4(sum), before);
}

// What four rows add to the gradient of an element.
fn addends(member: u32, input: u32, output: u32, rows: vec4<u32>) -> vec4<f32> {
    var x = vec4(1.0);
    if input < tile.layer.inputs {
        x = vec4(
            left(member, input, rows.x),
            left(member, input, rows.y),
            left(member, input, rows.z),
            left(member, input, rows.w),
        );
    }
    return x * vec4(
        right(member, rows.x, output),
        right(member, rows.y, output),
        right(member, rows.z, output),
        right(member, rows.w, output),
    );
}

// The losses, and a σ that all columns share.
fn total_losses(member: u32, lane: u32) {
    let base = member * WORKSPACE;
    var sums = vec2(0.0);
    if lane < SUMMERS {
        for (var row = lane; row < step.count; row += SUMMERS) {
            sums += vec2(workspace[base + RECONSTRUCTION + row], workspace[base + KL + row]);
        }
    }
    sums = sum_of_all(lane, sums) / f32(step.count);
    if lane > 0u {
        return;
    }
    var reconstruction = sums.x;
    if !SQUARED_ERROR {
        for (var feature = 0u; feature < FEATURES; feature++) {
            reconstruction += log_sigma(member, feature) + 0.5 * 1.8378770664093453;
        }
    }
    losses[step.slot * arrayLength(&members) + member] = vec2(reconstruction, sums.y);
    if LEARNED_SIGMAS == 1u {
        use_gradient(member, LOG_SIGMA, f32(FEATURES) - 2.0 * sums.x);
        // It is not divided.
        for (var slice = 1u; slice < SLICES; slice++) {
            gradients[gradients_of(member, slice) + LOG_SIGMA] = 0.0;
        }
    }
}

// The log σ of one column.
fn column_sigma(member: u32, lane: u32) {
    let own = rows_of(lane);
    let feature = min(own.element, FEATURES - 1u);
    var squares = 0.0;
    for (var row = own.first; row < own.end; row += own.every) {
        let residual = workspace[member * WORKSPACE + RESIDUAL + row * FEATURES + feature];
        squares += residual * residual;
    }
    squares = sum_of_element(lane, vec2(squares, 0.0)).x;
    if lane < ABREAST && own.element < FEATURES {
        let scaled = squares * precision_of(member, feature) / f32(step.count);
        gradients[gradients_of(member, tile.slice) + LOG_SIGMA + feature] =
            select(0.0, 1.0, tile.slice == 0u) - scaled;
    }
}

// Mean and log-variance of one unit of one Gaussian of the prior.
fn prior_gaussian(member: u32, lane: u32) {
    let base = member * WORKSPACE;
    let own = rows_of(lane);
    let element = min(own.element, COMPONENTS * LATENT - 1u);
    let component = element / LATENT;
    let mean = prior_mean(member, element);
    let log_variance = prior_log_variance(member, element);
    let inverse_variance = exp(-log_variance);
    // Of the mean and of the log-variance.
    var sums = vec2(0.0);
    for (var row = own.first; row < own.end; row += own.every) {
        let responsibility = workspace[base + RESPONSIBILITIES + row * COMPONENTS + component];
        let distance = workspace[base + SAMPLE + row * LATENT + element % LATENT] - mean;
        let scaled = distance * inverse_variance;
        sums += responsibility * vec2(scaled, 0.5 * distance * scaled - 0.5);
    }
    sums = sum_of_element(lane, sums);
    if lane < ABREAST && own.element < COMPONENTS * LATENT {
        let weight = kl_weight(member) / f32(step.count);
        let out = gradients_of(member, tile.slice);
        let log_variances = member * PARAMETERS + PRIOR_LOG_VARIANCES;
        let inside = parameters[log_variances + element] == log_variance;
        gradients[out + PRIOR_MEANS + element] = -weight * sums.x;
        gradients[out + PRIOR_LOG_VARIANCES + element] = select(0.0, -weight * sums.y, inside);
    }
}

// The logit of one Gaussian of the prior.
fn prior_weight(member: u32, lane: u32) {
    let own = rows_of(lane);
    let component = min(own.element, COMPONENTS - 1u);
    let logit = parameters[member * PARAMETERS + PRIOR_LOGITS + component];
    let weight = exp(logit - workspace[member * WORKSPACE + LOGIT_SUM]);
    var of_logit = 0.0;
    for (var row = own.first; row < own.end; row += own.every) {
        let place = member * WORKSPACE + RESPONSIBILITIES + row * COMPONENTS + component;
        of_logit += workspace[place] - weight;
    }
    of_logit = sum_of_element(lane, vec2(of_logit, 0.0)).x;
    if lane < ABREAST && own.element < COMPONENTS {
        gradients[gradients_of(member, tile.slice) + PRIOR_LOGITS + component] =
            -kl_weight(member) / f32(step.count) * of_logit;
    }
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = running(group);
    if number >= TILES {
        return;
    }
    // The branch and what a product gets are seen to be the same in the whole workgroup, as barriers
    // need it; what is private to an invocation would not be.
    let own = tiles[FIRST_TILE + number];
    tile = own;
    switch own.kind {
        case WEIGHTS: {
            let size = vec2(own.layer.inputs, own.layer.outputs);
            product(group.z, vec2(own.row, own.column), size, rows_of_slice(own.slice), lane);
        }
        case BIAS: { bias(group.z, lane); }
        case ELEMENTS: { elements(group.z, lane); }
        case LOSSES: { total_losses(group.z, lane); }
        case COLUMN_SIGMAS: { column_sigma(group.z, lane); }
        case PRIOR_GAUSSIANS: { prior_gaussian(group.z, lane); }
        default: { prior_weight(group.z, lane); }
    }
}
