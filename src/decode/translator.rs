//! From lines of text to lines of text.

use std::collections::VecDeque;

use crate::plan::Device;
use crate::text::{Tokenizer, pieces};

use super::{DecodeError, End, Search, Translation};

/// A line's translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translated {
    pub text: String,
    /// What ended it; of several pieces the worst.
    pub end: End,
    /// Tokens of the source.
    pub tokens: usize,
    /// How many parts of the line were translated by themselves.
    pub pieces: usize,
}

/// A search between two tokenizers. A line far longer than those of training is translated in pieces, so that time and
/// memory grow with its length and no faster: its sentences, and parts of a sentence that is as long by itself.
pub struct Translator {
    tokenizers: [Tokenizer; 2],
    search: Search,
    /// The most tokens of a line that is translated as a whole.
    whole: usize,
    /// The most tokens of a piece.
    piece: usize,
}

impl Translator {
    /// For a model whose training took sources of up to `seen` tokens. Lines of up to twice as many are translated as a
    /// whole.
    pub fn new(tokenizers: [Tokenizer; 2], search: Search, seen: usize) -> Self {
        let longest = search.longest();
        Self { tokenizers, whole: seen.saturating_mul(2).min(longest), piece: seen.min(longest), search }
    }

    /// Source and target.
    pub fn tokenizers(&self) -> &[Tokenizer; 2] {
        &self.tokenizers
    }

    /// The most tokens of a line that is translated as a whole.
    pub fn whole(&self) -> usize {
        self.whole
    }

    /// The most tokens of a translation that the model has positions for.
    pub fn longest(&self) -> usize {
        self.search.longest()
    }

    /// Hands every line's translation to `said`, in order. Lines in pieces come after all others of `lines` to the
    /// search, and each as soon as those before it are said. `false` where `go_on` said no, which is asked before every
    /// batch: not all lines are said then.
    ///
    /// # Errors
    /// When the device fails, or the model's scores are no numbers.
    pub fn translate(
        &mut self,
        device: &mut dyn Device,
        lines: &[String],
        go_on: &dyn Fn() -> bool,
        said: &mut dyn FnMut(Translated),
    ) -> Result<bool, DecodeError> {
        let sources = self.tokenizers[0].encode_all(lines);
        let whole = self.whole;
        let is_long = |ids: &Vec<u32>| ids.len() > whole;
        let shorter: Vec<Vec<u32>> = sources.iter().filter(|&ids| !is_long(ids)).cloned().collect();
        let Some(found) = self.search.translate_while(device, &shorter, go_on)? else { return Ok(false) };
        let mut found = found.into_iter();
        let mut in_pieces = VecDeque::new();
        for (i, source) in sources.iter().enumerate() {
            if !is_long(source) {
                let translation = found.next().expect("one a sentence");
                let (text, end) = (self.text(&translation), translation.end);
                said(Translated { text, end, tokens: source.len(), pieces: 1 });
                continue;
            }
            if in_pieces.is_empty() {
                let long = (i..lines.len()).filter(|&i| is_long(&sources[i])).map(|i| (&*lines[i], sources[i].len()));
                let Some(translated) = self.translate_long(device, long, go_on)? else { return Ok(false) };
                in_pieces = translated;
            }
            said(in_pieces.pop_front().expect("the first is this line"));
        }
        Ok(true)
    }

    /// Translates the first of some long lines, and as many more as share its batch; `None` where `go_on` said no.
    /// Line by line, two pieces take as long as the 64 that a batch holds: 40 such lines of 1,000 took four times as
    /// long as the rest.
    fn translate_long<'a>(
        &mut self,
        device: &mut dyn Device,
        lines: impl Iterator<Item = (&'a str, usize)>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<VecDeque<Translated>>, DecodeError> {
        let count = |text: &str| self.tokenizers[0].encode(text).len();
        let mut all: Vec<String> = vec![];
        let mut shares = vec![];
        for (line, tokens) in lines {
            let own = pieces(line, self.piece, &count);
            if !all.is_empty() && all.len() + own.len() > self.search.sentences() {
                break;
            }
            shares.push((own.len(), tokens));
            all.extend(own.into_iter().map(str::to_owned));
        }
        let ids = self.tokenizers[0].encode_all(&all);
        let Some(parts) = self.search.translate_while(device, &ids, go_on)? else { return Ok(None) };
        let mut parts = parts.into_iter();
        let translated = shares.into_iter().map(|(pieces, tokens)| {
            let own: Vec<Translation> = parts.by_ref().take(pieces).collect();
            let texts: Vec<String> = own.iter().map(|part| self.text(part)).filter(|text| !text.is_empty()).collect();
            let end = own.into_iter().map(|part| part.end).max_by_key(worse).unwrap_or(End::Eos);
            let text = if matches!(end, End::OutOfMemory(_)) { String::new() } else { texts.join(" ") };
            Translated { text, end, tokens, pieces }
        });
        Ok(Some(translated.collect()))
    }

    fn text(&self, translation: &Translation) -> String {
        self.tokenizers[1].decode(&translation.tokens)
    }
}

fn worse(end: &End) -> usize {
    match end {
        End::Eos => 0,
        End::Limit => 1,
        End::OutOfMemory(_) => 2,
    }
}
