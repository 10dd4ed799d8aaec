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

// The entries that this pass computes.
override FIRST_TILE: u32;
override TILES: u32;

const LEFT_ALONG_DEPTH: bool = false;
const RIGHT_ALONG_DEPTH: bool = false;

// This workgroup's.
var<private> tile: Tile;

fn left(member: u32, row: u32, k: u32) -> f32 {
    return workspace[member * WORKSPACE + tile.x + k * tile.inputs + row];
}

fn right(member: u32, k: u32, column: u32) -> f32 {
    return workspace[member * WORKSPACE + tile.y_gradient + k * tile.outputs + column];
}

fn finish(member: u32, row: u32, column: u32, value: f32) {
    let place = gradients_of(member, tile.slice) + tile.weight;
    gradients[place + row * tile.outputs + column] = value;
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
    let column = min(own.element, tile.outputs - 1u);
    var sum = 0.0;
    for (var row = own.first; row < own.end; row += own.every) {
        sum += right(member, row, column);
    }
    sum = sum_of_element(lane, vec2(sum, 0.0)).x;
    if lane < ABREAST && own.element < tile.outputs {
        gradients[gradients_of(member, tile.slice) + tile.weight + column] = sum;
    }
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
    if LEARNED_SIGMAS == 1u {
        gradients[gradients_of(member, 0u) + LOG_SIGMA] = f32(FEATURES) - 2.0 * sums.x;
        // It is not divided.
        for (var slice = 1u; slice < SLICES; slice++) {
            gradients[gradients_of(member, slice) + LOG_SIGMA] = 0.0;
        }
    }
    if !SQUARED_ERROR {
        for (var feature = 0u; feature < FEATURES; feature++) {
            sums.x += log_sigma(member, feature) + 0.5 * 1.8378770664093453;
        }
    }
    losses[step.slot * arrayLength(&members) + member] = sums;
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
    let logits = member * PARAMETERS + PRIOR_LOGITS;
    var most = parameters[logits];
    for (var k = 1u; k < COMPONENTS; k++) {
        most = max(most, parameters[logits + k]);
    }
    var sum = 0.0;
    for (var k = 0u; k < COMPONENTS; k++) {
        sum += exp(parameters[logits + k] - most);
    }
    let weight = exp(parameters[logits + component] - most) / sum;
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
            let size = vec2(own.inputs, own.outputs);
            product(group.z, vec2(own.row, own.column), size, rows_of_slice(own.slice), lane);
        }
        case BIAS: { bias(group.z, lane); }
        case LOSSES: { total_losses(group.z, lane); }
        case COLUMN_SIGMAS: { column_sigma(group.z, lane); }
        case PRIOR_GAUSSIANS: { prior_gaussian(group.z, lane); }
        default: { prior_weight(group.z, lane); }
    }
}
