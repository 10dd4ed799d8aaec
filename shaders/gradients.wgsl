// The gradient of every parameter, and the losses: a workgroup computes one entry of `tiles`.

// Kinds of tiles.
const LAYER: u32 = 0u;
const LOSSES: u32 = 1u;
const COLUMN_SIGMAS: u32 = 2u;
const PRIOR_GAUSSIANS: u32 = 3u;
const PRIOR_WEIGHTS: u32 = 4u;

const LANES: u32 = 32u;

// Values of a row in these columns; those that no lane has are left out.
fn values(place: u32, columns: vec4<u32>, width: u32) -> vec4<f32> {
    var v = vec4(workspace[place + columns.x], 0.0, 0.0, 0.0);
    if width > LANES {
        v.y = workspace[place + columns.y];
    }
    if width > 2u * LANES {
        v.z = workspace[place + columns.z];
    }
    if width > 3u * LANES {
        v.w = workspace[place + columns.w];
    }
    return v;
}

fn store_if(inside: bool, place: u32, value: f32) {
    if inside {
        gradients[place] = value;
    }
}

// Stores the first of these columns, which are `LANES` apart, that lie within `left`.
fn store_columns(place: u32, left: u32, sums: vec4<f32>) {
    store_if(left > 0u, place, sums.x);
    store_if(left > LANES, place + LANES, sums.y);
    store_if(left > 2u * LANES, place + 2u * LANES, sums.z);
    store_if(left > 3u * LANES, place + 3u * LANES, sums.w);
}

// Stores a row of a tile; the row after the last input is the bias.
fn store_row(member: u32, tile: Tile, row: u32, column: u32, sums: vec4<f32>) {
    let place = member * PARAMETERS + tile.weight + row * tile.outputs + column;
    store_columns(place, tile.outputs - column, sums);
}

fn store_input(member: u32, tile: Tile, row: u32, column: u32, sums: vec4<f32>) {
    if tile.row + row < tile.inputs {
        store_row(member, tile, tile.row + row, column, sums);
    }
}

// xᵀ(∂loss/∂y) over the rows of the batch: 8 inputs × 4 outputs an invocation, and for the bias,
// which follows the weights as one more row of them, the sum of ∂loss/∂y.
fn layer(member: u32, tile: Tile, lane: u32) {
    let column = tile.column + lane;
    if column >= tile.outputs {
        return;
    }
    let columns = min(vec4(column) + LANES * vec4(0u, 1u, 2u, 3u), vec4(tile.outputs - 1u));
    // Inputs past the last repeat it.
    let last = tile.inputs - 1u - tile.row;
    let width = tile.outputs - tile.column;
    var x = member * WORKSPACE + tile.x + tile.row;
    var y = member * WORKSPACE + tile.y_gradient;
    var s0 = vec4(0.0);
    var s1 = vec4(0.0);
    var s2 = vec4(0.0);
    var s3 = vec4(0.0);
    var s4 = vec4(0.0);
    var s5 = vec4(0.0);
    var s6 = vec4(0.0);
    var s7 = vec4(0.0);
    var bias = vec4(0.0);
    for (var row = 0u; row < step.count; row++) {
        let v = values(y, columns, width);
        s0 += workspace[x] * v;
        s1 += workspace[x + min(1u, last)] * v;
        s2 += workspace[x + min(2u, last)] * v;
        s3 += workspace[x + min(3u, last)] * v;
        s4 += workspace[x + min(4u, last)] * v;
        s5 += workspace[x + min(5u, last)] * v;
        s6 += workspace[x + min(6u, last)] * v;
        s7 += workspace[x + min(7u, last)] * v;
        bias += v;
        x += tile.inputs;
        y += tile.outputs;
    }
    store_input(member, tile, 0u, column, s0);
    store_input(member, tile, 1u, column, s1);
    store_input(member, tile, 2u, column, s2);
    store_input(member, tile, 3u, column, s3);
    store_input(member, tile, 4u, column, s4);
    store_input(member, tile, 5u, column, s5);
    store_input(member, tile, 6u, column, s6);
    store_input(member, tile, 7u, column, s7);
    if tile.row == 0u {
        store_row(member, tile, tile.inputs, column, bias);
    }
}

// The losses, and a σ that all columns share. One invocation adds up what `posterior_backward` found
// of each row: a workgroup barrier here would slow every tile where a GPU is simulated.
fn total_losses(member: u32) {
    let base = member * WORKSPACE;
    var sums = vec2(0.0);
    for (var row = 0u; row < step.count; row++) {
        sums += vec2(workspace[base + RECONSTRUCTION + row], workspace[base + KL + row]);
    }
    sums /= f32(step.count);
    if LEARNED_SIGMAS == 1u {
        gradients[member * PARAMETERS + LOG_SIGMA] = f32(FEATURES) - 2.0 * sums.x;
    }
    if !SQUARED_ERROR {
        for (var feature = 0u; feature < FEATURES; feature++) {
            sums.x += log_sigma(member, feature) + 0.5 * 1.8378770664093453;
        }
    }
    losses[step.slot * arrayLength(&members) + member] = sums;
}

// The log σ of one column.
fn column_sigma(member: u32, feature: u32) {
    if feature >= FEATURES {
        return;
    }
    var squares = 0.0;
    for (var row = 0u; row < step.count; row++) {
        let residual = workspace[member * WORKSPACE + RESIDUAL + row * FEATURES + feature];
        squares += residual * residual;
    }
    gradients[member * PARAMETERS + LOG_SIGMA + feature] =
        1.0 - squares * precision_of(member, feature) / f32(step.count);
}

// Mean and log-variance of one unit of one Gaussian of the prior.
fn prior_gaussian(member: u32, element: u32) {
    if element >= COMPONENTS * LATENT {
        return;
    }
    let base = member * WORKSPACE;
    let component = element / LATENT;
    let mean = prior_mean(member, element);
    let log_variance = prior_log_variance(member, element);
    let inverse_variance = exp(-log_variance);
    var of_mean = 0.0;
    var of_log_variance = 0.0;
    for (var row = 0u; row < step.count; row++) {
        let responsibility = workspace[base + RESPONSIBILITIES + row * COMPONENTS + component];
        let distance = workspace[base + SAMPLE + row * LATENT + element % LATENT] - mean;
        of_mean += responsibility * distance * inverse_variance;
        of_log_variance += responsibility * (0.5 * distance * distance * inverse_variance - 0.5);
    }
    let weight = kl_weight(member) / f32(step.count);
    let own = member * PARAMETERS;
    let inside = parameters[own + PRIOR_LOG_VARIANCES + element] == log_variance;
    gradients[own + PRIOR_MEANS + element] = -weight * of_mean;
    gradients[own + PRIOR_LOG_VARIANCES + element] =
        select(0.0, -weight * of_log_variance, inside);
}

// The logit of one Gaussian of the prior.
fn prior_weight(member: u32, component: u32) {
    if component >= COMPONENTS {
        return;
    }
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
    for (var row = 0u; row < step.count; row++) {
        let place = member * WORKSPACE + RESPONSIBILITIES + row * COMPONENTS + component;
        of_logit += workspace[place] - weight;
    }
    gradients[logits + component] = -kl_weight(member) / f32(step.count) * of_logit;
}

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = running(group);
    if number >= arrayLength(&tiles) {
        return;
    }
    let tile = tiles[number];
    switch tile.kind {
        case LAYER: { layer(group.z, tile, lane); }
        case LOSSES: {
            if lane == 0u {
                total_losses(group.z);
            }
        }
        case COLUMN_SIGMAS: { column_sigma(group.z, tile.row + lane); }
        case PRIOR_GAUSSIANS: { prior_gaussian(group.z, tile.row + lane); }
        default: { prior_weight(group.z, tile.row + lane); }
    }
}
