//! What the text of a file tells.

use super::super::shaders::split_enable;

/// What compilers take differently in the text of a file, with the line of each.
pub fn departures(text: &str) -> Vec<(usize, String)> {
    let tokens = joined(text, &pieces(text));
    let mut found = uninitialized(text, &tokens);
    found.extend(mixed_operators(&tokens));
    if !text.lines().any(|line| split_enable(line).0.contains(&"subgroups")) {
        found.extend(subgroup_operation(&tokens));
    }
    found.sort();
    found
}

/// A word, a number, an operator, or another character.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Token<'a> {
    text: &'a str,
    line: usize,
    /// Where it begins, in bytes.
    at: usize,
}

impl Token<'_> {
    /// A word or a number.
    fn is_name(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    }
}

/// Words, numbers and single characters, without comments and lines that import.
fn pieces(text: &str) -> Vec<Token<'_>> {
    let mut pieces = vec![];
    let (mut line, mut at, mut comments) = (1, 0, 0);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        at += if rest.starts_with("/*") {
            comments += 1;
            2
        } else if comments > 0 && rest.starts_with("*/") {
            comments -= 1;
            2
        } else if comments > 0 || c.is_whitespace() {
            line += usize::from(c == '\n');
            c.len_utf8()
        } else if rest.starts_with("//") || c == '#' {
            rest.find('\n').unwrap_or(rest.len())
        } else {
            let length = length(rest);
            pieces.push(Token { text: &rest[..length], line, at });
            length
        };
    }
    pieces
}

/// Bytes of the piece that `text` begins with.
fn length(text: &str) -> usize {
    let is_number = text.starts_with(|c: char| c.is_ascii_digit());
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        // 1.5, 1e-5
        let of_number = c == '.' || "+-".contains(c) && "eE".contains(before) && !text.starts_with("0x");
        if !(c.is_alphanumeric() || c == '_' || is_number && of_number) {
            return if at == 0 { c.len_utf8() } else { at };
        }
        before = c;
    }
    text.len()
}

/// Which pieces are `<` and `>` around the arguments of a type, as in `array<f32, 4>`: WGSL's own rule ("template list
/// discovery").
fn template_brackets(pieces: &[Token]) -> Vec<bool> {
    let mut found = vec![false; pieces.len()];
    let text = |i: usize| pieces.get(i).map_or("", |piece| piece.text);
    let follows = |i: usize, next: &str| text(i + 1) == next && pieces[i + 1].at == pieces[i].at + 1;
    // Where one may have opened, and in how many round and square brackets.
    let (mut open, mut depth): (Vec<(usize, usize)>, usize) = (vec![], 0);
    let mut i = 0;
    while i < pieces.len() {
        match text(i) {
            "<" if i > 0 && pieces[i - 1].is_name() && !follows(i, "<") && !follows(i, "=") => open.push((i, depth)),
            ">" if open.last().is_some_and(|&(_, d)| d == depth) => {
                let (opened, _) = open.pop().expect("one is open");
                (found[opened], found[i]) = (true, true);
            }
            "(" | "[" => depth += 1,
            ")" | "]" => {
                open.retain(|&(_, d)| d < depth);
                depth = depth.saturating_sub(1);
            }
            "=" | "!" | "<" | ">" if follows(i, "=") => i += 1,
            "<" | ">" if follows(i, text(i)) => i += 1,
            "=" | ";" | "{" | ":" => (open.clear(), depth = 0).1,
            "&" | "|" if follows(i, text(i)) => {
                open.retain(|&(_, d)| d < depth);
                i += 1;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

const OPERATORS: [&str; 23] = [
    "<<=", ">>=", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "->", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=",
    "|=", "^=", "<", ">",
];

/// Pieces put together to operators; the brackets of templates become round ones.
fn joined<'a>(text: &'a str, pieces: &[Token<'a>]) -> Vec<Token<'a>> {
    let brackets = template_brackets(pieces);
    let mut tokens: Vec<Token> = vec![];
    for (piece, is_bracket) in pieces.iter().zip(brackets) {
        let text = match piece.text {
            "<" if is_bracket => "(",
            ">" if is_bracket => ")",
            _ if tokens.last().is_some_and(|last| piece.at < last.at + last.text.len()) => continue,
            one => OPERATORS.into_iter().find(|o| text[piece.at..].starts_with(o)).unwrap_or(one),
        };
        tokens.push(Token { text, ..*piece });
    }
    tokens
}

/// Variables in loops without an initial value.
fn uninitialized(text: &str, tokens: &[Token]) -> Vec<(usize, String)> {
    let (mut found, mut blocks, mut of_loop) = (vec![], vec![], false);
    for (i, token) in tokens.iter().enumerate() {
        match token.text {
            "for" | "while" | "loop" => of_loop = true,
            "{" => blocks.push(std::mem::take(&mut of_loop)),
            "}" => drop(blocks.pop()),
            "var" if blocks.contains(&true) => {
                let declaration = &tokens[i..];
                let Some(end) = declaration.iter().find(|t| ["=", ";"].contains(&t.text)) else { continue };
                // Without a type, which only an initial value may stand for, it is no WGSL, of which the compiler
                // tells.
                let Some(colon) = declaration.iter().find(|t| t.text == ":" && t.at < end.at) else { continue };
                if end.text == "=" {
                    continue;
                }
                let (before, ty) = (&text[token.at..colon.at], text[colon.at + 1..end.at].trim());
                let said = format!(
                    "`{before}` in a loop has no initial value: by the standard it is zero at every turn, in Chrome at \
                     the first only; write `{before} = {ty}();`"
                );
                found.push((token.line, said));
            }
            _ => {}
        }
    }
    found
}

/// The first subgroup operation.
fn subgroup_operation(tokens: &[Token]) -> Option<(usize, String)> {
    let is_operation = |pair: &&[Token]| {
        let of_kind =
            |kind: &str| pair[0].text.strip_prefix(kind).is_some_and(|rest| rest.starts_with(char::is_uppercase));
        let is_builtin = ["subgroup_size", "subgroup_invocation_id"].contains(&pair[0].text);
        (of_kind("subgroup") || of_kind("quad")) && pair[1].text == "(" || is_builtin && pair[1].text == ")"
    };
    let Token { text, line, .. } = tokens.windows(2).find(is_operation)?[0];
    Some((line, format!("`{text}` in a file without the line `enable subgroups;`: Chrome's compiler refuses it")))
}

const BINARY: [&str; 18] =
    ["<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "&", "|", "^"];
const COMPARISONS: [&str; 6] = ["<", ">", "<=", ">=", "==", "!="];

/// Words that an expression may follow.
const KEYWORDS: [&str; 8] = ["return", "if", "while", "switch", "case", "const", "let", "var"];

/// Expressions whose operators must have parentheses between them.
fn mixed_operators(tokens: &[Token]) -> Vec<(usize, String)> {
    // The binary operators of each bracket that is open.
    let mut levels: Vec<Vec<Token>> = vec![vec![]];
    let mut after_operand = false;
    let mut found = vec![];
    for token in tokens {
        let is_operand = token.is_name() && !KEYWORDS.contains(&token.text);
        let is_binary = BINARY.contains(&token.text);
        let ended = match token.text {
            "(" | "[" => {
                levels.push(vec![]);
                None
            }
            ")" | "]" => levels.pop(),
            _ if is_operand || is_binary || [".", "!", "~"].contains(&token.text) => {
                levels.last_mut().expect("a level").extend((is_binary && after_operand).then_some(*token));
                None
            }
            _ => levels.last_mut().map(std::mem::take),
        };
        after_operand = is_operand || [")", "]"].contains(&token.text);
        if levels.is_empty() {
            levels.push(vec![]);
        }
        if let Some([first, second]) = ended.and_then(|operators| mixed(&operators)) {
            let (line, first, second) = (first.line, first.text, second.text);
            let say = format!(
                "`{first}` and `{second}` need parentheses between them: Chrome's compiler refuses what stands here"
            );
            found.push((line, say));
        }
    }
    found
}

/// Two of an expression's operators that WGSL's grammar does not let stand side by side.
fn mixed<'a>(operators: &[Token<'a>]) -> Option<[Token<'a>; 2]> {
    let is_one_of = |kinds: &'static [&'static str]| move |o: &&Token| kinds.contains(&o.text);
    let beside = |one: &Token<'a>| operators.iter().find(|o| o.at != one.at).map(|other| [*one, *other]);
    let other_than = |one: &Token<'a>| operators.iter().find(|o| o.text != one.text).map(|other| [*one, *other]);
    let parts = |at: &'static [&'static str]| operators.split(move |o| at.contains(&o.text)).find_map(mixed);
    if let Some(bits) = operators.iter().find(is_one_of(&["&", "|", "^"])) {
        return other_than(bits);
    }
    let mut logic = operators.iter().filter(is_one_of(&["&&", "||"]));
    if let Some(first) = logic.next() {
        let other = logic.find(|o| o.text != first.text).map(|other| [*first, *other]);
        return other.or_else(|| parts(&["&&", "||"]));
    }
    let mut comparisons = operators.iter().filter(is_one_of(&COMPARISONS));
    if let Some(first) = comparisons.next() {
        return comparisons.next().map(|second| [*first, *second]).or_else(|| parts(&COMPARISONS));
    }
    operators.iter().find(is_one_of(&["<<", ">>"])).and_then(beside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Shaders;
    use crate::ops::{Listing, OPS};

    #[test]
    fn our_own_shaders_have_none() {
        for (name, text) in OPS.iter().flat_map(Listing::files).chain(Shaders::shared().iter().copied()) {
            assert_eq!(departures(text), [], "{name}");
        }
    }

    /// Lines, and the first words of what is said.
    fn told(text: &str) -> Vec<(usize, String)> {
        departures(text).into_iter().map(|(line, said)| (line, said.chars().take(16).collect())).collect()
    }

    #[test]
    fn variables_in_loops_need_initial_values() {
        let say = departures("fn f() {\n    loop {\n        var sums: array<vec4<f32>, N>; // zeros\n    }\n}");
        let [(3, said)] = &say[..] else { panic!("{say:?}") };
        assert!(said.contains("`var sums`") && said.contains("write `var sums = array<vec4<f32>, N>();`"), "{said}");
        for (body, line) in [
            ("for (var i = 0u; i < n; i++) {\nif i == 2u { var x: f32; } }", 2),
            ("while i < n {\n{\nvar x: f32; } }", 3),
            ("loop { continuing { var x: f32; } }", 1),
            ("loop { for (var i: u32; i < n; i++) {} }", 1),
            ("loop { var<function> x: f32; }", 1),
        ] {
            assert_eq!(
                told(&format!("fn f() {{ {body} }}")).iter().map(|(l, _)| *l).collect::<Vec<_>>(),
                [line],
                "{body}"
            );
        }
        for body in [
            "var x: f32; for (var i: u32; i < n; i++) { var y: f32 = 1.0; var z = f32(); }",
            "for (var i = 0u; i < n; i++) {} var x: f32;",
            "// loop {\n var x: f32;",
            "/* loop { /* { */ { */ var x: f32;",
            // No WGSL, and no reason to fall over what follows.
            "loop { var x; } let y: u32 = 1u;",
        ] {
            assert_eq!(told(&format!("var<workgroup> w: array<f32, 8>;\nfn f() {{ {body} }}")), [], "{body}");
        }
    }

    #[test]
    fn operators_that_do_not_mix_need_parentheses() {
        for (expression, [first, second]) in [
            ("a << 16u | b", ["|", "<<"]),
            ("(a | (c + d << 2u))", ["<<", "+"]),
            ("a & b == c", ["&", "=="]),
            ("a && b || c", ["&&", "||"]),
            ("a < b == c", ["<", "=="]),
            ("x[i * 2u >> 1u]", [">>", "*"]),
            ("a << 1u << 2u", ["<<", "<<"]),
            ("a && b << c - 1u < d", ["<<", "-"]),
            ("a ^ b & c", ["^", "&"]),
        ] {
            let all = departures(&format!("fn f() {{\n return {expression};\n}}"));
            let [(2, said)] = &all[..] else { panic!("{expression}: {all:?}") };
            assert!(said.starts_with(&format!("`{first}` and `{second}` ")), "{said}");
        }
        for right in [
            "(a << 16u) | b",
            "a << (16u | b)",
            "a + b < c << 2u",
            "a | b | -c",
            "a * -b - c / d",
            "a < b && c > d + 1 && !e",
            "array<vec4<f32>, 4>(x, y)[a & b] >= z",
            "f(a & b, c | d)",
            "vec2<bool>(a < b, (c > d))",
            "bitcast<u32>(a) >> 3u",
            "1e-5 * x + 0x1e-y",
            "select(&a, &b, a >= b)",
        ] {
            for statement in ["return {};", "y[i & 1u] |= {};", "if {} { }", "let z: array<array<u32, 2>, 3>= {};"] {
                let text = format!("fn f() {{ {} }}", statement.replace("{}", right));
                assert_eq!(told(&text), [], "{text}");
            }
        }
    }

    #[test]
    fn subgroup_operations_need_their_extension() {
        let text = "#import shared/grid\nfn f(x: f32) -> f32 {\n    return subgroupAdd(x);\n}\n";
        assert_eq!(told(text), [(3, "`subgroupAdd` in".into())]);
        assert_eq!(told(&format!("// subgroups\nenable f16, subgroups;\n{text}")), []);
        assert_eq!(told("fn f(@builtin(subgroup_size) n: u32) {}"), [(1, "`subgroup_size` ".into())]);
        assert_eq!(told("fn subgroup_like() { subgrouped(subgroup, subgroup_sizes); } // subgroupAdd(1u)"), []);
    }
}
