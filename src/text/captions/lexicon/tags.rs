//! The sets in which the tables say what goes with what, as bit sets.

/// A set of properties of nouns.
pub type Tags = u128;

/// A set of kinds of places.
pub type Settings = u64;

/// A set of properties of scenes.
pub type Traits = u32;

/// Gives each of the names a bit of its own.
macro_rules! bits {
    ($set:ty: $($name:ident)*) => {
        $(pub const $name: $set = 1 << (Bit::$name as u32);)*

        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Bit { $($name),* }
    };
}

// People by age and sex, by what they do and in families; animals; clothes; other things by what
// is done with them; what things and places look like; and two that concern grammar.
bits! { Tags:
    HE SHE GROWN ADULT CHILD EVERYDAY BEARDED
    TOURIST STUDENT TEACHER DOCTOR COOK WAITER VENDOR BUILDER FIREFIGHTER POLICE FARMER GARDENER
    FISHER MUSICIAN SINGER DANCER FOOTBALLER CYCLIST HIKER SKIER SWIMMER RIDER PAINTER
    PHOTOGRAPHER MECHANIC CARPENTER ENTERTAINER
    ELDER OFFSPRING
    DOG CAT HORSE CATTLE BIRD DUCK MONKEY ELEPHANT RABBIT SQUIRREL MILKED
    WORN_ON SUNWEAR WORN_IN COAT DRESS UNIFORM APRON FUR
    READING LETTER HOT_DRINK COLD_DRINK FOOD VEGETABLE SNACK FRUIT ORCHARD CAKE
    INSTRUMENT BALL TOY BALLOON STICK
    VEHICLE BICYCLE CAR TRUCK BUS TRAIN CARRIED PUSHED TOWN_SEAT NATURE_SEAT HOME_SEAT
    FURNITURE SIGHT OBSTACLE WALL PERCH TREE CLIMBED PLANTED TABLE PICTURE PAINTING
    FLOWER SONG SURFACE DEVICE BACKDROP NEST WATERS INLAND_WATERS LAMP TOOL FODDER WAGON
    COLORED COLORFUL STRIPED WARM SIZED AGED HEAVY LONG FRESH HIGH TALL
    BUSY QUIET SNOWY SUNNY GREEN
    ENGLISH_PLURAL PLURAL_ONLY
}

pub const PERSON: Tags = GROWN | CHILD | OFFSPRING;
/// Anybody who can be the subject of a scene of everyday life.
pub const ANYONE: Tags = GROWN | CHILD;
pub const ANIMAL: Tags = DOG | CAT | HORSE | CATTLE | BIRD | DUCK | MONKEY | ELEPHANT | RABBIT | SQUIRREL;
/// Those known by what they do.
pub const OCCUPATION: Tags = TOURIST
    | STUDENT
    | TEACHER
    | DOCTOR
    | COOK
    | WAITER
    | VENDOR
    | BUILDER
    | FIREFIGHTER
    | POLICE
    | FARMER
    | GARDENER
    | FISHER
    | MUSICIAN
    | SINGER
    | DANCER
    | FOOTBALLER
    | CYCLIST
    | HIKER
    | SKIER
    | SWIMMER
    | RIDER
    | PAINTER
    | PHOTOGRAPHER
    | MECHANIC
    | CARPENTER
    | ENTERTAINER;
pub const DRINK: Tags = HOT_DRINK | COLD_DRINK;

/// The kinds of places; a scene names those where it can happen.
pub mod settings {
    use super::Settings;

    bits! { Settings:
        PARK GARDEN MEADOW FOREST LAKE BEACH RIVER MOUNTAIN FIELD FARM STABLE ZOO
        STREET SQUARE MARKET STATION BUS_STOP PLAYGROUND BRIDGE HARBOR SITE PITCH
        KITCHEN LIVING_ROOM RESTAURANT CAFE STAGE WORKSHOP LIBRARY CLASSROOM GYM
        SUPERMARKET HOSPITAL OFFICE MUSEUM SNOW
        EDGE SHORE ENTRANCE ROOF
    }

    /// For what says itself where it happens.
    pub const NOWHERE: Settings = 0;
    pub const EVERYWHERE: Settings = !0;
    pub const GREENERY: Settings = PARK | GARDEN | MEADOW | EDGE;
    pub const WATERSIDE: Settings = LAKE | BEACH | RIVER | SHORE;
    pub const TOWN: Settings = STREET | SQUARE | MARKET | STATION | ENTRANCE | HARBOR | BRIDGE;
    pub const LEISURE: Settings = PARK | GARDEN | LAKE | RIVER | SQUARE | HARBOR | SHORE;
    pub const OUTDOORS: Settings = GREENERY
        | WATERSIDE
        | TOWN
        | FOREST
        | MOUNTAIN
        | FIELD
        | FARM
        | BUS_STOP
        | PLAYGROUND
        | SNOW
        | ZOO
        | PITCH
        | SITE;
}

/// What can be done with a scene.
///
/// In a scene with POSTURE somebody sits or stands, and can do a scene with HANDS meanwhile; one
/// with AIM is what people go somewhere for; one with EFFORT can be tried. In one with WATCH the
/// last argument is somebody who does something. With PLACED the arguments say where, and may
/// stand first. NO_MOOD leaves out the adjectives, many of which tell of a mood, and
/// NO_CLOTHES the clothes; CROWD asks for several. The rest are the adverbs that fit.
pub mod traits {
    use super::Traits;

    bits! { Traits:
        POSTURE HANDS AIM EFFORT WATCH PLACED NO_MOOD CROWD NO_CLOTHES
        SLOWLY CAREFULLY KEENLY QUIETLY TOGETHER
    }
}
