// The same as best_workgroup.wgsl for software adapters whose subgroups have 8 invocations or more, by broadcasts as in
// reduce_broadcast.wgsl. On llvmpipe, 2 cores: beam_step for 120 sentences 3.1 ms with best_workgroup.wgsl, 2.2 so.
enable subgroups;

fn best_of_workgroup(own: Bests, local: u32) -> Bests {
    let k = own.keys;
    let keys = max(
        max(
            max(subgroupBroadcast(k, 0u), subgroupBroadcast(k, 1u)),
            max(subgroupBroadcast(k, 2u), subgroupBroadcast(k, 3u)),
        ),
        max(
            max(subgroupBroadcast(k, 4u), subgroupBroadcast(k, 5u)),
            max(subgroupBroadcast(k, 6u), subgroupBroadcast(k, 7u)),
        ),
    );
    let p = select(vec2u(NOBODY), own.places, k == keys);
    let places = min(
        min(
            min(subgroupBroadcast(p, 0u), subgroupBroadcast(p, 1u)),
            min(subgroupBroadcast(p, 2u), subgroupBroadcast(p, 3u)),
        ),
        min(
            min(subgroupBroadcast(p, 4u), subgroupBroadcast(p, 5u)),
            min(subgroupBroadcast(p, 6u), subgroupBroadcast(p, 7u)),
        ),
    );
    return Bests(keys, places);
}
