// A row shared out over a workgroup by whole vectors, where only the tensor's length is a multiple of one: a row may
// begin and end within a vector. What lies before its first whole vector and behind its last, at most three numbers
// each, goes to the first eight invocations, one number each. Rows are longer than a vector.

struct Span {
    first: u32, // whole vectors, from `first` on before `last`
    last: u32,
    edge: u32, // the invocation's number by itself, where it has one; else the row's first
    has_edge: bool,
}

fn span_of(start: u32, columns: u32, local: u32) -> Span {
    let end = start + columns;
    let first = (start + WIDTH - 1u) / WIDTH;
    let last = end / WIDTH;
    let before = local < WIDTH;
    let edge = local + select(WIDTH * last - WIDTH, start, before);
    let has_edge = edge < select(end, WIDTH * first, before);
    return Span(first, last, select(start, edge, has_edge), has_edge);
}
