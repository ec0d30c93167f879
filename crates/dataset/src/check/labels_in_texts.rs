//! Texts that name their own label, such as `label: positive`.

use std::collections::HashMap;

use rayon::prelude::*;

use super::finding::{Finding, Found, Severity};
use super::rows::Rows;
use super::spellings::words_of_classes;
use crate::error::Result;

/// A label is given away if it is in this fraction of its texts,
const NEARLY_ALL: f64 = 0.9;
/// and in at most this fraction of the others.
const FEW: f64 = 0.1;
/// Fewer texts of a class say nothing.
const MIN_TEXTS: usize = 5;
/// Most spellings that are looked for.
const MOST_WORDS: usize = 200;

/// Looks for the words of the labels in the texts.
///
/// # Errors
/// Those of the label column.
pub(super) fn find(rows: &Rows<'_>) -> Result<Vec<Finding>> {
    let mut words = words_of_classes(rows.checked)?;
    if words.len() > MOST_WORDS {
        return Ok(Vec::new());
    }
    let ids: HashMap<&str, u32> =
        rows.tokens.vocabulary.iter().map(String::as_str).zip(0..).collect();
    // A word that is in no text is no sequence of ids.
    let mut looked_for: Vec<(u32, String, Vec<u32>)> = Vec::new();
    for (class, word) in words.drain(..) {
        let parts = word.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        let parts: Option<Vec<u32>> = parts.map(|part| ids.get(part).copied()).collect();
        if let Some(parts) = parts.filter(|parts| !parts.is_empty()) {
            looked_for.push((class, word, parts));
        }
    }
    let find = |(class, word, parts): (u32, String, Vec<u32>)| {
        let holds = |row: u32| {
            let mut at = 0;
            rows.tokens.words(row as usize).any(|id| {
                // Good enough for names of few words, none of which begins twice.
                at = if id == parts[at] { at + 1 } else { usize::from(id == parts[0]) };
                at == parts.len()
            })
        };
        let is_own = |row: &u32| rows.table.targets().has(*row as usize, class);
        let (own, others): (Vec<u32>, Vec<u32>) = rows.with_text.iter().copied().partition(is_own);
        let count = |of: &[u32]| of.iter().filter(|row| holds(**row)).count();
        let share = |n: usize, of: &[u32]| n as f64 / of.len().max(1) as f64;
        if own.len() < MIN_TEXTS || share(count(&own), &own) < NEARLY_ALL {
            return None;
        }
        let (share, share_of_others) = (share(count(&own), &own), share(count(&others), &others));
        let class = rows.table.classes().name(class as usize).to_owned();
        let found = Found::LabelInTexts { class, word, share, share_of_others };
        let with_it: Vec<u32> = own.into_iter().filter(|row| holds(*row)).collect();
        (share_of_others <= FEW).then(|| rows.finding(Severity::Warning, found, &with_it))
    };
    let mut found: Vec<Finding> = looked_for.into_par_iter().filter_map(find).collect();
    // `pos` and `positive` may both be in the texts: once is enough.
    found.dedup_by(|a, b| match (&a.found, &b.found) {
        (Found::LabelInTexts { class: a, .. }, Found::LabelInTexts { class: b, .. }) => a == b,
        _ => false,
    });
    Ok(found)
}
