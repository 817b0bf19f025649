//! What counts as a word: sacreBLEU's tokenizers, to the same words.

use std::fmt;
use std::str::FromStr;

/// One of sacreBLEU's tokenizers, by the name that its signature has after `tok:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BleuTokenizer {
    /// NIST's mteval-v13a: words between spaces, punctuation by itself. For languages that put spaces between words.
    V13a,
    /// Every Chinese character by itself, all else as `13a`.
    Zh,
    /// Every character by itself.
    Char,
    /// What stands between spaces: for text that is tokenized already.
    None,
}

impl BleuTokenizer {
    pub const ALL: [Self; 4] = [Self::V13a, Self::Zh, Self::Char, Self::None];

    /// What sacreBLEU takes for a target language, given as in a file's ending: `zh`, `zh-TW`, `zho_Hans`. For Japanese
    /// that is MeCab, a morphological analyser with a dictionary, which is not here: characters take its place.
    pub fn for_language(language: &str) -> Self {
        match primary(language).as_str() {
            "zh" | "zho" | "chi" | "cmn" | "yue" => Self::Zh,
            "ja" | "jpn" => Self::Char,
            _ => Self::V13a,
        }
    }

    /// What a reader of the score must know where this is not what a language's scores are usually counted in.
    pub fn caveat(self, language: &str) -> Option<&'static str> {
        match (primary(language).as_str(), self) {
            ("ja" | "jpn", _) => {
                Some("published scores on Japanese count MeCab's words (sacreBLEU's ja-mecab): not to be compared")
            }
            ("ko" | "kor", _) => {
                Some("published scores on Korean count MeCab's words (sacreBLEU's ko-mecab): not to be compared")
            }
            ("th" | "tha" | "lo" | "lao" | "km" | "khm" | "my" | "mya" | "bo" | "bod", Self::V13a) => {
                Some("this language has no spaces between words: --tokenize char says more")
            }
            ("zh" | "zho" | "chi" | "cmn" | "yue", Self::V13a | Self::None) => {
                Some("this language has no spaces between words: --tokenize zh is the usual one")
            }
            _ => None,
        }
    }

    /// `13a`, `zh`, `char` or `none`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V13a => "13a",
            Self::Zh => "zh",
            Self::Char => "char",
            Self::None => "none",
        }
    }

    /// The words of a line.
    pub(super) fn words(self, line: &str) -> Vec<String> {
        let line = line.trim_end_matches(is_space);
        match self {
            Self::V13a => split(&separate(&format!(" {} ", without_markup(line)))),
            Self::Zh => {
                let mut spaced = String::with_capacity(2 * line.len());
                for character in line.trim_start_matches(is_space).chars() {
                    match character {
                        _ if is_chinese(character) => spaced.extend([' ', character, ' ']),
                        _ => spaced.push(character),
                    }
                }
                split(&separate(&spaced))
            }
            Self::Char => line.chars().filter(|&character| !is_space(character)).map(String::from).collect(),
            Self::None => split(line),
        }
    }
}

/// The part of a language's name before its script and its country, in lower case: `zh` of `zh-Hant_TW`.
fn primary(language: &str) -> String {
    language.split(['-', '_']).next().unwrap_or_default().to_lowercase()
}

impl fmt::Display for BleuTokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BleuTokenizer {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|tokenizer| tokenizer.name() == name);
        found.ok_or_else(|| format!("expected one of {known}"))
    }
}

fn split(text: &str) -> Vec<String> {
    text.split(is_space).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What Python's `str.split()` splits at: Unicode white space and four ASCII separators.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\x1c'..='\x1f').contains(&character)
}

/// What sacreBLEU 2.6.0 takes for a Chinese character: ideographs, radicals, strokes, full-width forms, and also all
/// from U+2001 to U+2A6D, typographic punctuation among them, for its table writes Extension B as `\u20000`, which
/// Python reads as two characters. Extension B itself is none.
fn is_chinese(character: char) -> bool {
    matches!(character,
        '\u{2001}'..='\u{2a6d}' | '\u{2e80}'..='\u{2fdf}' | '\u{2ff0}'..='\u{303f}' | '\u{3100}'..='\u{312f}'
        | '\u{31a0}'..='\u{31ef}' | '\u{3200}'..='\u{4db5}' | '\u{4e00}'..='\u{9fbb}' | '\u{f900}'..='\u{fa2d}'
        | '\u{fa30}'..='\u{fa6a}' | '\u{fa70}'..='\u{fad9}' | '\u{fe10}'..='\u{fe1f}' | '\u{fe30}'..='\u{fe4f}'
        | '\u{ff00}'..='\u{ffef}')
}

/// mteval-v13a's first part: what SGML wrote otherwise.
fn without_markup(line: &str) -> String {
    let line = line.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    line.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
}

/// Its second: punctuation set apart by spaces, up to the amount of white space.
fn separate(line: &str) -> String {
    let mut text = String::with_capacity(2 * line.len());
    for character in line.chars() {
        match character {
            '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/' => text.extend([' ', character, ' ']),
            _ => text.push(character),
        }
    }
    let digit = |character: char| character.is_ascii_digit();
    let point = |character: char| matches!(character, '.' | ',');
    // A period or comma stands alone unless digits are on both sides of it; a dash stands alone after a digit.
    let text = space_pairs(&text, |left, right| !digit(left) && point(right), ["", " ", " "]);
    let text = space_pairs(&text, |left, right| point(left) && !digit(right), [" ", " ", ""]);
    space_pairs(&text, |left, right| digit(left) && right == '-', ["", " ", " "])
}

/// Puts `spaces` before, between and after each pair of neighbouring characters that matches. Like a regular expression
/// of two characters, it goes from left to right and never uses a character for two pairs.
fn space_pairs(text: &str, matches: impl Fn(char, char) -> bool, spaces: [&str; 3]) -> String {
    let [before, between, after] = spaces;
    let mut spaced = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(left) = characters.next() {
        match characters.next_if(|&right| matches(left, right)) {
            Some(right) => {
                spaced.push_str(before);
                spaced.push(left);
                spaced.push_str(between);
                spaced.push(right);
                spaced.push_str(after);
            }
            None => spaced.push(left),
        }
    }
    spaced
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected words are those of sacreBLEU's `Tokenizer13a`.
    #[test]
    fn tokenization_13a() {
        for (line, expected) in [
            (
                "Wait... 1,000.5 km, 3.-4. of May; 10-20, e.g.,x",
                "Wait . . . 1,000.5 km , 3 . -4 . of May ; 10 - 20 , e . g . , x",
            ),
            ("&quot;A &amp;lt; B&quot; <skipped>{x}", "\" A < B \" { x }"),
            ("..,,.5.,", ". . , , . 5 . ,"),
            ("it's a `test' – really—$5/€6 #1", "it's a ` test' – really— $ 5 / €6 # 1"),
            ("1--2 a-b 3-d", "1 - -2 a-b 3 - d"),
            ("a.b,c 5.b b.5", "a . b , c 5 . b b . 5"),
            ("\u{a0}x\u{2028}y\u{1c}z", "x y z"),
        ] {
            assert_eq!(BleuTokenizer::V13a.words(line).join(" "), expected);
        }
    }

    /// The expected words are those of `TokenizerZh` of sacreBLEU 2.6.0, typographic quotes, arrows and Extension B as
    /// it takes them.
    #[test]
    fn tokenization_zh() {
        for (line, expected) in [
            ("他花了3.5美元买了2本书。", "他 花 了 3.5 美 元 买 了 2 本 书 。"),
            ("小さな犬が川のそばで走っている。", "小 さな 犬 が 川 のそばで 走 っている 。"),
            ("元（含税）——“太贵了”！", "元 （ 含 税 ） — — “ 太 贵 了 ” ！"),
            ("𠀀𠀁 说：.5 × €6 ‘好’", "𠀀𠀁 说 ： . 5 × € 6 ‘ 好 ’"),
            ("  .NET 和 C# 的区别;\u{3000}见第3-5页 ", ". NET 和 C # 的 区 别 ; 见 第 3 - 5 页"),
            ("ＡＢＣ　１２３ ☃ ok", "Ａ Ｂ Ｃ １ ２ ３ ☃ ok"),
            (".5 &amp; 5", ".5 & amp ; 5"),
        ] {
            assert_eq!(BleuTokenizer::Zh.words(line).join(" "), expected);
        }
        // How many characters it takes for Chinese, and the sum of their numbers.
        let chinese: Vec<u64> = ('\0'..=char::MAX).filter(|&character| is_chinese(character)).map(u64::from).collect();
        assert_eq!((chinese.len(), chinese.iter().sum::<u64>()), (32_002, 833_653_675));
    }

    #[test]
    fn characters_and_words_as_they_are() {
        assert_eq!(BleuTokenizer::Char.words(" 犬が\u{3000}e\u{301}!").join(" "), "犬 が e \u{301} !");
        assert_eq!(BleuTokenizer::None.words(" don't  stop,\tnow "), ["don't", "stop,", "now"]);
    }

    #[test]
    fn a_target_language_has_its_tokenizer() {
        for (language, name) in [
            ("en", "13a"),
            ("zh", "zh"),
            ("zh-TW", "zh"),
            ("zho_Hans", "zh"),
            ("ZH", "zh"),
            ("ja", "char"),
            ("zhen", "13a"),
        ] {
            assert_eq!(BleuTokenizer::for_language(language).name(), name, "{language}");
        }
        assert!(BleuTokenizer::Char.caveat("ja").is_some_and(|caveat| caveat.contains("MeCab")));
        assert!(BleuTokenizer::V13a.caveat("th").is_some() && BleuTokenizer::Char.caveat("th").is_none());
        assert!(BleuTokenizer::V13a.caveat("zh").is_some() && BleuTokenizer::Zh.caveat("zh").is_none());
        assert_eq!(BleuTokenizer::V13a.caveat("de"), None);
        assert!(BleuTokenizer::ALL.iter().all(|tokenizer| tokenizer.name().parse() == Ok(*tokenizer)));
        assert_eq!("intl".parse::<BleuTokenizer>(), Err("expected one of 13a, zh, char, none".to_owned()));
    }
}
