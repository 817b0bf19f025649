// Sums and maxima over a workgroup of 256 invocations, by halving in workgroup memory: right for every subgroup size, and in a fixed
// order, so that the same run gives the same bits. Every invocation gets the result. Needs shared/grid.

var<workgroup> reduced: array<f32, WORKGROUP>;

fn reduce_sum(value: f32, local: u32) -> f32 {
    reduced[local] = value;
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            reduced[local] += reduced[local + half];
        }
    }
    workgroupBarrier();
    let result = reduced[0];
    workgroupBarrier(); // before the next reduction overwrites it
    return result;
}

fn reduce_max(value: f32, local: u32) -> f32 {
    reduced[local] = value;
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            reduced[local] = max(reduced[local], reduced[local + half]);
        }
    }
    workgroupBarrier();
    let result = reduced[0];
    workgroupBarrier();
    return result;
}
