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
    // The next time, the former are written after this barrier, the latter after the one above.
    workgroupBarrier();
    var best = Bests(head_keys[0], head_places[0]);
    for (var i = 1u; i < HEADS; i++) {
        best = better(best, Bests(head_keys[i], head_places[i]));
    }
    return best;
}
