// Four columns of a row at a time for an invocation of a workgroup that shares out the row: LANES apart, so that neighbouring invocations read neighbouring
// columns whatever the row's length is. The loop around one column costs llvmpipe more than the column does.

const STRIDE: u32 = 4u * LANES;

fn strided(first: u32) -> vec4u {
    return first + vec4u(0u, LANES, 2u * LANES, 3u * LANES);
}

fn sum_of_four(v: vec4f) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

fn largest_of_four(v: vec4f) -> f32 {
    return max(max(v.x, v.y), max(v.z, v.w));
}
