//! Nouns, adjectives and the noun phrases made of them, in both languages.

use super::german::{self, Agreement, Case, Declension, Gender, Number};
use super::lexicon::tags::{self, Tags};
use super::text::{Phrase, join};

/// A German noun and its English translation.
#[derive(Debug)]
pub struct Noun {
    pub gender: Gender,
    pub singular: &'static str,
    /// The genitive singular, which also tells the weak nouns apart ("des Jungen").
    pub genitive: &'static str,
    pub plural: &'static str,
    pub english_singular: &'static str,
    pub english_plural: &'static str,
    /// What it is, for choosing nouns that make sense together.
    pub tags: Tags,
}

impl Noun {
    pub fn is(&self, tags: Tags) -> bool {
        self.tags & tags != 0
    }

    /// The masculines whose genitive does not end in "-s" have it in the dative and the
    /// accusative too: "den Jungen", "dem Polizisten".
    fn is_weak(&self) -> bool {
        self.gender == Gender::Masculine && !self.genitive.ends_with('s')
    }

    pub fn german(&self, number: Number, case: Case) -> String {
        match (number, case) {
            (Number::Plural, Case::Dative) => self.dative_plural(),
            (Number::Plural, _) => self.plural.into(),
            (Number::Singular, Case::Nominative) => self.singular.into(),
            (Number::Singular, Case::Genitive) => self.genitive.into(),
            (Number::Singular, _) if self.is_weak() => self.genitive.into(),
            (Number::Singular, _) => self.singular.into(),
        }
    }

    fn dative_plural(&self) -> String {
        let ending = if self.plural.ends_with(['n', 's']) { "" } else { "n" };
        format!("{}{ending}", self.plural)
    }

    pub fn english(&self, number: Number) -> &'static str {
        match number {
            Number::Singular => self.english_singular,
            Number::Plural => self.english_plural,
        }
    }

    /// The relative pronoun that English uses for the subject of a relative clause.
    pub fn english_relative(&self) -> &'static str {
        if self.is(tags::PERSON) { "who" } else { "that" }
    }

    /// The relative pronoun that English uses for the object of a relative clause.
    pub fn english_object_relative(&self) -> &'static str {
        if self.is(tags::PERSON) { "whom" } else { "that" }
    }
}

/// A German adjective and its English translation.
#[derive(Debug)]
pub struct Adjective {
    /// What the endings are put on: "müd" for "müde".
    pub stem: &'static str,
    pub english: &'static str,
    /// The nouns that it goes with.
    pub fits: Tags,
}

/// How somebody is referred to again: the pronouns and possessives of both languages.
#[derive(Clone, Copy, Debug)]
pub struct Referent {
    pub gender: Gender,
    pub number: Number,
    english: EnglishPronoun,
}

/// English goes by what somebody is, German by the gender of the word: "das Mädchen" is "es" in
/// German and "she" in English.
#[derive(Clone, Copy, Debug)]
enum EnglishPronoun {
    He,
    She,
    It,
    They,
}

impl Referent {
    pub fn new(noun: &Noun, number: Number) -> Self {
        let english = if number == Number::Plural {
            EnglishPronoun::They
        } else if noun.is(tags::HE) {
            EnglishPronoun::He
        } else if noun.is(tags::SHE) {
            EnglishPronoun::She
        } else {
            EnglishPronoun::It
        };
        Self { gender: noun.gender, number, english }
    }

    /// Several, of any gender.
    pub fn several() -> Self {
        Self { gender: Gender::Neuter, number: Number::Plural, english: EnglishPronoun::They }
    }

    pub fn pronoun(&self, case: Case) -> Phrase {
        let agreement = Agreement { gender: self.gender, number: self.number, case };
        let english = match self.english {
            EnglishPronoun::He => "he",
            EnglishPronoun::She => "she",
            EnglishPronoun::It => "it",
            EnglishPronoun::They => "they",
        };
        Phrase::new(german::personal_pronoun(agreement), english)
    }

    fn german_possessive(&self) -> &'static str {
        match (self.number, self.gender) {
            (Number::Plural, _) | (_, Gender::Feminine) => "ihr",
            _ => "sein",
        }
    }

    fn english_possessive(&self) -> &'static str {
        match self.english {
            EnglishPronoun::He => "his",
            EnglishPronoun::She => "her",
            EnglishPronoun::It => "its",
            EnglishPronoun::They => "their",
        }
    }
}

/// What a noun phrase begins with.
#[derive(Clone, Copy, Debug)]
pub enum Determiner {
    /// "der Hund", "the dog".
    Definite,
    /// "ein Hund", "a dog"; in the plural nothing at all: "Hunde", "dogs".
    Indefinite,
    /// A number, which has no endings: "zwei Hunde", "two dogs".
    Numeral { german: &'static str, english: &'static str },
    /// An indefinite quantity, from its stem, with endings like an adjective: "viele Hunde".
    Quantity { stem: &'static str, english: &'static str },
    /// Many seen as one: "eine Gruppe von Kindern", "a group of children".
    Group,
    /// "sein Hund", "his dog".
    Possessive(Referent),
    /// Nothing in either language: "heißer Tee", "hot tea".
    Bare,
    /// Nothing in German, "the" in English: "spielt Klavier", "is playing the piano".
    Generic,
}

/// A noun with a determiner and perhaps an adjective.
#[derive(Clone, Copy, Debug)]
pub struct NounPhrase {
    pub determiner: Determiner,
    pub adjective: Option<&'static Adjective>,
    pub noun: &'static Noun,
    pub number: Number,
}

impl NounPhrase {
    pub fn inflect(&self, case: Case) -> Phrase {
        Phrase::new(self.german(case), self.english())
    }

    /// The phrase after a preposition, which governs `case` in German.
    pub fn after(&self, german_preposition: &str, case: Case, english_preposition: &str) -> Phrase {
        Phrase::new(
            german::prepositional(german_preposition, &self.german(case)),
            join(&[english_preposition, &self.english()]),
        )
    }

    pub fn agreement(&self, case: Case) -> Agreement {
        Agreement { gender: self.noun.gender, number: self.number, case }
    }

    fn german(&self, case: Case) -> String {
        if let Determiner::Group = self.determiner {
            let members = self.core(Declension::Strong, Case::Dative);
            let gender = Gender::Feminine;
            let article = german::ein_word("ein", Agreement { gender, number: Number::Singular, case });
            return join(&[&article, "Gruppe von", &members]);
        }
        join(&[&self.german_determiner(case), &self.core(self.declension(), case)])
    }

    /// Adjective and noun.
    fn core(&self, declension: Declension, case: Case) -> String {
        let agreement = self.agreement(case);
        let adjective = self
            .adjective
            .map(|adjective| german::adjective(adjective.stem, declension, agreement))
            .unwrap_or_default();
        join(&[&adjective, &self.noun.german(self.number, case)])
    }

    fn german_determiner(&self, case: Case) -> String {
        let agreement = self.agreement(case);
        match self.determiner {
            Determiner::Definite => german::definite_article(agreement).into(),
            Determiner::Indefinite if self.number == Number::Singular => german::ein_word("ein", agreement),
            Determiner::Numeral { german, .. } => german.into(),
            Determiner::Quantity { stem, .. } => german::adjective(stem, Declension::Strong, agreement),
            Determiner::Possessive(owner) => german::ein_word(owner.german_possessive(), agreement),
            Determiner::Indefinite | Determiner::Group | Determiner::Bare | Determiner::Generic => String::new(),
        }
    }

    fn declension(&self) -> Declension {
        match self.determiner {
            Determiner::Definite => Declension::Weak,
            Determiner::Possessive(_) => Declension::Mixed,
            Determiner::Indefinite if self.number == Number::Singular => Declension::Mixed,
            _ => Declension::Strong,
        }
    }

    fn english(&self) -> String {
        let adjective = self.adjective.map_or("", |adjective| adjective.english);
        let core = join(&[adjective, self.noun.english(self.number)]);
        let determiner = match self.determiner {
            Determiner::Definite | Determiner::Generic => "the",
            Determiner::Indefinite if self.takes_english_article() => indefinite_article(&core),
            Determiner::Numeral { english, .. } | Determiner::Quantity { english, .. } => english,
            Determiner::Group => "a group of",
            Determiner::Possessive(owner) => owner.english_possessive(),
            Determiner::Indefinite | Determiner::Bare => "",
        };
        join(&[determiner, &core])
    }

    /// One "Brille" is "glasses", without an article.
    fn takes_english_article(&self) -> bool {
        self.number == Number::Singular && !self.noun.is(tags::ENGLISH_PLURAL)
    }
}

/// "a" or "an", by the first sound of what follows; "uniform" begins with a consonant.
pub fn indefinite_article(following: &str) -> &'static str {
    let vowel_sound = following.starts_with(['a', 'e', 'i', 'o', 'u']);
    if vowel_sound && !following.starts_with("uni") { "an" } else { "a" }
}
