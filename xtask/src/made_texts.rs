//! A made table of short texts with opinions, some of them misleading, so that there is something to learn for a
//! while.

use std::fmt::Write as _;

use crate::random::Random;

/// Words that speak for each class.
const VERDICTS: [[&str; 5]; 2] =
    [["awful", "bad", "poor", "dull", "dreadful"], ["great", "good", "fine", "lovely", "superb"]];
/// How often such a word is one of the text's own class.
const HONESTY: f64 = 0.8;
/// Words of a text besides these.
const FEWEST_WORDS: usize = 10;
const MOST_WORDS: usize = 45;
/// Other words; they are made of syllables.
const N_WORDS: usize = 300;
const SYLLABLES: [&str; 7] = ["ba", "do", "ke", "li", "mu", "na", "ro"];

/// A CSV of `n` texts of two classes, with the columns `text` and `label`.
pub(crate) fn made_texts(n: usize) -> String {
    let mut random = Random::new(n as u64);
    let mut csv = String::from("text,label\n");
    for idx in 0..n {
        let class = idx % 2;
        let n_words = FEWEST_WORDS + random.below(MOST_WORDS - FEWEST_WORDS + 1);
        // Some words are frequent, most are rare.
        let mut words: Vec<String> =
            (0..n_words).map(|_| word((random.unit().powi(2) * N_WORDS as f64) as usize)).collect();
        for _ in 0..2 {
            let class = if random.unit() < HONESTY { class } else { 1 - class };
            let verdict = VERDICTS[class][random.below(VERDICTS[class].len())];
            words.insert(random.below(words.len()), verdict.to_string());
        }
        // Writing to a string cannot fail.
        let _ = writeln!(csv, "{},{}", words.join(" "), ["negative", "positive"][class]);
    }
    csv
}

/// A word for each number below 343.
fn word(number: usize) -> String {
    [number / 49 % 7, number / 7 % 7, number % 7].map(|idx| SYLLABLES[idx]).concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn texts_are_different_and_of_two_classes() {
        let csv = made_texts(1000);
        let rows: Vec<(&str, &str)> =
            csv.lines().skip(1).map(|line| line.split_once(',').unwrap()).collect();
        assert_eq!(rows.len(), 1000);
        let texts: BTreeSet<_> = rows.iter().map(|(text, _)| text).collect();
        assert_eq!(texts.len(), 1000);
        assert_eq!(rows.iter().filter(|(_, label)| *label == "positive").count(), 500);
        assert_eq!(csv, made_texts(1000));
    }
}
