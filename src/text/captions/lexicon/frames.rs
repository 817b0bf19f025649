//! Scenes: who does what to whom, and where.

use super::super::clause::Verb;
use super::super::german::Case;
use super::tags::settings::*;
use super::tags::traits::*;
use super::tags::*;
use super::verbs::*;

/// How an argument is determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// "einen Ball".
    One,
    /// One for each: "einen Hut" of one, "Hüte" of several.
    Each,
    /// One or several: "einen Hund", "zwei Hunde".
    Any,
    /// Several: "Blumen", "drei Blumen".
    Several,
    /// "ihren Hund"; theirs are several: "ihre Hunde".
    Own,
    /// "den Zug".
    Definite,
    /// "Kaffee", "heißen Kaffee".
    Bare,
    /// "Klavier", "the piano".
    Generic,
}

/// What an argument is made of.
#[derive(Clone, Copy, Debug)]
pub enum Filler {
    Fixed { german: &'static str, english: &'static str },
    Noun { tags: Tags, style: Style },
}

/// An object, a direction or another thing that the verb asks for.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// The prepositions of both languages; empty for an object.
    pub german_preposition: &'static str,
    pub english_preposition: &'static str,
    /// The case that the German verb or preposition governs.
    pub case: Case,
    pub filler: Filler,
}

/// A verb with all that has to fit it.
#[derive(Debug)]
pub struct Frame {
    pub who: Tags,
    pub verb: Verb,
    pub arguments: &'static [Argument],
    /// Where it happens.
    pub settings: Settings,
    pub traits: Traits,
}

impl Frame {
    pub fn has(&self, traits: Traits) -> bool {
        self.traits & traits != 0
    }

    pub fn suits(&self, who: Tags) -> bool {
        self.who & who != 0
    }
}

const fn frame(who: Tags, verb: Verb, arguments: &'static [Argument], settings: Settings, traits: Traits) -> Frame {
    Frame { who, verb, arguments, settings, traits }
}

const fn object(case: Case, tags: Tags, style: Style) -> Argument {
    let filler = Filler::Noun { tags, style };
    Argument { german_preposition: "", english_preposition: "", case, filler }
}

/// "einen Ball".
pub const fn a(tags: Tags) -> Argument {
    object(Case::Accusative, tags, Style::One)
}

/// "einen Hut", or "Hüte" if they are several.
pub const fn each(tags: Tags) -> Argument {
    object(Case::Accusative, tags, Style::Each)
}

/// "einen Hund" or "zwei Hunde".
pub const fn any(tags: Tags) -> Argument {
    object(Case::Accusative, tags, Style::Any)
}

/// "Blumen" or "drei Blumen".
pub const fn several(tags: Tags) -> Argument {
    object(Case::Accusative, tags, Style::Several)
}

/// "ihren Hund".
pub const fn own(tags: Tags) -> Argument {
    object(Case::Accusative, tags, Style::Own)
}

/// "heißen Kaffee".
pub const fn some(tags: Tags) -> Argument {
    object(Case::Accusative, tags, Style::Bare)
}

/// "Gitarre", "the guitar".
const fn played(tags: Tags) -> Argument {
    object(Case::Accusative, tags, Style::Generic)
}

/// "einem Kind", "zwei Kindern".
pub const fn to(tags: Tags) -> Argument {
    object(Case::Dative, tags, Style::Any)
}

/// An argument with prepositions in both languages and the indefinite article.
pub const fn prep(german: &'static str, case: Case, english: &'static str, tags: Tags) -> Argument {
    let argument = object(case, tags, Style::One);
    Argument { german_preposition: german, english_preposition: english, ..argument }
}

/// The same with another article.
const fn styled(argument: Argument, tags: Tags, style: Style) -> Argument {
    Argument { filler: Filler::Noun { tags, style }, ..argument }
}

/// Words that never change.
pub const fn set(german: &'static str, english: &'static str) -> Argument {
    let filler = Filler::Fixed { german, english };
    Argument { german_preposition: "", english_preposition: "", case: Case::Accusative, filler }
}

const DAT: Case = Case::Dative;
const ACC: Case = Case::Accusative;
/// Those whom others watch, photograph or draw.
const SEEN: Tags = ANYONE | DOG | HORSE | CATTLE | MONKEY | DUCK | CAT;
const PETS: Tags = DOG | CAT | HORSE | RABBIT;
const PLAY: Settings = PARK | GARDEN | MEADOW | BEACH | PLAYGROUND;
const WALL_AND_BENCH: Settings =
    PARK | GARDEN | LAKE | RIVER | SQUARE | HARBOR | PLAYGROUND | ENTRANCE | SHORE | STATION;
const COUNTRYSIDE: Settings = FOREST | LAKE | RIVER | SHORE | EDGE | MEADOW | MOUNTAIN;

#[rustfmt::skip]
pub static FRAMES: &[Frame] = &[
    // Being somewhere.
    frame(ANYONE, SITZEN, &[prep("auf", DAT, "on", TOWN_SEAT)], WALL_AND_BENCH, POSTURE | PLACED | TOGETHER),
    frame(ANYONE, SITZEN, &[prep("auf", DAT, "on", NATURE_SEAT)], COUNTRYSIDE | PARK, POSTURE | PLACED | TOGETHER),
    frame(ANYONE, SITZEN, &[prep("auf", DAT, "on", HOME_SEAT)], LIVING_ROOM, POSTURE | PLACED | TOGETHER),
    frame(ANYONE, SITZEN, &[styled(prep("neben", DAT, "next to", ANYONE), ANYONE, Style::Any)],
        STATION | PARK | BUS_STOP | CAFE | BEACH, POSTURE | PLACED),
    frame(ANYONE, STEHEN, &[styled(prep("hinter", DAT, "behind", ANYONE), ANYONE, Style::Any)],
        STATION | MARKET | SUPERMARKET | ENTRANCE | STAGE, POSTURE | PLACED),
    frame(ANYONE | DOG, FOLGEN, &[to(ANYONE)], STREET | FOREST | PARK | MARKET | MUSEUM | FARM,
        SLOWLY | QUIETLY | EFFORT),
    frame(ANYONE, LIEGEN, &[set("im Gras", "in the grass")], GREENERY | LAKE | RIVER, POSTURE | PLACED),
    frame(ANYONE, STEHEN, &[prep("neben", DAT, "next to", BACKDROP)], STREET | SQUARE | HARBOR | ENTRANCE,
        POSTURE | PLACED),
    frame(ANYONE, LEHNEN, &[prep("an", DAT, "against", CAR | WALL)], STREET | SQUARE | ENTRANCE | HARBOR,
        POSTURE | PLACED),
    frame(ANYONE, LEHNEN, &[prep("an", DAT, "against", PERCH)], PARK | GARDEN | FOREST | EDGE | SHORE,
        POSTURE | PLACED),
    frame(ANYONE, WARTEN, &[styled(prep("auf", ACC, "for", TRAIN), TRAIN, Style::Definite)], STATION, TOGETHER),
    frame(ANYONE, WARTEN, &[styled(prep("auf", ACC, "for", BUS), BUS, Style::Definite)], BUS_STOP, TOGETHER),
    frame(CHILD, VERSTECKEN, &[prep("hinter", DAT, "behind", PERCH)], PARK | GARDEN | FOREST | PLAYGROUND,
        QUIETLY | EFFORT),
    frame(GROWN, SETZEN, &[prep("auf", ACC, "on", TOWN_SEAT)], WALL_AND_BENCH, SLOWLY | EFFORT),
    frame(ANYONE, SCHLAFEN, &[prep("auf", DAT, "on", HOME_SEAT)], LIVING_ROOM, PLACED | NO_MOOD),
    frame(ANYONE, SCHLAFEN, &[set("im Schatten", "in the shade")], GREENERY | WATERSIDE | FOREST, PLACED | NO_MOOD),
    frame(ANYONE, AUSRUHEN, &[], GREENERY | WATERSIDE | FOREST | MOUNTAIN, AIM),
    frame(GROWN, SONNEN, &[], BEACH | LAKE | GARDEN | MEADOW | ROOF, AIM | TOGETHER | NO_CLOTHES),
    frame(ANYONE, LACHEN, &[], TOWN | PLAY | CAFE | CLASSROOM, HANDS | TOGETHER),
    frame(ANYONE, LAECHELN, &[], TOWN | PLAY | CAFE | STAGE, HANDS | NO_MOOD),
    // Reading, talking, music.
    frame(ANYONE, LESEN, &[a(READING)], LEISURE | BEACH | LIBRARY | CAFE | LIVING_ROOM | BUS_STOP, HANDS | AIM),
    frame(ANYONE, SCHREIBEN, &[a(LETTER)], CAFE | LIBRARY | LIVING_ROOM | GARDEN | LAKE, HANDS | AIM),
    frame(GROWN, TELEFONIEREN, &[], TOWN | OFFICE | CAFE | PARK | BUS_STOP | ROOF, HANDS | QUIETLY),
    frame(GROWN, SPRECHEN, &[styled(prep("mit", DAT, "to", ANYONE), ANYONE, Style::Any)],
        TOWN | CAFE | OFFICE | LIBRARY | PARK, QUIETLY),
    frame(GROWN, UNTERHALTEN, &[styled(prep("mit", DAT, "with", GROWN), GROWN, Style::Any)],
        TOWN | CAFE | PARK | RESTAURANT | BUS_STOP | SUPERMARKET, KEENLY),
    frame(ANYONE, HOEREN, &[set("Musik", "music")], PARK | LIVING_ROOM | BEACH | BUS_STOP | GARDEN, HANDS | TOGETHER),
    frame(EVERYDAY | MUSICIAN | STUDENT, SPIELEN, &[played(INSTRUMENT)], STREET | SQUARE | PARK | LIVING_ROOM | STAGE,
        HANDS | AIM | QUIETLY),
    frame(MUSICIAN, SPIELEN, &[prep("auf", DAT, "", INSTRUMENT)], STAGE | STREET | SQUARE, HANDS),
    frame(SINGER | CHILD | EVERYDAY, SINGEN, &[a(SONG)], STAGE | SQUARE | PARK | CLASSROOM,
        HANDS | AIM | TOGETHER | KEENLY),
    frame(DANCER | EVERYDAY, TANZEN, &[], STAGE | SQUARE | BEACH | STREET, AIM | KEENLY | TOGETHER),
    frame(ELDER | TEACHER | ADULT, VORLESEN, &[to(CHILD), a(READING)], LIVING_ROOM | GARDEN | PARK | LIBRARY, QUIETLY),
    frame(STUDENT, LERNEN, &[set("für eine Prüfung", "for an exam")], LIBRARY | PARK | CAFE | LIVING_ROOM,
        HANDS | AIM | TOGETHER),
    frame(TEACHER, UNTERRICHTEN, &[any(STUDENT)], CLASSROOM, AIM),
    frame(GROWN, ARBEITEN, &[prep("an", DAT, "at", DEVICE)], OFFICE | LIBRARY | CAFE | LIVING_ROOM, AIM),
    frame(TOURIST | EVERYDAY | STUDENT, BETRACHTEN, &[a(PAINTING)], MUSEUM, AIM),
    // Eating, drinking, cooking.
    frame(ANYONE, ESSEN, &[set("Eis", "ice cream")], TOWN | PARK | BEACH | PLAYGROUND | CAFE, HANDS | SLOWLY),
    frame(ANYONE, ESSEN, &[each(SNACK)], TOWN | PARK | BEACH | PLAYGROUND | KITCHEN | BUS_STOP, HANDS),
    frame(ANYONE, ESSEN, &[some(FOOD)], RESTAURANT | KITCHEN, AIM | TOGETHER),
    frame(GROWN, TRINKEN, &[some(HOT_DRINK)], CAFE | RESTAURANT | KITCHEN | LIVING_ROOM | GARDEN | MARKET,
        HANDS | AIM | SLOWLY),
    frame(ANYONE, TRINKEN, &[some(COLD_DRINK)], PARK | BEACH | KITCHEN | GARDEN | MOUNTAIN | PITCH, HANDS),
    frame(COOK | ADULT | ELDER, KOCHEN, &[some(FOOD)], KITCHEN | RESTAURANT, AIM | TOGETHER),
    frame(COOK | EVERYDAY | ELDER, BACKEN, &[a(CAKE)], KITCHEN, AIM | EFFORT | TOGETHER),
    frame(COOK | EVERYDAY | ELDER, SCHNEIDEN, &[a(CAKE | FRUIT)], KITCHEN, CAREFULLY | AIM),
    frame(WAITER, SERVIEREN, &[some(DRINK)], CAFE | RESTAURANT, AIM),
    frame(WAITER | EVERYDAY | ELDER, DECKEN, &[set("den Tisch", "the table")],
        KITCHEN | RESTAURANT | LIVING_ROOM | GARDEN, AIM | TOGETHER | QUIETLY),
    frame(COOK | EVERYDAY | ELDER, SPUELEN, &[set("das Geschirr", "the dishes")], KITCHEN, AIM | TOGETHER),
    frame(ANYONE, KAUFEN, &[each(SNACK | FLOWER)], MARKET | SUPERMARKET, AIM),
    frame(GROWN, KAUFEN, &[some(FOOD)], MARKET | SUPERMARKET, AIM),
    frame(VENDOR | FARMER, VERKAUFEN, &[several(FRUIT | FLOWER)], MARKET | SQUARE | STREET, AIM),
    // Playing and sport.
    frame(CHILD, SPIELEN, &[prep("mit", DAT, "with", BALL)], PLAY | GYM | STREET, AIM | KEENLY | TOGETHER),
    frame(CHILD, SPIELEN, &[prep("mit", DAT, "with", TOY)], LIVING_ROOM | GARDEN | PLAYGROUND, AIM | KEENLY | QUIETLY),
    frame(CHILD | FOOTBALLER | STUDENT, SPIELEN, &[set("Fußball", "football")], PITCH | PARK | MEADOW | GYM | BEACH,
        AIM | TOGETHER),
    frame(GROWN, SPIELEN, &[set("Schach", "chess")], PARK | CAFE | LIVING_ROOM | SQUARE, AIM | TOGETHER),
    frame(CHILD, SPIELEN, &[set("Verstecken", "hide-and-seek")], PARK | GARDEN | FOREST | PLAYGROUND,
        AIM | KEENLY | TOGETHER),
    frame(CHILD | EVERYDAY, HALTEN, &[each(BALLOON)], PLAY | SQUARE | STREET, HANDS),
    frame(CHILD, BAUEN, &[set("eine Sandburg", "a sandcastle")], BEACH | PLAYGROUND, AIM | CAREFULLY | TOGETHER),
    frame(CHILD | EVERYDAY, BAUEN, &[set("einen Schneemann", "a snowman")], SNOW, AIM | KEENLY | TOGETHER),
    frame(CHILD | STUDENT | EVERYDAY, MACHEN, &[set("eine Schneeballschlacht", "a snowball fight")], SNOW, CROWD | AIM),
    frame(CHILD, RODELN, &[], SNOW | MOUNTAIN, AIM | KEENLY | TOGETHER),
    frame(SKIER | EVERYDAY, SKI_FAHREN, &[set("Ski", "")], MOUNTAIN | SNOW, AIM | TOGETHER),
    frame(CHILD, SCHAUKELN, &[], PLAYGROUND | GARDEN, AIM | KEENLY | TOGETHER),
    frame(CHILD, RUTSCHEN, &[], PLAYGROUND, AIM | KEENLY | EFFORT),
    frame(CHILD | FOOTBALLER, FANGEN, &[a(BALL)], PLAY | PITCH | GYM, EFFORT),
    frame(CHILD | EVERYDAY, WERFEN, &[a(BALL | STICK), set("ins Wasser", "into the water")], LAKE | RIVER | SHORE,
        HANDS | EFFORT),
    frame(FOOTBALLER, SCHIESSEN, &[set("ein Tor", "a goal")], PITCH, EFFORT | AIM),
    frame(FOOTBALLER | DANCER | SWIMMER | STUDENT, TRAINIEREN, &[], GYM | PITCH, AIM | TOGETHER),
    frame(EVERYDAY | CHILD | HIKER, KLETTERN, &[prep("auf", ACC, "", CLIMBED)], FOREST | PARK | GARDEN | MOUNTAIN,
        EFFORT | SLOWLY | CAREFULLY),
    frame(CHILD | DOG | HORSE, SPRINGEN, &[prep("über", ACC, "over", OBSTACLE)], MEADOW | PARK | FOREST | FARM | STREET,
        EFFORT),
    frame(CHILD | SWIMMER | EVERYDAY | DOG, SPRINGEN, &[set("ins Wasser", "into the water")],
        LAKE | RIVER | SHORE | BEACH | HARBOR, EFFORT | KEENLY | NO_CLOTHES),
    frame(CHILD | SWIMMER | EVERYDAY | DOG, SCHWIMMEN,
        &[styled(prep("in", DAT, "in", WATERS), WATERS, Style::Definite)], NOWHERE,
        PLACED | SLOWLY | TOGETHER | NO_CLOTHES),
    frame(CHILD | TOURIST | SWIMMER | ELEPHANT, BADEN,
        &[styled(prep("in", DAT, "in", WATERS), WATERS, Style::Definite)], NOWHERE,
        PLACED | TOGETHER | KEENLY | NO_CLOTHES),
    frame(FISHER | ADULT | ELDER, ANGELN, &[], LAKE | RIVER | HARBOR | BRIDGE | SHORE, AIM | TOGETHER),
    frame(ADULT | STUDENT | FOOTBALLER, JOGGEN, &[], PARK | FOREST | BEACH | RIVER | SHORE, SLOWLY | TOGETHER),
    frame(HIKER | TOURIST | EVERYDAY, WANDERN, &[], FOREST | MOUNTAIN, SLOWLY | TOGETHER),
    frame(ANYONE, GEHEN, &[set("über die Straße", "across the street")], NOWHERE, SLOWLY | CAREFULLY | TOGETHER),
    frame(CYCLIST | EVERYDAY | STUDENT, RAD_FAHREN, &[set("Rad", "")], STREET | PARK | FOREST | RIVER | BRIDGE,
        SLOWLY | KEENLY | TOGETHER),
    frame(ENTERTAINER, JONGLIEREN, &[styled(prep("mit", DAT, "with", BALL), BALL, Style::Several)],
        STAGE | SQUARE | STREET | PARK, HANDS | AIM | KEENLY),
    frame(ENTERTAINER, SCHENKEN, &[to(CHILD), a(BALLOON)], SQUARE | STAGE | STREET | PLAYGROUND, 0),
    // Work.
    frame(MECHANIC | ADULT, REPARIEREN, &[a(VEHICLE | TRUCK)], WORKSHOP | FARM, EFFORT | AIM | CAREFULLY),
    frame(CARPENTER | ADULT, BAUEN, &[a(FURNITURE)], WORKSHOP | GARDEN, EFFORT | AIM | CAREFULLY),
    frame(CARPENTER | PAINTER | EVERYDAY, STREICHEN, &[a(SURFACE)], GARDEN | FARM, CAREFULLY | TOGETHER),
    frame(PAINTER | CHILD, MALEN, &[a(PICTURE)], PARK | CLASSROOM | LAKE | GARDEN | SHORE, HANDS | AIM | CAREFULLY),
    frame(BUILDER, TRAGEN, &[a(CARRIED)], SITE | ROOF, SLOWLY | CAREFULLY),
    frame(BUILDER, BAUEN, &[a(WALL)], SITE, AIM | TOGETHER),
    frame(BUILDER, ARBEITEN, &[], ROOF | SITE | STREET | BRIDGE, TOGETHER | CAREFULLY | AIM),
    frame(BUILDER | GARDENER, GRABEN, &[set("ein Loch", "a hole")], SITE | GARDEN, SLOWLY | AIM),
    frame(BUILDER | GARDENER | FARMER, SCHIEBEN, &[a(TOOL)], SITE | GARDEN | FARM | FIELD, SLOWLY),
    frame(FIREFIGHTER, LOESCHEN, &[set("ein Feuer", "a fire")], STATION | FARM | ROOF | FOREST | HARBOR, EFFORT),
    frame(FIREFIGHTER | POLICE, RETTEN, &[a(CAT | DOG)], RIVER | ROOF | STREET | LAKE, EFFORT),
    frame(POLICE, REGELN, &[set("den Verkehr", "traffic")], STREET | BRIDGE, EFFORT),
    frame(POLICE | ADULT, HELFEN, &[to(TOURIST | ELDER)], STREET | STATION | BUS_STOP | BRIDGE, 0),
    frame(DOCTOR, UNTERSUCHEN, &[any(EVERYDAY | FOOTBALLER)], HOSPITAL, CAREFULLY),
    frame(DOCTOR, HELFEN, &[to(EVERYDAY | ELDER)], HOSPITAL | STREET, EFFORT),
    frame(VENDOR | WAITER | EVERYDAY, FEGEN, &[set("den Boden", "the floor")], CAFE | SUPERMARKET | WORKSHOP | KITCHEN,
        SLOWLY | AIM),
    frame(FARMER | EVERYDAY, ERNTEN, &[some(VEGETABLE)], FIELD | GARDEN, AIM | TOGETHER),
    frame(FARMER, FAHREN, &[each(TRUCK)], FIELD | FARM | STREET, SLOWLY),
    frame(FARMER, MELKEN, &[any(MILKED)], STABLE, AIM),
    frame(GARDENER | EVERYDAY | ELDER, GIESSEN, &[several(FLOWER)], GARDEN | PARK, AIM | CAREFULLY),
    frame(GARDENER | EVERYDAY | ELDER, PFLANZEN, &[any(PLANTED)], GARDEN | PARK, AIM | TOGETHER),
    frame(GARDENER | ADULT | FARMER, MAEHEN, &[set("den Rasen", "the lawn")], GARDEN | PARK, AIM | SLOWLY),
    frame(CHILD | ELDER | EVERYDAY, PFLUECKEN, &[several(FLOWER | ORCHARD)], GARDEN | MEADOW, AIM | TOGETHER),
    frame(GROWN, TRAGEN, &[a(CARRIED)], TOWN | FARM, SLOWLY),
    frame(GROWN, SCHIEBEN, &[own(BICYCLE)], STREET | BRIDGE | PARK | SQUARE, SLOWLY),
    frame(ELDER | ADULT, SCHIEBEN, &[a(PUSHED)], STREET | PARK | BRIDGE | ZOO, SLOWLY | TOGETHER),
    frame(ADULT | ELDER | STUDENT, WASCHEN, &[own(CAR)], STREET | FARM, AIM | CAREFULLY),
    frame(GROWN, EINSTEIGEN, &[prep("in", ACC, "", TRAIN)], STATION, SLOWLY | AIM | EFFORT),
    frame(GROWN, EINSTEIGEN, &[prep("in", ACC, "", BUS)], BUS_STOP, SLOWLY | AIM | EFFORT),
    frame(ANYONE, ANZIEHEN, &[own(COAT)], SNOW | PARK | GYM | BUS_STOP | STATION, SLOWLY | NO_CLOTHES),
    frame(ANYONE, AUFHEBEN, &[a(STICK | BALL | LETTER)], PARK | STREET | BEACH | GARDEN, SLOWLY | EFFORT),
    // Watching.
    frame(ANYONE, BEOBACHTEN, &[any(SEEN)], PARK | SQUARE | LAKE | MEADOW | ZOO, HANDS | WATCH),
    frame(PHOTOGRAPHER | TOURIST | EVERYDAY, FOTOGRAFIEREN, &[any(SEEN)], PARK | SQUARE | BEACH | ZOO | STREET,
        HANDS | WATCH),
    frame(PHOTOGRAPHER | TOURIST, FOTOGRAFIEREN, &[a(SIGHT)], STREET | SQUARE | PARK | BRIDGE, HANDS | AIM),
    frame(PHOTOGRAPHER | STUDENT | EVERYDAY, FILMEN, &[any(SEEN)], PARK | SQUARE | BEACH | ZOO | STREET, HANDS | WATCH),
    frame(PAINTER | CHILD | STUDENT, ZEICHNEN, &[any(SEEN)], PARK | SQUARE | LAKE | MEADOW, HANDS | WATCH),
    frame(ANYONE, ZUSEHEN, &[to(SEEN)], PARK | SQUARE | LAKE | MEADOW | ZOO, HANDS | WATCH),
    frame(ANYONE, ZUWINKEN, &[to(ANYONE)], PARK | SQUARE | STATION | STREET | BRIDGE | HARBOR, HANDS | WATCH | KEENLY),
    frame(ANYONE, ANLAECHELN, &[any(ANYONE)], PARK | SQUARE | CAFE | STREET | STATION, WATCH | NO_MOOD),
    frame(ANYONE, ZUHOEREN, &[to(MUSICIAN | SINGER)], SQUARE | STREET | PARK, HANDS),
    frame(CHILD, UMARMEN, &[own(ELDER)], STATION | PLAYGROUND | PARK | STREET, 0),
    frame(ELDER, UMARMEN, &[own(OFFSPRING)], STATION | PLAYGROUND | PARK | STREET, 0),
    frame(ELDER, FUETTERN, &[own(OFFSPRING)], KITCHEN, AIM),
    frame(ELDER, FUEHREN, &[own(OFFSPRING), set("über die Straße", "across the street")], NOWHERE, SLOWLY | CAREFULLY),
    // People and animals.
    frame(ANYONE, STREICHELN, &[any(PETS)], PARK | FARM | MEADOW | STREET | GARDEN, HANDS | CAREFULLY | EFFORT),
    frame(ANYONE, FUETTERN, &[any(DUCK)], LAKE | RIVER | SHORE | PARK, HANDS | AIM),
    frame(FARMER | CHILD | RIDER, FUETTERN, &[any(HORSE | CATTLE)], STABLE | FARM | MEADOW, AIM),
    frame(EVERYDAY | TOURIST, FUETTERN, &[any(MONKEY | ELEPHANT)], ZOO, AIM | CAREFULLY),
    frame(EVERYDAY | RIDER | FARMER, GEBEN, &[to(HORSE | CATTLE), a(ORCHARD)], FARM | STABLE | MEADOW, EFFORT),
    frame(RIDER | EVERYDAY, REITEN, &[prep("auf", DAT, "", HORSE)], BEACH | MEADOW | FOREST | FIELD, TOGETHER),
    frame(RIDER | CHILD | FARMER, BUERSTEN, &[a(HORSE)], STABLE | FARM, AIM | CAREFULLY),
    frame(RIDER | FARMER, FUEHREN, &[a(HORSE), set("durch das Tor", "through the gate")], FARM, SLOWLY | EFFORT),
    frame(EVERYDAY | ELDER | STUDENT, AUSFUEHREN, &[own(DOG)], PARK | STREET | FOREST | BEACH, AIM | TOGETHER),
    frame(EVERYDAY | STUDENT, ZUWERFEN, &[to(DOG), a(BALL | STICK)], PARK | MEADOW | BEACH | GARDEN, KEENLY),
    frame(EVERYDAY, WASCHEN, &[own(DOG)], GARDEN | FARM, EFFORT | CAREFULLY),
    // Animals.
    frame(DOG | CAT | RABBIT, SCHLAFEN, &[set("im Gras", "in the grass")], GREENERY | FARM, PLACED | NO_MOOD),
    frame(DOG | CAT, SCHLAFEN, &[prep("auf", DAT, "on", HOME_SEAT)], LIVING_ROOM, PLACED | NO_MOOD),
    frame(DOG | CAT, LIEGEN, &[prep("neben", DAT, "next to", BACKDROP)], STREET | SQUARE, PLACED),
    frame(DOG, JAGEN, &[a(BALL | RABBIT)], PARK | MEADOW | BEACH | GARDEN, EFFORT),
    frame(CAT, JAGEN, &[a(BIRD)], GARDEN | ROOF | FARM, EFFORT),
    frame(CAT | DOG, BEOBACHTEN, &[any(BIRD | DUCK)], GARDEN | LAKE | FARM | PARK, WATCH),
    frame(CAT, TRINKEN, &[set("Milch", "milk")], KITCHEN | FARM | STABLE, SLOWLY),
    frame(DOG, SPIELEN, &[prep("mit", DAT, "with", BALL | STICK)], PARK | MEADOW | BEACH | GARDEN | SNOW, 0),
    frame(DOG, KAUEN, &[prep("auf", DAT, "on", STICK)], PARK | GARDEN | LIVING_ROOM | MEADOW, 0),
    frame(DOG, GRABEN, &[set("ein Loch", "a hole")], GARDEN | BEACH | FIELD, 0),
    frame(DOG | HORSE, RENNEN, &[set("über die Wiese", "across the meadow")], NOWHERE, 0),
    frame(HORSE, GALOPPIEREN, &[], BEACH | MEADOW | FIELD, 0),
    frame(HORSE, ZIEHEN, &[a(WAGON)], STREET | SQUARE | FIELD | SNOW, SLOWLY),
    frame(HORSE | CATTLE, GRASEN, &[], MEADOW | EDGE | FARM | MOUNTAIN, 0),
    frame(HORSE | CATTLE | RABBIT, FRESSEN, &[some(FODDER)], STABLE | FARM | MEADOW, SLOWLY),
    frame(BIRD, FLIEGEN, &[set("über die Stadt", "over the city")], NOWHERE, 0),
    frame(BIRD, SITZEN, &[prep("auf", DAT, "on", PERCH)], PARK | GARDEN | RIVER | SHORE, PLACED),
    frame(BIRD, BAUEN, &[a(NEST)], ROOF | FOREST | GARDEN, 0),
    frame(BIRD | DUCK, SUCHEN, &[set("nach Futter", "for food")], LAKE | RIVER | SHORE | PARK | FIELD | BEACH, 0),
    frame(MONKEY, FRESSEN, &[a(FRUIT)], ZOO, 0),
    frame(MONKEY, KLETTERN, &[prep("auf", ACC, "", TREE)], ZOO, EFFORT),
    frame(SQUIRREL, KLETTERN, &[prep("auf", ACC, "", TREE)], PARK | FOREST | GARDEN, 0),
    frame(DUCK, SCHWIMMEN, &[styled(prep("in", DAT, "in", INLAND_WATERS), INLAND_WATERS, Style::Definite)], NOWHERE,
        PLACED | SLOWLY),
    frame(ELEPHANT, TRINKEN, &[set("Wasser", "water")], ZOO, SLOWLY),
    frame(ELEPHANT, FRESSEN, &[some(FODDER)], ZOO, SLOWLY),
    // Things.
    frame(CAR | BICYCLE | BUS | TRUCK, STEHEN, &[prep("neben", DAT, "next to", BACKDROP)], STREET | SQUARE | HARBOR,
        PLACED),
    frame(CAR | BUS | TRUCK | TRAIN, FAHREN, &[set("über eine Brücke", "across a bridge")], NOWHERE, SLOWLY),
    frame(CAR | BUS | TRUCK, FAHREN, &[set("durch die Stadt", "through the city")], NOWHERE, SLOWLY),
    frame(BALLOON, FLIEGEN, &[set("durch die Luft", "through the air")], PARK | MEADOW | BEACH | PLAYGROUND, 0),
    frame(BALL | STICK | TOY, LIEGEN, &[set("im Gras", "in the grass")], GREENERY, PLACED),
    frame(CARRIED, STEHEN, &[prep("auf", DAT, "on", TABLE)], KITCHEN | WORKSHOP | GARDEN | SITE, PLACED),
    frame(WORN_IN | DRESS | UNIFORM | APRON, HAENGEN, &[set("an der Tür", "on the door")],
        RESTAURANT | KITCHEN | OFFICE | CLASSROOM | WORKSHOP, PLACED),
    frame(PAINTING, HAENGEN, &[set("an der Wand", "on the wall")],
        MUSEUM | LIVING_ROOM | OFFICE | RESTAURANT | CLASSROOM, PLACED),
    frame(FLOWER, BLUEHEN, &[prep("neben", DAT, "next to", TOWN_SEAT)], GARDEN | PARK, 0),
    frame(INSTRUMENT | READING, LIEGEN, &[prep("auf", DAT, "on", HOME_SEAT | TABLE)], LIVING_ROOM, PLACED),
];
