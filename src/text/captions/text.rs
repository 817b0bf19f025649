//! Putting words together into phrases and sentences.

/// The same thing said in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phrase {
    pub german: String,
    pub english: String,
}

impl Phrase {
    pub fn new(german: impl Into<String>, english: impl Into<String>) -> Self {
        Self { german: german.into(), english: english.into() }
    }

    /// The phrases one after the other, in the same order in both languages.
    pub fn sequence(phrases: &[Phrase]) -> Self {
        let german: Vec<&str> = phrases.iter().map(|phrase| phrase.german.as_str()).collect();
        let english: Vec<&str> = phrases.iter().map(|phrase| phrase.english.as_str()).collect();
        Self::new(join(&german), join(&english))
    }
}

/// The words with a space between them; empty ones leave no trace, and a comma or a full stop
/// stays with the word before it.
pub fn join(words: &[&str]) -> String {
    let mut text = String::new();
    for word in words.iter().filter(|word| !word.is_empty()) {
        if !text.is_empty() && !word.starts_with([',', '.']) {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

/// A whole sentence: a capital first and a full stop last. A comma that closed a subordinate
/// clause gives way to the full stop, and two commas in a row become one.
pub fn sentence(words: &str) -> String {
    let words = words.trim_end_matches(',').replace(",,", ",");
    let mut letters = words.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}
