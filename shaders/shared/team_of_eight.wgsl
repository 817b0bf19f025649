// A team of eight neighbouring invocations of a workgroup of 64, for hardware: what all eight hold, added up in one
// order, so that all have the same bits.

// Teams nine apart: at eight, what four teams of a subgroup read at once would share a bank.
var<workgroup> of_teams: array<vec4f, 9u * 64u / TEAM>;

fn team_sum(value: vec4f, local: u32) -> vec4f {
    let first = local / TEAM * 9u;
    of_teams[first + local % TEAM] = value;
    workgroupBarrier();
    var sum = vec4f(0.0);
    for (var i = 0u; i < TEAM; i++) {
        sum += of_teams[first + i];
    }
    workgroupBarrier(); // before the next sum overwrites them
    return sum;
}

// Where a team's walk to `end` ends: all teams take the same steps, since they meet at barriers.
fn common_end(end: u32, all: u32) -> u32 {
    return all;
}

// Where a walk from `first` begins, in the same way
fn common_start(first: u32) -> u32 {
    return 0u;
}
