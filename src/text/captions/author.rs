//! Draws noun phrases, places and clauses that make sense together.

use crate::text::random::SplitMix64;

use super::clause::{Adverb, Clause, Predicate, Verb};
use super::german::{Case, Number};
use super::lexicon::adjectives::{ADJECTIVES, ADVERBS, TOGETHER_ADVERB};
use super::lexicon::frames::{Argument, FRAMES, Filler, Frame, Style};
use super::lexicon::links::{Path, QUANTITIES};
use super::lexicon::nouns::NOUNS;
use super::lexicon::places::{PARTS, PLACES, Part, Place};
use super::lexicon::tags::traits::{CROWD, NO_CLOTHES, NO_MOOD, TOGETHER};
use super::lexicon::tags::{self, Settings, Tags, Traits};
use super::noun::{Adjective, Determiner, Noun, NounPhrase, Referent};
use super::text::Phrase;

/// How often, in a hundred times, a choice falls on the richer side.
mod percent {
    pub const EVERYDAY_NOUN: usize = 38;
    pub const SEPARABLE_VERB: usize = 16;
    pub const COUPLE: usize = 9;
    pub const PLURAL_SUBJECT: usize = 33;
    pub const PLURAL_OBJECT: usize = 38;
    pub const DEFINITE: usize = 14;
    pub const GROUP: usize = 14;
    pub const QUANTITY: usize = 75;
    pub const ADJECTIVE: usize = 45;
    pub const CLOTHES: usize = 30;
    pub const WORK_CLOTHES: usize = 50;
    pub const ACCESSORY_ADJECTIVE: usize = 70;
    pub const ADVERB: usize = 30;
    pub const PART_OF_PLACE: usize = 35;
    pub const PLACE_ADJECTIVE: usize = 35;
}

/// How much is said about a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Only a determiner and the noun.
    Bare,
    /// An adjective too.
    Brief,
    /// An adjective and clothes too.
    Full,
}

/// Who or what a clause is about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// In the nominative.
    pub phrase: Phrase,
    /// The number of the verb: singular for "eine Gruppe von Kindern".
    pub number: Number,
    /// For pronouns and possessives: several for "eine Gruppe von Kindern".
    pub referent: Referent,
    /// The noun, of a couple the first.
    pub noun: &'static Noun,
}

/// Where something happens, said in both languages.
#[derive(Clone, Debug)]
pub struct Location {
    pub phrase: Phrase,
    pub setting: Settings,
}

/// The source of all choices. A method gives `None` where the tables have nothing that fits;
/// the caption is then begun anew.
pub struct Author<'r> {
    pub random: &'r mut SplitMix64,
}

impl Author<'_> {
    /// A scene that `fits`; separable verbs come up more often, because they have more forms.
    pub fn frame(&mut self, fits: impl Fn(&Frame) -> bool) -> Option<&'static Frame> {
        let separable = |frame: &Frame| !frame.verb.prefix.is_empty() && fits(frame);
        if self.random.chance(percent::SEPARABLE_VERB)
            && let Some(frame) = self.random.pick_where(FRAMES, separable)
        {
            return Some(frame);
        }
        self.random.pick_where(FRAMES, fits)
    }

    /// A noun that `fits`; people of everyday life come up more often than others.
    pub fn noun(&mut self, fits: impl Fn(&Noun) -> bool) -> Option<&'static Noun> {
        let everyday = |noun: &Noun| noun.is(tags::EVERYDAY) && fits(noun);
        if self.random.chance(percent::EVERYDAY_NOUN)
            && let Some(noun) = self.random.pick_where(NOUNS, everyday)
        {
            return Some(noun);
        }
        self.random.pick_where(NOUNS, fits)
    }

    /// Sometimes an adjective that goes with nouns of these tags.
    fn adjective(&mut self, tags: Tags, percent: usize) -> Option<&'static Adjective> {
        if !self.random.chance(percent) {
            return None;
        }
        self.random.pick_where(ADJECTIVES, |adjective| adjective.fits & tags != 0)
    }

    fn number(&mut self, noun: &Noun, percent_plural: usize) -> Number {
        if noun.is(tags::PLURAL_ONLY) || self.random.chance(percent_plural) { Number::Plural } else { Number::Singular }
    }

    /// What a noun phrase begins with that brings somebody new into the picture.
    fn determiner(&mut self, number: Number) -> Determiner {
        if self.random.chance(percent::DEFINITE) {
            return Determiner::Definite;
        }
        if number == Number::Plural && self.random.chance(percent::QUANTITY) {
            return self.random.pick(QUANTITIES).copied().unwrap_or(Determiner::Indefinite);
        }
        Determiner::Indefinite
    }

    /// One who can do what `who` stands for, or several, or a couple.
    pub fn subject(&mut self, fits: impl Fn(&Noun) -> bool, traits: Traits, detail: Detail) -> Option<Subject> {
        let noun = self.noun(&fits)?;
        if !noun.is(tags::PERSON | tags::ANIMAL) {
            return Some(self.one(noun, detail));
        }
        if traits & CROWD != 0 {
            return Some(self.crowd(noun, detail));
        }
        if !noun.is(tags::PLURAL_ONLY)
            && self.random.chance(percent::COUPLE)
            && let Some(couple) = self.couple(noun, fits)
        {
            return Some(couple);
        }
        let detail = match detail {
            _ if traits & NO_MOOD != 0 => Detail::Bare,
            Detail::Full if traits & NO_CLOTHES != 0 => Detail::Brief,
            _ => detail,
        };
        match self.number(noun, percent::PLURAL_SUBJECT) {
            Number::Plural => Some(self.crowd(noun, detail)),
            Number::Singular => Some(self.one(noun, detail)),
        }
    }

    fn one(&mut self, noun: &'static Noun, detail: Detail) -> Subject {
        let determiner = self.determiner(Number::Singular);
        self.described(noun, Number::Singular, determiner, detail)
    }

    fn crowd(&mut self, noun: &'static Noun, detail: Detail) -> Subject {
        let determiner = if self.random.chance(percent::GROUP) && noun.is(tags::PERSON) {
            Determiner::Group
        } else {
            self.determiner(Number::Plural)
        };
        self.described(noun, Number::Plural, determiner, detail)
    }

    fn described(&mut self, noun: &'static Noun, number: Number, determiner: Determiner, detail: Detail) -> Subject {
        let adjective = match detail {
            Detail::Bare => None,
            Detail::Brief | Detail::Full => self.adjective(noun.tags, percent::ADJECTIVE),
        };
        let phrase = NounPhrase { determiner, adjective, noun, number }.inflect(Case::Nominative);
        let clothes = match detail {
            Detail::Full if noun.is(tags::PERSON) => self.clothes(noun, number),
            _ => None,
        };
        let verb_number = match determiner {
            Determiner::Group => Number::Singular,
            _ => number,
        };
        Subject {
            phrase: Phrase::sequence(&[phrase, clothes.unwrap_or_default()]),
            number: verb_number,
            referent: Referent::new(noun, number),
            noun,
        }
    }

    /// "ein Mann und eine Frau", "eine Mutter und ihr Sohn".
    fn couple(&mut self, first: &'static Noun, fits: impl Fn(&Noun) -> bool) -> Option<Subject> {
        let number = Number::Singular;
        let determiner = Determiner::Indefinite;
        let (second, second_determiner) = if first.is(tags::ELDER) && self.random.chance(60) {
            let child = self.noun(|noun| noun.is(tags::OFFSPRING))?;
            (child, Determiner::Possessive(Referent::new(first, number)))
        } else {
            let goes_along = |noun: &Noun| {
                fits(noun)
                    && noun.singular != first.singular
                    && noun.is(tags::PERSON) == first.is(tags::PERSON)
                    && !noun.is(tags::PLURAL_ONLY)
            };
            (self.noun(goes_along)?, determiner)
        };
        let inflect =
            |noun, determiner| NounPhrase { determiner, adjective: None, noun, number }.inflect(Case::Nominative);
        let both = [inflect(first, determiner), Phrase::new("und", "and"), inflect(second, second_determiner)];
        Some(Subject {
            phrase: Phrase::sequence(&both),
            number: Number::Plural,
            referent: Referent::several(),
            noun: first,
        })
    }

    /// "mit einem roten Hut", "in einer blauen Jacke".
    fn clothes(&mut self, wearer: &Noun, number: Number) -> Option<Phrase> {
        if !self.random.chance(percent::CLOTHES) {
            return None;
        }
        let noun = self.garment(wearer)?;
        let garment = self.new_garment(noun, number);
        let preposition = if noun.is(tags::WORN_ON | tags::APRON) { ("mit", "with") } else { ("in", "in") };
        Some(garment.after(preposition.0, Case::Dative, preposition.1))
    }

    /// Something that this person could wear, for work often what the work asks for.
    pub fn garment(&mut self, wearer: &Noun) -> Option<&'static Noun> {
        if wearer.is(tags::POLICE | tags::FIREFIGHTER) && self.random.chance(percent::WORK_CLOTHES) {
            return self.noun(|noun| noun.is(tags::UNIFORM));
        }
        if wearer.is(tags::COOK | tags::WAITER | tags::VENDOR) && self.random.chance(percent::WORK_CLOTHES) {
            return self.noun(|noun| noun.is(tags::APRON));
        }
        let mut fitting = tags::WORN_ON | tags::WORN_IN;
        if wearer.is(tags::SHE) {
            fitting |= tags::DRESS;
        }
        self.noun(|noun| noun.is(fitting))
    }

    /// One garment, or one for each, and what it looks like: "in a jacket" alone says little.
    pub fn new_garment(&mut self, noun: &'static Noun, number: Number) -> NounPhrase {
        let percent = if noun.is(tags::WORN_ON) { percent::ACCESSORY_ADJECTIVE } else { 100 };
        let adjective = self.adjective(noun.tags, percent);
        NounPhrase { determiner: Determiner::Indefinite, adjective, noun, number }
    }

    /// The noun phrase of an argument, for a clause about `subject`.
    pub fn argument_phrase(&mut self, tags: Tags, style: Style, subject: &Subject) -> Option<NounPhrase> {
        let one_only = !matches!(style, Style::Any | Style::Several);
        let noun = self.noun(|noun| {
            noun.is(tags) && noun.singular != subject.noun.singular && !(one_only && noun.is(tags::PLURAL_ONLY))
        })?;
        let number = match style {
            Style::Any => self.number(noun, percent::PLURAL_OBJECT),
            Style::Several => Number::Plural,
            Style::Each | Style::Own => subject.referent.number,
            _ => Number::Singular,
        };
        let determiner = match style {
            Style::One | Style::Each => Determiner::Indefinite,
            Style::Any | Style::Several => self.determiner(number),
            Style::Own => Determiner::Possessive(subject.referent),
            Style::Definite => Determiner::Definite,
            Style::Bare => Determiner::Bare,
            Style::Generic => Determiner::Generic,
        };
        let adjective = match style {
            Style::Definite | Style::Generic => None,
            _ => self.adjective(noun.tags, percent::ADJECTIVE),
        };
        Some(NounPhrase { determiner, adjective, noun, number })
    }

    fn argument(&mut self, argument: &Argument, subject: &Subject) -> Option<Phrase> {
        match argument.filler {
            Filler::Fixed { german, english } => Some(Phrase::new(german, english)),
            Filler::Noun { tags, style } => {
                let phrase = self.argument_phrase(tags, style, subject)?;
                let (german, english) = (argument.german_preposition, argument.english_preposition);
                Some(phrase.after(german, argument.case, english))
            }
        }
    }

    /// A verb with its arguments, about `subject`, and no place.
    pub fn predicate(&mut self, verb: Verb, arguments: &[Argument], subject: &Subject) -> Option<Predicate> {
        let complements: Option<Vec<Phrase>> =
            arguments.iter().map(|argument| self.argument(argument, subject)).collect();
        let complements = Phrase::sequence(&complements?);
        Some(Predicate::new(verb, complements))
    }

    /// What a scene says of its subject, perhaps with an adverb, without a place.
    pub fn scene(&mut self, frame: &Frame, subject: &Subject) -> Option<Predicate> {
        let adverb = self.adverb(frame, subject);
        let predicate = self.predicate(frame.verb, frame.arguments, subject)?;
        Some(Predicate { adverb, ..predicate })
    }

    fn adverb(&mut self, frame: &Frame, subject: &Subject) -> Option<&'static Adverb> {
        if !self.random.chance(percent::ADVERB) {
            return None;
        }
        if frame.has(TOGETHER) && subject.referent.number == Number::Plural {
            return Some(&TOGETHER_ADVERB);
        }
        self.random.pick_where(ADVERBS, |adverb| frame.has(adverb.fits))
    }

    /// A clause about a scene, without a place.
    pub fn clause(&mut self, frame: &Frame, detail: Detail) -> Option<Clause> {
        let subject = self.subject(|noun| noun.is(frame.who), frame.traits, detail)?;
        let predicate = self.scene(frame, &subject)?;
        Some(Clause { subject: subject.phrase, number: subject.number, predicate })
    }

    /// A place of one of these kinds.
    pub fn location(&mut self, settings: Settings) -> Option<Location> {
        if self.random.chance(percent::PART_OF_PLACE)
            && let Some(part) = self.random.pick_where(PARTS, |part| part.setting & settings != 0)
        {
            return self.part_of_place(part);
        }
        match self.random.pick_where(PLACES, |place| place.setting & settings != 0) {
            Some(place) => Some(self.whole_place(place)),
            // Only parts of places have these kinds.
            None => {
                let part = self.random.pick_where(PARTS, |part| part.setting & settings != 0)?;
                self.part_of_place(part)
            }
        }
    }

    fn whole_place(&mut self, place: &'static Place) -> Location {
        let (german, english) = place.at;
        let phrase = self.place_phrase(place).after(german, Case::Dative, english);
        Location { phrase, setting: place.setting }
    }

    fn part_of_place(&mut self, part: &'static Part) -> Option<Location> {
        let whole = self.random.pick_where(PLACES, |place| place.setting & part.of != 0)?;
        let whole = self.place_phrase(whole).inflect(Case::Genitive);
        let part_phrase = Phrase::new(part.german, part.english);
        let phrase = Phrase::sequence(&[part_phrase, whole]);
        Some(Location { phrase, setting: part.setting })
    }

    /// The way to a place.
    pub fn destination(&mut self, place: &'static Place) -> Phrase {
        let (german, english) = place.to;
        self.place_phrase(place).after(german, place.case_of_motion(), english)
    }

    /// The way through or across a place.
    pub fn path(&mut self, path: &Path, place: &'static Place) -> Phrase {
        self.place_phrase(place).after(path.german, Case::Accusative, path.english)
    }

    /// "der Park", as known, or "ein großer Park", as new.
    fn place_phrase(&mut self, place: &'static Place) -> NounPhrase {
        let noun = &place.noun;
        let adjective = self.adjective(noun.tags, percent::PLACE_ADJECTIVE);
        let determiner = match adjective {
            Some(_) => Determiner::Indefinite,
            None => Determiner::Definite,
        };
        NounPhrase { determiner, adjective, noun, number: Number::Singular }
    }
}
