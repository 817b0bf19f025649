//! Files that are no UTF-8 text with newlines, told by their bytes, and the commands that make them so.

use std::path::Path;

use crate::shell::word;

/// What a file is in place of UTF-8 text with newlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    Gzip,
    Xz,
    Bzip2,
    Zstd,
    Zip,
    /// With a byte order mark.
    Utf16,
    Utf16Le,
    Utf16Be,
    /// Text whose lines end in carriage returns alone.
    CarriageReturns,
}

use Foreign::*;

/// What compressed files begin with. bzip2's first bytes are letters, so that its block's mark is looked for too.
const COMPRESSED: [(Foreign, &[u8]); 4] =
    [(Gzip, b"\x1f\x8b"), (Xz, b"\xfd7zXZ\0"), (Zstd, b"\x28\xb5\x2f\xfd"), (Zip, b"PK\x03\x04")];

/// Bytes that are looked at for zeros.
const SAMPLE: usize = 1 << 16;

impl Foreign {
    /// What these bytes, the beginning of a file or all of it, belong to; `None` for what may be UTF-8 text.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if let Some((kind, _)) = COMPRESSED.iter().find(|(_, magic)| bytes.starts_with(magic)) {
            return Some(*kind);
        }
        if bytes.starts_with(b"BZh") && bytes.get(4..10) == Some(b"1AY&SY") {
            return Some(Bzip2);
        }
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Some(Utf16);
        }
        // Text has no zeros. UTF-16 has one for each character of ASCII: with its newlines one byte in a hundred.
        let sample = &bytes[..bytes.len().min(SAMPLE)];
        let zeros = |parity: usize| sample.iter().skip(parity).step_by(2).filter(|&&byte| byte == 0).count();
        let [even, odd] = [zeros(0), zeros(1)];
        if even.max(odd) >= 4 && 100 * even.max(odd) >= sample.len() && even.max(odd) >= 2 * even.min(odd) {
            return Some(if odd > even { Utf16Le } else { Utf16Be });
        }
        let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes).trim_ascii_end();
        (lines.contains(&b'\r') && !lines.contains(&b'\n')).then_some(CarriageReturns)
    }

    /// E.g. "compressed by gzip".
    pub fn description(self) -> &'static str {
        match self {
            Gzip => "compressed by gzip",
            Xz => "compressed by xz",
            Bzip2 => "compressed by bzip2",
            Zstd => "compressed by zstd",
            Zip => "a zip archive",
            Utf16 | Utf16Le | Utf16Be => "UTF-16, which some programs call Unicode",
            CarriageReturns => "text whose lines end in carriage returns alone, as old Macs wrote it",
        }
    }

    /// The command that writes what the file `from` (a word of the shell) holds as UTF-8 text to standard output.
    pub fn decoder(self, from: &str) -> String {
        let filter = match self {
            Zip => return format!("unzip -p {from}"),
            Gzip => "gzip -cd",
            Xz => "xz -cd",
            Bzip2 => "bzip2 -cd",
            Zstd => "zstd -cd",
            Utf16 => "iconv -f utf-16 -t utf-8",
            Utf16Le => "iconv -f utf-16le -t utf-8",
            Utf16Be => "iconv -f utf-16be -t utf-8",
            CarriageReturns => "tr '\\r' '\\n'",
        };
        format!("{filter} < {from}")
    }

    fn ending(self) -> &'static str {
        match self {
            Gzip => "gz",
            Xz => "xz",
            Bzip2 => "bz2",
            Zstd => "zst",
            Zip => "zip",
            Utf16 | Utf16Le | Utf16Be => "utf16",
            CarriageReturns => "mac",
        }
    }

    /// The command after which `path` is UTF-8 text, and what it was has another name.
    pub fn conversion(self, path: &Path) -> String {
        aside(path, self.ending(), |from| self.decoder(from))
    }
}

/// The same for text in Latin-1, which no byte gives away.
pub fn from_latin1(path: &Path) -> String {
    aside(path, "latin1", |from| format!("iconv -f latin1 -t utf-8 < {from}"))
}

fn aside(path: &Path, ending: &str, decoder: impl Fn(&str) -> String) -> String {
    let mut old = path.as_os_str().to_owned();
    old.push(format!(".{ending}"));
    let (old, new) = (word(old), word(path));
    format!("mv {new} {old} && {} > {new}", decoder(&old))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn files_are_told_by_their_bytes() {
        let german = "Ein Hund schläft.\nZwei Männer.\n";
        let chinese = "一只狗在草地上奔跑。\n两个男人在下棋。\n".repeat(10);
        for (bytes, expected) in [
            (b"\x1f\x8b\x08\0\0".to_vec(), Some(Gzip)),
            (b"\xfd7zXZ\0\0".to_vec(), Some(Xz)),
            (b"BZh91AY&SY\x01".to_vec(), Some(Bzip2)),
            (b"\x28\xb5\x2f\xfd\x24".to_vec(), Some(Zstd)),
            (b"PK\x03\x04\x14".to_vec(), Some(Zip)),
            (utf16(&format!("\u{feff}{german}"), u16::to_le_bytes), Some(Utf16)),
            (utf16(&format!("\u{feff}{german}"), u16::to_be_bytes), Some(Utf16)),
            (utf16(german, u16::to_le_bytes), Some(Utf16Le)),
            (utf16(german, u16::to_be_bytes), Some(Utf16Be)),
            (utf16(&chinese, u16::to_le_bytes), Some(Utf16Le)),
            (utf16(&chinese, u16::to_be_bytes), Some(Utf16Be)),
            (b"one\rtwo\r".to_vec(), Some(CarriageReturns)),
            (b"one\rtwo\r\r\n".to_vec(), Some(CarriageReturns)),
            (german.into(), None),
            (chinese.into(), None),
            (b"BZh is a word, and PK another\n".to_vec(), None),
            (b"one\r\ntwo\r\n".to_vec(), None),
            (b"one\r\n".to_vec(), None),
            (b"one\rstill one\ntwo\n".to_vec(), None),
            (b"\xe4 in Latin-1\n".to_vec(), None),
            (b"".to_vec(), None),
        ] {
            assert_eq!(Foreign::of(&bytes), expected, "{:?}", String::from_utf8_lossy(&bytes));
        }
    }
}
