//! Adjectives (as stems, to which the endings are added) and adverbs.

use super::super::clause::{Adverb, Position};
use super::super::noun::Adjective;
use super::tags::traits::*;
use super::tags::*;

const fn adjective(stem: &'static str, english: &'static str, fits: Tags) -> Adjective {
    Adjective { stem, english, fits }
}

const fn adverb(german: &'static str, english: &'static str, position: Position, fits: Traits) -> Adverb {
    Adverb { german, english, position, fits }
}

/// A German adjective may stand here twice, if English has two words for it; then the nouns
/// of the two lines differ.
#[rustfmt::skip]
pub static ADJECTIVES: &[Adjective] = &[
    // People and animals.
    adjective("alt", "old", GROWN),
    adjective("jung", "young", ADULT | OCCUPATION | DOG | CAT | HORSE | MONKEY | ELEPHANT),
    adjective("klein", "little", CHILD),
    adjective("klein", "small", DOG | CAT | HORSE | BIRD | MONKEY | RABBIT),
    adjective("groß", "tall", GROWN),
    adjective("groß", "large", DOG | HORSE | CATTLE | ELEPHANT),
    adjective("blond", "blond", EVERYDAY | STUDENT | SINGER | DANCER | WAITER),
    adjective("dunkelhaarig", "dark-haired", EVERYDAY | STUDENT | SINGER | DANCER | WAITER | DOCTOR),
    adjective("bärtig", "bearded", BEARDED),
    adjective("fröhlich", "cheerful", ANYONE),
    adjective("müd", "tired", GROWN),
    adjective("freundlich", "friendly", GROWN),
    adjective("lächelnd", "smiling", ANYONE),
    adjective("neugierig", "curious", CHILD | TOURIST | MONKEY | CAT),
    adjective("mutig", "brave", CHILD | FIREFIGHTER | HIKER | POLICE | SKIER),
    adjective("berühmt", "famous", SINGER | DANCER | MUSICIAN | PAINTER | FOOTBALLER | ENTERTAINER),
    adjective("weiß", "white", FUR | BIRD),
    adjective("schwarz", "black", FUR),
    adjective("braun", "brown", FUR),
    adjective("grau", "gray", FUR | BIRD),
    adjective("gefleckt", "spotted", FUR),
    // Colors and looks of things.
    adjective("rot", "red", COLORED | FLOWER),
    adjective("blau", "blue", COLORED | FLOWER),
    adjective("grün", "green", COLORED | GREEN),
    adjective("gelb", "yellow", COLORED | FLOWER),
    adjective("weiß", "white", COLORED | FLOWER),
    adjective("schwarz", "black", WORN_ON | WORN_IN | DRESS | UNIFORM | VEHICLE | TRUCK),
    adjective("bunt", "colorful", COLORFUL),
    adjective("gestreift", "striped", STRIPED),
    adjective("warm", "warm", WARM),
    adjective("klein", "small", SIZED),
    adjective("groß", "large", SIZED),
    adjective("alt", "old", AGED),
    adjective("neu", "new", AGED),
    adjective("schwer", "heavy", HEAVY),
    adjective("lang", "long", LONG),
    adjective("hoh", "high", HIGH),
    adjective("hoh", "tall", TALL),
    adjective("schön", "beautiful", SIGHT | FLOWER | SONG | PICTURE),
    adjective("interessant", "interesting", READING),
    adjective("reif", "ripe", FRUIT),
    adjective("frisch", "fresh", FRESH),
    adjective("heiß", "hot", HOT_DRINK),
    adjective("kalt", "cold", COLD_DRINK),
    // Places.
    adjective("belebt", "busy", BUSY),
    adjective("ruhig", "quiet", QUIET),
    adjective("verschneit", "snowy", SNOWY),
    adjective("sonnig", "sunny", SUNNY),
];

#[rustfmt::skip]
pub static ADVERBS: &[Adverb] = &[
    adverb("langsam", "slowly", Position::BeforeVerb, SLOWLY),
    adverb("vorsichtig", "carefully", Position::BeforeVerb, CAREFULLY),
    adverb("begeistert", "enthusiastically", Position::BeforeVerb, KEENLY),
    adverb("leise", "quietly", Position::BeforeVerb, QUIETLY),
];

/// For more than one subject only.
pub static TOGETHER_ADVERB: Adverb = adverb("gemeinsam", "together", Position::AfterObjects, TOGETHER);
