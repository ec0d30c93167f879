//! Texts in scripts that put no spaces between words, which only `bpe` can split.

use std::collections::BTreeMap;

use rayon::prelude::*;
use unicode_script::{Script, UnicodeScript as _};

use super::finding::{Finding, Found, Severity};
use super::rows::Rows;
use super::tokens::Reader;

/// From this fraction of the texts on, it is a warning; a tenth of it is a note.
const MANY: f64 = 0.1;

/// Looks for texts of which most letters are of such scripts, in long runs.
pub(super) fn find(rows: &Rows<'_>, reader: &Reader) -> Option<Finding> {
    if reader.has_pieces {
        return None;
    }
    let of_row = |&row: &u32| Some((row, without_spaces(rows.texts[row as usize])?));
    let found: Vec<(u32, Script)> = rows.with_text.par_iter().filter_map(of_row).collect();
    let share = rows.share(found.len());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    found.iter().for_each(|(_, script)| *counts.entry(script.full_name()).or_default() += 1);
    let mut scripts: Vec<(&str, usize)> = counts.into_iter().collect();
    scripts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let scripts = scripts.into_iter().map(|(script, _)| script.to_owned()).collect();
    let in_rows: Vec<u32> = found.iter().map(|(row, _)| *row).collect();
    let severity = if share >= MANY { Severity::Warning } else { Severity::Note };
    let found = Found::NoSpaces { n_texts: in_rows.len(), scripts };
    (share >= MANY / 10.0).then(|| rows.finding(severity, found, &in_rows))
}

/// The script of a text that has no spaces between its words.
fn without_spaces(text: &str) -> Option<Script> {
    if text.is_ascii() {
        return None;
    }
    let (mut n_letters, mut n_runs) = (0, 0);
    let mut of_scripts: BTreeMap<&str, (Script, usize)> = BTreeMap::new();
    let mut was_inside = false;
    for c in text.chars() {
        let is_letter = c.is_alphabetic();
        n_letters += usize::from(is_letter);
        let script = c.script();
        let is_inside = most_of_a_word(script).is_some();
        if is_inside && is_letter {
            of_scripts.entry(script.full_name()).or_insert((script, 0)).1 += 1;
        }
        n_runs += usize::from(is_inside && !was_inside);
        // Vowel signs and shared marks belong to the run, spaces and marks end it.
        was_inside = is_inside || was_inside && !c.is_whitespace() && !c.is_ascii();
    }
    let n_inside: usize = of_scripts.values().map(|(_, n)| n).sum();
    let (script, _) = of_scripts.into_values().max_by_key(|(_, n)| *n)?;
    let most = most_of_a_word(script)?;
    (2 * n_inside > n_letters && n_inside > most * n_runs).then_some(script)
}

/// For a script without spaces between words, how many letters words have on average at most.
fn most_of_a_word(script: Script) -> Option<usize> {
    match script {
        Script::Han | Script::Hiragana | Script::Katakana => Some(4),
        Script::Thai | Script::Lao | Script::Khmer | Script::Myanmar => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_without_spaces_are_told_from_those_with() {
        for (text, script) in [
            ("这部电影非常好看,我很喜欢。", Script::Han),
            ("この映画はとても面白かったです", Script::Hiragana),
            ("หนังเรื่องนี้สนุกมากและน่าติดตาม", Script::Thai),
            ("ភាពយន្តនេះល្អណាស់ខ្ញុំចូលចិត្តវា", Script::Khmer),
            ("ຮູບເງົາເລື່ອງນີ້ດີຫຼາຍຂ້ອຍມັກມັນ", Script::Lao),
        ] {
            assert_eq!(without_spaces(text), Some(script), "{text}");
        }
        for text in [
            "a plain text",
            "ein schöner Film",
            "这 部 电影 非常 好看",
            "이 영화는 정말 재미있었어요",
            "the film 花样年华 is a long and quiet one",
            "Отличный фильм",
        ] {
            assert_eq!(without_spaces(text), None, "{text}");
        }
    }
}
