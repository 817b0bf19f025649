// What attention.wgsl and software/attention.wgsl have in common: sizes, what is read, and which keys and random words
// belong to a query

// key to v_start count vectors.
struct Parameters {
    count: u32, // invocations that have work
    batch: u32,
    heads: u32,
    queries: u32,
    keys: u32,
    key: u32, // of a head's query and key
    value: u32,
    q_width: u32, // of a position in q
    kv_width: u32, // and in kv
    k_start: u32, // first column of the keys in kv
    v_start: u32,
    masked: u32, // 1 if lengths hide keys; a constant would double the kernels, and is asked once a query only
    causal: u32, // 1 if query t sees keys 0..=t only
    scale: f32, // 1/√numbers of a key
    threshold: u32, // where DROPPED: (1 − p)·(2³² − 1)
    stream: u32, // which dropout of the model
    factor: f32, // 1/(1 − p)
}
@group(0) @binding(0) var<storage, read> q: array<Numbers>; // [queries, batch, q_width]
// [keys, batch, kv_width], q again where a sequence looks at itself
@group(0) @binding(1) var<storage, read> kv: array<Numbers>;
@group(0) @binding(2) var<storage, read> lengths: array<u32>; // [batch], read where `masked`
// seed in words 0 and 1, step in word 2; read where DROPPED
@group(0) @binding(3) var<storage, read> control: array<u32>;

// Keys of sentence b that query t sees.
fn visible(parameters: Parameters, b: u32, t: u32) -> u32 {
    var end = parameters.keys;
    if parameters.masked == 1u {
        end = min(end, lengths[b]);
    }
    if parameters.causal == 1u {
        end = min(end, t + 1u);
    }
    return end;
}

// Which of `first` to `first` + 3 are
fn are_before(first: u32, end: u32) -> vec4<bool> {
    return first + vec4u(0u, 1u, 2u, 3u) < vec4u(end);
}

// What random words are drawn by. Read once: in a loop three words of `control` cost llvmpipe as much as the words
// themselves.
fn dropout_key(parameters: Parameters) -> vec4u {
    if DROPPED == 1u {
        return vec4u(control[0], control[1], control[2], parameters.stream);
    }
    return vec4u();
}

// Which of keys 4·block to 4·block + 3 dropout leaves in a row of the probabilities
fn are_left(parameters: Parameters, row: u32, block: u32, key: vec4u) -> vec4<bool> {
    return random_words(row * ((parameters.keys + 3u) / 4u) + block, key) < vec4u(parameters.threshold);
}

// Their factors: 0 or 1/(1 − p), and 1 without dropout
fn dropout_factors(parameters: Parameters, row: u32, block: u32, key: vec4u) -> vec4f {
    if DROPPED == 1u {
        return select(vec4f(0.0), vec4f(parameters.factor), are_left(parameters, row, block, key));
    }
    return vec4f(1.0);
}

const LOWEST: f32 = -3.4e38;
