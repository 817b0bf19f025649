// A team of one invocation (attention.wgsl), for software adapters. The constant TEAM chooses this file or
// team_of_eight.wgsl.

fn team_sum(value: vec4f, local: u32) -> vec4f {
    return value;
}

// Where a team's walk to `end` ends: its own end, since nobody waits for it.
fn common_end(end: u32, all: u32) -> u32 {
    return end;
}

// Where a walk from `first` begins, in the same way
fn common_start(first: u32) -> u32 {
    return first;
}
