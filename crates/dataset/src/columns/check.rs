//! Checks whether a text column really holds texts.

use std::path::Path;

use polars::prelude::Column;

use super::ChosenColumn;
use crate::error::{Error, Result};
use crate::tables::{Note, ReadNotes, Table, Texts};

/// The most texts that are checked, and the fewest that are enough for a check.
const N_LOOKED_AT: usize = 1000;
const MIN_LOOKED_AT: usize = 10;
/// A longer word may be a text without spaces.
const LONG_WORD: usize = 30;
/// Average words per cell from which a column counts as holding texts.
const MANY_WORDS: usize = 4;

/// Checks that the text column holds texts, if another column does.
///
/// # Errors
/// `NotTexts` if the column was guessed; if the user named it, only a note is added.
pub(crate) fn check_texts(
    path: &Path,
    table: &Table,
    chosen: &ChosenColumn,
    texts: &Texts,
    notes: &mut ReadNotes,
) -> Result<()> {
    if texts.len() < MIN_LOOKED_AT {
        return Ok(());
    }
    let looked_at = || texts.iter().take(N_LOOKED_AT).map(str::trim);
    let is_word = |text: &str| {
        text.len() <= LONG_WORD && text.is_ascii() && !text.contains(char::is_whitespace)
    };
    if !looked_at().all(is_word) {
        return Ok(());
    }
    let found = if looked_at().all(|text| text.parse::<f64>().is_ok()) {
        "numbers"
    } else {
        "single words"
    };
    let holds_texts = |column: &&Column| {
        let Ok(cells) = column.str() else { return false };
        let n_words: usize = cells
            .iter()
            .take(N_LOOKED_AT)
            .map(|cell| cell.map_or(0, |cell| cell.split_ascii_whitespace().count()))
            .sum();
        n_words >= MANY_WORDS * cells.len().min(N_LOOKED_AT)
    };
    let others =
        table.frame.columns().iter().filter(|column| column.name() != chosen.name.as_str());
    let Some(better) = others.into_iter().find(holds_texts) else { return Ok(()) };
    let (column, better) = (chosen.name.clone(), better.name().to_string());
    if chosen.guessed {
        return Err(Error::NotTexts { path: path.to_owned(), column, found, better });
    }
    notes.add(Note::NotTexts { column, found: found.to_owned(), better });
    Ok(())
}
