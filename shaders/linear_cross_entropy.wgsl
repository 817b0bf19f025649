// Cross-entropy of softmax(x·weightᵀ + bias), and its gradients, chunk of rows by chunk: no more logits are held.
//
// The products are matmul.wgsl's; here is what lies between them:
//   count    number of labels that are not padding
//   softmax  a row of logits z → its loss, and in place (softmax(z) − target) / count
//   bias     Σ over the chunk's rows of that error
//   total    mean loss and statistics from the rows' losses
// The target is (1 − ε)·onehot(label) + ε/V. Rows whose label is padding get loss 0 and error 0.
//
// Rows of logits begin with whole vectors of four whatever V is, and are read and written as such; the last vector's
// numbers past V are nobody's.
#import shared/grid
#import shared/log_sum_exp
#import shared/reduce_{SUBGROUPS 0:workgroup 1:subgroup 2:broadcast}
#import shared/vector4

struct Parameters {
    rows: u32, // N; in `bias` the rows of the chunk
    vocabulary: u32,
    ignore: u32, // the label of padding; in `bias` 1 where sums are added to those of earlier chunks
    first: u32, // first row of the chunk
    end: u32, // row after its last one
    smoothing: f32, // ε
}

@group(0) @binding(0) var<storage, read> labels: array<u32>; // [N]
@group(0) @binding(1) var<storage, read_write> counted: array<f32>; // [1]
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(LANES)
fn count(@builtin(local_invocation_index) local: u32) {
    var sum = 0.0;
    for (var i = local; i < p.rows; i += LANES) {
        sum += select(0.0, 1.0, labels[i] != p.ignore);
    }
    let total = reduce_sum(sum, local);
    if local == 0u {
        counted[0] = total;
    }
}

@group(0) @binding(1) var<storage, read> count_in: array<f32>; // [1]
@group(0) @binding(2) var<storage, read_write> logits: array<vec4f>; // [rows of the chunk, vectors of V]
@group(0) @binding(3) var<storage, read_write> row_loss: array<f32>; // [2, N]: loss, −log p(label)
@group(0) @binding(4) var<uniform> softmax_p: Parameters;

fn vectors_of(vocabulary: u32) -> u32 {
    return (vocabulary + 3u) / 4u;
}

// One workgroup a row, two passes over it: sums, that of exponentials following the largest so far as in softmax.wgsl;
// then the error.
@compute @workgroup_size(LANES)
fn softmax(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let in_chunk = linear_group(group, groups);
    let row = softmax_p.first + in_chunk;
    let vocabulary = softmax_p.vocabulary;
    // Past the last row of the chunk there is nothing to do: the grid may be one row of workgroups too large.
    if row >= softmax_p.end {
        return;
    }
    let vectors = vectors_of(vocabulary);
    let start = in_chunk * vectors;
    let label = labels[row];
    if label == softmax_p.ignore {
        if GRADIENT == 1u {
            for (var v = local; v < vectors; v += LANES) {
                logits[start + v] = vec4f(0.0);
            }
        }
        if local == 0u {
            row_loss[row] = 0.0;
            row_loss[softmax_p.rows + row] = 0.0;
        }
        return;
    }
    var sums = vec4f(0.0);
    var exponentials = sums_from(LOWEST);
    let whole = vocabulary / 4u;
    for (var v = local; v < whole; v += LANES) {
        let z = logits[start + v];
        sums += z;
        exponentials = with_numbers(exponentials, z);
    }
    // A last vector with places behind the row, read by the invocation that overwrites it below.
    if whole < vectors && local == whole % LANES {
        let inside = 4u * whole + vec4u(0u, 1u, 2u, 3u) < vec4u(vocabulary);
        let z = logits[start + whole];
        sums += select(vec4f(0.0), z, inside);
        exponentials = with_numbers(exponentials, select(vec4f(LOWEST), z, inside));
    }
    let average = reduce_sum(sum_of(sums), local) / f32(vocabulary);
    let of_row = of_workgroup(exponentials, local);
    let row_largest = of_row.x;
    let total = of_row.y;
    let log_total = log(total);
    // The invocation that overwrites the label's logit below: nobody else needs to have read it by then.
    if local == label / 4u % LANES {
        // The distance from the largest first: added to a large one, the logarithm would lose its last bits.
        let nll = (row_largest - logits[start + label / 4u][label % 4u]) + log_total;
        row_loss[row] = (1.0 - softmax_p.smoothing) * nll + softmax_p.smoothing * ((row_largest - average) + log_total);
        row_loss[softmax_p.rows + row] = nll;
    }
    if GRADIENT == 1u {
        let share = softmax_p.smoothing / f32(vocabulary);
        let rest = 1.0 - softmax_p.smoothing;
        for (var v = local; v < vectors; v += LANES) {
            let target_share = share + select(vec4f(0.0), vec4f(rest), 4u * v + vec4u(0u, 1u, 2u, 3u) == vec4u(label));
            logits[start + v] = (exp(logits[start + v] - row_largest) / total - target_share) / count_in[0];
        }
    }
}

@group(0) @binding(0) var<storage, read> errors: array<vec4f>; // [rows of the chunk, vectors of V]
@group(0) @binding(1) var<storage, read_write> dbias: array<f32>; // [V]

// As sum_rows.wgsl, 32 columns, or 8 vectors, a workgroup: `bias` for hardware, four rows at a time, `bias_walk` for
// software adapters. By arithmetic, not measured: row by row, a lane waited for memory 80 times where 2,560 rows are
// added, some 30 µs; now 20 times.
var<workgroup> partial: array<vec4f, 256>;

@compute @workgroup_size(256)
fn bias(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let vectors = vectors_of(p.vocabulary);
    let vector = linear_group(group, groups) * 8u + local % 8u;
    var sum = vec4f(0.0);
    if vector < vectors {
        for (var r = local / 8u; r < p.rows; r += 128u) {
            let rows = r + vec4u(0u, 32u, 64u, 96u);
            let there = rows < vec4u(p.rows);
            let at = min(rows, vec4u(p.rows - 1u)) * vectors + vector;
            let first = errors[at.x];
            let second = select(vec4f(0.0), errors[at.y], there.y);
            let third = select(vec4f(0.0), errors[at.z], there.z);
            let fourth = select(vec4f(0.0), errors[at.w], there.w);
            sum += (first + second) + (third + fourth);
        }
    }
    partial[local] = sum;
    workgroupBarrier();
    if local < 8u && vector < vectors {
        var total = vec4f(0.0);
        for (var lane = 0u; lane < 32u; lane++) {
            total += partial[lane * 8u + local];
        }
        keep_bias(vector, total);
    }
}

@compute @workgroup_size(8)
fn bias_walk(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let vectors = vectors_of(p.vocabulary);
    let vector = linear_group(group, groups) * 8u + local;
    var sum = vec4f(0.0);
    for (var r = 0u; r < p.rows; r++) {
        sum += errors[r * vectors + min(vector, vectors - 1u)];
    }
    if vector < vectors {
        keep_bias(vector, sum);
    }
}

fn keep_bias(vector: u32, sum: vec4f) {
    for (var i = 0u; i < min(4u, p.vocabulary - 4u * vector); i++) {
        let column = 4u * vector + i;
        if p.ignore == 1u {
            dbias[column] += sum[i];
        } else {
            dbias[column] = sum[i];
        }
    }
}

@group(0) @binding(0) var<storage, read> row_losses: array<f32>; // [2, N]
@group(0) @binding(2) var<storage, read_write> mean: array<f32>; // [1]
@group(0) @binding(3) var<storage, read_write> statistics: array<f32>; // [3]: Σ loss, Σ −log p(label), count

@compute @workgroup_size(LANES)
fn total(@builtin(local_invocation_index) local: u32) {
    let rows = softmax_p.rows;
    var loss = 0.0;
    var nll = 0.0;
    for (var i = local; i < rows; i += LANES) {
        loss += row_losses[i];
        nll += row_losses[rows + i];
    }
    let loss_sum = reduce_sum(loss, local);
    let nll_sum = reduce_sum(nll, local);
    if local == 0u {
        mean[0] = loss_sum / max(count_in[0], 1.0);
        statistics[0] = loss_sum;
        statistics[1] = nll_sum;
        statistics[2] = count_in[0];
    }
}
