// Two searches at once, in each slot of a vector by itself: for the number with the largest key, of equals that which stands first. Nobody's key is less than
// every number's.

const NO_KEY: f32 = -0x1.fffffep+127f;
const NOBODY: u32 = 0xffffffffu;

struct Bests {
    keys: vec2f,
    places: vec2u,
}

fn better(a: Bests, b: Bests) -> Bests {
    let is_better = (b.keys > a.keys) | ((b.keys == a.keys) & (b.places < a.places));
    return Bests(select(a.keys, b.keys, is_better), select(a.places, b.places, is_better));
}
