// The best of LANES invocations, in two steps: some take the best of FAN invocations each, then all take the best of
// those. Two barriers instead of the log2(LANES) + 2 of halving. On llvmpipe, 2 cores: beam_step for 120 sentences 3.6
// ms with halving and 3.1 so, and what a case runs of it 2.0 and 1.6 s to compile.

const FAN: u32 = min(LANES, 16u);
const HEADS: u32 = LANES / FAN;

var<workgroup> best_keys: array<vec2f, LANES>;
var<workgroup> best_places: array<vec2u, LANES>;
var<workgroup> head_keys: array<vec2f, HEADS>;
var<workgroup> head_places: array<vec2u, HEADS>;

fn best_of_workgroup(own: Bests, local: u32) -> Bests {
    best_keys[local] = own.keys;
    best_places[local] = own.places;
    workgroupBarrier();
    if local < HEADS {
        var best = own;
        for (var i = local + HEADS; i < LANES; i += HEADS) {
            best = better(best, Bests(best_keys[i], best_places[i]));
        }
        head_keys[local] = best.keys;
        head_places[local] = best.places;
    }
    // The next search writes the former after this barrier, the latter after the one above.
    workgroupBarrier();
    var best = Bests(head_keys[0], head_places[0]);
    for (var i = 1u; i < HEADS; i++) {
        best = better(best, Bests(head_keys[i], head_places[i]));
    }
    return best;
}
