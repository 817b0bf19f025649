//! Nouns: German singular, genitive (if not feminine) and plural, then English singular and
//! plural. Mass nouns have empty plurals.

use super::super::german::Gender;
use super::super::noun::Noun;
use super::tags::*;

type Word = &'static str;

pub const fn der(
    singular: Word,
    genitive: Word,
    plural: Word,
    english_singular: Word,
    english_plural: Word,
    tags: Tags,
) -> Noun {
    let gender = Gender::Masculine;
    Noun { gender, singular, genitive, plural, english_singular, english_plural, tags }
}

/// Feminines are the same in all cases of the singular.
pub const fn die(singular: Word, plural: Word, english_singular: Word, english_plural: Word, tags: Tags) -> Noun {
    let gender = Gender::Feminine;
    let genitive = singular;
    Noun { gender, singular, genitive, plural, english_singular, english_plural, tags }
}

pub const fn das(
    singular: Word,
    genitive: Word,
    plural: Word,
    english_singular: Word,
    english_plural: Word,
    tags: Tags,
) -> Noun {
    let gender = Gender::Neuter;
    Noun { gender, singular, genitive, plural, english_singular, english_plural, tags }
}

/// A noun without a singular.
const fn plural_only(plural: Word, english_plural: Word, tags: Tags) -> Noun {
    die("", plural, "", english_plural, tags | PLURAL_ONLY)
}

#[rustfmt::skip]
pub static NOUNS: &[Noun] = &[
    // People.
    der("Mann", "Mannes", "Männer", "man", "men", HE | GROWN | EVERYDAY | BEARDED | ADULT),
    die("Frau", "Frauen", "woman", "women", SHE | GROWN | EVERYDAY | ADULT),
    der("Junge", "Jungen", "Jungen", "boy", "boys", HE | CHILD | EVERYDAY),
    das("Mädchen", "Mädchens", "Mädchen", "girl", "girls", SHE | CHILD | EVERYDAY),
    das("Kind", "Kindes", "Kinder", "child", "children", CHILD | EVERYDAY),
    plural_only("Leute", "people", GROWN | EVERYDAY | ADULT),
    der("Tourist", "Touristen", "Touristen", "tourist", "tourists", HE | GROWN | TOURIST),
    der("Student", "Studenten", "Studenten", "student", "students", HE | GROWN | STUDENT),
    der("Schüler", "Schülers", "Schüler", "pupil", "pupils", HE | CHILD | STUDENT),
    die("Lehrerin", "Lehrerinnen", "teacher", "teachers", SHE | GROWN | TEACHER),
    die("Ärztin", "Ärztinnen", "doctor", "doctors", SHE | GROWN | DOCTOR),
    die("Krankenschwester", "Krankenschwestern", "nurse", "nurses", SHE | GROWN | DOCTOR),
    der("Koch", "Kochs", "Köche", "cook", "cooks", HE | GROWN | COOK),
    der("Bäcker", "Bäckers", "Bäcker", "baker", "bakers", HE | GROWN | COOK),
    der("Kellner", "Kellners", "Kellner", "waiter", "waiters", HE | GROWN | WAITER),
    die("Kellnerin", "Kellnerinnen", "waitress", "waitresses", SHE | GROWN | WAITER),
    die("Verkäuferin", "Verkäuferinnen", "saleswoman", "saleswomen", SHE | GROWN | VENDOR),
    der("Händler", "Händlers", "Händler", "merchant", "merchants", HE | GROWN | VENDOR | BEARDED),
    der("Bauarbeiter", "Bauarbeiters", "Bauarbeiter", "construction worker", "construction workers",
        HE | GROWN | BUILDER),
    der("Feuerwehrmann", "Feuerwehrmannes", "Feuerwehrmänner", "firefighter", "firefighters", HE | GROWN | FIREFIGHTER),
    der("Polizist", "Polizisten", "Polizisten", "police officer", "police officers", HE | GROWN | POLICE),
    der("Bauer", "Bauern", "Bauern", "farmer", "farmers", HE | GROWN | FARMER | BEARDED),
    der("Gärtner", "Gärtners", "Gärtner", "gardener", "gardeners", HE | GROWN | GARDENER),
    der("Fischer", "Fischers", "Fischer", "fisherman", "fishermen", HE | GROWN | FISHER | BEARDED),
    der("Straßenmusiker", "Straßenmusikers", "Straßenmusiker", "street musician", "street musicians",
        HE | GROWN | MUSICIAN | BEARDED),
    der("Musiker", "Musikers", "Musiker", "musician", "musicians", HE | GROWN | MUSICIAN),
    die("Sängerin", "Sängerinnen", "singer", "singers", SHE | GROWN | SINGER),
    die("Tänzerin", "Tänzerinnen", "dancer", "dancers", SHE | GROWN | DANCER),
    der("Fußballspieler", "Fußballspielers", "Fußballspieler", "football player", "football players",
        HE | GROWN | FOOTBALLER),
    der("Radfahrer", "Radfahrers", "Radfahrer", "cyclist", "cyclists", HE | GROWN | CYCLIST),
    der("Wanderer", "Wanderers", "Wanderer", "hiker", "hikers", HE | GROWN | HIKER | BEARDED),
    der("Bergsteiger", "Bergsteigers", "Bergsteiger", "mountain climber", "mountain climbers", HE | GROWN | HIKER),
    der("Skifahrer", "Skifahrers", "Skifahrer", "skier", "skiers", HE | GROWN | SKIER),
    der("Schwimmer", "Schwimmers", "Schwimmer", "swimmer", "swimmers", HE | GROWN | SWIMMER),
    die("Reiterin", "Reiterinnen", "horsewoman", "horsewomen", SHE | GROWN | RIDER),
    der("Maler", "Malers", "Maler", "painter", "painters", HE | GROWN | PAINTER | BEARDED),
    der("Fotograf", "Fotografen", "Fotografen", "photographer", "photographers", HE | GROWN | PHOTOGRAPHER),
    der("Mechaniker", "Mechanikers", "Mechaniker", "mechanic", "mechanics", HE | GROWN | MECHANIC),
    der("Tischler", "Tischlers", "Tischler", "carpenter", "carpenters", HE | GROWN | CARPENTER),
    der("Clown", "Clowns", "Clowns", "clown", "clowns", HE | GROWN | ENTERTAINER),
    der("Zauberer", "Zauberers", "Zauberer", "magician", "magicians", HE | GROWN | ENTERTAINER | BEARDED),
    // Families.
    die("Mutter", "Mütter", "mother", "mothers", SHE | GROWN | ELDER),
    der("Vater", "Vaters", "Väter", "father", "fathers", HE | GROWN | ELDER | BEARDED),
    die("Großmutter", "Großmütter", "grandmother", "grandmothers", SHE | GROWN | ELDER),
    der("Großvater", "Großvaters", "Großväter", "grandfather", "grandfathers", HE | GROWN | ELDER | BEARDED),
    der("Sohn", "Sohnes", "Söhne", "son", "sons", HE | OFFSPRING),
    die("Tochter", "Töchter", "daughter", "daughters", SHE | OFFSPRING),
    // Animals.
    der("Hund", "Hundes", "Hunde", "dog", "dogs", DOG | FUR),
    der("Welpe", "Welpen", "Welpen", "puppy", "puppies", DOG | FUR),
    die("Katze", "Katzen", "cat", "cats", CAT | FUR),
    das("Pferd", "Pferdes", "Pferde", "horse", "horses", HORSE | FUR),
    das("Pony", "Ponys", "Ponys", "pony", "ponies", HORSE | FUR),
    der("Esel", "Esels", "Esel", "donkey", "donkeys", HORSE),
    die("Kuh", "Kühe", "cow", "cows", CATTLE | FUR | MILKED),
    das("Schaf", "Schafes", "Schafe", "sheep", "sheep", CATTLE),
    die("Ziege", "Ziegen", "goat", "goats", CATTLE | FUR | MILKED),
    der("Vogel", "Vogels", "Vögel", "bird", "birds", BIRD),
    die("Taube", "Tauben", "pigeon", "pigeons", BIRD),
    die("Möwe", "Möwen", "seagull", "seagulls", BIRD),
    die("Ente", "Enten", "duck", "ducks", DUCK),
    der("Schwan", "Schwans", "Schwäne", "swan", "swans", DUCK),
    der("Affe", "Affen", "Affen", "monkey", "monkeys", MONKEY),
    der("Elefant", "Elefanten", "Elefanten", "elephant", "elephants", ELEPHANT),
    das("Kaninchen", "Kaninchens", "Kaninchen", "rabbit", "rabbits", RABBIT | FUR),
    das("Eichhörnchen", "Eichhörnchens", "Eichhörnchen", "squirrel", "squirrels", SQUIRREL),
    // Clothes: worn "mit", worn "in", for women, for work.
    die("Mütze", "Mützen", "cap", "caps", WORN_ON | SUNWEAR | COLORED | WARM | STRIPED),
    der("Hut", "Hutes", "Hüte", "hat", "hats", WORN_ON | SUNWEAR | COLORED),
    der("Schal", "Schals", "Schals", "scarf", "scarves", WORN_ON | COLORED | WARM | STRIPED),
    der("Rucksack", "Rucksacks", "Rucksäcke", "backpack", "backpacks", WORN_ON | COLORED | HEAVY),
    die("Brille", "Brillen", "glasses", "glasses", WORN_ON | SUNWEAR | ENGLISH_PLURAL),
    die("Jacke", "Jacken", "jacket", "jackets", WORN_IN | COLORED | WARM | COAT),
    der("Mantel", "Mantels", "Mäntel", "coat", "coats", WORN_IN | COLORED | WARM | LONG | COAT),
    das("Hemd", "Hemdes", "Hemden", "shirt", "shirts", WORN_IN | COLORED | STRIPED),
    der("Pullover", "Pullovers", "Pullover", "sweater", "sweaters", WORN_IN | COLORED | STRIPED | WARM | COAT),
    die("Hose", "Hosen", "pants", "pants", WORN_IN | COLORED | LONG | ENGLISH_PLURAL),
    das("Kleid", "Kleides", "Kleider", "dress", "dresses", DRESS | COLORED | COLORFUL | LONG),
    der("Rock", "Rocks", "Röcke", "skirt", "skirts", DRESS | COLORED | COLORFUL | LONG),
    die("Uniform", "Uniformen", "uniform", "uniforms", UNIFORM | COLORED),
    die("Schürze", "Schürzen", "apron", "aprons", APRON | COLORED),
    // Things to read, to eat and to drink.
    das("Buch", "Buches", "Bücher", "book", "books", READING | SIZED),
    die("Zeitung", "Zeitungen", "newspaper", "newspapers", READING),
    die("Zeitschrift", "Zeitschriften", "magazine", "magazines", READING),
    der("Brief", "Briefes", "Briefe", "letter", "letters", READING | LETTER | LONG),
    die("Postkarte", "Postkarten", "postcard", "postcards", LETTER | COLORFUL),
    der("Kaffee", "Kaffees", "", "coffee", "", HOT_DRINK),
    der("Tee", "Tees", "", "tea", "", HOT_DRINK),
    das("Wasser", "Wassers", "", "water", "", COLD_DRINK),
    die("Milch", "", "milk", "", COLD_DRINK),
    der("Saft", "Saftes", "", "juice", "", COLD_DRINK),
    die("Suppe", "", "soup", "", FOOD),
    das("Gemüse", "Gemüses", "", "vegetables", "", FOOD | FRESH | VEGETABLE),
    der("Fisch", "Fisches", "", "fish", "", FOOD | FRESH),
    das("Fleisch", "Fleisches", "", "meat", "", FOOD | FRESH),
    der("Apfel", "Apfels", "Äpfel", "apple", "apples", SNACK | FRUIT | ORCHARD | COLORFUL),
    die("Banane", "Bananen", "banana", "bananas", SNACK | FRUIT),
    die("Birne", "Birnen", "pear", "pears", SNACK | FRUIT | ORCHARD),
    das("Brötchen", "Brötchens", "Brötchen", "roll", "rolls", SNACK | FRESH),
    die("Brezel", "Brezeln", "pretzel", "pretzels", SNACK | FRESH),
    der("Kuchen", "Kuchens", "Kuchen", "cake", "cakes", CAKE | SIZED),
    die("Torte", "Torten", "layer cake", "layer cakes", CAKE | SIZED),
    das("Heu", "Heus", "", "hay", "", FODDER | FRESH),
    das("Gras", "Grases", "", "grass", "", FODDER | FRESH),
    // Music, games and toys.
    die("Gitarre", "Gitarren", "guitar", "guitars", INSTRUMENT | AGED),
    die("Geige", "Geigen", "violin", "violins", INSTRUMENT | AGED),
    die("Trompete", "Trompeten", "trumpet", "trumpets", INSTRUMENT | AGED),
    die("Flöte", "Flöten", "flute", "flutes", INSTRUMENT | AGED),
    das("Akkordeon", "Akkordeons", "Akkordeons", "accordion", "accordions", INSTRUMENT | AGED),
    das("Lied", "Liedes", "Lieder", "song", "songs", SONG | AGED),
    der("Ball", "Balles", "Bälle", "ball", "balls", BALL | COLORED | COLORFUL),
    der("Tennisball", "Tennisballs", "Tennisbälle", "tennis ball", "tennis balls", BALL | COLORED),
    der("Luftballon", "Luftballons", "Luftballons", "balloon", "balloons", BALLOON | COLORED | COLORFUL),
    der("Drachen", "Drachens", "Drachen", "kite", "kites", BALLOON | COLORED | COLORFUL),
    die("Puppe", "Puppen", "doll", "dolls", TOY | SIZED),
    das("Spielzeugauto", "Spielzeugautos", "Spielzeugautos", "toy car", "toy cars", TOY | COLORED),
    der("Teddybär", "Teddybären", "Teddybären", "teddy bear", "teddy bears", TOY | SIZED),
    der("Stock", "Stockes", "Stöcke", "stick", "sticks", STICK | LONG),
    der("Knochen", "Knochens", "Knochen", "bone", "bones", STICK | SIZED),
    // Vehicles and things to carry or to push.
    das("Auto", "Autos", "Autos", "car", "cars", VEHICLE | CAR | BACKDROP | COLORED | AGED),
    das("Motorrad", "Motorrads", "Motorräder", "motorcycle", "motorcycles", VEHICLE | CAR | COLORED | AGED),
    das("Fahrrad", "Fahrrads", "Fahrräder", "bicycle", "bicycles", VEHICLE | BICYCLE | COLORED | AGED),
    der("Traktor", "Traktors", "Traktoren", "tractor", "tractors", TRUCK | COLORED | AGED),
    der("Lastwagen", "Lastwagens", "Lastwagen", "truck", "trucks", TRUCK | BACKDROP | COLORED | AGED),
    der("Bus", "Busses", "Busse", "bus", "buses", BUS | COLORED | AGED),
    der("Zug", "Zuges", "Züge", "train", "trains", TRAIN | LONG | COLORED | AGED),
    der("Korb", "Korbes", "Körbe", "basket", "baskets", CARRIED | SIZED | HEAVY),
    die("Kiste", "Kisten", "box", "boxes", CARRIED | SIZED | HEAVY),
    der("Koffer", "Koffers", "Koffer", "suitcase", "suitcases", CARRIED | HEAVY | COLORED),
    die("Tasche", "Taschen", "bag", "bags", CARRIED | HEAVY | COLORED),
    der("Eimer", "Eimers", "Eimer", "bucket", "buckets", CARRIED | COLORED),
    die("Leiter", "Leitern", "ladder", "ladders", CARRIED | LONG | HEAVY),
    der("Kinderwagen", "Kinderwagens", "Kinderwagen", "stroller", "strollers", PUSHED | COLORED),
    der("Schubkarren", "Schubkarrens", "Schubkarren", "wheelbarrow", "wheelbarrows", TOOL | HEAVY),
    die("Kutsche", "Kutschen", "carriage", "carriages", WAGON | AGED | COLORED),
    // Seats and furniture.
    die("Bank", "Bänke", "bench", "benches", TOWN_SEAT | NATURE_SEAT | AGED | COLORED),
    die("Mauer", "Mauern", "wall", "walls", TOWN_SEAT | BACKDROP | AGED | HIGH | WALL | PERCH),
    die("Decke", "Decken", "blanket", "blankets", NATURE_SEAT | COLORED | COLORFUL),
    der("Stein", "Steines", "Steine", "stone", "stones", NATURE_SEAT | SIZED),
    der("Baumstamm", "Baumstamms", "Baumstämme", "tree trunk", "tree trunks", NATURE_SEAT | OBSTACLE | SIZED),
    der("Stuhl", "Stuhls", "Stühle", "chair", "chairs", FURNITURE | AGED | COLORED),
    das("Sofa", "Sofas", "Sofas", "sofa", "sofas", HOME_SEAT | AGED | COLORED),
    der("Teppich", "Teppichs", "Teppiche", "carpet", "carpets", HOME_SEAT | COLORED | COLORFUL),
    der("Tisch", "Tisches", "Tische", "table", "tables", FURNITURE | TABLE | SIZED | AGED),
    das("Regal", "Regals", "Regale", "shelf", "shelves", FURNITURE | SIZED | AGED),
    // Sights, plants and other things around.
    die("Kirche", "Kirchen", "church", "churches", SIGHT | AGED | SIZED),
    das("Schloss", "Schlosses", "Schlösser", "castle", "castles", SIGHT | AGED | SIZED),
    der("Brunnen", "Brunnens", "Brunnen", "fountain", "fountains", SIGHT | BACKDROP | AGED | SIZED),
    das("Denkmal", "Denkmals", "Denkmäler", "monument", "monuments", SIGHT | BACKDROP | AGED | SIZED),
    der("Turm", "Turms", "Türme", "tower", "towers", SIGHT | AGED | TALL),
    der("Baum", "Baumes", "Bäume", "tree", "trees", TREE | BACKDROP | CLIMBED | PLANTED | PERCH | TALL),
    der("Felsen", "Felsens", "Felsen", "rock", "rocks", CLIMBED | PERCH | SIZED),
    der("Zaun", "Zaunes", "Zäune", "fence", "fences", OBSTACLE | SURFACE | BACKDROP | HIGH | COLORED | PERCH),
    die("Tür", "Türen", "door", "doors", SURFACE | COLORED),
    der("Bach", "Baches", "Bäche", "stream", "streams", OBSTACLE | SIZED),
    die("Pfütze", "Pfützen", "puddle", "puddles", OBSTACLE | SIZED),
    das("Bild", "Bildes", "Bilder", "picture", "pictures", PICTURE | PAINTING | COLORFUL | SIZED),
    die("Blume", "Blumen", "flower", "flowers", FLOWER | PICTURE | PLANTED),
    die("Rose", "Rosen", "rose", "roses", FLOWER | PLANTED),
    das("Nest", "Nestes", "Nester", "nest", "nests", NEST | SIZED),
    der("Computer", "Computers", "Computer", "computer", "computers", DEVICE | AGED),
    die("Lampe", "Lampen", "lamp", "lamps", LAMP | SIZED | AGED),
    der("Fluss", "Flusses", "Flüsse", "river", "rivers", WATERS | INLAND_WATERS),
    der("Teich", "Teichs", "Teiche", "pond", "ponds", WATERS | INLAND_WATERS),
    das("Meer", "Meeres", "Meere", "sea", "seas", WATERS),
];
