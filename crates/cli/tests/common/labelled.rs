//! Labelled tables of every task, which the smallest network learns in a few epochs, and the columns of tables.
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "a test that cannot read its table has failed; no test file uses everything"
)]

use std::fmt::Write as _;

use serde_json::json;

use super::sentence;

/// Texts in each of the tables here; a tenth of them are for testing.
pub const N_TEXTS: usize = 240;

/// The labels that a text of [`genres_in_cells`] may have, in the order of the columns of [`genres_in_columns`].
pub const GENRES: [&str; 3] = ["comedy", "drama", "crime"];

/// A CSV with the columns `text` and `label`; `row` gives the words that tell the label, and the label.
pub fn csv(row: impl Fn(usize) -> (String, String)) -> String {
    let mut csv = String::from("text,label\n");
    for idx in 0..N_TEXTS {
        let (words, label) = row(idx);
        writeln!(csv, "{},{label}", scattered(idx, &words)).unwrap();
    }
    csv
}

/// A text of its own, whose other words and the place of `words` tell nothing about `idx`.
fn scattered(idx: usize, words: &str) -> String {
    sentence(idx * 37 % 1009, words)
}

/// Three classes, of which `neutral` comes first. Every eleventh text has the words of another class, so figures are
/// not all 1.
pub fn sentiments() -> String {
    const NAMES: [&str; 3] = ["neutral", "negative", "positive"];
    const WORDS: [[&str; 2]; 3] = [["fine", "okay"], ["bad", "awful"], ["good", "great"]];
    csv(|idx| {
        let of_words = idx + usize::from(idx % 11 == 5);
        (WORDS[of_words % 3][idx / 3 % 2].to_string(), NAMES[idx % 3].to_string())
    })
}

/// `ham` and `spam`: `meeting` is ham, `prize` is spam, and so is a third of the texts with `offer`, which are half
/// of all.
pub fn messages() -> String {
    csv(|idx| {
        let (word, is_spam) = message(idx);
        (word.to_string(), ["ham", "spam"][usize::from(is_spam)].to_string())
    })
}

/// The word that tells a message, and whether it is spam.
pub fn message(idx: usize) -> (&'static str, bool) {
    match idx % 4 {
        0 => ("prize", true),
        1 => ("meeting", false),
        _ => ("offer", (idx / 4).is_multiple_of(3)),
    }
}

/// Stars that are not one apart; every seventh text has the word of the next ones.
pub fn stars() -> String {
    const STARS: [&str; 4] = ["1", "2", "5", "10"];
    const WORDS: [&str; 4] = ["awful", "bad", "good", "great"];
    csv(|idx| {
        let of_words = idx + usize::from(idx % 7 == 3);
        (WORDS[of_words % 4].to_string(), STARS[idx % 4].to_string())
    })
}

/// Whether a text has each of [`GENRES`]; one text in eight has none, one has all.
fn genres(idx: usize) -> [bool; 3] {
    [0, 1, 2].map(|genre| idx >> genre & 1 == 1)
}

/// The genres of a text, and the words that tell them.
fn genres_and_words(idx: usize) -> (Vec<&'static str>, String) {
    const WORDS: [&str; 3] = ["funny", "sad", "murder"];
    let of_text = |all: [&'static str; 3]| -> Vec<&'static str> {
        all.into_iter().zip(genres(idx)).filter_map(|(one, has)| has.then_some(one)).collect()
    };
    let words = of_text(WORDS);
    (of_text(GENRES), if words.is_empty() { "plain".to_string() } else { words.join(" ") })
}

/// Several labels in a cell.
pub fn genres_in_cells(separator: &str) -> String {
    csv(|idx| {
        let (genres, words) = genres_and_words(idx);
        (words, genres.join(separator))
    })
}

/// A column of 0 and 1 for each label.
pub fn genres_in_columns() -> String {
    let cells = |idx| genres(idx).map(|has| u8::from(has).to_string()).join(",");
    let csv = csv(|idx| (genres_and_words(idx).1, cells(idx)));
    csv.replacen("label", &GENRES.join(","), 1)
}

/// JSON lines with a list of labels.
pub fn genres_in_lists() -> String {
    let line = |idx| {
        let (genres, words) = genres_and_words(idx);
        json!({ "text": scattered(idx, &words), "label": genres }).to_string() + "\n"
    };
    (0..N_TEXTS).map(line).collect()
}

/// The same table with its rows in reverse order.
pub fn reversed(csv: &str) -> String {
    let (header, rows) = csv.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().rev().collect();
    format!("{header}\n{}\n", rows.join("\n"))
}

/// The cells of a column of a CSV without commas in its cells.
#[track_caller]
pub fn column(csv: &str, name: &str) -> Vec<String> {
    let mut lines = csv.lines().map(|line| line.split(','));
    let at = lines.next().and_then(|mut names| names.position(|one| one == name));
    assert!(at.is_some(), "no column {name} in:\n{csv}");
    lines.map(|mut cells| cells.nth(at.unwrap()).unwrap().trim_matches('"').to_string()).collect()
}

/// The numbers of a column.
#[track_caller]
pub fn numbers(csv: &str, name: &str) -> Vec<f32> {
    column(csv, name).iter().map(|cell| cell.parse().unwrap()).collect()
}
