// Twin of src/random.rs: Philox4x32-10, normal draws and the swap-or-not shuffle.

const STREAM_SHUFFLE: u32 = 2u;
const STREAM_POSTERIOR_NOISE: u32 = 3u;

// The high and the low word of a product.
fn product(a: u32, b: u32) -> vec2<u32> {
    let a0 = a & 0xFFFFu;
    let a1 = a >> 16u;
    let b0 = b & 0xFFFFu;
    let b1 = b >> 16u;
    let middle = a1 * b0 + ((a0 * b0) >> 16u);
    let carried = a0 * b1 + (middle & 0xFFFFu);
    return vec2(a1 * b1 + (middle >> 16u) + (carried >> 16u), a * b);
}

fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round++) {
        let low = product(c.x, 0xD2511F53u);
        let high = product(c.z, 0xCD9E8D57u);
        c = vec4(high.x ^ c.y ^ k.x, high.y, low.x ^ c.w ^ k.y, low.y);
        k += vec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}

// The block of four words with this index, of a stream of this member at the step's epoch.
fn words(member: u32, stream: u32, block: u32) -> vec4<u32> {
    return philox(vec4(block, step.epoch, stream), members[member].seed);
}

fn unit(word: u32) -> f32 {
    return f32(word >> 8u) * (1.0 / 16777216.0);
}

fn sin_cos_of_turn(turns: f32) -> vec2<f32> {
    let quarters = 4.0 * turns;
    let nearest = floor(quarters + 0.5);
    let angle = (quarters - nearest) * 1.5707963;
    let z = angle * angle;
    let s = ((-1.9515296e-4 * z + 8.332161e-3) * z - 1.6666655e-1) * z * angle + angle;
    let c = ((2.4433157e-5 * z - 1.3887316e-3) * z + 4.1666646e-2) * z * z - 0.5 * z + 1.0;
    switch u32(nearest) & 3u {
        case 0u: { return vec2(s, c); }
        case 1u: { return vec2(c, -s); }
        case 2u: { return vec2(-s, -c); }
        default: { return vec2(-c, s); }
    }
}

// Two independent standard normal draws.
fn box_muller(word: vec2<u32>) -> vec2<f32> {
    let radius = sqrt(-2.0 * ln(1.0 - unit(word.x)));
    return radius * sin_cos_of_turn(unit(word.y)).yx;
}

fn normals(word: vec4<u32>) -> vec4<f32> {
    return vec4(box_muller(word.xy), box_muller(word.zw));
}

// Offset of the pairing and key of the coins of two rounds of the shuffle: .xy and .zw.
fn shuffle_rounds(word: vec4<u32>) -> vec4<u32> {
    return vec4(product(word.x, step.rows).x, word.y, product(word.z, step.rows).x, word.w);
}

fn hash(value: u32) -> u32 {
    var word = value;
    word ^= word >> 16u;
    word *= 0x7FEB352Du;
    word ^= word >> 15u;
    word *= 0x846CA68Bu;
    return word ^ (word >> 16u);
}

// The row after one round.
fn swap_or_not(row: u32, offset: u32, key: u32) -> u32 {
    var partner = offset + (step.rows - row);
    if partner >= step.rows {
        partner -= step.rows;
    }
    return select(row, partner, hash(max(row, partner) ^ key) >> 31u == 1u);
}
