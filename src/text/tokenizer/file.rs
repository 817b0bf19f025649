//! Reading a tokenizer from its file, which may have come from anywhere.
//!
//! The library's own reader is not asked: on files that were made to hurt it panics (a BPE model that cuts within a
//! character, a stride not below the length), overflows the stack (a sequence within a sequence within …) or never ends
//! (padding to a huge length, a regular expression that backtracks). Instead the JSON is read here, within limits of
//! depth and size. Everything but the vocabulary and the merges must be word for word what wgrad writes for one of its
//! kinds; these two are checked entry by entry; and the tokenizer is put together from them as a learned one is.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use tokenizers::ModelWrapper;
use tokenizers::models::bpe::{self, BPE};
use tokenizers::models::wordlevel::WordLevel;

use super::form::Form;
use super::{SPECIAL_TOKENS, Tokenizer, TokenizerKind, UNK, library};
use crate::text::TextError;

#[cfg(test)]
mod tests;

/// The largest file: 2²⁰ subwords of Chinese take half of it.
const MOST_BYTES: u64 = 256 << 20;

/// Most tokens of a vocabulary, and most merges: the largest vocabularies in use have a quarter of it.
pub const MOST_TOKENS: usize = 1 << 20;

/// Values in what is neither vocabulary nor merges: wgrad writes 33 at most to a key.
const MOST_VALUES: usize = 200;

impl Tokenizer {
    /// Reads a file that holds what [`to_json`](Self::to_json) gave.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not such a tokenizer.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, TextError> {
        let path = path.as_ref();
        let mut json = vec![];
        let read = File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut json));
        read.map_err(|error| TextError::Read { path: path.into(), error })?;
        Self::from_json(&json, path)
    }

    /// The tokenizer that [`to_json`](Self::to_json) described, or a version of wgrad before this one. `origin` is the
    /// file to name in errors. Whatever the bytes are: no panic, and time and memory in proportion to their number.
    ///
    /// # Errors
    ///
    /// `json` is damaged, or describes a tokenizer that wgrad does not write. The message names the place, what it says
    /// and what was expected.
    pub fn from_json(json: &[u8], origin: &Path) -> Result<Self, TextError> {
        read(json).map_err(|reason| TextError::TokenizerFile { path: origin.into(), reason })
    }
}

fn read(json: &[u8]) -> Result<Tokenizer, String> {
    if json.len() as u64 > MOST_BYTES {
        return Err(format!("it has more than {} MiB", MOST_BYTES >> 20));
    }
    let json =
        std::str::from_utf8(json).map_err(|error| format!("it is not UTF-8 from byte {}", error.valid_up_to()))?;
    // Nesting deeper than 128 is an error of serde_json.
    let said: Said = serde_json::from_str(json).map_err(|error| brief(&error))?;
    let form = said.form()?;
    said.check(form)?;
    let model = said.model.build(form.kind)?;
    Ok(form.with(model))
}

/// What serde_json says, without the middle of a string that it quotes whole.
fn brief(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let characters = said.chars().count();
    if characters <= 400 {
        return said;
    }
    let (head, tail) = (said.chars().take(200), said.chars().skip(characters - 200));
    head.chain(['…']).chain(tail).collect()
}

/// All that a file says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    version: Small,
    truncation: Small,
    padding: Small,
    added_tokens: Small,
    normalizer: Small,
    pre_tokenizer: Small,
    post_processor: Small,
    decoder: Small,
    model: Model,
}

impl Said {
    /// The form that it resembles most.
    fn form(&self) -> Result<Form, String> {
        let is = |part: &Value, name: &str| part["type"] == name;
        let kind = match self.model.kind.0.as_str() {
            Some("BPE") => TokenizerKind::Bpe,
            Some("WordLevel") if is(&self.pre_tokenizer.0, "Metaspace") => TokenizerKind::WordsOnly,
            Some("WordLevel") => TokenizerKind::Word,
            _ => return Err(refusal("model.type", &self.model.kind.0, "\"WordLevel\" or \"BPE\"")),
        };
        let steps = self.normalizer.0["normalizers"].as_array();
        let has = |fits: &dyn Fn(&Value) -> bool| steps.is_some_and(|steps| steps.iter().any(fits));
        let escapes = is(&self.decoder.0, "Sequence") || has(&|step| step["pattern"]["String"].is_string());
        Ok(Form { kind, lowercase: has(&|step| is(step, "Lowercase")), escapes })
    }

    /// Whether everything but the vocabulary and the merges is what wgrad writes for a tokenizer of this form.
    fn check(&self, form: Form) -> Result<(), String> {
        let special = SPECIAL_TOKENS.iter().enumerate().map(|(id, content)| {
            json!({
                "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            })
        });
        for (name, found, expected) in [
            ("version", &self.version, json!("1.0")),
            ("truncation", &self.truncation, Value::Null),
            ("padding", &self.padding, Value::Null),
            ("added_tokens", &self.added_tokens, special.collect()),
            ("normalizer", &self.normalizer, written(form.normalizer())),
            ("pre_tokenizer", &self.pre_tokenizer, written(form.pre_tokenizer())),
            ("post_processor", &self.post_processor, Value::Null),
            ("decoder", &self.decoder, written(form.decoder())),
        ] {
            same(name, &found.0, &expected)?;
        }
        Ok(())
    }
}

/// A part of the library as the library writes it.
fn written(part: impl Serialize) -> Value {
    serde_json::to_value(part).expect("the library's parts are JSON")
}

/// The word-level or BPE model of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    #[serde(rename = "type")]
    kind: Small,
    unk_token: Small,
    dropout: Option<Small>,
    continuing_subword_prefix: Option<Small>,
    end_of_word_suffix: Option<Small>,
    fuse_unk: Option<Small>,
    byte_fallback: Option<Small>,
    ignore_merges: Option<Small>,
    vocab: Vocabulary,
    merges: Option<Merges>,
}

impl Model {
    fn build(self, kind: TokenizerKind) -> Result<ModelWrapper, String> {
        let unknown = SPECIAL_TOKENS[UNK as usize];
        let (off, is_bpe) = (json!(false), kind == TokenizerKind::Bpe);
        for (name, found, expected) in [
            ("dropout", &self.dropout, &Value::Null),
            ("continuing_subword_prefix", &self.continuing_subword_prefix, &Value::Null),
            ("end_of_word_suffix", &self.end_of_word_suffix, &Value::Null),
            ("fuse_unk", &self.fuse_unk, &off),
            ("byte_fallback", &self.byte_fallback, &off),
            ("ignore_merges", &self.ignore_merges, &off),
        ] {
            let found = found.as_ref().map_or(&Value::Null, |found| &found.0);
            same(&format!("model.{name}"), found, if is_bpe { expected } else { &Value::Null })?;
        }
        same("model.unk_token", &self.unk_token.0, &json!(unknown))?;
        self.vocab.check()?;
        if !is_bpe {
            if self.merges.is_some() {
                return Err("model.merges is there; expected none with a model of whole words".into());
            }
            let vocabulary = self.vocab.0.into_iter().collect();
            return Ok(library(WordLevel::builder().vocab(vocabulary).unk_token(unknown.into()).build()).into());
        }
        let merges = self.merges.ok_or("model.merges is missing; expected a list of pairs of tokens")?;
        merges.check(&self.vocab)?;
        let vocabulary: bpe::Vocab = self.vocab.0.into_iter().collect();
        let builder = BPE::builder().vocab_and_merges(vocabulary, merges.0).unk_token(unknown.into());
        Ok(library(builder.build()).into())
    }
}

/// Tokens and their ids, in the file's order.
struct Vocabulary(Vec<(String, u32)>);

impl Vocabulary {
    /// Whether the tokens are numbered from 0 on, the special ones first, and none would break a line of text.
    fn check(&self) -> Result<(), String> {
        let mut by_id: Vec<Option<&str>> = vec![None; self.0.len()];
        let mut seen = HashSet::with_capacity(self.0.len());
        for (token, id) in &self.0 {
            let path = || format!("model.vocab[{}]", short(token));
            if token.is_empty() || token.contains(char::is_whitespace) {
                return Err(format!("{} is a token; expected text without white space", path()));
            }
            if !seen.insert(token) {
                return Err(format!("{} is there twice; expected every token once", path()));
            }
            match by_id.get_mut(*id as usize) {
                None => {
                    return Err(refusal(&path(), id, &format!("an id below {}, the number of tokens", self.0.len())));
                }
                Some(Some(other)) => {
                    return Err(refusal(
                        &path(),
                        id,
                        &format!("an id of its own, for this is that of {}", short(other)),
                    ));
                }
                Some(place) => *place = Some(token.as_str()),
            }
        }
        for (id, special) in SPECIAL_TOKENS.into_iter().enumerate() {
            let found = by_id.get(id).copied().flatten();
            if found.is_none_or(|found| found != special) {
                let found = found.map_or("missing".to_owned(), short);
                return Err(format!("model.vocab: token {id} is {found}; expected {special:?}"));
            }
        }
        Ok(())
    }
}

/// Pairs of tokens that become one, the most important first.
struct Merges(Vec<(String, String)>);

impl Merges {
    fn check(&self, vocabulary: &Vocabulary) -> Result<(), String> {
        let tokens: HashSet<&str> = vocabulary.0.iter().map(|(token, _)| token.as_str()).collect();
        let mut seen = HashSet::with_capacity(self.0.len());
        for (index, (left, right)) in self.0.iter().enumerate() {
            let path = format!("model.merges[{index}]");
            for token in [left, right, &format!("{left}{right}")] {
                if !tokens.contains(token.as_str()) || SPECIAL_TOKENS.contains(&token.as_str()) {
                    let expected = "tokens of model.vocab that are not special, and make one";
                    return Err(format!("{path} has or makes {}; expected {expected}", short(token)));
                }
            }
            if !seen.insert((left, right)) {
                return Err(format!("{path} is there twice; expected every pair once"));
            }
        }
        Ok(())
    }
}

/// Whether two values are the same; a key that is missing counts as `null`.
fn same(path: &str, found: &Value, expected: &Value) -> Result<(), String> {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            if let Some((key, value)) = found.iter().find(|(key, _)| !expected.contains_key(*key)) {
                return Err(refusal(&format!("{path}.{}", shorten(key)), value, "no such key"));
            }
            let missing = &Value::Null;
            expected
                .iter()
                .try_for_each(|(key, value)| same(&format!("{path}.{key}"), found.get(key).unwrap_or(missing), value))
        }
        (Value::Array(found), Value::Array(expected)) => {
            for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
                same(&format!("{path}[{index}]"), found, expected)?;
            }
            match found.get(expected.len()) {
                Some(more) => Err(refusal(&format!("{path}[{}]", expected.len()), more, "the list to end before")),
                None if found.len() < expected.len() => {
                    Err(format!("{path} ends after {}; expected {} next", found.len(), expected[found.len()]))
                }
                None => Ok(()),
            }
        }
        _ if found == expected => Ok(()),
        _ => Err(refusal(path, found, &expected.to_string())),
    }
}

fn refusal(path: &str, found: impl fmt::Display, expected: &str) -> String {
    format!("{path} is {}; expected {expected}", shorten(&found.to_string()))
}

/// A token in quotes, or the beginning of one that fills the screen.
fn short(token: &str) -> String {
    format!("{:?}", shorten(token))
}

/// The first 60 characters.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A JSON value of few parts, whose objects name no key twice.
struct Small(Value);

impl<'de> Deserialize<'de> for Small {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Part(&Cell::new(MOST_VALUES)).deserialize(from).map(Self)
    }
}

/// A value within another: how many more there may be.
#[derive(Clone, Copy)]
struct Part<'a>(&'a Cell<usize>);

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        let left = self.0.get().checked_sub(1);
        self.0.set(left.ok_or_else(|| D::Error::custom(format!("expected no more than {MOST_VALUES} values here")))?);
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut list = vec![];
        while let Some(value) = values.next_element_seed(self)? {
            list.push(value);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(self)?;
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("{} is there twice; expected every key once", short(&key))));
            }
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Tokens;

        impl<'de> Visitor<'de> for Tokens {
            type Value = Vocabulary;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tokens and their ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Vocabulary, A::Error> {
                let mut tokens = vec![];
                while let Some(token) = entries.next_key::<String>()? {
                    if tokens.len() == MOST_TOKENS {
                        return Err(A::Error::custom(format!(
                            "model.vocab: expected no more than {MOST_TOKENS} tokens"
                        )));
                    }
                    let id = entries.next_value();
                    let path = |error| A::Error::custom(format!("model.vocab[{}]: {error}", short(&token)));
                    tokens.push((id.map_err(path).map(|id| (token, id)))?);
                }
                Ok(Vocabulary(tokens))
            }
        }

        from.deserialize_map(Tokens)
    }
}

impl<'de> Deserialize<'de> for Merges {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Merges;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("pairs of tokens")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Merges, A::Error> {
                let mut merges = vec![];
                let path =
                    |index, error| A::Error::custom(format!("model.merges[{index}]: expected two tokens: {error}"));
                while let Some(pair) = pairs.next_element().map_err(|error| path(merges.len(), error))? {
                    if merges.len() == MOST_TOKENS {
                        return Err(A::Error::custom(format!(
                            "model.merges: expected no more than {MOST_TOKENS} pairs"
                        )));
                    }
                    merges.push(pair);
                }
                Ok(Merges(merges))
            }
        }

        from.deserialize_seq(Pairs)
    }
}
