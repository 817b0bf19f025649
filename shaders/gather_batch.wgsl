// ids[t, b] = tokens[offsets[s] + t] for the sentence s that control names for row b, padding past its end; labels[t,
// b] is the token after it
//
// One invocation a row of the batch, or four where their number is a multiple of 4, so that four ids are written at
// once: at most a few thousand words a step.
// Sentences lie anywhere in the corpus, and each begins with a wait for memory: where all its rows begin is read before
// where they end, and a token of the second cache line, 16 tokens on, before the first line is used up. On llvmpipe, 2
// cores, 51,200 sentences of 20 tokens: some 1.85 ms without either, 1.75 without the latter, 1.1 to 1.4 so.
#import shared/elements
#import shared/grid
#import shared/vector{VECTOR}

struct Parameters {
    batch: u32, // vectors of rows
    time: u32,
    padding: u32,
}
@group(0) @binding(0) var<storage, read> tokens: array<u32>; // the whole corpus
@group(0) @binding(1) var<storage, read> offsets: array<u32>; // [sentences + 1]
@group(0) @binding(2) var<storage, read> control: array<Words>; // sentences from word 8 on
@group(0) @binding(3) var<storage, read_write> ids: array<Words>; // [time, batch]
@group(0) @binding(4) var<storage, read_write> lengths: array<Words>; // [batch]
@group(0) @binding(5) var<uniform> parameters: Parameters;

// First tokens and numbers of tokens of the rows of a vector.
struct Sentences {
    starts: vec4u,
    lengths: vec4u,
}

// The vector with another word at place k. Direct3D's older compiler takes no `v[k] = word` with a k that it does not
// know.
fn with_word(v: vec4u, k: u32, word: u32) -> vec4u {
    return select(v, vec4u(word), vec4u(k) == vec4u(0u, 1u, 2u, 3u));
}

fn sentences(vector: u32) -> Sentences {
    let named = control[8u / WIDTH + vector];
    var found: Sentences;
    for (var k = 0u; k < WIDTH; k++) {
        let s = word_at(named, k);
        if s != 0xffffffffu {
            found.starts = with_word(found.starts, k, offsets[s]);
        }
    }
    for (var k = 0u; k < WIDTH; k++) {
        let s = word_at(named, k);
        if s != 0xffffffffu {
            found.lengths = with_word(found.lengths, k, offsets[s + 1u] - found.starts[k]);
        }
    }
    return found;
}

// Tokens of a cache line
const LINE: u32 = 16u;

// The tokens `t` behind `starts`, where `inside`; padding elsewhere.
fn tokens_at(starts: vec4u, t: u32, inside: vec4<bool>, padding: u32) -> vec4u {
    var found = vec4u(padding);
    for (var k = 0u; k < WIDTH; k++) {
        found = with_word(found, k, select(padding, tokens[select(0u, starts[k] + t, inside[k])], inside[k]));
    }
    return found;
}

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = parameters;
    let e = elements(group, groups, local, p.batch);
    for (var b = e.first; b < e.end; b += LANES) {
        let found = sentences(b);
        let rows = min(found.lengths, vec4u(p.time));
        lengths[b] = words_of(0u, rows);
        let ahead = tokens_at(found.starts, LINE, vec4u(LINE) < rows, p.padding);
        for (var t = 0u; t < p.time; t++) {
            let id = tokens_at(found.starts, t, vec4u(t) < rows, p.padding);
            ids[t * p.batch + b] = words_of(0u, select(id, ahead, t == LINE));
        }
    }
}

// The last token of a sentence is a label only, so a row is one shorter than its sentence. Each token is read once: as
// a label, then it is the next id.
@group(0) @binding(5) var<storage, read_write> labels: array<Words>; // [time, batch]
@group(0) @binding(6) var<uniform> label_parameters: Parameters;

@compute @workgroup_size(LANES)
fn with_labels(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = label_parameters;
    let e = elements(group, groups, local, p.batch);
    for (var b = e.first; b < e.end; b += LANES) {
        let found = sentences(b);
        let rows = min(max(found.lengths, vec4u(1u)) - 1u, vec4u(p.time));
        lengths[b] = words_of(0u, rows);
        var next = tokens_at(found.starts, 0u, rows > vec4u(), p.padding);
        let ahead = tokens_at(found.starts, LINE, vec4u(LINE - 1u) < rows, p.padding);
        for (var t = 0u; t < p.time; t++) {
            let inside = vec4u(t) < rows;
            let id = select(vec4u(p.padding), next, inside);
            next = tokens_at(found.starts, t + 1u, inside, p.padding);
            if t + 1u == LINE {
                next = ahead;
            }
            ids[t * p.batch + b] = words_of(0u, id);
            labels[t * p.batch + b] = words_of(0u, next);
        }
    }
}
