// The same as reduce_workgroup.wgsl, for hardware with subgroup operations: 2 barriers instead of 6 among 256
// invocations. Not measured on hardware. On llvmpipe, whose kernels have LANES = 8, nothing beyond the noise
// (reduce_workgroup.wgsl's and these, 2 cores, ms: `clip_grad_norm` of 2.1 million numbers 0.55 and 0.53, `softmax` of
// 1280 × 6191 9.90 and 9.65, `log_softmax` 9.6 and 9.0; kernels without a reduction drifted as much), so software
// adapters keep to reduce_workgroup.wgsl.
//
// Every subgroup adds up all LANES numbers: each of its n invocations every n-th of them, then all of them together by
// one operation. So nobody needs to know how invocations are shared out among subgroups, nor that all have the same
// size, and the result is right for every size; for 32, an invocation reads 8 of 256 numbers. The order is fixed, for a
// size.
enable subgroups;

var<workgroup> reduced: array<f32, LANES>;

fn reduce_sum(value: f32, local: u32) -> f32 {
    reduced[local] = value;
    workgroupBarrier();
    let lane = subgroupExclusiveAdd(1u);
    let size = subgroupAdd(1u);
    var sum = 0.0;
    for (var first = 0u; first < LANES; first += size) {
        let i = first + lane;
        sum += select(0.0, reduced[min(i, LANES - 1u)], i < LANES);
    }
    let result = subgroupAdd(sum);
    workgroupBarrier(); // before the next reduction overwrites it
    return result;
}

fn reduce_max(value: f32, local: u32) -> f32 {
    reduced[local] = value;
    workgroupBarrier();
    let lane = subgroupExclusiveAdd(1u);
    let size = subgroupAdd(1u);
    var largest = value;
    for (var first = 0u; first < LANES; first += size) {
        largest = max(largest, reduced[min(first + lane, LANES - 1u)]);
    }
    let result = subgroupMax(largest);
    workgroupBarrier();
    return result;
}
