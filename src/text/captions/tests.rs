use std::collections::{HashMap, HashSet};

use crate::text::random::SplitMix64;

use super::author::{Author, Detail};
use super::clause::{Clause, Predicate};
use super::german::{Agreement, Case, Declension, Gender, Number, adjective, definite_article};
use super::lexicon::adjectives::ADJECTIVES;
use super::lexicon::frames::FRAMES;
use super::lexicon::nouns::NOUNS;
use super::lexicon::tags::settings::NOWHERE;
use super::lexicon::verbs;
use super::noun::{Adjective, Determiner, Noun, NounPhrase, Referent, indefinite_article};
use super::text::Phrase;
use super::{CAPACITY, Pair, TooMany, draw, generate};

const GENDERS: [Gender; 3] = [Gender::Masculine, Gender::Feminine, Gender::Neuter];

fn noun(singular: &str) -> &'static Noun {
    NOUNS.iter().find(|noun| noun.singular == singular).unwrap()
}

fn old() -> &'static Adjective {
    ADJECTIVES.iter().find(|adjective| adjective.stem == "alt").unwrap()
}

fn phrase(determiner: Determiner, singular: &str, number: Number) -> NounPhrase {
    NounPhrase { determiner, adjective: Some(old()), noun: noun(singular), number }
}

/// FNV-1a, over all sentences.
fn checksum(pairs: &[Pair]) -> u64 {
    pairs
        .iter()
        .flat_map(|pair| pair.german.bytes().chain(pair.english.bytes()))
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn a_seed_means_the_same_pairs_for_ever() {
    let pairs = generate(1000, 1).unwrap();
    assert_eq!(pairs, generate(1000, 1).unwrap());
    assert_ne!(pairs, generate(1000, 2).unwrap());
    assert_eq!(checksum(&pairs), CHECKSUM_OF_SEED_1);
}

/// Changes with every change of the grammar, and only then.
const CHECKSUM_OF_SEED_1: u64 = 18_160_923_968_909_821_217;

#[test]
fn a_smaller_corpus_begins_a_larger_one() {
    assert_eq!(generate(100, 3).unwrap(), generate(300, 3).unwrap()[..100]);
}

#[test]
fn no_side_comes_twice() {
    let pairs = generate(3000, 4).unwrap();
    let german: HashSet<&str> = pairs.iter().map(|pair| pair.german.as_str()).collect();
    let english: HashSet<&str> = pairs.iter().map(|pair| pair.english.as_str()).collect();
    assert_eq!((german.len(), english.len()), (3000, 3000));
}

#[test]
fn a_german_sentence_has_one_translation() {
    let mut random = SplitMix64::new(5);
    let mut author = Author { random: &mut random };
    let mut translations = HashMap::new();
    for _ in 0..10_000 {
        let Some(pair) = draw(&mut author) else {
            continue;
        };
        let known = translations.entry(pair.german).or_insert_with(|| pair.english.clone());
        assert_eq!(*known, pair.english);
    }
}

#[test]
fn sentences_are_well_formed() {
    for Pair { german, english } in generate(3000, 6).unwrap() {
        for sentence in [&german, &english] {
            assert!(sentence.starts_with(char::is_uppercase), "{sentence}");
            assert!(sentence.ends_with('.') && sentence.matches('.').count() == 1, "{sentence}");
            for mistake in ["  ", " ,", " .", ",,", ",."] {
                assert!(!sentence.contains(mistake), "{sentence}");
            }
            assert!((3..=32).contains(&sentence.split(' ').count()), "{sentence}");
        }
    }
}

#[test]
fn contractions_and_quantities_leave_no_plain_forms() {
    let wrong = ["in dem ", "an dem ", "zu dem ", "von dem ", "in das ", "an das ", "zu der "];
    for Pair { german, .. } in generate(3000, 7).unwrap() {
        let mut words = format!(" {}", german.to_lowercase());
        // Here "in" and "an" are no prepositions of the article, but of a relative pronoun.
        words = words.replace(", in dem ", "");
        assert!(!wrong.iter().any(|wrong| words.contains(&format!(" {wrong}"))), "{german}");
        assert!(!words.contains(" von mehrere "), "{german}");
    }
}

#[test]
fn too_many_are_refused() {
    let error = generate(CAPACITY + 1, 1).unwrap_err();
    assert_eq!(error, TooMany { count: CAPACITY + 1 });
    assert!(error.to_string().contains(&CAPACITY.to_string()));
}

#[test]
fn nothing_asked_for_is_nothing_made() {
    assert_eq!(generate(0, 1).unwrap(), []);
}

#[test]
fn adjective_endings() {
    use Case::*;
    // For each declension and case: masculine, feminine, neuter, plural.
    let golden = [
        (Declension::Strong, Nominative, "alter alte altes alte"),
        (Declension::Strong, Genitive, "alten alter alten alter"),
        (Declension::Strong, Dative, "altem alter altem alten"),
        (Declension::Strong, Accusative, "alten alte altes alte"),
        (Declension::Mixed, Nominative, "alter alte altes alten"),
        (Declension::Mixed, Genitive, "alten alten alten alten"),
        (Declension::Mixed, Dative, "alten alten alten alten"),
        (Declension::Mixed, Accusative, "alten alte altes alten"),
        (Declension::Weak, Nominative, "alte alte alte alten"),
        (Declension::Weak, Genitive, "alten alten alten alten"),
        (Declension::Weak, Dative, "alten alten alten alten"),
        (Declension::Weak, Accusative, "alten alte alte alten"),
    ];
    for (declension, case, expected) in golden {
        let form = |gender, number| adjective("alt", declension, Agreement { gender, number, case });
        let mut forms: Vec<String> = GENDERS.iter().map(|&gender| form(gender, Number::Singular)).collect();
        forms.push(form(Gender::Neuter, Number::Plural));
        assert_eq!(forms.join(" "), expected, "{declension:?} {case:?}");
    }
}

#[test]
fn definite_articles() {
    let golden = [
        (Case::Nominative, "der die das"),
        (Case::Genitive, "des der des"),
        (Case::Dative, "dem der dem"),
        (Case::Accusative, "den die das"),
    ];
    for (case, expected) in golden {
        let forms = GENDERS.map(|gender| definite_article(Agreement { gender, number: Number::Singular, case }));
        assert_eq!(forms.join(" "), expected);
    }
}

#[test]
fn noun_phrases_in_all_cases() {
    let definite = phrase(Determiner::Definite, "Bauer", Number::Singular);
    let german = |phrase: &NounPhrase, case| phrase.inflect(case).german;
    assert_eq!(german(&definite, Case::Nominative), "der alte Bauer");
    assert_eq!(german(&definite, Case::Genitive), "des alten Bauern");
    assert_eq!(german(&definite, Case::Dative), "dem alten Bauern");
    assert_eq!(german(&definite, Case::Accusative), "den alten Bauern");
    let indefinite = phrase(Determiner::Indefinite, "Kind", Number::Singular);
    assert_eq!(german(&indefinite, Case::Nominative), "ein altes Kind");
    assert_eq!(german(&indefinite, Case::Genitive), "eines alten Kindes");
    assert_eq!(german(&indefinite, Case::Dative), "einem alten Kind");
    assert_eq!(indefinite.inflect(Case::Dative).english, "an old child");
}

#[test]
fn determiners_of_the_plural() {
    let dative = |determiner| phrase(determiner, "Mann", Number::Plural).inflect(Case::Dative);
    let several = Determiner::Quantity { stem: "mehrer", english: "several" };
    assert_eq!(dative(several), Phrase::new("mehreren alten Männern", "several old men"));
    let two = Determiner::Numeral { german: "zwei", english: "two" };
    assert_eq!(dative(two), Phrase::new("zwei alten Männern", "two old men"));
    let group = Phrase::new("einer Gruppe von alten Männern", "a group of old men");
    assert_eq!(dative(Determiner::Group), group);
    assert_eq!(dative(Determiner::Definite), Phrase::new("den alten Männern", "the old men"));
}

#[test]
fn dative_plurals() {
    let golden = [("Kind", "Kindern"), ("Frau", "Frauen"), ("Clown", "Clowns"), ("Mädchen", "Mädchen")];
    for (singular, dative) in golden {
        assert_eq!(noun(singular).german(Number::Plural, Case::Dative), dative);
    }
}

#[test]
fn possessives_go_by_possessor_and_possessed() {
    let coat_of = |owner: &str| {
        let owner = Referent::new(noun(owner), Number::Singular);
        phrase(Determiner::Possessive(owner), "Mantel", Number::Singular).inflect(Case::Accusative)
    };
    assert_eq!(coat_of("Mann"), Phrase::new("seinen alten Mantel", "his old coat"));
    assert_eq!(coat_of("Frau"), Phrase::new("ihren alten Mantel", "her old coat"));
    assert_eq!(coat_of("Mädchen"), Phrase::new("seinen alten Mantel", "her old coat"));
}

#[test]
fn prepositions_contract_and_govern() {
    let park =
        NounPhrase { determiner: Determiner::Definite, adjective: None, noun: noun("Meer"), number: Number::Singular };
    assert_eq!(park.after("in", Case::Dative, "in").german, "im Meer");
    assert_eq!(park.after("in", Case::Accusative, "into").german, "ins Meer");
    assert_eq!(park.after("zu", Case::Dative, "to").german, "zum Meer");
}

#[test]
fn word_orders_of_a_separable_reflexive_verb() {
    let predicate = Predicate {
        verb: verbs::AUSRUHEN,
        complements: Phrase::default(),
        place: Phrase::new("im Park", "in the park"),
        adverb: None,
    };
    let infinitive = predicate.infinitive_clause();
    assert_eq!(infinitive, Phrase::new("sich im Park auszuruhen", "rest in the park"));
    let subject = Phrase::new("ein Mann", "a man");
    let clause = Clause { subject, number: Number::Singular, predicate };
    let english = "a man is resting in the park";
    assert_eq!(clause.main(), Phrase::new("ein Mann ruht sich im Park aus", english));
    assert_eq!(clause.subordinate(&Phrase::new("während", "while")).german, "während sich ein Mann im Park ausruht",);
    assert_eq!(
        clause.inverted(&Phrase::new("am Abend", "in the evening")),
        Phrase::new("am Abend ruht sich ein Mann im Park aus", format!("in the evening, {english}")),
    );
}

#[test]
fn english_articles_go_by_the_sound() {
    assert_eq!(indefinite_article("old man"), "an");
    assert_eq!(indefinite_article("uniform"), "a");
    assert_eq!(indefinite_article("coat"), "a");
}

/// A scene that nobody can play, or without a place, would be a mistake in the tables.
#[test]
fn every_scene_can_be_played() {
    let mut random = SplitMix64::new(8);
    let mut author = Author { random: &mut random };
    for frame in FRAMES {
        assert!(author.clause(frame, Detail::Full).is_some(), "{frame:?}");
        let nowhere = frame.settings == NOWHERE;
        assert!(nowhere || author.location(frame.settings).is_some(), "{frame:?}");
    }
}

#[test]
fn every_noun_is_used() {
    let text: String =
        generate(20_000, 9).unwrap().iter().map(|pair| pair.german.as_str()).collect::<Vec<_>>().join(" ");
    let words: HashSet<&str> = text.split([' ', ',', '.']).collect();
    for noun in NOUNS {
        assert!(words.contains(noun.singular) || words.contains(noun.plural), "{noun:?}");
    }
}
