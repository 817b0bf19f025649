// Sums and maxima over a workgroup of LANES invocations, by halving in workgroup memory: right for every subgroup size, and in a fixed
// order, so that the same run gives the same bits. Every invocation gets the result. The constant SUBGROUPS chooses this file or reduce1.wgsl.
//
// LANES is 256 on hardware. On software adapters it is 8, one vector of llvmpipe: a barrier among 32 vectors costs it a microsecond or two. On
// llvmpipe, 2 cores, with 256 and with 8: `argmax` of 1280 × 6191 38 and 6 ms, `clip_grad_norm` of 2.1 million numbers 7.5 and 2.9; the second figures on
// a machine that was the busier one.

var<workgroup> reduced: array<f32, LANES>;

fn reduce_sum(value: f32, local: u32) -> f32 {
    reduced[local] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
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
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
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
