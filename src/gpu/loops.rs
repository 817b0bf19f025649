//! Loops as the compilers of Metal and Direct3D take them.
//!
//! naga hands them `for (…; …; i++)` as an endless loop with a flag that leaves `i++` out of the first turn. A compiler
//! that does not see through the flag writes no loop out (wgpu's issue 6521: Apple's does not), and sums that stay in
//! registers only where every index is known go to memory. A loop whose last act is `i++` needs no flag.

use wgpu::naga::{Block, Module, Span, Statement};

/// Moves what follows each turn of a loop to the turn's end, in every loop without `continue`. The meaning stays the
/// same.
pub fn straighten(module: &mut Module) {
    let functions = module.functions.iter_mut().map(|(_, function)| function);
    for function in functions.chain(module.entry_points.iter_mut().map(|entry| &mut entry.function)) {
        straighten_block(&mut function.body);
    }
}

fn straighten_block(block: &mut Block) {
    for statement in block.iter_mut() {
        for inner in blocks_mut(statement) {
            straighten_block(inner);
        }
        let Statement::Loop { body, continuing, break_if } = statement else { continue };
        if continues(body) || body.last().is_some_and(Statement::is_terminator) {
            continue;
        }
        body.append(continuing);
        if let Some(condition) = break_if.take() {
            let accept = Block::from_vec(vec![Statement::Break]);
            body.push(Statement::If { condition, accept, reject: Block::new() }, Span::default());
        }
    }
}

/// Forgets where in the text statements stand: two modules that do the same are the same then.
pub fn without_places(module: &mut Module) {
    let functions = module.functions.iter_mut().map(|(_, function)| function);
    for function in functions.chain(module.entry_points.iter_mut().map(|entry| &mut entry.function)) {
        forget_places(&mut function.body);
    }
}

fn forget_places(block: &mut Block) {
    *block = Block::from_vec(block.to_vec());
    block.iter_mut().flat_map(blocks_mut).for_each(forget_places);
}

/// Whether a turn of the loop with this body may go on to the next one before its end.
fn continues(body: &Block) -> bool {
    body.iter().any(|statement| match statement {
        Statement::Continue => true,
        Statement::Loop { .. } => false,
        Statement::Block(inner) => continues(inner),
        Statement::If { accept, reject, .. } => continues(accept) || continues(reject),
        Statement::Switch { cases, .. } => cases.iter().any(|case| continues(&case.body)),
        _ => false,
    })
}

fn blocks_mut(statement: &mut Statement) -> Vec<&mut Block> {
    match statement {
        Statement::Block(inner) => vec![inner],
        Statement::If { accept, reject, .. } => vec![accept, reject],
        Statement::Loop { body, continuing, .. } => vec![body, continuing],
        Statement::Switch { cases, .. } => cases.iter_mut().map(|case| &mut case.body).collect(),
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use wgpu::naga::front::wgsl::parse_str;
    use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};

    use super::*;

    /// Loops that something follows, before and after.
    fn followed(body: &str) -> [usize; 2] {
        let text = format!(
            "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
            @compute @workgroup_size(1) fn main() {{ {body} }}"
        );
        let mut module = parse_str(&text).expect("WGSL");
        let before = count(&module.entry_points[0].function.body);
        straighten(&mut module);
        let valid = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module);
        valid.unwrap_or_else(|error| panic!("{}", error.emit_to_string(&text)));
        [before, count(&module.entry_points[0].function.body)]
    }

    fn count(block: &Block) -> usize {
        let mut block = block.clone();
        let of = |statement: &mut Statement| {
            let own = matches!(
                statement,
                Statement::Loop { continuing, break_if, .. } if !continuing.is_empty() || break_if.is_some()
            );
            usize::from(own) + blocks_mut(statement).into_iter().map(|inner| count(inner)).sum::<usize>()
        };
        block.iter_mut().map(of).sum()
    }

    #[test]
    fn every_loop_without_continue_becomes_straight() {
        for (body, expected) in [
            ("for (var i = 0u; i < 4u; i++) { y[i] = i; }", [1, 0]),
            ("for (var i = 0u; i < 4u; i++) { for (var j = 0u; j < i; j++) { y[i + j] = j; } }", [2, 0]),
            ("for (var i = 0u; i < 4u; i++) { if y[i] == 0u { break; } }", [1, 0]),
            ("if y[0] == 1u { for (var i = 0u; i < 4u; i++) { y[i] = i; } }", [1, 0]),
            ("var i = 9u; loop { y[i] = i; continuing { i /= 2u; break if i == 0u; } }", [1, 0]),
            ("for (var i = 0u; i < 4u; i++) { if y[i] == 0u { continue; } y[i] = 1u; }", [1, 1]),
            (
                "for (var i = 0u; i < 4u; i++) { \
                 for (var j = 0u; j < i; j++) { if y[j] == 0u { continue; } y[i] = j; } }",
                [2, 1],
            ),
            ("for (var i = 0u; i < 4u; i++) { y[i] = i; return; }", [1, 0]),
            ("loop { y[0] = 1u; break; continuing { y[1] = 1u; } }", [1, 1]),
        ] {
            assert_eq!(followed(body), expected, "{body}");
        }
    }
}
