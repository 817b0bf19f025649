// Where a workgroup stands. A dimension of the grid holds at most 65,535 workgroups, so larger grids have several rows.

// Invocations of a workgroup that takes one element each: a multiple of every subgroup size (4 to 64), and WebGPU's
// guaranteed maximum.
const WORKGROUP: u32 = 256u;

fn linear_group(group: vec3u, groups: vec3u) -> u32 {
    return group.y * groups.x + group.x;
}

fn linear_element(group: vec3u, groups: vec3u, local: u32) -> u32 {
    return linear_group(group, groups) * WORKGROUP + local;
}
