// For software/matmul.wgsl: adds what 16 rows of A at four steps of k give with four columns of B. The constant A_ALONG
// chooses this file or rank_4_update_k_fragments.wgsl. Here a lane's vectors of A lie along m: lane i has rows
// 4·(i mod 4) to 4·(i mod 4) + 3 at steps i div 4 and 2 + i div 4. `right`: four steps of k × four columns. The lane of
// a broadcast must be a constant.
enable subgroups;

fn rank_4_update(sums: ptr<function, Sums>, left: array<vec4f, 2>, right: array<vec4f, 4>) {
    (*sums)[0] = plus_products((*sums)[0], vec4f(
        subgroupBroadcast(left[0].x, 0u), subgroupBroadcast(left[0].x, 4u),
        subgroupBroadcast(left[1].x, 0u), subgroupBroadcast(left[1].x, 4u),
    ), right);
    (*sums)[1] = plus_products((*sums)[1], vec4f(
        subgroupBroadcast(left[0].y, 0u), subgroupBroadcast(left[0].y, 4u),
        subgroupBroadcast(left[1].y, 0u), subgroupBroadcast(left[1].y, 4u),
    ), right);
    (*sums)[2] = plus_products((*sums)[2], vec4f(
        subgroupBroadcast(left[0].z, 0u), subgroupBroadcast(left[0].z, 4u),
        subgroupBroadcast(left[1].z, 0u), subgroupBroadcast(left[1].z, 4u),
    ), right);
    (*sums)[3] = plus_products((*sums)[3], vec4f(
        subgroupBroadcast(left[0].w, 0u), subgroupBroadcast(left[0].w, 4u),
        subgroupBroadcast(left[1].w, 0u), subgroupBroadcast(left[1].w, 4u),
    ), right);
    (*sums)[4] = plus_products((*sums)[4], vec4f(
        subgroupBroadcast(left[0].x, 1u), subgroupBroadcast(left[0].x, 5u),
        subgroupBroadcast(left[1].x, 1u), subgroupBroadcast(left[1].x, 5u),
    ), right);
    (*sums)[5] = plus_products((*sums)[5], vec4f(
        subgroupBroadcast(left[0].y, 1u), subgroupBroadcast(left[0].y, 5u),
        subgroupBroadcast(left[1].y, 1u), subgroupBroadcast(left[1].y, 5u),
    ), right);
    (*sums)[6] = plus_products((*sums)[6], vec4f(
        subgroupBroadcast(left[0].z, 1u), subgroupBroadcast(left[0].z, 5u),
        subgroupBroadcast(left[1].z, 1u), subgroupBroadcast(left[1].z, 5u),
    ), right);
    (*sums)[7] = plus_products((*sums)[7], vec4f(
        subgroupBroadcast(left[0].w, 1u), subgroupBroadcast(left[0].w, 5u),
        subgroupBroadcast(left[1].w, 1u), subgroupBroadcast(left[1].w, 5u),
    ), right);
    (*sums)[8] = plus_products((*sums)[8], vec4f(
        subgroupBroadcast(left[0].x, 2u), subgroupBroadcast(left[0].x, 6u),
        subgroupBroadcast(left[1].x, 2u), subgroupBroadcast(left[1].x, 6u),
    ), right);
    (*sums)[9] = plus_products((*sums)[9], vec4f(
        subgroupBroadcast(left[0].y, 2u), subgroupBroadcast(left[0].y, 6u),
        subgroupBroadcast(left[1].y, 2u), subgroupBroadcast(left[1].y, 6u),
    ), right);
    (*sums)[10] = plus_products((*sums)[10], vec4f(
        subgroupBroadcast(left[0].z, 2u), subgroupBroadcast(left[0].z, 6u),
        subgroupBroadcast(left[1].z, 2u), subgroupBroadcast(left[1].z, 6u),
    ), right);
    (*sums)[11] = plus_products((*sums)[11], vec4f(
        subgroupBroadcast(left[0].w, 2u), subgroupBroadcast(left[0].w, 6u),
        subgroupBroadcast(left[1].w, 2u), subgroupBroadcast(left[1].w, 6u),
    ), right);
    (*sums)[12] = plus_products((*sums)[12], vec4f(
        subgroupBroadcast(left[0].x, 3u), subgroupBroadcast(left[0].x, 7u),
        subgroupBroadcast(left[1].x, 3u), subgroupBroadcast(left[1].x, 7u),
    ), right);
    (*sums)[13] = plus_products((*sums)[13], vec4f(
        subgroupBroadcast(left[0].y, 3u), subgroupBroadcast(left[0].y, 7u),
        subgroupBroadcast(left[1].y, 3u), subgroupBroadcast(left[1].y, 7u),
    ), right);
    (*sums)[14] = plus_products((*sums)[14], vec4f(
        subgroupBroadcast(left[0].z, 3u), subgroupBroadcast(left[0].z, 7u),
        subgroupBroadcast(left[1].z, 3u), subgroupBroadcast(left[1].z, 7u),
    ), right);
    (*sums)[15] = plus_products((*sums)[15], vec4f(
        subgroupBroadcast(left[0].w, 3u), subgroupBroadcast(left[0].w, 7u),
        subgroupBroadcast(left[1].w, 3u), subgroupBroadcast(left[1].w, 7u),
    ), right);
}
