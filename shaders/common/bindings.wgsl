// What every stage sees: the network as constants of the pipeline, and the buffers.
//
// A member is `workgroup_id.z`. Matrices are row-major. Offsets count f32 values: those of tensors
// within a member's parameters, those of slots within a member's workspace. Rows of a slot are padded
// to a multiple of 8. What the padding holds enters no gradient and no loss; it is finite wherever a
// layer reads it.

override FEATURES: u32;
override LATENT: u32;
// Parameters of a member.
override PARAMETERS: u32;
// Parts into which the gradients of a member are divided.
override SLICES: u32;
// Whether the likelihood is a mean squared error.
override SQUARED_ERROR: bool;
// Learned log σ: 0, 1 or FEATURES; without one it is FIXED_LOG_SIGMA.
override LEARNED_SIGMAS: u32;
override LOG_SIGMA: u32;
override FIXED_LOG_SIGMA: f32;
override SOFTPLUS: bool;
// Ends of the posterior's log-variance, and the least variance of a softplus.
override LOWEST_LOG_VARIANCE: f32;
override HIGHEST_LOG_VARIANCE: f32;
override SMALLEST_VARIANCE: f32;
// Gaussians of the prior, 0 for N(0, I).
override COMPONENTS: u32;
override PRIOR_MEANS: u32;
override PRIOR_LOG_VARIANCES: u32;
override PRIOR_LOGITS: u32;
// Ends of its Gaussians' log-variances.
override PRIOR_LOWEST_LOG_VARIANCE: f32;
override PRIOR_HIGHEST_LOG_VARIANCE: f32;
// Most workgroups in a dimension.
override MOST_GROUPS: u32;

// Length of a member's workspace, and its slots.
override WORKSPACE: u32;
// The batch, rows × FEATURES.
override BATCH: u32;
// rows × LATENT.
override NOISE: u32;
// The encoder's output, rows × 2·LATENT: means, then heads.
override POSTERIOR: u32;
override POSTERIOR_GRADIENT: u32;
// The posterior's sample z and ∂loss/∂z, rows × LATENT.
override SAMPLE: u32;
override SAMPLE_GRADIENT: u32;
// KL divergence of each row.
override KL: u32;
// Loss of each row's reconstruction, without constants.
override RECONSTRUCTION: u32;
// rows × COMPONENTS.
override RESPONSIBILITIES: u32;
// ln Σ exp of the prior's logits, one value.
override LOGIT_SUM: u32;
// x̂ − x, rows × FEATURES.
override RESIDUAL: u32;
// Parts of the gradient's squared norm, in units of NORM_UNIT.
override SQUARES: u32;
const SQUARE_PARTS: u32 = 64u;
// 2⁻³², so that squares of long gradients stay finite.
const NORM_UNIT: f32 = 2.3283064365386963e-10;

struct Step {
    epoch: vec2<u32>,
    // Training rows.
    rows: u32,
    // Place in the epoch of the batch's first row, and rows of the batch.
    first: u32,
    count: u32,
    // Philox block of the batch's first noise, and values of it that belong to earlier rows.
    noise_block: u32,
    noise_skip: u32,
    // Where the losses go.
    slot: u32,
    // Factor of every member's β.
    beta: f32,
    // Factor of every member's learning rate.
    rate: f32,
    // 1 / (1 − β₁ᵗ) and 1 / (1 − β₂ᵗ).
    first_correction: f32,
    second_correction: f32,
    // Share of the weights in the new average.
    average_share: f32,
}

struct Member {
    seed: vec2<u32>,
    beta: f32,
    learning_rate: f32,
}

// A dense layer.
struct Dense {
    inputs: u32,
    outputs: u32,
    // W (inputs × outputs) and b (outputs) in the parameters.
    weight: u32,
    bias: u32,
    // Slots of x and y and of the gradients with respect to them.
    x: u32,
    x_gradient: u32,
    y: u32,
    y_gradient: u32,
    // What makes y of xW + b: 0 the identity, the others in `activation.wgsl` and `residual.wgsl`.
    function: u32,
    // 1 where an activation made x; its slope then stands where the gradient goes.
    activated: u32,
}

// A layer, or a workgroup's share of the gradients.
struct Tile {
    kind: u32,
    // First input and first output; in other tiles than a layer's, `row` is the first element.
    row: u32,
    column: u32,
    slice: u32,
    layer: Dense,
}

@group(0) @binding(0) var<uniform> step: Step;
// step.rows × FEATURES at least.
@group(0) @binding(1) var<storage, read> rows: array<f32>;
@group(0) @binding(2) var<storage, read> members: array<Member>;
@group(0) @binding(3) var<storage, read> tiles: array<Tile>;
@group(0) @binding(4) var<storage, read_write> parameters: array<f32>;
// Slices of each member.
@group(0) @binding(5) var<storage, read_write> gradients: array<f32>;
// Of each member: first moment, second moment and, where there is one, the average.
@group(0) @binding(6) var<storage, read_write> moments: array<f32>;
@group(0) @binding(7) var<storage, read_write> workspace: array<f32>;
// Of each slot and member: reconstruction and KL divergence.
@group(0) @binding(8) var<storage, read_write> losses: array<vec2<f32>>;

// The running number of a workgroup.
fn running(group: vec3<u32>) -> u32 {
    return group.x + MOST_GROUPS * group.y;
}

// Where a slice of a member's gradients begins.
fn gradients_of(member: u32, slice: u32) -> u32 {
    return (member * SLICES + slice) * PARAMETERS;
}

// Rows of the batch in whole blocks of 8.
fn padded_count() -> u32 {
    return (step.count + 7u) / 8u * 8u;
}

fn log_sigma(member: u32, feature: u32) -> f32 {
    if LEARNED_SIGMAS == 0u {
        return FIXED_LOG_SIGMA;
    }
    return parameters[member * PARAMETERS + LOG_SIGMA + min(feature, LEARNED_SIGMAS - 1u)];
}

// ∂²/∂x̂² of a row's reconstruction loss in this column.
fn precision_of(member: u32, feature: u32) -> f32 {
    if SQUARED_ERROR {
        return 2.0 / f32(FEATURES);
    }
    return exp(-2.0 * log_sigma(member, feature));
}

// Weight of a row's KL divergence.
fn kl_weight(member: u32) -> f32 {
    return step.beta * members[member].beta;
}
