//! Changes of files: of bytes, of the text in them, and of JSON by its structure.

use arbitrary::{Arbitrary, Result, Unstructured};
use serde_json::Value;

/// No case is larger: what is slow because it is long is another matter than what is slow because it is strange.
const LONGEST: usize = 1 << 20;

/// Numbers at the edges of what types hold, and what looks like a number.
const NUMBERS: [&str; 34] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "64",
    "255",
    "256",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "4611686018427387904",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "340282366920938463463374607431768211456",
    "0.5",
    "1.0",
    "-0.0",
    "1e-45",
    "1e-320",
    "3.5e38",
    "1e308",
    "1e400",
    "nan",
    "inf",
    "-inf",
    "0x10",
    "1_000",
];

/// Text that something may stumble over.
const FRAGMENTS: [&[u8]; 56] = [
    b"",
    b" ",
    b"\0",
    b"\n",
    b"\r",
    b"\r\n",
    b"\t",
    b"\x0b",
    b"\x1b[31m",
    b"\x7f",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\x1f\x8b\x08",
    "\u{85}".as_bytes(),
    "\u{a0}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{2581}".as_bytes(),
    "\u{200f}".as_bytes(),
    "\u{ad}".as_bytes(),
    "e\u{301}\u{327}".as_bytes(),
    "\u{fb01}".as_bytes(),
    "\u{130}".as_bytes(),
    "\u{df}".as_bytes(),
    "\u{1f469}\u{200d}\u{1f680}".as_bytes(),
    "\u{6f22}\u{5b57}".as_bytes(),
    "\u{5e9}\u{5c1}".as_bytes(),
    "\u{10ffff}".as_bytes(),
    b"<unk>",
    b"<eos>",
    b"null",
    b"true",
    b"[",
    b"]",
    b"{",
    b"}",
    b"(",
    b")",
    b"\"",
    b"'",
    b"\\u0000",
    b"\\ud800",
    b"=",
    b"#",
    b"--",
    b"/*",
    b"//",
    b"&quot;",
    b"1.000,5",
    b"#import shared/grid\n",
    b"a.",
    b"[[",
    b"{a=",
    b"{\"a\":",
];

/// How often a fragment is repeated: mostly not, at times so often that recursion shows.
fn times(drawn: u8) -> usize {
    match drawn {
        0..=199 => 1,
        200..=219 => 2,
        220..=244 => 20,
        245..=252 => 100,
        253..=254 => 5_000,
        255 => 60_000,
    }
}

/// One of a list.
fn one_of<'a, T>(list: &'a [T], which: usize) -> Option<&'a T> {
    (!list.is_empty()).then(|| &list[which % list.len()])
}

/// An edge of the numbers.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Number(u8);

impl Number {
    pub fn text(self) -> &'static str {
        NUMBERS[usize::from(self.0) % NUMBERS.len()]
    }
}

/// A piece of text, maybe many times over.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Fragment {
    which: u8,
    times: u8,
}

impl Fragment {
    pub fn bytes(self) -> Vec<u8> {
        let fragment = FRAGMENTS[usize::from(self.which) % FRAGMENTS.len()];
        fragment.repeat(times(self.times))
    }

    /// As text, where a case must be some.
    pub fn text(self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

/// A change of a file's bytes. Places and lengths are taken modulo what the file has.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Edit {
    Flip {
        at: u32,
        bit: u8,
    },
    Put {
        at: u32,
        byte: u8,
    },
    Insert {
        at: u32,
        what: Fragment,
    },
    Cut {
        at: u32,
        length: u16,
    },
    /// A short cut.
    Drop {
        at: u32,
        length: u8,
    },
    End {
        at: u32,
    },
    /// A part once more, behind itself.
    Repeat {
        at: u32,
        length: u16,
    },
    /// A part of the file over another part.
    Copy {
        from: u32,
        to: u32,
        length: u8,
    },
    /// The n-th number in its decimal digits becomes another.
    Number {
        which: u16,
        value: Number,
    },
    /// The n-th word becomes another word of the file.
    Word {
        which: u16,
        by: u16,
    },
    /// The n-th word becomes something else.
    Strange {
        which: u16,
        what: Fragment,
    },
    /// A line changes places with another.
    Lines {
        which: u16,
        with: u16,
    },
}

/// Where the pieces of a file lie whose bytes are all of a kind.
fn runs(bytes: &[u8], of_kind: impl Fn(u8) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = vec![];
    for (at, &byte) in bytes.iter().enumerate() {
        match runs.last_mut() {
            _ if !of_kind(byte) => {}
            Some(run) if run.end == at => run.end += 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

impl Edit {
    fn apply(self, bytes: &mut Vec<u8>) {
        let place = |at: u32| at as usize % bytes.len().max(1);
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        match self {
            Self::Insert { at, what } => {
                let at = at as usize % (bytes.len() + 1);
                bytes.splice(at..at, what.bytes());
            }
            _ if bytes.is_empty() => {}
            Self::Flip { at, bit } => {
                let at = place(at);
                bytes[at] ^= 1 << (bit % 8);
            }
            Self::Put { at, byte } => {
                let at = place(at);
                bytes[at] = byte;
            }
            Self::Cut { at, length } => {
                let at = place(at);
                bytes.drain(at..(at + usize::from(length)).min(bytes.len()));
            }
            Self::Drop { at, length } => {
                let at = place(at);
                bytes.drain(at..(at + usize::from(length % 16)).min(bytes.len()));
            }
            Self::End { at } => bytes.truncate(place(at)),
            Self::Repeat { at, length } => {
                let at = place(at);
                let end = (at + usize::from(length)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(end..end, part);
            }
            Self::Copy { from, to, length } => {
                let (from, to) = (place(from), place(to));
                let length = usize::from(length).min(bytes.len() - from.max(to));
                bytes.copy_within(from..from + length, to);
            }
            Self::Number { which, value } => {
                if let Some(run) = one_of(&runs(bytes, |byte| byte.is_ascii_digit()), which.into()) {
                    bytes.splice(run.clone(), value.text().bytes());
                }
            }
            Self::Word { which, by } => {
                let words = runs(bytes, word);
                if let (Some(old), Some(new)) = (one_of(&words, which.into()), one_of(&words, by.into())) {
                    let new = bytes[new.clone()].to_vec();
                    bytes.splice(old.clone(), new);
                }
            }
            Self::Strange { which, what } => {
                if let Some(run) = one_of(&runs(bytes, word), which.into()) {
                    bytes.splice(run.clone(), what.bytes());
                }
            }
            Self::Lines { which, with } => {
                let mut lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
                let (which, with) = (usize::from(which) % lines.len(), usize::from(with) % lines.len());
                lines.swap(which, with);
                *bytes = lines.join(&b'\n');
            }
        }
        bytes.truncate(LONGEST);
    }
}

/// A few changes, one after the other: mostly one.
#[derive(Clone, Debug)]
pub struct Edits(Vec<Edit>);

impl<'a> Arbitrary<'a> for Edits {
    fn arbitrary(entropy: &mut Unstructured<'a>) -> Result<Self> {
        let count = [0, 1, 1, 1, 1, 2, 3, 8][usize::from(u8::arbitrary(entropy)? % 8)];
        Ok(Self((0..count).map(|_| Edit::arbitrary(entropy)).collect::<Result<_>>()?))
    }
}

impl Edits {
    pub fn apply(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        self.0.iter().for_each(|edit| edit.apply(&mut bytes));
        bytes
    }

    /// As text: what is no UTF-8 becomes the character that stands for it.
    pub fn apply_to_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.apply(text.as_bytes().to_vec())).into_owned()
    }
}

/// What takes the place of a part of JSON.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum New {
    Null,
    Bool(bool),
    Number(Number),
    Text(Fragment),
    EmptyList,
    EmptyObject,
    /// A list in a list, so many times.
    Deep(u8),
    /// Another part of the document.
    Part(Place),
}

/// The way to a part of a document: at each list or object one of its parts, or itself.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Place([u8; 6]);

/// A change of JSON by its structure.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum JsonEdit {
    Replace {
        at: Place,
        by: New,
    },
    /// One of a list's items or an object's values less.
    Remove {
        at: Place,
        which: u8,
    },
    /// A list's item twice, or an object's value under one more name.
    Double {
        at: Place,
        which: u8,
        name: Fragment,
    },
    Rename {
        at: Place,
        which: u8,
        name: Fragment,
    },
    /// The value of one name for the value of another.
    Swap {
        at: Place,
        which: u8,
        with: u8,
    },
    Wrap {
        at: Place,
    },
}

/// A few changes of a document: mostly one.
#[derive(Clone, Debug)]
pub struct JsonEdits(Vec<JsonEdit>);

impl<'a> Arbitrary<'a> for JsonEdits {
    fn arbitrary(entropy: &mut Unstructured<'a>) -> Result<Self> {
        let count = [0, 1, 1, 1, 1, 2, 2, 4][usize::from(u8::arbitrary(entropy)? % 8)];
        Ok(Self((0..count).map(|_| JsonEdit::arbitrary(entropy)).collect::<Result<_>>()?))
    }
}

impl Place {
    fn find(self, document: &mut Value) -> &mut Value {
        find(document, &self.0)
    }
}

fn find<'v>(value: &'v mut Value, way: &[u8]) -> &'v mut Value {
    let Some((&first, rest)) = way.split_first() else { return value };
    let parts = match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    };
    let part = usize::from(first) % (parts + 1);
    if part == parts {
        return value;
    }
    match value {
        Value::Array(items) => find(&mut items[part], rest),
        Value::Object(fields) => find(fields.values_mut().nth(part).expect("it has as many"), rest),
        _ => unreachable!("it has parts"),
    }
}

impl New {
    fn value(self, document: &mut Value) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => value.into(),
            Self::Number(number) => serde_json::from_str(number.text()).unwrap_or(Value::Null),
            Self::Text(fragment) => fragment.text().into(),
            Self::EmptyList => Value::Array(vec![]),
            Self::EmptyObject => Value::Object(serde_json::Map::new()),
            Self::Deep(levels) => (0..u32::from(levels) * 4).fold(Value::Null, |inner, _| Value::Array(vec![inner])),
            Self::Part(place) => place.find(document).clone(),
        }
    }
}

impl JsonEdit {
    fn apply(self, document: &mut Value) {
        match self {
            Self::Replace { at, by } => {
                let new = by.value(document);
                *at.find(document) = new;
            }
            Self::Wrap { at } => {
                let part = at.find(document);
                *part = Value::Array(vec![part.take()]);
            }
            Self::Remove { at, which }
            | Self::Double { at, which, .. }
            | Self::Rename { at, which, .. }
            | Self::Swap { at, which, .. } => match at.find(document) {
                Value::Array(items) if !items.is_empty() => self.change_list(items, usize::from(which)),
                Value::Object(fields) if !fields.is_empty() => self.change_object(fields, usize::from(which)),
                _ => {}
            },
        }
    }

    fn change_list(self, items: &mut Vec<Value>, which: usize) {
        let which = which % items.len();
        match self {
            Self::Remove { .. } => drop(items.remove(which)),
            Self::Double { .. } => items.insert(which, items[which].clone()),
            Self::Swap { with, .. } => {
                let with = usize::from(with) % items.len();
                items.swap(which, with);
            }
            _ => {}
        }
    }

    fn change_object(self, fields: &mut serde_json::Map<String, Value>, which: usize) {
        let key = |fields: &serde_json::Map<String, Value>, which: usize| {
            fields.keys().nth(which % fields.len()).cloned().expect("it has as many")
        };
        let name = key(fields, which);
        match self {
            Self::Remove { .. } => drop(fields.remove(&name)),
            Self::Double { name: new, .. } => {
                let value = fields[&name].clone();
                fields.insert(new.text(), value);
            }
            Self::Rename { name: new, .. } => {
                let value = fields.remove(&name).expect("it is there");
                fields.insert(new.text(), value);
            }
            Self::Swap { with, .. } => {
                let other = key(fields, with.into());
                let (one, two) = (fields[&name].clone(), fields[&other].clone());
                fields[&name] = two;
                fields[&other] = one;
            }
            _ => {}
        }
    }
}

impl JsonEdits {
    pub fn apply(&self, json: &str) -> String {
        let mut document = serde_json::from_str(json).expect("what is changed is JSON before");
        self.0.iter().for_each(|edit| edit.apply(&mut document));
        document.to_string()
    }
}
