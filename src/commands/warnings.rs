//! What `translate` and `evaluate` have to say of single lines: once for each kind, with the number of lines.

use crate::decode::{End, Translated};
use anyhow::bail;

/// Lines of one kind: what is said of the first, and how many there are.
#[derive(Default)]
struct Noted {
    first: Option<String>,
    lines: usize,
}

impl Noted {
    fn note(&mut self, first: impl FnOnce() -> String) {
        self.first.get_or_insert_with(first);
        self.lines += 1;
    }

    fn tell(self) {
        let Some(first) = self.first else { return };
        let others = match self.lines - 1 {
            0 => String::new(),
            1 => "; so it is with one line after it".into(),
            others => format!("; so it is with {others} lines after it"),
        };
        tell!("warning: {first}{others}");
    }
}

/// Takes note of lines, in their order.
#[derive(Default)]
pub struct Warnings {
    lines: usize,
    unusual: Noted,
    in_pieces: Noted,
    cut: Noted,
    lost: Noted,
    without_translation: usize,
}

impl Warnings {
    /// Of the next line, given the most tokens that training took, that are translated as a whole, and that the model
    /// has positions for.
    pub fn note(&mut self, line: &Translated, [seen, whole, longest]: [usize; 3]) {
        self.lines += 1;
        let (number, tokens) = (self.lines, line.tokens);
        if tokens > whole {
            self.in_pieces.note(|| {
                format!(
                    "line {number} has {tokens} tokens, where training took {seen} at most; it is translated in pieces"
                )
            });
        } else if tokens > seen {
            self.unusual.note(|| {
                format!(
                    "line {number} has {tokens} tokens, where training took {seen} at most; expect little of its \
                     translation"
                )
            });
        }
        match &line.end {
            End::Eos => {}
            End::Limit => self.cut.note(|| {
                let most =
                    if longest == usize::MAX { String::new() } else { format!(", {longest} at most with this model") };
                format!("the translation of line {number} was cut at its limit; --max-length N allows N tokens{most}")
            }),
            End::OutOfMemory(message) => {
                self.without_translation += 1;
                self.lost.note(|| {
                    format!("line {number}, of {tokens} tokens, is too long for the device and left empty: {message}")
                });
            }
        }
    }

    /// Says what was noted since it last did.
    pub fn tell(&mut self) {
        for noted in [&mut self.unusual, &mut self.in_pieces, &mut self.cut, &mut self.lost] {
            std::mem::take(noted).tell();
        }
    }

    /// The same, at the end.
    ///
    /// # Errors
    /// When a line has no translation.
    pub fn finish(&mut self) -> anyhow::Result<()> {
        self.tell();
        match self.without_translation {
            0 => Ok(()),
            lost => bail!("{lost} of {} lines could not be translated on this device; try --device cpu", self.lines),
        }
    }
}
