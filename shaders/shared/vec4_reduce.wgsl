// Four numbers that belong together: columns of a row, or keys and queries

fn sum_of_four(v: vec4f) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

fn largest_of_four(v: vec4f) -> f32 {
    return max(max(v.x, v.y), max(v.z, v.w));
}
