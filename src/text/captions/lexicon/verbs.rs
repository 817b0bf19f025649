//! Verbs: German infinitive and third person singular, then English base form and "-ing" form.
//! English particles and prepositions that always follow the verb belong to it.

use super::super::clause::Verb;

type Word = &'static str;

const fn verb(infinitive: Word, singular: Word, english: Word, english_progressive: Word) -> Verb {
    separable("", infinitive, singular, english, english_progressive)
}

/// A verb that leaves its prefix at the end of a main clause.
const fn separable(prefix: Word, infinitive: Word, singular: Word, english: Word, english_progressive: Word) -> Verb {
    Verb { prefix, infinitive, singular, reflexive: false, english, english_progressive }
}

macro_rules! verbs {
    ($($name:ident = $verb:expr;)*) => { $(pub const $name: Verb = $verb;)* };
}

verbs! {
    ABRAEUMEN = separable("ab", "räumen", "räumt", "clear", "clearing");
    ANGELN = verb("angeln", "angelt", "fish", "fishing");
    ANHALTEN = separable("an", "halten", "hält", "stop", "stopping");
    ANLAECHELN = separable("an", "lächeln", "lächelt", "smile at", "smiling at");
    ANZIEHEN = separable("an", "ziehen", "zieht", "put on", "putting on");
    ARBEITEN = verb("arbeiten", "arbeitet", "work", "working");
    AUFHEBEN = separable("auf", "heben", "hebt", "pick up", "picking up");
    AUSFUEHREN = separable("aus", "führen", "führt", "walk", "walking");
    AUSRUHEN = separable("aus", "ruhen", "ruht", "rest", "resting").reflexive();
    BACKEN = verb("backen", "backt", "bake", "baking");
    BADEN = verb("baden", "badet", "bathe", "bathing");
    BAUEN = verb("bauen", "baut", "build", "building");
    BEOBACHTEN = verb("beobachten", "beobachtet", "observe", "observing");
    BETRACHTEN = verb("betrachten", "betrachtet", "look at", "looking at");
    BLUEHEN = verb("blühen", "blüht", "bloom", "blooming");
    BUERSTEN = verb("bürsten", "bürstet", "brush", "brushing");
    DECKEN = verb("decken", "deckt", "set", "setting");
    EINSCHALTEN = separable("ein", "schalten", "schaltet", "switch on", "switching on");
    EINSTEIGEN = separable("ein", "steigen", "steigt", "get on", "getting on");
    ERNTEN = verb("ernten", "erntet", "harvest", "harvesting");
    ESSEN = verb("essen", "isst", "eat", "eating");
    FAHREN = verb("fahren", "fährt", "drive", "driving");
    FANGEN = verb("fangen", "fängt", "catch", "catching");
    FEGEN = verb("fegen", "fegt", "sweep", "sweeping");
    FESTHALTEN = separable("fest", "halten", "hält", "hold", "holding");
    FILMEN = verb("filmen", "filmt", "film", "filming");
    FLIEGEN = verb("fliegen", "fliegt", "fly", "flying");
    FOLGEN = verb("folgen", "folgt", "follow", "following");
    FOTOGRAFIEREN = verb("fotografieren", "fotografiert", "photograph", "photographing");
    FRESSEN = verb("fressen", "frisst", "eat", "eating");
    FUETTERN = verb("füttern", "füttert", "feed", "feeding");
    FUEHREN = verb("führen", "führt", "lead", "leading");
    GALOPPIEREN = verb("galoppieren", "galoppiert", "gallop", "galloping");
    GEBEN = verb("geben", "gibt", "give", "giving");
    GEHEN = verb("gehen", "geht", "walk", "walking");
    GIESSEN = verb("gießen", "gießt", "water", "watering");
    GRABEN = verb("graben", "gräbt", "dig", "digging");
    GRASEN = verb("grasen", "grast", "graze", "grazing");
    HAENGEN = verb("hängen", "hängt", "hang", "hanging");
    HALTEN = verb("halten", "hält", "hold", "holding");
    HELFEN = verb("helfen", "hilft", "help", "helping");
    HOEREN = verb("hören", "hört", "listen to", "listening to");
    JAGEN = verb("jagen", "jagt", "chase", "chasing");
    JOGGEN = verb("joggen", "joggt", "jog", "jogging");
    JONGLIEREN = verb("jonglieren", "jongliert", "juggle", "juggling");
    KAUEN = verb("kauen", "kaut", "chew", "chewing");
    KAUFEN = verb("kaufen", "kauft", "buy", "buying");
    KLETTERN = verb("klettern", "klettert", "climb", "climbing");
    KOCHEN = verb("kochen", "kocht", "cook", "cooking");
    LACHEN = verb("lachen", "lacht", "laugh", "laughing");
    LAECHELN = verb("lächeln", "lächelt", "smile", "smiling");
    LAUFEN = verb("laufen", "läuft", "run", "running");
    LEHNEN = verb("lehnen", "lehnt", "lean", "leaning");
    LERNEN = verb("lernen", "lernt", "study", "studying");
    LESEN = verb("lesen", "liest", "read", "reading");
    LIEGEN = verb("liegen", "liegt", "lie", "lying");
    LOESCHEN = verb("löschen", "löscht", "put out", "putting out");
    MACHEN = verb("machen", "macht", "have", "having");
    MAEHEN = verb("mähen", "mäht", "mow", "mowing");
    MALEN = verb("malen", "malt", "paint", "painting");
    MELKEN = verb("melken", "melkt", "milk", "milking");
    OEFFNEN = verb("öffnen", "öffnet", "open", "opening");
    PFLANZEN = verb("pflanzen", "pflanzt", "plant", "planting");
    PFLUECKEN = verb("pflücken", "pflückt", "pick", "picking");
    RAD_FAHREN = verb("fahren", "fährt", "cycle", "cycling");
    REGELN = verb("regeln", "regelt", "direct", "directing");
    REITEN = verb("reiten", "reitet", "ride", "riding");
    RENNEN = verb("rennen", "rennt", "race", "racing");
    REPARIEREN = verb("reparieren", "repariert", "repair", "repairing");
    RETTEN = verb("retten", "rettet", "rescue", "rescuing");
    RODELN = verb("rodeln", "rodelt", "sled", "sledding");
    RUTSCHEN = verb("rutschen", "rutscht", "slide", "sliding");
    SCHAUKELN = verb("schaukeln", "schaukelt", "swing", "swinging");
    SCHENKEN = verb("schenken", "schenkt", "give", "giving");
    SCHIEBEN = verb("schieben", "schiebt", "push", "pushing");
    SCHIESSEN = verb("schießen", "schießt", "score", "scoring");
    SCHLAFEN = verb("schlafen", "schläft", "sleep", "sleeping");
    SCHLIESSEN = verb("schließen", "schließt", "close", "closing");
    SCHNEIDEN = verb("schneiden", "schneidet", "cut", "cutting");
    SCHREIBEN = verb("schreiben", "schreibt", "write", "writing");
    SCHWIMMEN = verb("schwimmen", "schwimmt", "swim", "swimming");
    SERVIEREN = verb("servieren", "serviert", "serve", "serving");
    SETZEN = verb("setzen", "setzt", "sit down", "sitting down").reflexive();
    SINGEN = verb("singen", "singt", "sing", "singing");
    SITZEN = verb("sitzen", "sitzt", "sit", "sitting");
    SKI_FAHREN = verb("fahren", "fährt", "ski", "skiing");
    SONNEN = verb("sonnen", "sonnt", "sunbathe", "sunbathing").reflexive();
    SPAZIEREN = verb("spazieren", "spaziert", "stroll", "strolling");
    SPIELEN = verb("spielen", "spielt", "play", "playing");
    SPRECHEN = verb("sprechen", "spricht", "talk", "talking");
    SPRINGEN = verb("springen", "springt", "jump", "jumping");
    SPUELEN = verb("spülen", "spült", "wash", "washing");
    STEHEN = verb("stehen", "steht", "stand", "standing");
    STREICHELN = verb("streicheln", "streichelt", "pet", "petting");
    STREICHEN = verb("streichen", "streicht", "paint", "painting");
    SUCHEN = verb("suchen", "sucht", "look", "looking");
    TANZEN = verb("tanzen", "tanzt", "dance", "dancing");
    TELEFONIEREN = verb("telefonieren", "telefoniert", "talk on the phone", "talking on the phone");
    TRAGEN = verb("tragen", "trägt", "carry", "carrying");
    TRAGEN_AM_LEIB = verb("tragen", "trägt", "wear", "wearing");
    TRAINIEREN = verb("trainieren", "trainiert", "train", "training");
    TRINKEN = verb("trinken", "trinkt", "drink", "drinking");
    UMARMEN = verb("umarmen", "umarmt", "hug", "hugging");
    UNTERHALTEN = verb("unterhalten", "unterhält", "chat", "chatting").reflexive();
    UNTERRICHTEN = verb("unterrichten", "unterrichtet", "teach", "teaching");
    UNTERSUCHEN = verb("untersuchen", "untersucht", "examine", "examining");
    VERKAUFEN = verb("verkaufen", "verkauft", "sell", "selling");
    VERSTECKEN = verb("verstecken", "versteckt", "hide", "hiding").reflexive();
    VERSUCHEN = verb("versuchen", "versucht", "try", "trying");
    VORLESEN = separable("vor", "lesen", "liest", "read", "reading");
    WANDERN = verb("wandern", "wandert", "hike", "hiking");
    WARTEN = verb("warten", "wartet", "wait", "waiting");
    WASCHEN = verb("waschen", "wäscht", "wash", "washing");
    WERFEN = verb("werfen", "wirft", "throw", "throwing");
    ZEICHNEN = verb("zeichnen", "zeichnet", "draw", "drawing");
    ZIEHEN = verb("ziehen", "zieht", "pull", "pulling");
    ZUHOEREN = separable("zu", "hören", "hört", "listen to", "listening to");
    ZUSEHEN = separable("zu", "sehen", "sieht", "watch", "watching");
    ZUWERFEN = separable("zu", "werfen", "wirft", "throw", "throwing");
    ZUWINKEN = separable("zu", "winken", "winkt", "wave to", "waving to");
}
