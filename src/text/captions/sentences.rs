//! The kinds of sentences: each joins one or two scenes in its own way.

use super::author::{Author, Detail, Location, Subject};
use super::clause::{Clause, Predicate, english_be};
use super::german::{self, Agreement, Case, Gender, Number};
use super::lexicon::frames::{Argument, Filler, Frame, Style};
use super::lexicon::links::{Because, ENABLINGS, OPENINGS, PASSIVES, PATHS, REASONS};
use super::lexicon::places::PLACES;
use super::lexicon::tags;
use super::lexicon::tags::traits::{AIM, EFFORT, HANDS, NO_CLOTHES, PLACED, POSTURE, WATCH};
use super::lexicon::verbs::{GEHEN, LAUFEN, RENNEN, SPAZIEREN, TRAGEN_AM_LEIB, VERSUCHEN};
use super::noun::{Determiner, Noun, NounPhrase, Referent};
use super::text::{Phrase, join};

/// A way to make a sentence.
type Kind = fn(&mut Author) -> Option<Phrase>;

/// The kinds of sentences and how often each is tried, in parts of their sum.
const KINDS: &[(usize, Kind)] = &[
    (15, subject_first),
    (14, place_first),
    (6, opening_first),
    (9, while_last),
    (5, while_first),
    (9, wearing),
    (5, whose_pet),
    (5, whom_another_watches),
    (8, watching_one_who),
    (9, sitting_and_doing),
    (10, going_in_order_to),
    (5, going_through),
    (7, trying),
    (6, because),
    (7, so_that),
    (5, being_done),
];

/// One caption without capital and full stop, or nothing if a draw did not work out.
pub fn draw(author: &mut Author) -> Option<Phrase> {
    let sum = KINDS.iter().map(|(weight, _)| weight).sum();
    let mut ticket = author.random.below(sum);
    for (weight, kind) in KINDS {
        if ticket < *weight {
            return kind(author);
        }
        ticket -= weight;
    }
    None
}

fn comma() -> Phrase {
    Phrase::new(",", "")
}

fn has_place(frame: &Frame) -> bool {
    frame.settings != tags::settings::NOWHERE
}

/// "Zwei Kinder spielen im Garten mit einem Ball."
fn subject_first(author: &mut Author) -> Option<Phrase> {
    let frame = author.frame(|_| true)?;
    let mut clause = author.clause(frame, Detail::Full)?;
    let must_say_where = clause.predicate.complements == Phrase::default();
    if has_place(frame) && (must_say_where || author.random.chance(75)) {
        clause.predicate.place = author.location(frame.settings)?.phrase;
    }
    Some(clause.main())
}

/// "Im Garten spielen zwei Kinder mit einem Ball." "Auf einer Bank sitzt ein Mann."
fn place_first(author: &mut Author) -> Option<Phrase> {
    let frame = author.frame(|frame| has_place(frame) || frame.has(PLACED))?;
    let mut clause = author.clause(frame, Detail::Full)?;
    if frame.has(PLACED) && (!has_place(frame) || author.random.chance(40)) {
        let place = std::mem::take(&mut clause.predicate.complements);
        return Some(clause.inverted(&place));
    }
    let location = author.location(frame.settings)?;
    Some(clause.inverted(&location.phrase))
}

/// "An einem sonnigen Tag spielen zwei Kinder im Garten mit einem Ball."
fn opening_first(author: &mut Author) -> Option<Phrase> {
    let frame = author.frame(has_place)?;
    let location = author.location(frame.settings)?;
    let opening = author.random.pick_where(OPENINGS, |opening| opening.settings & location.setting != 0)?;
    let mut clause = author.clause(frame, Detail::Brief)?;
    clause.predicate.place = location.phrase;
    Some(clause.inverted(&Phrase::new(opening.german, opening.english)))
}

/// Two scenes at one place: the main one, and another for beside it.
fn scenes_at_one_place(author: &mut Author) -> Option<(Clause, Clause, Location)> {
    let frame = author.frame(has_place)?;
    let location = author.location(frame.settings)?;
    let other_frame = author.frame(|other| other.settings & location.setting != 0 && !std::ptr::eq(other, frame))?;
    let clause = author.clause(frame, Detail::Brief)?;
    let other = author.clause(other_frame, Detail::Brief)?;
    let same_subject = clause.subject == other.subject;
    (!same_subject).then_some((clause, other, location))
}

fn while_() -> Phrase {
    Phrase::new("während", "while")
}

/// "Ein Mann liest im Park eine Zeitung, während zwei Kinder mit einem Ball spielen."
fn while_last(author: &mut Author) -> Option<Phrase> {
    let (mut clause, other, location) = scenes_at_one_place(author)?;
    let main = if author.random.chance(50) {
        clause.inverted(&location.phrase)
    } else {
        clause.predicate.place = location.phrase;
        clause.main()
    };
    Some(Phrase::sequence(&[main, comma(), other.subordinate(&while_())]))
}

/// "Während zwei Kinder mit einem Ball spielen, liest ein Mann im Park eine Zeitung."
fn while_first(author: &mut Author) -> Option<Phrase> {
    let (mut clause, other, location) = scenes_at_one_place(author)?;
    clause.predicate.place = location.phrase;
    let first = other.subordinate(&while_());
    Some(clause.inverted(&Phrase::sequence(&[first, comma()])))
}

/// The subject with a relative clause after it, doing what the frame says.
fn with_relative(
    author: &mut Author,
    frame: &Frame,
    subject: &Subject,
    relative: Phrase,
    location: Option<Location>,
) -> Option<Phrase> {
    let mut predicate = author.scene(frame, subject)?;
    predicate.place = location.map(|location| location.phrase).unwrap_or_default();
    let described = Phrase::sequence(&[subject.phrase.clone(), comma(), relative]);
    Some(Clause { subject: described, number: subject.number, predicate }.main())
}

/// The relative pronoun that stands for the subject, in a case.
fn relative_pronoun(subject: &Subject, case: Case) -> &'static str {
    let (gender, number) = (subject.referent.gender, subject.referent.number);
    german::relative_pronoun(Agreement { gender, number, case })
}

/// "Ein Mann, der einen roten Hut trägt, liest eine Zeitung."
fn wearing(author: &mut Author) -> Option<Phrase> {
    let frame = author.frame(|frame| frame.suits(tags::PERSON | tags::EVERYDAY) && !frame.has(NO_CLOTHES))?;
    let fits = |noun: &Noun| noun.is(frame.who) && noun.is(tags::PERSON);
    let subject = author.subject(fits, frame.traits, Detail::Bare)?;
    let number = subject.referent.number;
    let garment = author.garment(subject.noun)?;
    let complements = author.new_garment(garment, number).inflect(Case::Accusative);
    let wears = Predicate::new(TRAGEN_AM_LEIB, complements);
    let pronoun = Phrase::new(relative_pronoun(&subject, Case::Nominative), "who");
    let relative = wears.relative_clause(&pronoun, number);
    let location =
        if has_place(frame) && author.random.chance(50) { Some(author.location(frame.settings)?) } else { None };
    with_relative(author, frame, &subject, relative, location)
}

/// "Eine Frau, deren Hund im Gras schläft, liest ein Buch."
fn whose_pet(author: &mut Author) -> Option<Phrase> {
    let frame = author.frame(|frame| has_place(frame) && frame.suits(tags::GROWN | tags::EVERYDAY))?;
    let location = author.location(frame.settings)?;
    let pet_frame =
        author.frame(|pet| pet.suits(tags::DOG) && !pet.suits(tags::PERSON) && pet.settings & location.setting != 0)?;
    let fits = |noun: &Noun| noun.is(frame.who) && noun.is(tags::GROWN);
    let owner = author.subject(fits, frame.traits, Detail::Bare)?;
    let pet = author.subject(|noun| noun.is(tags::DOG), pet_frame.traits, Detail::Bare)?;
    let number = Number::Singular;
    let pet_name = NounPhrase { determiner: Determiner::Bare, adjective: None, noun: pet.noun, number };
    let pet_name = pet_name.inflect(Case::Nominative);
    let predicate = author.predicate(pet_frame.verb, pet_frame.arguments, &pet)?;
    let possessor = Phrase::new(relative_pronoun(&owner, Case::Genitive), "whose");
    let clause = Clause { subject: pet_name, number, predicate };
    let relative = Phrase::sequence(&[clause.subordinate(&possessor), comma()]);
    with_relative(author, frame, &owner, relative, Some(location))
}

/// "Ein Kind, dem eine Frau zusieht, spielt mit einem Ball."
fn whom_another_watches(author: &mut Author) -> Option<Phrase> {
    let watch = author.frame(|frame| frame.has(WATCH))?;
    let (argument, seen) = watched(watch)?;
    let frame = author.frame(|frame| frame.suits(seen) && !frame.has(WATCH))?;
    let fits = |noun: &Noun| noun.is(frame.who) && noun.is(seen);
    let subject = author.subject(fits, frame.traits, Detail::Brief)?;
    let watcher = author.subject(
        |noun| noun.is(watch.who) && noun.singular != subject.noun.singular,
        watch.traits,
        Detail::Bare,
    )?;
    if is_ambiguous(&subject, argument.case, &watcher) {
        return None;
    }
    let predicate = Predicate::new(watch.verb, Phrase::default());
    let pronoun = Phrase::new(relative_pronoun(&subject, argument.case), subject.noun.english_object_relative());
    let clause = Clause { subject: watcher.phrase, number: watcher.number, predicate };
    let relative = Phrase::sequence(&[clause.subordinate(&pronoun), comma()]);
    with_relative(author, frame, &subject, relative, None)
}

/// "Eine Frau, die ein Kind filmt": who films whom? German tells by the form of the pronoun, by
/// the number of the verb, or by the article of a masculine watcher.
fn is_ambiguous(watched: &Subject, case: Case, watcher: &Subject) -> bool {
    let same_form = relative_pronoun(watched, case) == relative_pronoun(watched, Case::Nominative);
    // A group is one or several, as one likes.
    let same_number = [watched.number, watched.referent.number].contains(&watcher.number);
    let clear_article = watcher.referent.number == Number::Singular && watcher.referent.gender == Gender::Masculine;
    same_form && same_number && !clear_article
}

/// The last argument of a scene and what it can be: for a scene with WATCH the one watched.
fn watched(frame: &Frame) -> Option<(&'static Argument, tags::Tags)> {
    let argument = frame.arguments.last()?;
    match argument.filler {
        Filler::Noun { tags, .. } => Some((argument, tags)),
        Filler::Fixed { .. } => None,
    }
}

/// "Ein Mann fotografiert ein Mädchen, das auf einer Mauer sitzt."
fn watching_one_who(author: &mut Author) -> Option<Phrase> {
    let watch = author.frame(|frame| frame.has(WATCH))?;
    let (argument, seen) = watched(watch)?;
    let watcher = author.subject(|noun| noun.is(watch.who), watch.traits, Detail::Full)?;
    let object = author.argument_phrase(seen, Style::Any, &watcher)?;
    let frame = author.frame(|frame| frame.suits(object.noun.tags) && !frame.has(WATCH | EFFORT))?;
    let seen_subject = Subject {
        phrase: object.inflect(Case::Nominative),
        number: object.number,
        referent: Referent::new(object.noun, object.number),
        noun: object.noun,
    };
    let mut predicate = author.scene(frame, &seen_subject)?;
    if has_place(frame) && !frame.has(PLACED) {
        predicate.place = author.location(frame.settings)?.phrase;
    }
    let pronoun = Phrase::new(relative_pronoun(&seen_subject, Case::Nominative), object.noun.english_relative());
    let relative = predicate.relative_clause(&pronoun, object.number);
    let watching = Predicate::new(watch.verb, object.inflect(argument.case));
    let main = Clause { subject: watcher.phrase, number: watcher.number, predicate: watching }.main();
    Some(Phrase::sequence(&[main, comma(), relative]))
}

/// "Im Park sitzt ein Mann auf einer Bank und liest eine Zeitung."
fn sitting_and_doing(author: &mut Author) -> Option<Phrase> {
    let posture = author.frame(|frame| frame.has(POSTURE))?;
    let location = author.location(posture.settings)?;
    // Next to people one does not watch others: they might be the same.
    let beside_people = watched(posture).is_some_and(|(_, tags)| tags & tags::PERSON != 0);
    let doing = author.frame(|frame| {
        frame.has(HANDS) && frame.settings & location.setting != 0 && !(beside_people && frame.has(WATCH))
    })?;
    let fits = |noun: &Noun| noun.is(posture.who) && noun.is(doing.who);
    let subject = author.subject(fits, posture.traits | doing.traits, Detail::Full)?;
    let predicate = author.predicate(posture.verb, posture.arguments, &subject)?;
    let second = author.predicate(doing.verb, doing.arguments, &subject)?;
    let sits = Clause { subject: subject.phrase, number: subject.number, predicate };
    let main = if author.random.chance(45) { sits.inverted(&location.phrase) } else { sits.main() };
    Some(Phrase::sequence(&[main, second.coordinated(subject.number)]))
}

/// "Zwei Kinder laufen auf die Wiese, um mit einem Ball zu spielen."
fn going_in_order_to(author: &mut Author) -> Option<Phrase> {
    let frame = author.frame(|frame| frame.has(AIM))?;
    let place = author.random.pick_where(PLACES, |place| place.setting & frame.settings != 0)?;
    let subject = author.subject(|noun| noun.is(frame.who), frame.traits, Detail::Full)?;
    let aim = author.predicate(frame.verb, frame.arguments, &subject)?;
    let verb = if author.random.chance(65) { GEHEN } else { LAUFEN };
    let complements = author.destination(place);
    let goes = Predicate::new(verb, complements);
    let main = Clause { subject: subject.phrase, number: subject.number, predicate: goes }.main();
    let purpose = Phrase::sequence(&[Phrase::new("um", "to"), aim.infinitive_clause()]);
    Some(Phrase::sequence(&[main, comma(), purpose]))
}

/// "Drei Frauen spazieren durch einen verschneiten Wald."
fn going_through(author: &mut Author) -> Option<Phrase> {
    let path = author.random.pick(PATHS)?;
    let place = author.random.pick_where(PLACES, |place| place.setting & path.settings != 0)?;
    let subject = author.subject(|noun| noun.is(tags::ANYONE), 0, Detail::Full)?;
    let verb = *author.random.pick(&[GEHEN, LAUFEN, SPAZIEREN, RENNEN])?;
    let complements = author.path(path, place);
    let predicate = Predicate::new(verb, complements);
    Some(Clause { subject: subject.phrase, number: subject.number, predicate }.main())
}

/// "Im Garten versucht ein Junge, einen Ball zu fangen."
fn trying(author: &mut Author) -> Option<Phrase> {
    let frame = author.frame(|frame| frame.has(EFFORT))?;
    let subject = author.subject(|noun| noun.is(frame.who), frame.traits, Detail::Full)?;
    let effort = author.predicate(frame.verb, frame.arguments, &subject)?;
    let predicate = Predicate::new(VERSUCHEN, Phrase::default());
    let tries = Clause { subject: subject.phrase, number: subject.number, predicate };
    let main = if has_place(frame) && author.random.chance(60) {
        tries.inverted(&author.location(frame.settings)?.phrase)
    } else {
        tries.main()
    };
    let infinitive = Phrase::sequence(&[Phrase::new("", "to"), effort.infinitive_clause()]);
    Some(Phrase::sequence(&[main, comma(), infinitive]))
}

/// "Ein Mann zieht seinen Mantel an, weil ihm kalt ist."
fn because(author: &mut Author) -> Option<Phrase> {
    let reason = author.random.pick(REASONS)?;
    let subject = author.subject(|noun| noun.is(reason.who), 0, Detail::Brief)?;
    // The pronoun of the reason would have to be that of the group, not of its members.
    if subject.number != subject.referent.number {
        return None;
    }
    let predicate = author.predicate(reason.verb, reason.arguments, &subject)?;
    let main = Clause { subject: subject.phrase.clone(), number: subject.number, predicate }.main();
    Some(Phrase::sequence(&[main, comma(), because_clause(reason.because, &subject)]))
}

fn because_clause(because: Because, subject: &Subject) -> Phrase {
    let number = subject.referent.number;
    let english_is = english_be(number);
    let german_is = match number {
        Number::Singular => "ist",
        Number::Plural => "sind",
    };
    match because {
        Because::Is { german, english } => {
            let pronoun = subject.referent.pronoun(Case::Nominative);
            Phrase::new(
                join(&["weil", &pronoun.german, german, german_is]),
                join(&["because", &pronoun.english, english_is, english]),
            )
        }
        Because::Feels { german, english } => {
            let pronoun = subject.referent.pronoun(Case::Dative);
            Phrase::new(
                join(&["weil", &pronoun.german, german, "ist"]),
                join(&["because", &pronoun.english, english_is, english]),
            )
        }
        Because::Happens { german, english } => Phrase::new(join(&["weil", german]), join(&["because", english])),
    }
}

/// "Ein Mann öffnet die Tür, damit der Hund in den Garten laufen kann."
fn so_that(author: &mut Author) -> Option<Phrase> {
    let enabling = author.random.pick(ENABLINGS)?;
    let subject = author.subject(|noun| noun.is(enabling.who), 0, Detail::Full)?;
    let predicate = author.predicate(enabling.verb, enabling.arguments, &subject)?;
    let helped =
        author.subject(|noun| noun.is(enabling.helped) && noun.singular != subject.noun.singular, 0, Detail::Brief)?;
    let able = author.predicate(enabling.helped_verb, enabling.helped_arguments, &helped)?;
    let main = Clause { subject: subject.phrase, number: subject.number, predicate }.main();
    let purpose = Clause { subject: helped.phrase, number: helped.number, predicate: able };
    Some(Phrase::sequence(&[main, comma(), purpose.enabled()]))
}

/// "Im Garten wird ein Hund von zwei Kindern gewaschen."
fn being_done(author: &mut Author) -> Option<Phrase> {
    let passive = author.random.pick(PASSIVES)?;
    let fits = |noun: &Noun| noun.is(passive.patient) && !noun.is(tags::PLURAL_ONLY);
    let patient = author.subject(fits, 0, Detail::Brief)?;
    let agent = author.argument_phrase(passive.agent, Style::Any, &patient)?;
    let agent = agent.after("von", Case::Dative, "by");
    let place = author.location(passive.settings)?.phrase;
    let (becomes, is) = match patient.number {
        Number::Singular => ("wird", "is being"),
        Number::Plural => ("werden", "are being"),
    };
    let english = [&patient.phrase.english, is, passive.english, &agent.english];
    if author.random.chance(50) {
        let german = [&place.german, becomes, &patient.phrase.german, &agent.german, passive.german];
        let english = join(&[&place.english, ",", &join(&english)]);
        return Some(Phrase::new(join(&german), english));
    }
    let german = [&patient.phrase.german, becomes, &place.german, &agent.german, passive.german];
    Some(Phrase::new(join(&german), join(&[&join(&english), &place.english])))
}
