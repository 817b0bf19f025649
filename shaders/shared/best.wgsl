// Two searches side by side, one in each slot: for the largest key, and of equal keys for the first place.
// `best_of_workgroup` searches among a workgroup's invocations. The constant SUBGROUPS chooses its file, as that of a
// reduction: best_workgroup.wgsl, best_subgroup.wgsl or best_broadcast.wgsl. Nobody's key is less than any number's
// that takes part.

const NO_KEY: f32 = -3.4028234663852886e38; // the lowest f32
const NOBODY: u32 = 0xffffffffu;

struct Bests {
    keys: vec2f,
    places: vec2u,
}

fn better(a: Bests, b: Bests) -> Bests {
    let is_better = (b.keys > a.keys) | ((b.keys == a.keys) & (b.places < a.places));
    return Bests(select(a.keys, b.keys, is_better), select(a.places, b.places, is_better));
}
