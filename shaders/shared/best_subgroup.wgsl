// The same as best_workgroup.wgsl, for hardware with subgroup operations: every subgroup goes over all LANES
// invocations, as in reduce_subgroup.wgsl.
enable subgroups;

var<workgroup> best_keys: array<vec2f, LANES>;
var<workgroup> best_places: array<vec2u, LANES>;

fn best_of_workgroup(own: Bests, local: u32) -> Bests {
    best_keys[local] = own.keys;
    best_places[local] = own.places;
    workgroupBarrier();
    let size = subgroupAdd(1u);
    var best = own;
    for (var i = subgroupExclusiveAdd(1u); i < LANES; i += size) {
        best = better(best, Bests(best_keys[i], best_places[i]));
    }
    let keys = subgroupMax(best.keys);
    let places = subgroupMin(select(vec2u(NOBODY), best.places, best.keys == keys));
    workgroupBarrier(); // before the next one overwrites it
    return Bests(keys, places);
}
