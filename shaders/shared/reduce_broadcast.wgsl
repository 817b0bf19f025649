// The same as reduce_workgroup.wgsl for software adapters whose subgroups have 8 invocations or more: LANES is 8, a
// workgroup is part of one subgroup, and every lane adds up all eight numbers. The number of a fixed lane costs
// llvmpipe an instruction, a barrier some hundred and `subgroupAdd` a loop over the lanes. On 2 cores of a Zen 5,
// `softmax` of 1280 × 6191 took 9.0 ms with reduce_workgroup.wgsl and takes 7.8 so, its backward pass 11.6 and 9.2.
enable subgroups;

fn reduce_sum(value: f32, local: u32) -> f32 {
    let low = (subgroupBroadcast(value, 0u) + subgroupBroadcast(value, 1u))
        + (subgroupBroadcast(value, 2u) + subgroupBroadcast(value, 3u));
    let high = (subgroupBroadcast(value, 4u) + subgroupBroadcast(value, 5u))
        + (subgroupBroadcast(value, 6u) + subgroupBroadcast(value, 7u));
    return low + high;
}

fn reduce_max(value: f32, local: u32) -> f32 {
    let low = max(
        max(subgroupBroadcast(value, 0u), subgroupBroadcast(value, 1u)),
        max(subgroupBroadcast(value, 2u), subgroupBroadcast(value, 3u)),
    );
    let high = max(
        max(subgroupBroadcast(value, 4u), subgroupBroadcast(value, 5u)),
        max(subgroupBroadcast(value, 6u), subgroupBroadcast(value, 7u)),
    );
    return max(low, high);
}
