//! Changes of one thing at a time in a WGSL file, on the level of its tokens.

use std::fmt;
use std::ops::Range;

/// A file with one part replaced.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The file's name as `shaders` lists it: "softmax", "shared/grid".
    pub file: String,
    range: Range<usize>,
    replacement: String,
    kind: &'static str,
    line: usize,
    original: String,
}

impl Mutant {
    pub fn apply(&self, text: &str) -> String {
        format!("{}{}{}", &text[..self.range.start], self.replacement, &text[self.range.end..])
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let [original, replacement] = [&self.original, &self.replacement].map(|text| one_line(text));
        let replacement = if replacement.is_empty() { "nothing".into() } else { replacement };
        write!(f, "{}.wgsl:{} {}: `{original}` becomes `{replacement}`", self.file, self.line, self.kind)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Word,
    Number,
    Symbol,
}

#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    kind: Kind,
    text: &'a str,
    start: usize,
}

impl Token<'_> {
    fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

const LONG_SYMBOLS: [&str; 19] = [
    ">>=", "<<=", "->", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<=", ">=", "==", "!=", "&&", "||",
];

/// The tokens of a file without comments and imports. `<<` and `>>` come as two symbols, since `>>` may also close two
/// lists of types.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let (bytes, mut result, mut at) = (text.as_bytes(), vec![], 0);
    while at < bytes.len() {
        let rest = &text[at..];
        let length = |belongs: fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let byte = bytes[at];
        let (kind, len) = if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        } else if rest.starts_with("//") || rest.starts_with('#') {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if byte.is_ascii_digit() {
            let mut len = length(|c| c.is_ascii_alphanumeric() || c == '.');
            // The exponent of 1e-5; in 0x1e-5 there is none.
            if rest[..len].ends_with('e') && !rest.starts_with("0x") && rest[len..].starts_with('-') {
                len += 1 + rest[len + 1..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(0);
            }
            (Kind::Number, len)
        } else if byte.is_ascii_alphabetic() || byte == b'_' {
            (Kind::Word, length(|c| c.is_ascii_alphanumeric() || c == '_'))
        } else {
            (Kind::Symbol, LONG_SYMBOLS.iter().find(|s| rest.starts_with(*s)).map_or(1, |s| s.len()))
        };
        result.push(Token { kind, text: &rest[..len], start: at });
        at += len;
    }
    result
}

/// Which tokens may change: not those of attributes (but the size of a workgroup), of lists of types, and of
/// declarations of types.
fn changeable(tokens: &[Token]) -> Vec<bool> {
    let mut result = vec![true; tokens.len()];
    let mut at = 0;
    while at < tokens.len() {
        let next = |i: usize| tokens.get(i).map_or("", |t| t.text);
        let skip_to = |close: &str, open: &str, from: usize| {
            let (mut depth, mut i) = (0, from);
            loop {
                if next(i) == open {
                    depth += 1;
                } else if next(i) == close {
                    depth -= 1;
                }
                i += 1;
                if depth == 0 || i >= tokens.len() {
                    return i;
                }
            }
        };
        let end = match tokens[at].text {
            "@" if next(at + 1) == "workgroup_size" => at + 2,
            "@" if next(at + 2) == "(" => skip_to(")", "(", at + 2),
            "@" => at + 2,
            "struct" => skip_to("}", "{", at + 2),
            "array" | "vec2" | "vec3" | "vec4" | "ptr" | "var" | "bitcast" | "atomic" if next(at + 1) == "<" => {
                skip_to(">", "<", at + 1)
            }
            _ => {
                at += 1;
                continue;
            }
        };
        result[at..end.min(tokens.len())].fill(false);
        at = end;
    }
    result
}

/// What an operator between two operands becomes.
fn other_operator(symbol: &str) -> &'static [&'static str] {
    match symbol {
        "+" => &["-"],
        "-" => &["+"],
        "*" => &["+"],
        "/" => &["*"],
        "%" => &["/"],
        "&" => &["|"],
        "|" => &["&"],
        "^" => &["&"],
        "+=" => &["-=", "="],
        "-=" => &["+="],
        "*=" => &["/="],
        "/=" => &["*="],
        "++" => &["--"],
        "<" => &["<=", ">"],
        "<=" => &["<", ">="],
        ">" => &[">=", "<"],
        ">=" => &[">", "<="],
        "==" => &["!="],
        "!=" => &["=="],
        "&&" => &["||"],
        "||" => &["&&"],
        _ => &[],
    }
}

/// What a number becomes: its neighbours, or half of it.
fn other_numbers(text: &str) -> Vec<String> {
    let digits = text.trim_end_matches(['u', 'i']);
    let suffix = &text[digits.len()..];
    if let Some(hexadecimal) = digits.strip_prefix("0x") {
        let value = u64::from_str_radix(hexadecimal, 16).expect("a hexadecimal number");
        return vec![format!("0x{:x}{suffix}", value ^ 1)];
    }
    if let Ok(value) = digits.parse::<u64>() {
        return [Some(value + 1), value.checked_sub(1)].into_iter().flatten().map(|v| format!("{v}{suffix}")).collect();
    }
    let value: f64 = digits.trim_end_matches('f').parse().expect("a decimal number");
    vec![if value == 0.0 { "1.0".into() } else { format!("{:e}", value / 2.0) }]
}

/// Every mutant of a file.
pub fn mutants(file: &str, text: &str) -> Vec<Mutant> {
    let tokens = tokens(text);
    let changeable = changeable(&tokens);
    let mut result = vec![];
    let mut add = |range: Range<usize>, replacement: String, kind| {
        let line = text[..range.start].lines().count().max(1) + usize::from(text[..range.start].ends_with('\n'));
        let original = text[range.clone()].to_string();
        result.push(Mutant { file: file.into(), range, replacement, kind, line, original });
    };
    let text_at = |i: usize| tokens.get(i).map_or("", |t| t.text);
    for (i, token) in tokens.iter().enumerate().filter(|(i, _)| changeable[*i]) {
        let range = token.start..token.end();
        let previous = i.checked_sub(1).map(|p| tokens[p]);
        // Whether an operand ends before this token, so that an operator here stands between two.
        let after_operand = previous.is_some_and(|p| match p.kind {
            Kind::Word => !["return", "case", "if"].contains(&p.text),
            Kind::Number => true,
            Kind::Symbol => [")", "]"].contains(&p.text),
        });
        match token.kind {
            Kind::Number => {
                for other in other_numbers(token.text) {
                    add(range.clone(), other, "constant");
                }
            }
            Kind::Word => match token.text {
                "min" => add(range, "max".into(), "bound"),
                "max" => add(range, "min".into(), "bound"),
                "workgroupBarrier" | "storageBarrier" => {
                    add(token.start..tokens[i + 3].end(), String::new(), "barrier");
                }
                "if" => {
                    // A body follows, or in `break if` nothing.
                    let end = (i..tokens.len()).find(|&j| ["{", ";"].contains(&text_at(j))).expect("a condition's end");
                    for constant in ["true", "false"] {
                        add(tokens[i + 1].start..tokens[end - 1].end(), constant.into(), "condition");
                    }
                }
                _ => {}
            },
            Kind::Symbol => {
                let shift = ["<", ">"].contains(&token.text) && text_at(i + 1) == token.text;
                let second_of_shift =
                    ["<", ">"].contains(&token.text) && previous.is_some_and(|p| p.text == token.text);
                if shift {
                    let other = if token.text == "<" { ">>" } else { "<<" };
                    add(token.start..tokens[i + 1].end(), other.into(), "operator");
                } else if after_operand && !second_of_shift {
                    let kind = if token.text.starts_with(['<', '>']) || ["==", "!="].contains(&token.text) {
                        "comparison"
                    } else {
                        "operator"
                    };
                    for other in other_operator(token.text) {
                        add(range.clone(), (*other).into(), kind);
                    }
                    if ["-", "/", "%"].contains(&token.text) {
                        let (left, right) = (operand_before(&tokens, i), operand_after(&tokens, i));
                        let swapped = format!("{} {} {}", &text[right.clone()], token.text, &text[left.clone()]);
                        add(left.start..right.end, swapped, "swapped operands");
                    }
                } else if ["-", "!"].contains(&token.text) {
                    add(range, String::new(), "operator");
                }
                if token.text == "[" && after_operand {
                    let inside = token.end()..tokens[closing(&tokens, i)].start;
                    add(inside.clone(), format!("({}) + 1u", &text[inside]), "index");
                }
                let call = previous.is_some_and(|p| {
                    p.kind == Kind::Word && !["if", "for", "while", "min", "max", "dot"].contains(&p.text)
                });
                let declared = i >= 2 && text_at(i - 2) == "fn";
                if token.text == "("
                    && call
                    && !declared
                    && let Some([first, second]) = first_arguments(&tokens, i)
                {
                    let swapped = format!("{}, {}", &text[second.clone()], &text[first.clone()]);
                    add(first.start..second.end, swapped, "swapped operands");
                }
            }
        }
    }
    result
}

/// The token that closes the bracket at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i;
        }
    }
    panic!("a bracket that nothing closes");
}

/// The token that opens the bracket at `close`.
fn opening(tokens: &[Token], close: usize) -> usize {
    (0..close)
        .rev()
        .find(|&i| ["(", "["].contains(&tokens[i].text) && closing(tokens, i) == close)
        .expect("an opened bracket")
}

fn operand_before(tokens: &[Token], operator: usize) -> Range<usize> {
    let mut first = operator - 1;
    loop {
        if [")", "]"].contains(&tokens[first].text) {
            first = opening(tokens, first);
            let called = first > 0 && tokens[first - 1].kind == Kind::Word && tokens[first - 1].text != "return";
            if !called && tokens[first].text == "(" {
                break;
            }
            first -= 1;
        } else if first >= 2 && tokens[first - 1].text == "." {
            first -= 2;
        } else {
            break;
        }
    }
    tokens[first].start..tokens[operator - 1].end()
}

fn operand_after(tokens: &[Token], operator: usize) -> Range<usize> {
    let mut last = operator + 1;
    if tokens[last].text == "-" {
        last += 1;
    }
    if tokens[last].text == "(" {
        last = closing(tokens, last);
    }
    loop {
        match tokens.get(last + 1).map_or("", |t| t.text) {
            "(" | "[" => last = closing(tokens, last + 1),
            "." => last += 2,
            _ => break,
        }
    }
    tokens[operator + 1].start..tokens[last].end()
}

/// The first two arguments of the call whose bracket opens at `open`.
fn first_arguments(tokens: &[Token], open: usize) -> Option<[Range<usize>; 2]> {
    let close = closing(tokens, open);
    let (mut depth, mut commas) = (0, vec![]);
    for (i, token) in tokens.iter().enumerate().take(close).skip(open + 1) {
        match token.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "," if depth == 0 => commas.push(i),
            _ => {}
        }
    }
    let first = *commas.first()?;
    let end = commas.get(1).copied().unwrap_or(close);
    Some([tokens[open + 1].start..tokens[first - 1].end(), tokens[first + 1].start..tokens[end - 1].end()])
}
