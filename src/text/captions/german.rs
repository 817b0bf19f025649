//! German inflection: the paradigms of articles, adjectives and pronouns.

use super::text::join;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gender {
    Masculine,
    Feminine,
    Neuter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    Singular,
    Plural,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Nominative,
    Genitive,
    Dative,
    Accusative,
}

/// Which adjective endings a determiner calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declension {
    /// Without an article, or after a number: "roter Hut", "zwei rote Hüte".
    Strong,
    /// After "ein" and the possessives: "ein roter Hut".
    Mixed,
    /// After the definite article: "der rote Hut".
    Weak,
}

/// What an article or an adjective agrees with. The plural has no genders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    pub gender: Gender,
    pub number: Number,
    pub case: Case,
}

/// A row for each case (in the order of [`Case`]); in a row masculine, feminine, neuter, plural.
type Paradigm = [[&'static str; 4]; 4];

const DEFINITE_ARTICLE: Paradigm = [
    ["der", "die", "das", "die"],
    ["des", "der", "des", "der"],
    ["dem", "der", "dem", "den"],
    ["den", "die", "das", "die"],
];

const RELATIVE_PRONOUN: Paradigm = [
    ["der", "die", "das", "die"],
    ["dessen", "deren", "dessen", "deren"],
    ["dem", "der", "dem", "denen"],
    ["den", "die", "das", "die"],
];

const PERSONAL_PRONOUN: Paradigm = [
    ["er", "sie", "es", "sie"],
    ["seiner", "ihrer", "seiner", "ihrer"],
    ["ihm", "ihr", "ihm", "ihnen"],
    ["ihn", "sie", "es", "sie"],
];

/// The endings of "ein", "kein" and the possessives.
const EIN_ENDINGS: Paradigm =
    [["", "e", "", "e"], ["es", "er", "es", "er"], ["em", "er", "em", "en"], ["en", "e", "", "e"]];

const STRONG_ENDINGS: Paradigm =
    [["er", "e", "es", "e"], ["en", "er", "en", "er"], ["em", "er", "em", "en"], ["en", "e", "es", "e"]];

const MIXED_ENDINGS: Paradigm =
    [["er", "e", "es", "en"], ["en", "en", "en", "en"], ["en", "en", "en", "en"], ["en", "e", "es", "en"]];

const WEAK_ENDINGS: Paradigm =
    [["e", "e", "e", "en"], ["en", "en", "en", "en"], ["en", "en", "en", "en"], ["en", "e", "e", "en"]];

/// A preposition and a dative or accusative article that German writes as one word.
const CONTRACTIONS: [(&str, &str); 8] = [
    ("an dem ", "am "),
    ("an das ", "ans "),
    ("in dem ", "im "),
    ("in das ", "ins "),
    ("von dem ", "vom "),
    ("zu dem ", "zum "),
    ("zu der ", "zur "),
    ("bei dem ", "beim "),
];

fn cell(paradigm: &Paradigm, agreement: Agreement) -> &'static str {
    let column = match (agreement.number, agreement.gender) {
        (Number::Plural, _) => 3,
        (Number::Singular, Gender::Masculine) => 0,
        (Number::Singular, Gender::Feminine) => 1,
        (Number::Singular, Gender::Neuter) => 2,
    };
    paradigm[agreement.case as usize][column]
}

pub fn definite_article(agreement: Agreement) -> &'static str {
    cell(&DEFINITE_ARTICLE, agreement)
}

pub fn relative_pronoun(agreement: Agreement) -> &'static str {
    cell(&RELATIVE_PRONOUN, agreement)
}

pub fn personal_pronoun(agreement: Agreement) -> &'static str {
    cell(&PERSONAL_PRONOUN, agreement)
}

/// A form of "ein" or of a possessive, from its stem: "ein" gives "einem", "ihr" gives "ihrem".
pub fn ein_word(stem: &str, agreement: Agreement) -> String {
    format!("{stem}{}", cell(&EIN_ENDINGS, agreement))
}

/// An adjective before its noun, from its stem: "alt" gives "alten".
pub fn adjective(stem: &str, declension: Declension, agreement: Agreement) -> String {
    let endings = match declension {
        Declension::Strong => &STRONG_ENDINGS,
        Declension::Mixed => &MIXED_ENDINGS,
        Declension::Weak => &WEAK_ENDINGS,
    };
    format!("{stem}{}", cell(endings, agreement))
}

/// Puts a preposition before a noun phrase: "in" and "dem Park" give "im Park".
pub fn prepositional(preposition: &str, phrase: &str) -> String {
    let plain = join(&[preposition, phrase]);
    CONTRACTIONS
        .iter()
        .find_map(|(parts, whole)| {
            let rest = plain.strip_prefix(parts)?;
            Some(format!("{whole}{rest}"))
        })
        .unwrap_or(plain)
}
