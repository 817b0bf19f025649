// The same as rank_4_update_m_fragments.wgsl where a lane's vectors of A lie along k: lane i has rows i and i + 8, each
// at all four steps.
enable subgroups;

fn rank_4_update(sums: ptr<function, Sums>, left: array<vec4f, 2>, right: array<vec4f, 4>) {
    (*sums)[0] = plus_products((*sums)[0], subgroupBroadcast(left[0], 0u), right);
    (*sums)[1] = plus_products((*sums)[1], subgroupBroadcast(left[0], 1u), right);
    (*sums)[2] = plus_products((*sums)[2], subgroupBroadcast(left[0], 2u), right);
    (*sums)[3] = plus_products((*sums)[3], subgroupBroadcast(left[0], 3u), right);
    (*sums)[4] = plus_products((*sums)[4], subgroupBroadcast(left[0], 4u), right);
    (*sums)[5] = plus_products((*sums)[5], subgroupBroadcast(left[0], 5u), right);
    (*sums)[6] = plus_products((*sums)[6], subgroupBroadcast(left[0], 6u), right);
    (*sums)[7] = plus_products((*sums)[7], subgroupBroadcast(left[0], 7u), right);
    (*sums)[8] = plus_products((*sums)[8], subgroupBroadcast(left[1], 0u), right);
    (*sums)[9] = plus_products((*sums)[9], subgroupBroadcast(left[1], 1u), right);
    (*sums)[10] = plus_products((*sums)[10], subgroupBroadcast(left[1], 2u), right);
    (*sums)[11] = plus_products((*sums)[11], subgroupBroadcast(left[1], 3u), right);
    (*sums)[12] = plus_products((*sums)[12], subgroupBroadcast(left[1], 4u), right);
    (*sums)[13] = plus_products((*sums)[13], subgroupBroadcast(left[1], 5u), right);
    (*sums)[14] = plus_products((*sums)[14], subgroupBroadcast(left[1], 6u), right);
    (*sums)[15] = plus_products((*sums)[15], subgroupBroadcast(left[1], 7u), right);
}
