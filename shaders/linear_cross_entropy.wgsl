// Cross-entropy of softmax(x·weightᵀ + bias), and its gradients, chunk of rows by chunk, so that the logits are never held whole.
//
// The products are matmul.wgsl's; here is what lies between them:
//   count    number of labels that are not padding
//   softmax  a row of logits z → its loss, and in place (softmax(z) − target) / count
//   bias     Σ over the chunk's rows of that error
//   total    mean loss and statistics from the rows' losses
// The target is (1 − ε)·onehot(label) + ε/V. Rows whose label is padding get loss 0 and error 0.
#import shared/grid
#import shared/log_sum_exp
#import shared/reduce{SUBGROUPS}
#import shared/strided
#import shared/vector4

struct Parameters {
    rows: u32, // N; in `bias` the rows of the chunk
    vocabulary: u32,
    ignore: u32, // the label of padding; in `bias` 1 where sums are added to those of earlier chunks
    first: u32, // first row of the chunk
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
@group(0) @binding(2) var<storage, read_write> logits: array<f32>; // [rows of the chunk, V]
@group(0) @binding(3) var<storage, read_write> row_loss: array<f32>; // [2, N]: loss, −log p(label)
@group(0) @binding(4) var<uniform> softmax_p: Parameters;

fn four_logits(at: u32) -> vec4f {
    return vec4f(logits[at], logits[at + LANES], logits[at + 2u * LANES], logits[at + 3u * LANES]);
}

// One workgroup a row, two passes over it: sums, that of exponentials following the largest so far as in softmax.wgsl; then the error.
@compute @workgroup_size(LANES)
fn softmax(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let in_chunk = linear_group(group, groups);
    let row = softmax_p.first + in_chunk;
    let vocabulary = softmax_p.vocabulary;
    let start = in_chunk * vocabulary;
    // Past the last row of the chunk there is nothing to do: the grid may be one row of workgroups too large.
    if row >= softmax_p.rows {
        return;
    }
    let label = labels[row];
    if label == softmax_p.ignore {
        if GRADIENT == 1u {
            for (var v = local; v < vocabulary; v += LANES) {
                logits[start + v] = 0.0;
            }
        }
        if local == 0u {
            row_loss[row] = 0.0;
            row_loss[softmax_p.rows + row] = 0.0;
        }
        return;
    }
    let body = in_strides(vocabulary);
    var sums = vec4f();
    var exponentials = sums_from(LOWEST);
    for (var v = local; v < body; v += STRIDE) {
        let z = four_logits(start + v);
        sums += z;
        exponentials = with_numbers(exponentials, z);
    }
    for (var v = body + local; v < vocabulary; v += LANES) {
        sums.x += logits[start + v];
        exponentials = with_numbers(exponentials, vec4f(logits[start + v], vec3f(LOWEST)));
    }
    let average = reduce_sum(sum_of(sums), local) / f32(vocabulary);
    let of_row = of_workgroup(exponentials, local);
    let row_largest = of_row.x;
    let total = of_row.y;
    let log_total = log(total) + row_largest;
    let nll = log_total - logits[start + label];
    workgroupBarrier(); // all have read the label's logit before it is overwritten
    if local == 0u {
        row_loss[row] = (1.0 - softmax_p.smoothing) * nll + softmax_p.smoothing * (log_total - average);
        row_loss[softmax_p.rows + row] = nll;
    }
    if GRADIENT == 1u {
        let share = softmax_p.smoothing / f32(vocabulary);
        let rest = 1.0 - softmax_p.smoothing;
        for (var v = local; v < body; v += STRIDE) {
            let places = v + vec4u(0u, LANES, 2u * LANES, 3u * LANES);
            let target_share = share + select(vec4f(), vec4f(rest), places == vec4u(label));
            let errors_of_four = (exp(four_logits(start + v) - row_largest) / total - target_share) / count_in[0];
            for (var i = 0u; i < 4u; i++) {
                logits[start + places[i]] = errors_of_four[i];
            }
        }
        for (var v = body + local; v < vocabulary; v += LANES) {
            let target_share = share + select(0.0, rest, v == label);
            logits[start + v] = (exp(logits[start + v] - row_largest) / total - target_share) / count_in[0];
        }
    }
}

@group(0) @binding(0) var<storage, read> errors: array<f32>; // [rows of the chunk, V]
@group(0) @binding(1) var<storage, read_write> dbias: array<f32>; // [V]

// As sum_rows.wgsl: `bias` for hardware, 32 columns a workgroup; `bias_walk` for software adapters, 64.
var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(256)
fn bias(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let column = linear_group(group, groups) * 32u + local % 32u;
    var sum = 0.0;
    if column < p.vocabulary {
        for (var r = local / 32u; r < p.rows; r += 8u) {
            sum += errors[r * p.vocabulary + column];
        }
    }
    partial[local] = sum;
    workgroupBarrier();
    if local < 32u && column < p.vocabulary {
        var total = 0.0;
        for (var lane = 0u; lane < 8u; lane++) {
            total += partial[lane * 32u + local];
        }
        keep_bias(column, total);
    }
}

@compute @workgroup_size(8)
fn bias_walk(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let first = linear_group(group, groups) * 64u + local;
    let last = p.vocabulary - 1u;
    var sums: array<f32, 8>;
    for (var r = 0u; r < p.rows; r++) {
        for (var i = 0u; i < 8u; i++) {
            sums[i] += errors[r * p.vocabulary + min(first + 8u * i, last)];
        }
    }
    for (var i = 0u; i < 8u; i++) {
        if first + 8u * i <= last {
            keep_bias(first + 8u * i, sums[i]);
        }
    }
}

fn keep_bias(column: u32, sum: f32) {
    if p.ignore == 1u {
        dbias[column] += sum;
    } else {
        dbias[column] = sum;
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
