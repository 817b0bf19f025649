//! What joins and frames scenes: quantities, times, reasons, purposes and passives.

use super::super::clause::Verb;
use super::super::german::Case;
use super::super::noun::Determiner;
use super::frames::{Argument, a, each, own, prep, set, some, to};
use super::tags::settings::*;
use super::tags::*;
use super::verbs::*;

type Word = &'static str;

const fn numeral(german: Word, english: Word) -> Determiner {
    Determiner::Numeral { german, english }
}

const fn quantity(stem: Word, english: Word) -> Determiner {
    Determiner::Quantity { stem, english }
}

/// The small numbers several times, since they are the commonest.
pub static QUANTITIES: &[Determiner] = &[
    numeral("zwei", "two"),
    numeral("zwei", "two"),
    numeral("zwei", "two"),
    numeral("zwei", "two"),
    numeral("drei", "three"),
    numeral("drei", "three"),
    numeral("vier", "four"),
    numeral("fünf", "five"),
    numeral("sechs", "six"),
    numeral("sieben", "seven"),
    numeral("acht", "eight"),
    numeral("neun", "nine"),
    numeral("zehn", "ten"),
    numeral("elf", "eleven"),
    numeral("zwölf", "twelve"),
    quantity("einig", "some"),
    quantity("mehrer", "several"),
    quantity("viel", "many"),
];

/// When or in what weather something happens, at the head of the sentence.
#[derive(Debug)]
pub struct Opening {
    pub german: Word,
    pub english: Word,
    pub settings: Settings,
}

const fn opening(german: Word, english: Word, settings: Settings) -> Opening {
    Opening { german, english, settings }
}

#[rustfmt::skip]
pub static OPENINGS: &[Opening] = &[
    opening("an einem sonnigen Tag", "on a sunny day", OUTDOORS & !SNOW),
    opening("an einem kalten Wintertag", "on a cold winter day",
        SNOW | STREET | FOREST | KITCHEN | LIVING_ROOM | BUS_STOP),
    opening("am frühen Morgen", "early in the morning", !(STAGE | MUSEUM)),
    opening("am Nachmittag", "in the afternoon", EVERYWHERE),
    opening("am Abend", "in the evening", !(CLASSROOM | ZOO)),
    opening("bei schönem Wetter", "in nice weather", OUTDOORS & !SNOW),
    opening("bei starkem Wind", "in strong wind", OUTDOORS & !SNOW),
    opening("trotz des Regens", "despite the rain", OUTDOORS & !(SNOW | BEACH)),
    opening("trotz der Kälte", "despite the cold", OUTDOORS & !BEACH),
    opening("während der Ferien", "during the holidays",
        BEACH | LAKE | MOUNTAIN | FARM | ZOO | MUSEUM | PLAYGROUND | KITCHEN),
    opening("am Ende des Tages", "at the end of the day", !(CLASSROOM | ZOO | MUSEUM)),
];

/// How one goes through or across a place.
#[derive(Debug)]
pub struct Path {
    /// With the accusative.
    pub german: Word,
    pub english: Word,
    pub settings: Settings,
}

pub static PATHS: &[Path] = &[
    Path { german: "durch", english: "through", settings: PARK | GARDEN | FOREST | ZOO | MUSEUM | SUPERMARKET | SNOW },
    Path {
        german: "über",
        english: "across",
        settings: BRIDGE | SQUARE | MARKET | FIELD | FARM | MEADOW | PITCH | STREET,
    },
];

/// Why somebody does something.
#[derive(Clone, Copy, Debug)]
pub enum Because {
    /// "weil er müde ist".
    Is { german: Word, english: Word },
    /// "weil ihm kalt ist": German has the one who feels it in the dative.
    Feels { german: Word, english: Word },
    /// Something else, already with the verb at the end.
    Happens { german: Word, english: Word },
}

/// Something done for a reason.
#[derive(Debug)]
pub struct Reason {
    pub who: Tags,
    pub verb: Verb,
    pub arguments: &'static [Argument],
    pub because: Because,
}

const fn reason(who: Tags, verb: Verb, arguments: &'static [Argument], because: Because) -> Reason {
    Reason { who, verb, arguments, because }
}

const fn is(german: Word, english: Word) -> Because {
    Because::Is { german, english }
}

const fn feels(german: Word, english: Word) -> Because {
    Because::Feels { german, english }
}

const fn happens(german: Word, english: Word) -> Because {
    Because::Happens { german, english }
}

const DAT: Case = Case::Dative;
const ACC: Case = Case::Accusative;

#[rustfmt::skip]
pub static REASONS: &[Reason] = &[
    reason(ANYONE, SCHLAFEN, &[prep("auf", DAT, "on", HOME_SEAT)], is("müde", "tired")),
    reason(GROWN, SETZEN, &[prep("auf", ACC, "on", TOWN_SEAT)], is("müde", "tired")),
    reason(ANYONE, AUSRUHEN, &[set("im Schatten", "in the shade")], is("müde", "tired")),
    reason(ANYONE, ESSEN, &[each(SNACK)], is("hungrig", "hungry")),
    reason(GROWN, KAUFEN, &[each(SNACK)], is("hungrig", "hungry")),
    reason(DOG | CAT | MONKEY | BIRD, SUCHEN, &[set("nach Futter", "for food")], is("hungrig", "hungry")),
    reason(HORSE | CATTLE, FRESSEN, &[some(FODDER)], is("hungrig", "hungry")),
    reason(ANYONE, TRINKEN, &[some(COLD_DRINK)], is("durstig", "thirsty")),
    reason(HORSE | ELEPHANT | DOG, TRINKEN, &[set("Wasser", "water")], is("durstig", "thirsty")),
    reason(ANYONE, LACHEN, &[], is("glücklich", "happy")),
    reason(EVERYDAY | DANCER, TANZEN, &[set("auf der Straße", "on the street")], is("glücklich", "happy")),
    reason(FOOTBALLER | CHILD, SPRINGEN, &[set("in die Luft", "into the air")], is("glücklich", "happy")),
    reason(ANYONE, ANZIEHEN, &[own(COAT)], feels("kalt", "cold")),
    reason(GROWN, TRINKEN, &[some(HOT_DRINK)], feels("kalt", "cold")),
    reason(CHILD | EVERYDAY | ELEPHANT, BADEN, &[set("im Fluss", "in the river")], feels("warm", "warm")),
    reason(EVERYDAY | TOURIST | ELDER, KAUFEN, &[set("Eis", "ice cream")], feels("warm", "warm")),
    reason(ANYONE, TRAGEN_AM_LEIB, &[each(COAT)], happens("es regnet", "it is raining")),
    reason(EVERYDAY | TOURIST, WARTEN, &[set("im Museum", "in the museum")], happens("es regnet", "it is raining")),
    reason(ANYONE, TRAGEN_AM_LEIB, &[each(SUNWEAR)], happens("die Sonne scheint", "the sun is shining")),
    reason(ANYONE, TRAGEN_AM_LEIB, &[each(WARM)], happens("es schneit", "it is snowing")),
    reason(ANYONE, WARTEN, &[set("am Bahnhof", "at the train station")],
        happens("der Zug zu spät kommt", "the train is late")),
    reason(ANYONE, WARTEN, &[set("an der Bushaltestelle", "at the bus stop")],
        happens("der Bus zu spät kommt", "the bus is late")),
    reason(EVERYDAY | TOURIST | STUDENT, LAUFEN, &[set("zum Bahnhof", "to the train station")],
        happens("der Zug bald abfährt", "the train is leaving soon")),
    reason(POLICE, REGELN, &[set("den Verkehr", "traffic")],
        happens("die Ampel kaputt ist", "the traffic light is broken")),
    reason(EVERYDAY | CYCLIST | TOURIST, WARTEN, &[set("an der Kreuzung", "at the intersection")],
        happens("die Ampel kaputt ist", "the traffic light is broken")),
];

/// Something done so that another one can do something.
#[derive(Debug)]
pub struct Enabling {
    pub who: Tags,
    pub verb: Verb,
    pub arguments: &'static [Argument],
    pub helped: Tags,
    pub helped_verb: Verb,
    pub helped_arguments: &'static [Argument],
}

const fn enabling(
    who: Tags,
    verb: Verb,
    arguments: &'static [Argument],
    helped: Tags,
    helped_verb: Verb,
    helped_arguments: &'static [Argument],
) -> Enabling {
    Enabling { who, verb, arguments, helped, helped_verb, helped_arguments }
}

#[rustfmt::skip]
pub static ENABLINGS: &[Enabling] = &[
    enabling(ELDER | ADULT, EINSCHALTEN, &[a(LAMP)], CHILD, LESEN, &[a(READING)]),
    enabling(ELDER | TEACHER, ABRAEUMEN, &[set("den Tisch", "the table")], CHILD, MALEN, &[a(PICTURE)]),
    enabling(ADULT | FARMER, OEFFNEN, &[set("das Tor", "the gate")], HORSE | CATTLE, GRASEN,
        &[set("auf der Wiese", "in the meadow")]),
    enabling(ADULT | BUILDER | FIREFIGHTER, FESTHALTEN, &[set("die Leiter", "the ladder")], CHILD | ADULT, KLETTERN,
        &[set("auf das Dach", "onto the roof")]),
    enabling(ELDER | FARMER | RIDER, FESTHALTEN, &[set("das Pferd", "the horse")], CHILD, BUERSTEN, &[set("es", "it")]),
    enabling(ADULT | CHILD, OEFFNEN, &[set("die Tür", "the door")], DOG | CAT, LAUFEN,
        &[set("in den Garten", "into the garden")]),
    enabling(ELDER | ADULT, BAUEN, &[set("eine Schaukel", "a swing")], CHILD, SPIELEN,
        &[set("im Garten", "in the garden")]),
    enabling(MECHANIC | ELDER, REPARIEREN, &[a(BICYCLE)], CHILD | STUDENT, RAD_FAHREN, &[set("Rad", "")]),
    enabling(MUSICIAN, SPIELEN, &[a(SONG)], DANCER | ADULT, TANZEN, &[]),
    enabling(POLICE, ANHALTEN, &[set("den Verkehr", "traffic")], CHILD | ELDER, GEHEN,
        &[set("über die Straße", "across the street")]),
    enabling(POLICE | ADULT, ANHALTEN, &[set("den Bus", "the bus")], TOURIST | ELDER | STUDENT | HIKER, EINSTEIGEN,
        &[]),
    enabling(GROWN, FESTHALTEN, &[set("den Hund", "the dog")], CHILD, AUFHEBEN, &[a(BALL)]),
    enabling(ADULT | TEACHER, EINSCHALTEN, &[a(LAMP)], ELDER, VORLESEN, &[set("einem Kind", "a child"), a(READING)]),
    enabling(ADULT | CHILD, ABRAEUMEN, &[set("den Tisch", "the table")], ELDER | COOK, AUSRUHEN, &[]),
    enabling(GROWN, HALTEN, &[set("den Rucksack", "the backpack")], CHILD | HIKER, ANZIEHEN, &[own(COAT)]),
    enabling(ADULT | STUDENT, SCHLIESSEN, &[set("das Fenster", "the window")], EVERYDAY | TEACHER, ZUHOEREN,
        &[to(SINGER | MUSICIAN)]),
    enabling(ADULT | GARDENER, OEFFNEN, &[set("das Tor", "the gate")], CHILD | ELDER, AUSFUEHREN, &[own(DOG)]),
    enabling(CHILD | STUDENT, HALTEN, &[set("die Jacke", "the jacket")], CHILD | ADULT, ZUWERFEN, &[to(DOG), a(BALL)]),
    enabling(DOCTOR | ELDER, SCHLIESSEN, &[set("die Tür", "the door")], CHILD, SCHLAFEN, &[]),
];

/// Something done by one to another, said in the passive.
#[derive(Debug)]
pub struct Passive {
    pub agent: Tags,
    pub patient: Tags,
    /// The participles.
    pub german: Word,
    pub english: Word,
    pub settings: Settings,
}

const fn passive(agent: Tags, patient: Tags, german: Word, english: Word, settings: Settings) -> Passive {
    Passive { agent, patient, german, english, settings }
}

#[rustfmt::skip]
pub static PASSIVES: &[Passive] = &[
    passive(EVERYDAY | ELDER, DOG, "gewaschen", "washed", GARDEN | FARM),
    passive(ADULT | ELDER | STUDENT, VEHICLE, "gewaschen", "washed", STREET | FARM),
    passive(RIDER | FARMER | CHILD, HORSE, "gebürstet", "brushed", STABLE | FARM),
    passive(EVERYDAY | TOURIST, MONKEY | ELEPHANT | DUCK, "gefüttert", "fed", ZOO | LAKE),
    passive(FARMER | CHILD, CATTLE | HORSE, "gefüttert", "fed", STABLE | FARM),
    passive(MECHANIC | ADULT, VEHICLE | TRUCK, "repariert", "repaired", WORKSHOP | STREET),
    passive(DOCTOR, EVERYDAY | FOOTBALLER, "untersucht", "examined", HOSPITAL),
    passive(PHOTOGRAPHER | TOURIST, SINGER | DANCER | MUSICIAN | SIGHT, "fotografiert", "photographed",
        SQUARE | STREET),
    passive(PAINTER | CHILD, PICTURE, "gemalt", "painted", PARK | CLASSROOM),
    passive(EVERYDAY | ELDER, DOG | CAT | RABBIT, "gestreichelt", "petted", PARK | GARDEN | FARM),
    passive(CAT | DOG, BIRD | RABBIT, "gejagt", "chased", GARDEN | MEADOW),
    passive(WAITER, CAKE, "serviert", "served", CAFE | RESTAURANT),
    passive(COOK | ELDER | CHILD, CAKE, "gebacken", "baked", KITCHEN),
    passive(BUILDER | ADULT, CARRIED, "getragen", "carried", SITE | STREET | MARKET),
    passive(FIREFIGHTER | POLICE, CAT | DOG | CHILD, "gerettet", "rescued", RIVER | LAKE),
    passive(HORSE, WAGON, "gezogen", "pulled", STREET | SQUARE | FIELD),
    passive(ELDER, CHILD, "umarmt", "hugged", STATION | PLAYGROUND | PARK),
];
