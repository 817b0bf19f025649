//! Cuts a line that is too long to be translated as a whole.

use unicode_segmentation::UnicodeSegmentation;

/// Where a sentence may be cut, the best place first.
#[derive(Clone, Copy)]
enum Place {
    /// Behind commas, colons, semicolons and dashes.
    Clause,
    Blank,
    /// Anywhere: a word without end, or a script without blanks.
    Character,
}

/// Parts of `line` that have at most `most` tokens each, as `count` counts them: its sentences (Unicode Standard Annex
/// 29, 5), and of a longer sentence clauses or words together, as many as fit. A single character of more tokens stays
/// whole. Blank parts are left out.
pub fn pieces<'l>(line: &'l str, most: usize, count: &dyn Fn(&str) -> usize) -> Vec<&'l str> {
    let mut found = vec![];
    for sentence in line.split_sentence_bounds() {
        cut(sentence, Place::Clause, most, count, &mut found);
    }
    found.retain(|piece| !piece.trim().is_empty());
    found
}

fn cut<'l>(text: &'l str, at: Place, most: usize, count: &dyn Fn(&str) -> usize, found: &mut Vec<&'l str>) {
    if count(text) <= most || text.chars().nth(1).is_none() {
        return found.push(text);
    }
    let (parts, next): (Vec<&str>, Place) = match at {
        Place::Clause => (text.split_inclusive(ends_clause).collect(), Place::Blank),
        Place::Blank => (text.split_inclusive(char::is_whitespace).collect(), Place::Character),
        Place::Character => {
            let middle = text.chars().count() / 2;
            let (first, second) = text.split_at(text.char_indices().nth(middle).map_or(0, |(at, _)| at));
            cut(first, at, most, count, found);
            return cut(second, at, most, count, found);
        }
    };
    // As many parts as fit are a piece.
    let (mut start, mut end, mut tokens) = (0, 0, 0);
    for part in parts {
        let more = count(part);
        if tokens + more > most && end > start {
            found.push(&text[start..end]);
            (start, tokens) = (end, 0);
        }
        end += part.len();
        if more > most {
            cut(part, next, most, count, found);
            start = end;
        } else {
            tokens += more;
        }
    }
    if end > start {
        found.push(&text[start..end]);
    }
}

fn ends_clause(c: char) -> bool {
    matches!(c, ',' | ';' | ':' | '–' | '—' | '،' | '؛' | '、' | '，' | '；' | '：')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    #[test]
    fn sentences_stay_whole_where_they_fit() {
        let line = "Ein Hund rennt. \"Halt!\", ruft er? 他跑。她跑。 z. B. so";
        let found = pieces(line, 4, &words);
        assert_eq!(found.concat(), line);
        assert_eq!(found[0], "Ein Hund rennt. ");
        assert!(found.contains(&"他跑。"), "{found:?}");
        assert!(pieces(" \t ", 4, &words).is_empty());
    }

    #[test]
    fn longer_sentences_are_cut_at_clauses_then_blanks_then_anywhere() {
        assert_eq!(pieces("a b, c d, e f g, h", 4, &words), ["a b, c d,", " e f g, h"]);
        assert_eq!(pieces("a b c d e, f", 2, &words), ["a b ", "c d ", "e,", " f"]);
        let letters = |text: &str| text.chars().count();
        let word = "äöü".repeat(1000);
        let found = pieces(&word, 100, &letters);
        assert_eq!(found.concat(), word);
        assert!(found.iter().all(|piece| (40..=100).contains(&letters(piece))), "{found:?}");
        // Nothing is left to cut.
        assert_eq!(pieces("ä,ö", 1, &|text: &str| 2 * text.chars().count()), ["ä", ",", "ö"]);
    }
}
