//! Clauses: a subject, a verb and what goes with it, in every German word order.

use super::german::Number;
use super::lexicon::tags::Traits;
use super::text::{Phrase, join};

/// A German verb and its English translation, in the present tense.
#[derive(Clone, Copy, Debug)]
pub struct Verb {
    /// The part that leaves the verb in a main clause: "an" of "anziehen".
    pub prefix: &'static str,
    /// Without the prefix; the third person plural too.
    pub infinitive: &'static str,
    /// The third person singular, without the prefix.
    pub singular: &'static str,
    pub reflexive: bool,
    pub english: &'static str,
    /// The form in "-ing".
    pub english_progressive: &'static str,
}

impl Verb {
    /// The same verb with "sich", which English leaves out.
    pub const fn reflexive(self) -> Self {
        Self { reflexive: true, ..self }
    }

    fn finite(&self, number: Number) -> &'static str {
        match number {
            Number::Singular => self.singular,
            Number::Plural => self.infinitive,
        }
    }

    fn pronoun(&self) -> &'static str {
        if self.reflexive { "sich" } else { "" }
    }

    /// The infinitive with "zu", which goes inside a separable verb: "zu lesen", "anzuziehen".
    fn zu_infinitive(&self) -> String {
        if self.prefix.is_empty() {
            format!("zu {}", self.infinitive)
        } else {
            format!("{}zu{}", self.prefix, self.infinitive)
        }
    }
}

/// Where an adverb stands in English; in German it stands before the objects, or before
/// the place if there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// "is slowly walking".
    BeforeVerb,
    /// "are playing football together".
    AfterObjects,
}

/// How something is done.
#[derive(Debug)]
pub struct Adverb {
    pub german: &'static str,
    pub english: &'static str,
    pub position: Position,
    /// The trait of the frames that it goes with.
    pub fits: Traits,
}

/// The English auxiliary of the progressive.
pub fn english_be(number: Number) -> &'static str {
    match number {
        Number::Singular => "is",
        Number::Plural => "are",
    }
}

/// What a clause says of its subject.
#[derive(Clone, Debug)]
pub struct Predicate {
    pub verb: Verb,
    /// Objects and directions, in their (common) order.
    pub complements: Phrase,
    pub place: Phrase,
    pub adverb: Option<&'static Adverb>,
}

impl Predicate {
    /// A verb and its complements, without place and adverb.
    pub fn new(verb: Verb, complements: Phrase) -> Self {
        Self { verb, complements, place: Phrase::default(), adverb: None }
    }

    /// All that stands in German between the finite verb and the end of the clause.
    fn middle_field(&self) -> String {
        let adverb = self.adverb.map_or("", |adverb| adverb.german);
        if self.complements == Phrase::default() {
            return join(&[adverb, &self.place.german]);
        }
        join(&[&self.place.german, adverb, &self.complements.german])
    }

    /// "liest im Park ein Buch", "zieht eine Jacke an".
    fn verb_first(&self, number: Number) -> String {
        let verb = &self.verb;
        join(&[verb.finite(number), verb.pronoun(), &self.middle_field(), verb.prefix])
    }

    /// "im Park ein Buch liest", "eine Jacke anzieht"; a reflexive pronoun is left to the
    /// caller, because it stands before the subject.
    pub fn verb_last(&self, number: Number) -> String {
        let verb = format!("{}{}", self.verb.prefix, self.verb.finite(number));
        join(&[&self.middle_field(), &verb])
    }

    /// "im Park ein Buch zu lesen", "sich auszuruhen".
    pub fn infinitive_clause(&self) -> Phrase {
        Phrase::new(
            join(&[self.verb.pronoun(), &self.middle_field(), &self.verb.zu_infinitive()]),
            self.english(self.verb.english),
        )
    }

    /// "und liest ein Buch", "and reading a book", after another predicate of the same subject.
    pub fn coordinated(&self, number: Number) -> Phrase {
        let german = join(&["und", &self.verb_first(number)]);
        Phrase::new(german, join(&["and", &self.progressive()]))
    }

    /// A relative clause of which `pronoun` is the subject, closed by a comma.
    pub fn relative_clause(&self, pronoun: &Phrase, number: Number) -> Phrase {
        let german = join(&[&pronoun.german, self.verb.pronoun(), &self.verb_last(number), ","]);
        let english = join(&[&pronoun.english, english_be(number), &self.progressive()]);
        Phrase::new(german, english)
    }

    /// "reading a book in the park".
    pub fn progressive(&self) -> String {
        self.english(self.verb.english_progressive)
    }

    fn english(&self, verb: &str) -> String {
        let at = |position| match self.adverb {
            Some(adverb) if adverb.position == position => adverb.english,
            _ => "",
        };
        join(&[
            at(Position::BeforeVerb),
            verb,
            &self.complements.english,
            at(Position::AfterObjects),
            &self.place.english,
        ])
    }
}

/// A subject in the nominative, the number of its verb, and a predicate.
#[derive(Clone, Debug)]
pub struct Clause {
    pub subject: Phrase,
    pub number: Number,
    pub predicate: Predicate,
}

impl Clause {
    /// Subject first: "Ein Mann liest im Park ein Buch".
    pub fn main(&self) -> Phrase {
        let german = join(&[&self.subject.german, &self.predicate.verb_first(self.number)]);
        Phrase::new(german, self.english())
    }

    /// Something else first, the subject after the verb: "Im Park liest ein Mann ein Buch".
    pub fn inverted(&self, first: &Phrase) -> Phrase {
        let verb = &self.predicate.verb;
        let german = join(&[
            &first.german,
            verb.finite(self.number),
            verb.pronoun(),
            &self.subject.german,
            &self.predicate.middle_field(),
            verb.prefix,
        ]);
        Phrase::new(german, join(&[&first.english, ",", &self.english()]))
    }

    /// After a conjunction, verb last: "während ein Mann im Park ein Buch liest".
    pub fn subordinate(&self, conjunction: &Phrase) -> Phrase {
        let german = join(&[
            &conjunction.german,
            self.predicate.verb.pronoun(),
            &self.subject.german,
            &self.predicate.verb_last(self.number),
        ]);
        Phrase::new(german, join(&[&conjunction.english, &self.english()]))
    }

    /// "damit ein Kind ein Buch lesen kann", "so that a child can read a book".
    pub fn enabled(&self) -> Phrase {
        let predicate = &self.predicate;
        let modal = match self.number {
            Number::Singular => "kann",
            Number::Plural => "können",
        };
        // The infinitive of the verb looks like its plural.
        let german = join(&[
            "damit",
            predicate.verb.pronoun(),
            &self.subject.german,
            &predicate.verb_last(Number::Plural),
            modal,
        ]);
        let can = predicate.english(predicate.verb.english);
        Phrase::new(german, join(&["so that", &self.subject.english, "can", &can]))
    }

    fn english(&self) -> String {
        let be = english_be(self.number);
        join(&[&self.subject.english, be, &self.predicate.progressive()])
    }
}
