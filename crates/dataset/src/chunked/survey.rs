//! The survey of one file: every row is read and checked, and none is kept.

use std::path::PathBuf;

use polars::prelude::DataFrame;

use super::chunk::texts_of;
use super::totals::Totals;
use crate::columns::{ChosenColumn, ColumnChoice, Look, TEXT, choose_text};
use crate::error::{Error, Result};
use crate::tables::{
    BadRows, Cells, DataFile, Fault, Format, Missing, Note, Plan, ReadNotes, ReadOptions, Sizes,
    Source, State, Table,
};

/// A file that was surveyed.
#[derive(Clone, Debug)]
pub(super) struct Surveyed {
    /// Its name in messages.
    pub(super) name: PathBuf,
    pub(super) path: PathBuf,
    pub(super) format: Format,
    pub(super) source: Source,
    /// The state of the file during the survey.
    pub(super) state: State,
    /// The SHA-256 of its bytes as stored.
    pub(super) digest: String,
    pub(super) plan: Plan,
    pub(super) notes: ReadNotes,
    pub(super) text: ChosenColumn,
    pub(super) totals: Totals,
    pub(super) n_texts: usize,
    /// A table of all columns and no rows.
    pub(super) columns: Table,
}

impl Surveyed {
    /// Surveys a file.
    ///
    /// # Errors
    /// What is wrong with the file; `Changed` if it is written to.
    pub(super) fn of(
        file: &DataFile,
        choice: &ColumnChoice,
        options: &ReadOptions,
        bad_rows: BadRows,
        sizes: &Sizes,
    ) -> Result<Self> {
        let name = file.name();
        let source = file.source()?;
        let state = source.state();
        let result = Self::read(file, &source, choice, options, (bad_rows, sizes));
        if source.state() != state {
            return Err(Error::Changed { path: name });
        }
        result.map_err(|error| file.worded(error))
    }

    fn read(
        file: &DataFile,
        source: &Source,
        choice: &ColumnChoice,
        options: &ReadOptions,
        (bad_rows, sizes): (BadRows, &Sizes),
    ) -> Result<Self> {
        let name = file.name();
        let digest =
            source.digest().map_err(|error| Error::Read { path: name.clone(), source: error })?;
        let mut notes = ReadNotes::default();
        let plan = Plan::of(file, source, options, bad_rows, (Some(&digest), sizes), &mut notes)?;
        let mut reader = plan.reader(bad_rows, true)?;
        let mut totals = Totals::default();
        let mut columns = None;
        while let Some(table) = reader.next_chunk(sizes)? {
            totals.add(&table);
            columns = Some(table);
        }
        let names = reader.names();
        reader.finish(&mut notes)?;
        let Some(last) = columns else { return Err(Error::NoRows { path: name }) };
        let columns = Table {
            frame: last.frame.head(Some(0)),
            lines: Vec::new(),
            bad: Vec::new(),
            first_row: 0,
            ..last
        };
        let plan = plan.with_names(names);
        let text = choose_text(&name, &columns, &file.choice(choice, options)?)?;
        let mut surveyed = Self {
            name,
            path: file.path().to_owned(),
            format: file.format(options)?,
            source: source.clone(),
            state: source.state(),
            digest,
            plan,
            notes,
            text,
            totals,
            n_texts: 0,
            columns,
        };
        surveyed.count_texts(options.missing, bad_rows)?;
        surveyed.look(options.missing, bad_rows, sizes)?;
        Ok(surveyed)
    }

    /// Counts the rows with a text.
    fn count_texts(&mut self, missing: Missing, bad_rows: BadRows) -> Result<()> {
        let name = self.text.name.as_str();
        let column = self.columns.column(&self.name, name)?;
        if self.columns.strings(column).is_err() {
            return Err(Error::ColumnType {
                path: self.name.clone(),
                column: name.to_owned(),
                role: TEXT.name,
                found: column.dtype().to_string(),
                expected: "strings",
            });
        }
        let idx = self.columns.names().iter().position(|column| column == name);
        let Totals { n_rows, n_bad, columns, .. } = &mut self.totals;
        let Some(totals) = idx.and_then(|idx| columns.get(idx)) else { return Ok(()) };
        let (n_missing, n_wrong) = (totals.n_missing, totals.n_wrong);
        if bad_rows == BadRows::Stop {
            let at = |place, fault| Err(Error::at(&self.name, place, fault));
            let column = || name.to_owned();
            if let Some((place, found, value)) = totals.first_wrong.clone() {
                return at(place, Fault::NotText { column: column(), found, value });
            }
            if let Some(place) = totals.first_missing
                && missing == Missing::Error
            {
                return at(place, Fault::MissingValue { column: column(), role: TEXT.name });
            }
        }
        let n_readable = *n_rows - *n_bad - n_wrong;
        *n_bad += n_wrong;
        self.n_texts = if missing == Missing::Empty { n_readable } else { n_readable - n_missing };
        match missing {
            Missing::Error => *n_bad += n_missing,
            Missing::Skip if n_missing > 0 => self.notes.add(Note::Skipped { n_rows: n_missing }),
            Missing::Empty if n_missing > 0 => self.notes.add(Note::Empty { n_rows: n_missing }),
            Missing::Skip | Missing::Empty => {}
        }
        Ok(())
    }

    /// Looks at the first texts.
    fn look(&mut self, missing: Missing, bad_rows: BadRows, sizes: &Sizes) -> Result<()> {
        let mut look = Look::new();
        let mut reader = self.plan.reader(bad_rows, false)?;
        while !look.is_enough()
            && let Some(mut table) = reader.next_chunk(sizes)?
        {
            let (texts, _) = texts_of(&self.name, &mut table, &self.text.name, missing, bad_rows)?;
            look.add(&table, &self.text, &texts);
        }
        look.finish(&self.name, &self.text, &mut self.notes)
    }

    /// The columns, without rows.
    pub(super) fn frame(&self) -> &DataFrame {
        &self.columns.frame
    }

    /// How the cells are represented.
    pub(super) fn cells(&self) -> Cells {
        self.columns.cells
    }

    /// The error instead of which the file has changed, if it has.
    pub(super) fn or_changed(&self, error: Error) -> Error {
        if self.has_changed() { self.changed() } else { error }
    }

    pub(super) fn has_changed(&self) -> bool {
        self.source.state() != self.state
    }

    pub(super) fn changed(&self) -> Error {
        Error::Changed { path: self.name.clone() }
    }

    /// Checks that a file has the columns of an earlier one.
    ///
    /// # Errors
    /// `DifferentColumns`.
    pub(super) fn check_like(&self, first: &Self) -> Result<()> {
        let (own, others) = (self.columns.names(), first.columns.names());
        let differ = |detail: String| {
            let (path, first) = (self.name.clone(), first.name.clone());
            Err(Error::DifferentColumns { path, first, detail })
        };
        if self.cells() != first.cells() {
            return differ(
                "one of them is a text table, JSON or Parquet, and the other is not".to_owned(),
            );
        }
        if let Some(column) = others.iter().find(|column| !own.contains(column)) {
            return differ(format!("it has no column \"{column}\""));
        }
        if let Some(column) = own.iter().find(|column| !others.contains(column)) {
            return differ(format!("column \"{column}\" is only in it"));
        }
        match self.cells() {
            // The keys of objects have no order.
            Cells::Json => {}
            Cells::Text | Cells::Typed if own != others => {
                return differ("its columns are in another order".to_owned());
            }
            Cells::Text | Cells::Typed => {}
        }
        let pairs = first.frame().columns().iter().zip(self.frame().columns());
        let mut pairs = pairs.filter(|_| self.cells() == Cells::Typed);
        if let Some((other, own)) = pairs.find(|(other, own)| other.dtype() != own.dtype()) {
            let (name, own, other) = (own.name(), own.dtype(), other.dtype());
            return differ(format!("column \"{name}\" holds {own}, not {other}"));
        }
        if self.columns.left_out != first.columns.left_out {
            return differ("other columns were left out".to_owned());
        }
        if self.text.name != first.text.name {
            let (own, other) = (&self.text.name, &first.text.name);
            return differ(format!("its texts are in \"{own}\", not in \"{other}\""));
        }
        Ok(())
    }
}
