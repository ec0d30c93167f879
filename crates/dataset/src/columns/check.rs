//! Checks whether a text column really holds texts.

use std::path::Path;

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
    let mut look = Look::new();
    look.add(table, chosen, texts);
    look.finish(path, chosen, notes)
}

/// A look at the first texts and at the first cells of the other columns, a chunk at a time.
pub(crate) struct Look {
    n_texts: usize,
    are_words: bool,
    are_numbers: bool,
    /// Of each string column: its name, and the cells and words seen.
    columns: Vec<(String, usize, usize)>,
}

impl Look {
    pub(crate) fn new() -> Self {
        Self { n_texts: 0, are_words: true, are_numbers: true, columns: Vec::new() }
    }

    /// Whether more chunks would change nothing.
    pub(crate) fn is_enough(&self) -> bool {
        self.n_texts >= N_LOOKED_AT || !self.are_words
    }

    /// Looks at the next chunk of a table, with its texts.
    pub(crate) fn add(&mut self, table: &Table, chosen: &ChosenColumn, texts: &Texts) {
        let is_word = |text: &str| {
            text.len() <= LONG_WORD && text.is_ascii() && !text.contains(char::is_whitespace)
        };
        for text in texts.iter().take(N_LOOKED_AT - self.n_texts.min(N_LOOKED_AT)).map(str::trim) {
            self.n_texts += 1;
            self.are_words = self.are_words && is_word(text);
            self.are_numbers = self.are_numbers && text.parse::<f64>().is_ok();
        }
        let others = table.frame.columns().iter().filter(|it| it.name() != chosen.name.as_str());
        let others = others.filter_map(|column| Some((column.name(), column.str().ok()?)));
        for (idx, (name, cells)) in others.enumerate() {
            if self.columns.len() == idx {
                self.columns.push((name.to_string(), 0, 0));
            }
            let (_, n_cells, n_words) = &mut self.columns[idx];
            for cell in cells.iter().take(N_LOOKED_AT - *n_cells) {
                *n_cells += 1;
                *n_words += cell.map_or(0, |cell| cell.split_ascii_whitespace().count());
            }
        }
    }

    /// Says what was seen.
    ///
    /// # Errors
    /// As [`check_texts`].
    pub(crate) fn finish(
        self,
        path: &Path,
        chosen: &ChosenColumn,
        notes: &mut ReadNotes,
    ) -> Result<()> {
        if self.n_texts < MIN_LOOKED_AT || !self.are_words {
            return Ok(());
        }
        let found = if self.are_numbers { "numbers" } else { "single words" };
        let mut columns = self.columns.into_iter();
        let better = columns.find(|(_, n_cells, n_words)| *n_words >= MANY_WORDS * n_cells);
        let Some((better, ..)) = better else { return Ok(()) };
        let column = chosen.name.clone();
        if chosen.guessed {
            return Err(Error::NotTexts { path: path.to_owned(), column, found, better });
        }
        notes.add(Note::NotTexts { column, found: found.to_owned(), better });
        Ok(())
    }
}
