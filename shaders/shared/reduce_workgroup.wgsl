// Sums and maxima over a workgroup of LANES invocations in workgroup memory: right for every subgroup size, and in a
// fixed order, so that the same run gives the same bits. Every invocation gets the result. The constant SUBGROUPS
// chooses this file, reduce_subgroup.wgsl or reduce_broadcast.wgsl.
//
// LANES is 32 to 256 on hardware. On software adapters it is 8, one vector of llvmpipe: a barrier among 32 vectors
// costs it a microsecond or two. On llvmpipe, 2 cores, with 256 and with 8: `argmax` of 1280 × 6191 38 and 6 ms,
// `clip_grad_norm` of 2.1 million numbers 7.5 and 2.9; the second figures on a machine that was the busier one.
//
// An invocation adds four numbers at a step, so that 256 need four steps and six barriers, where halving needs eight
// and ten: by arithmetic, with some 30 cycles for loads that do not wait for each other, 4 for an addition and 30 for a
// barrier, 4 · (30 + 3 · 4 + 30) in place of 8 · (30 + 4 + 30). Not measured on hardware. Nor does llvmpipe write this
// loop out, as it does where a number is halved: its compiler took 10.0 s for `normalize`'s kernels for hardware, and
// takes 4.5.

const PARTS: u32 = 4u;

var<workgroup> reduced: array<f32, LANES>;

fn reduce_sum(value: f32, local: u32) -> f32 {
    reduced[local] = value;
    var left = LANES;
    while left > 1u {
        let parts = min(left, PARTS);
        left /= parts;
        workgroupBarrier();
        if local < left {
            var sum = reduced[local];
            for (var i = 1u; i < parts; i++) {
                sum += reduced[local + i * left];
            }
            reduced[local] = sum;
        }
    }
    workgroupBarrier();
    let result = reduced[0];
    workgroupBarrier(); // before the next reduction overwrites it
    return result;
}

fn reduce_max(value: f32, local: u32) -> f32 {
    reduced[local] = value;
    var left = LANES;
    while left > 1u {
        let parts = min(left, PARTS);
        left /= parts;
        workgroupBarrier();
        if local < left {
            var largest = reduced[local];
            for (var i = 1u; i < parts; i++) {
                largest = max(largest, reduced[local + i * left]);
            }
            reduced[local] = largest;
        }
    }
    workgroupBarrier();
    let result = reduced[0];
    workgroupBarrier();
    return result;
}
