// What makes y of xW + b.

const RELU: u32 = 1u;
const SILU: u32 = 2u;
const TANH: u32 = 3u;

// f and f' of an activation; of the identity f alone, as nothing asks for its slope.
fn activated(function: u32, sum: f32) -> vec2<f32> {
    switch function {
        case RELU: {
            // Written so that NaN stays NaN.
            return vec2(select(sum, 0.0, sum < 0.0), select(0.0, 1.0, sum > 0.0));
        }
        case SILU: {
            // Past ±80 it is 0 or 1, and the exponential stays finite.
            let sigmoid = 1.0 / (1.0 + exp(-clamp(sum, -80.0, 80.0)));
            return vec2(sum * sigmoid, sigmoid * (1.0 + sum * (1.0 - sigmoid)));
        }
        case TANH: {
            // Past ±10 it is ±1, and some drivers' tanh overflows.
            let y = tanh(clamp(sum, -10.0, 10.0));
            return vec2(y, 1.0 - y * y);
        }
        default: { return vec2(sum, 0.0); }
    }
}
