//! A case of several named parts as one file: `NAME LENGTH`, a line end, so many bytes, and so on.

/// The parts in a row.
pub fn join(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut case = vec![];
    for (name, bytes) in parts {
        case.extend(format!("{name} {}\n", bytes.len()).bytes());
        case.extend(*bytes);
        case.push(b'\n');
    }
    case
}

/// The parts of what [`join`] made. A regression that a person wrote may have wrong lengths, which is an error of
/// theirs.
pub fn split(mut case: &[u8]) -> Vec<(String, &[u8])> {
    let mut parts = vec![];
    while let Some(end) = case.iter().position(|&byte| byte == b'\n') {
        let head = std::str::from_utf8(&case[..end]).expect("a part's head is text");
        let (name, length) = head.rsplit_once(' ').expect("a part begins with its name and its length");
        let length: usize = length.parse().expect("a length is a number");
        parts.push((name.to_string(), &case[end + 1..][..length]));
        case = &case[end + 1 + length + 1..];
    }
    parts
}
