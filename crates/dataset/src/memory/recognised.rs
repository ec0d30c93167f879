//! Labels from memory that are read as those of a table.

use std::path::Path;

use polars::prelude::{Column, DataFrame};

use super::labels::Labels;
use super::notes;
use super::wording::in_memory;
use crate::columns::{ChosenColumn, LABEL};
use crate::error::{Error, Result};
use crate::labelled::LabelledTexts;
use crate::labels::{self, LabelOptions};
use crate::split::MIN_ROWS;
use crate::tables::{Cells, ReadNotes, Table, Texts};

impl LabelledTexts {
    /// Texts and labels from memory, read as the columns of a table are: what the labels mean is recognised, unless
    /// `options` says it (see [`LabelOptions`]), so `pos` becomes the class `positive`, `Ham` and `ham` are one class,
    /// and a label that is likely to be misspelt is an error. [`of_classes`](Self::of_classes) does none of that.
    ///
    /// [`classes`](Self::classes) has the names, and [`targets`](Self::targets) says which of them each text has. Where
    /// a label map left texts out, [`file_row`](Self::file_row) says which text a row is, and
    /// [`notes_in_words`](Self::notes_in_words) that it did.
    ///
    /// # Errors
    /// [`Error::InMemory`], whose message names the text, from 1, and whose cause is `LengthMismatch` if there are not
    /// as many labels as texts, `TooFewRows` if there is none, `TooManyRows`, or what [`read`](Self::read) says about
    /// labels.
    ///
    /// ```
    /// use dataset::{LabelOptions, LabelledTexts, Labels};
    ///
    /// # fn main() -> dataset::Result<()> {
    /// let labels = Labels::from(vec!["pos", "neg", "POS"]);
    /// let texts = ["superb", "a bore", "lovely"];
    /// let table = LabelledTexts::from_columns(texts, &labels, &LabelOptions::default())?;
    /// assert_eq!(table.classes().names, ["negative", "positive"]);
    /// assert_eq!(table.targets().of_row(0), [1]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_columns<S: AsRef<str>>(
        texts: impl IntoIterator<Item = S>,
        labels: &Labels,
        options: &LabelOptions,
    ) -> Result<Self> {
        recognised(Texts::from_strings(texts), labels, options).map_err(in_memory)
    }

    /// An error about this table in words that suit where it came from: about texts from memory,
    /// [`Error::InMemory`].
    #[must_use]
    pub fn worded(&self, error: Error) -> Error {
        if self.is_in_memory() { in_memory(error) } else { error }
    }

    /// What was recognised and done to the labels, for the user: clauses without a full stop.
    pub fn notes_in_words(&self) -> Vec<String> {
        let in_words =
            |note| if self.is_in_memory() { notes::in_words(note) } else { format!("{note}") };
        self.notes().iter().map(in_words).collect()
    }
}

/// Reads the labels as those of a column.
fn recognised(texts: Texts, labels: &Labels, options: &LabelOptions) -> Result<LabelledTexts> {
    labels.check(&texts)?;
    let n_texts = texts.len();
    if n_texts == 0 {
        return Err(Error::TooFewRows { n_rows: 0, needed: MIN_ROWS });
    }
    let (column, cells) = match labels {
        Labels::Cells(cells) => (Column::new(LABEL.name.into(), cells), Cells::Typed),
        Labels::Lists(lists) => {
            let json: Vec<String> = lists
                .iter()
                .map(|list| serde_json::Value::from(list.clone()).to_string())
                .collect();
            (Column::new(LABEL.name.into(), json), Cells::Json)
        }
    };
    let frame = DataFrame::new(n_texts, vec![column])
        .map_err(|_| Error::TooManyRows { n_rows: n_texts })?;
    let (left_out, lines, bad) = (Vec::new(), Vec::new(), Vec::new());
    let table = Table { frame, cells, left_out, lines, first_row: 0, bad };
    let mut notes = ReadNotes::default();
    let writing = labels::Writing::Open;
    let source = labels::Source { path: Path::new(""), table: &table, rows: None, writing };
    let columns = [ChosenColumn::named(LABEL.name)];
    let found = labels::read(&source, &columns, options, &mut notes)?;
    let texts = match &found.kept {
        Some(kept) => texts.select(kept),
        None => texts,
    };
    let table = LabelledTexts::of_parts(texts, found.targets, found.classes)?;
    Ok(table.given(n_texts).read_with(options.clone(), notes, found.kept))
}
