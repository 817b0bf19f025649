//! Places: how German and English say to be there and to go there.

use super::super::german::Case;
use super::super::noun::Noun;
use super::nouns::{das, der, die};
use super::tags::settings::*;
use super::tags::*;

type Word = &'static str;

/// A place where scenes happen.
#[derive(Debug)]
pub struct Place {
    /// German (with the dative) and English for being there.
    pub at: (Word, Word),
    /// German and English for going there.
    pub to: (Word, Word),
    pub noun: Noun,
    pub setting: Settings,
}

impl Place {
    /// Two-way prepositions take the accusative for a motion; "zu" always has the dative.
    pub fn case_of_motion(&self) -> Case {
        if self.to.0 == "zu" { Case::Dative } else { Case::Accusative }
    }
}

/// A part of a place, said with the genitive: "am Rand des Waldes", "at the edge of the forest".
#[derive(Debug)]
pub struct Part {
    pub german: Word,
    pub english: Word,
    /// The places that have it.
    pub of: Settings,
    /// What it is itself.
    pub setting: Settings,
}

const fn place(at: (Word, Word), to: (Word, Word), noun: Noun, setting: Settings) -> Place {
    Place { at, to, noun, setting }
}

const fn part(german: Word, english: Word, of: Settings, setting: Settings) -> Part {
    Part { german, english, of, setting }
}

#[rustfmt::skip]
pub static PLACES: &[Place] = &[
    place(("in", "in"), ("in", "to"), der("Park", "Parks", "Parks", "park", "parks", SIZED | QUIET | SUNNY | SNOWY),
        PARK),
    place(("in", "in"), ("in", "into"), der("Garten", "Gartens", "Gärten", "garden", "gardens", SIZED | SUNNY | GREEN),
        GARDEN),
    place(("auf", "in"), ("auf", "to"), die("Wiese", "Wiesen", "meadow", "meadows", GREEN | SUNNY | SIZED), MEADOW),
    place(("in", "in"), ("in", "into"), der("Wald", "Waldes", "Wälder", "forest", "forests", QUIET | SNOWY), FOREST),
    place(("an", "at"), ("an", "to"), der("See", "Sees", "Seen", "lake", "lakes", QUIET | SIZED), LAKE),
    place(("an", "on"), ("an", "to"), der("Strand", "Strandes", "Strände", "beach", "beaches", SUNNY | QUIET), BEACH),
    place(("an", "by"), ("an", "to"), der("Fluss", "Flusses", "Flüsse", "river", "rivers", SIZED), RIVER),
    place(("auf", "on"), ("auf", "up"), der("Berg", "Berges", "Berge", "mountain", "mountains", HIGH | SNOWY),
        MOUNTAIN),
    place(("auf", "in"), ("auf", "to"), das("Feld", "Feldes", "Felder", "field", "fields", SIZED | SUNNY), FIELD),
    place(("auf", "on"), ("auf", "to"), der("Bauernhof", "Bauernhofs", "Bauernhöfe", "farm", "farms", SIZED | AGED),
        FARM),
    place(("in", "in"), ("in", "into"), der("Stall", "Stalls", "Ställe", "stable", "stables", AGED | SIZED), STABLE),
    place(("in", "at"), ("in", "to"), der("Zoo", "Zoos", "Zoos", "zoo", "zoos", SIZED), ZOO),
    place(("auf", "on"), ("auf", "onto"), die("Straße", "Straßen", "street", "streets", BUSY | QUIET | SNOWY), STREET),
    place(("auf", "in"), ("auf", "to"),
        der("Marktplatz", "Marktplatzes", "Marktplätze", "market square", "market squares", BUSY | SUNNY), SQUARE),
    place(("auf", "at"), ("auf", "to"), der("Markt", "Marktes", "Märkte", "market", "markets", BUSY | SIZED), MARKET),
    place(("an", "at"), ("zu", "to"),
        der("Bahnhof", "Bahnhofs", "Bahnhöfe", "train station", "train stations", BUSY | SIZED), STATION),
    place(("an", "at"), ("zu", "to"), die("Bushaltestelle", "Bushaltestellen", "bus stop", "bus stops", BUSY),
        BUS_STOP),
    place(("auf", "on"), ("auf", "to"),
        der("Spielplatz", "Spielplatzes", "Spielplätze", "playground", "playgrounds", SIZED | SUNNY), PLAYGROUND),
    place(("auf", "on"), ("auf", "onto"), die("Brücke", "Brücken", "bridge", "bridges", AGED | SIZED), BRIDGE),
    place(("in", "in"), ("zu", "to"), der("Hafen", "Hafens", "Häfen", "harbor", "harbors", SIZED | BUSY), HARBOR),
    place(("auf", "at"), ("auf", "to"),
        die("Baustelle", "Baustellen", "construction site", "construction sites", SIZED), SITE),
    place(("auf", "on"), ("auf", "to"),
        der("Fußballplatz", "Fußballplatzes", "Fußballplätze", "football field", "football fields", SIZED | GREEN),
        PITCH),
    place(("in", "in"), ("in", "into"), die("Küche", "Küchen", "kitchen", "kitchens", SIZED | AGED), KITCHEN),
    place(("in", "in"), ("in", "into"),
        das("Wohnzimmer", "Wohnzimmers", "Wohnzimmer", "living room", "living rooms", SIZED), LIVING_ROOM),
    place(("in", "in"), ("in", "to"),
        das("Restaurant", "Restaurants", "Restaurants", "restaurant", "restaurants", SIZED | QUIET), RESTAURANT),
    place(("in", "in"), ("in", "to"), das("Café", "Cafés", "Cafés", "café", "cafés", SIZED | QUIET), CAFE),
    place(("auf", "on"), ("auf", "onto"), die("Bühne", "Bühnen", "stage", "stages", SIZED), STAGE),
    place(("in", "in"), ("in", "into"), die("Werkstatt", "Werkstätten", "workshop", "workshops", SIZED | AGED),
        WORKSHOP),
    place(("in", "in"), ("in", "to"), die("Bibliothek", "Bibliotheken", "library", "libraries", SIZED | AGED | QUIET),
        LIBRARY),
    place(("in", "in"), ("in", "into"),
        das("Klassenzimmer", "Klassenzimmers", "Klassenzimmer", "classroom", "classrooms", SIZED), CLASSROOM),
    place(("in", "in"), ("in", "into"), die("Turnhalle", "Turnhallen", "gym", "gyms", SIZED), GYM),
    place(("in", "in"), ("in", "to"),
        der("Supermarkt", "Supermarkts", "Supermärkte", "supermarket", "supermarkets", SIZED), SUPERMARKET),
    place(("in", "in"), ("in", "to"),
        das("Krankenhaus", "Krankenhauses", "Krankenhäuser", "hospital", "hospitals", SIZED), HOSPITAL),
    place(("in", "in"), ("in", "into"), das("Büro", "Büros", "Büros", "office", "offices", SIZED | QUIET), OFFICE),
    place(("in", "in"), ("in", "to"), das("Museum", "Museums", "Museen", "museum", "museums", SIZED), MUSEUM),
    place(("in", "in"), ("in", "into"), der("Schnee", "Schnees", "", "snow", "", 0), SNOW),
];

#[rustfmt::skip]
pub static PARTS: &[Part] = &[
    part("am Rand", "at the edge of", PARK | FOREST | FIELD | PITCH | MEADOW, EDGE),
    part("am Ufer", "on the shore of", LAKE, SHORE),
    part("am Ufer", "on the bank of", RIVER, SHORE),
    part("vor dem Eingang", "in front of the entrance of",
        ZOO | STATION | RESTAURANT | LIBRARY | SUPERMARKET | HOSPITAL | MUSEUM, ENTRANCE),
    part("auf dem Dach", "on the roof of", STATION | LIBRARY | HOSPITAL | MUSEUM | STABLE, ROOF),
];
