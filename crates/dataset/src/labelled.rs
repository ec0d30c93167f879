//! Labelled texts, to train and evaluate a classifier on.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::classes::Classes;
use crate::columns::{ChosenColumn, ColumnChoice, ColumnNames, check_texts, choose_all};
use crate::digest::hex;
use crate::error::{Error, Result};
use crate::groups::Groups;
use crate::labels::{Found, LabelOptions, Writing};
use crate::tables::{self, DataFile, Missing, ReadNotes, ReadOptions, Table, TextColumn, Texts};
use crate::targets::Targets;
use crate::task_kind::TaskKind;
use crate::{groups, labels, weights};

/// Texts with the classes that they belong to.
///
/// The texts stay in the string column that polars read them into; all methods borrow `&str` from it.
#[derive(Clone, Debug)]
pub struct LabelledTexts {
    texts: Texts,
    targets: Targets,
    classes: Classes,
    columns: ColumnNames,
    groups: Option<Groups>,
    weights: Option<Vec<f32>>,
    notes: ReadNotes,
    /// The rows of the file that were kept; `None` if all of them were.
    rows: Option<Vec<u32>>,
    /// How the labels were to be read.
    label_options: LabelOptions,
    /// The number of texts and labels given in memory, of which `rows` were kept; `None` for a file.
    n_given: Option<usize>,
}

impl LabelledTexts {
    /// Reads the texts and labels of a table. Every column is read and checked, wanted or not.
    ///
    /// Columns that `choice` leaves open are guessed by name. What the labels mean is recognised, unless
    /// `label_options` says it (see [`LabelOptions`]). A row without label, group or weight is an error, unless
    /// it is left out, because it has no text either or because a label map skips it. Where one column holds any
    /// number of labels a row, an empty cell is none, and no error.
    ///
    /// # Errors
    /// An [`Error`] that names the file, and the row, line or column at fault: a missing, empty or
    /// damaged file, a row with the wrong number of fields, an unknown column, a row without text or
    /// label, or labels that are no classes or not those of `label_options`.
    pub fn read(
        file: &DataFile,
        choice: &ColumnChoice,
        label_options: &LabelOptions,
        options: &ReadOptions,
    ) -> Result<Self> {
        Ok(Self::with_table(file, choice, label_options, options)?.0)
    }

    /// The same, with the table that was read, and how the labels of its rows are written.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn with_table(
        file: &DataFile,
        choice: &ColumnChoice,
        label_options: &LabelOptions,
        options: &ReadOptions,
    ) -> Result<(Self, Table, Writing)> {
        let read = || {
            let mut notes = ReadNotes::default();
            let table = tables::read(file, options, &mut notes)?;
            file.check_classes(label_options)?;
            let (choice, writing) = (file.choice(choice, options)?, file.writing(options)?);
            let how = (&choice, label_options, options.missing);
            let texts = Self::of_table(&file.name(), &table, how, writing, notes)?;
            Ok((texts, table, writing))
        };
        read().map_err(|error| file.worded(error))
    }

    /// The texts and labels of a table that was read from a file.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn of_table(
        path: &Path,
        table: &Table,
        (choice, label_options, missing): (&ColumnChoice, &LabelOptions, Missing),
        writing: Writing,
        mut notes: ReadNotes,
    ) -> Result<Self> {
        let columns = choose_all(path, table, choice, &mut notes)?;
        let TextColumn { mut texts, mut rows } =
            TextColumn::of(path, table, &columns.text.name, missing, &mut notes)?;
        check_texts(path, table, &columns.text, &texts, &mut notes)?;
        let source = labels::Source { path, table, rows: rows.as_deref(), writing };
        let found = labels::read(&source, &columns.labels, label_options, &mut notes)?;
        if let Some(kept) = &found.kept {
            texts = texts.select(kept);
            let file_row = |&row: &u32| rows.as_ref().map_or(row, |rows| rows[row as usize]);
            rows = Some(kept.iter().map(file_row).collect());
        }
        let groups = match &columns.group {
            Some(column) => Some(groups::of_rows(path, table, &column.name, rows.as_deref())?),
            None => None,
        };
        let weights = match &columns.weight {
            Some(column) => Some(weights::of_rows(path, table, &column.name, rows.as_deref())?),
            None => None,
        };
        let Found { targets, classes, .. } = found;
        Ok(Self {
            texts,
            targets,
            classes,
            columns,
            groups,
            weights,
            notes,
            rows,
            label_options: label_options.clone(),
            n_given: None,
        })
    }

    /// Texts from memory with labels of two classes, 0 (negative) and 1 (positive).
    ///
    /// # Errors
    /// `LengthMismatch` if there are not as many labels as texts, `LabelNotBinary`, `TooManyRows`.
    pub fn new<S: AsRef<str>>(texts: impl IntoIterator<Item = S>, labels: Vec<u8>) -> Result<Self> {
        let texts = Texts::from_strings(texts);
        check_length(&texts, labels.len())?;
        labels::check(&labels)?;
        Self::of_parts(texts, labels.into(), Classes::binary())
    }

    /// Texts from memory with classes of any task.
    ///
    /// # Errors
    /// `LengthMismatch` if the classes are not of as many rows; `TargetsNotOfTask` if the task has one
    /// class a row and `targets` has any number, or the other way round, or the task is binary and there
    /// are not two names; `ClassOutOfRange`, `MalformedTargets`, `TooManyRows`.
    pub fn with_targets<S: AsRef<str>>(
        texts: impl IntoIterator<Item = S>,
        targets: Targets,
        classes: Classes,
    ) -> Result<Self> {
        Self::of_parts(Texts::from_strings(texts), targets, classes)
    }

    pub(crate) fn of_parts(texts: Texts, targets: Targets, classes: Classes) -> Result<Self> {
        check_length(&texts, targets.len())?;
        if u32::try_from(texts.len()).is_err() {
            return Err(Error::TooManyRows { n_rows: texts.len() });
        }
        let (task, n_classes) = (classes.task, classes.len());
        let is_any_of = matches!(targets, Targets::AnyOf { .. });
        if is_any_of != (task == TaskKind::AnyOf) || task == TaskKind::Binary && n_classes != 2 {
            return Err(Error::TargetsNotOfTask { task, n_classes });
        }
        targets.check(n_classes)?;
        let (text, labels) = (ChosenColumn::named("text"), vec![ChosenColumn::named("label")]);
        Ok(Self {
            texts,
            targets,
            classes,
            columns: ColumnNames { text, labels, group: None, weight: None },
            groups: None,
            weights: None,
            notes: ReadNotes::default(),
            rows: None,
            label_options: LabelOptions::default(),
            n_given: None,
        })
    }

    /// The same as one of `n_texts` texts given in memory.
    pub(crate) fn given(self, n_texts: usize) -> Self {
        Self { n_given: Some(n_texts), ..self }
    }

    /// The same with how its labels were read, and the rows that were kept, if not all were.
    pub(crate) fn read_with(
        self,
        label_options: LabelOptions,
        notes: ReadNotes,
        rows: Option<Vec<u32>>,
    ) -> Self {
        Self { label_options, notes, rows, ..self }
    }

    /// Adds a group to each text: rows of one group go into the same part of a split.
    ///
    /// They have no [names](Self::group_names). `groups`: `[n_rows]`, or one for each text that was given in memory, whether or not a label map left it out;
    /// equal numbers for rows of one group.
    ///
    /// # Errors
    /// `LengthMismatch` if there are not as many groups as texts.
    pub fn with_groups(self, groups: Vec<u32>) -> Result<Self> {
        self.with_all_groups(Groups { of_rows: groups, names: None })
    }

    /// Adds a group to each text by name: texts with equal names are of one group.
    ///
    /// # Errors
    /// As [`with_groups`](Self::with_groups).
    pub fn with_group_names<S: AsRef<str>>(
        self,
        groups: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        self.with_all_groups(groups::numbered(groups))
    }

    fn with_all_groups(self, Groups { of_rows, names }: Groups) -> Result<Self> {
        let (expected, got) = (self.n_given.unwrap_or(self.len()), of_rows.len());
        if got != expected {
            return Err(self.worded(Error::LengthMismatch { what: "groups", expected, got }));
        }
        Ok(Self { groups: Some(Groups { of_rows: self.kept(of_rows), names }), ..self })
    }

    /// Adds a weight to each text, or to each that was given in memory: how much it counts in training.
    ///
    /// # Errors
    /// `LengthMismatch` if there are not as many weights as texts; `BadWeight` if one is negative or not
    /// finite; `NoWeight` if all are 0.
    pub fn with_weights(self, weights: Vec<f32>) -> Result<Self> {
        let n_given = self.n_given.unwrap_or(self.len());
        weights::check(&weights, n_given).map_err(|error| self.worded(error))?;
        let weights = self.kept(weights);
        weights::check(&weights, self.len()).map_err(|error| self.worded(error))?;
        Ok(Self { weights: Some(weights), ..self })
    }

    /// Of what was given for each text in memory, that of the texts that were kept.
    fn kept<T: Copy>(&self, given: Vec<T>) -> Vec<T> {
        match (&self.rows, self.n_given) {
            (Some(rows), Some(_)) => rows.iter().map(|&row| given[row as usize]).collect(),
            _ => given,
        }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether texts and labels were given in memory, as lists.
    pub fn is_in_memory(&self) -> bool {
        self.n_given.is_some()
    }

    /// How the labels were to be read.
    pub fn label_options(&self) -> &LabelOptions {
        &self.label_options
    }

    /// The columns that were read, and whether they were guessed.
    pub fn columns(&self) -> &ColumnNames {
        &self.columns
    }

    /// The group of each row, if a group column was requested: `[n_rows]`, numbered from 0 in the
    /// order in which they appear.
    pub fn groups(&self) -> Option<&[u32]> {
        self.groups.as_ref().map(|groups| &*groups.of_rows)
    }

    /// The names of the [groups](Self::groups) by their numbers, `[n_groups]`: the values of their column as they
    /// print, so that a number in a CSV file and the same integer in Parquet have one name. By their names, groups of
    /// several tables can be compared. `None` without groups, or if they were given as numbers.
    pub fn group_names(&self) -> Option<&[String]> {
        self.groups.as_ref()?.names.as_deref()
    }

    /// What the user should know about how the file was read.
    pub fn notes(&self) -> &ReadNotes {
        &self.notes
    }

    /// The file row, from 1, of a row of this table, or the number of the text that was given in memory; they differ
    /// where rows were left out.
    ///
    /// # Panics
    /// If the row is past the end, like a slice.
    pub fn file_row(&self, row: u32) -> usize {
        self.rows.as_ref().map_or(row, |rows| rows[row as usize]) as usize + 1
    }

    /// The texts, in file order.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.texts.iter()
    }

    /// One text. Panics past the end, like a slice.
    pub(crate) fn text(&self, row: u32) -> &str {
        self.texts.get(row as usize)
    }

    /// The texts of some rows, in the order given.
    ///
    /// # Panics
    /// If a row is past the end, like a slice.
    pub fn texts_of<'a>(
        &'a self,
        rows: &'a [u32],
    ) -> impl ExactSizeIterator<Item = &'a str> + Clone {
        rows.iter().map(|&row| self.texts.get(row as usize))
    }

    /// The classes of the rows, in file order, as indices into the names of [`classes`](Self::classes).
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The task, and the names of its classes.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// The classes of some rows, in the order given.
    ///
    /// # Panics
    /// If a row is past the end, like a slice.
    pub fn targets_of(&self, rows: &[u32]) -> Targets {
        self.targets.select(rows)
    }

    /// The number of rows of each class, `[n_classes]`.
    pub fn class_counts(&self) -> Vec<usize> {
        self.targets.counts(self.classes.len())
    }

    /// The weight of each row, if a column of weights was requested: `[n_rows]`, finite and at least 0.
    pub fn weights(&self) -> Option<&[f32]> {
        self.weights.as_deref()
    }

    /// The weights of some rows, in the order given.
    ///
    /// # Panics
    /// If a row is past the end, like a slice.
    pub fn weights_of(&self, rows: &[u32]) -> Option<Vec<f32>> {
        let weights = self.weights.as_ref()?;
        Some(rows.iter().map(|&row| weights[row as usize]).collect())
    }

    /// SHA-256 over the classes and texts of all rows in their order, in hexadecimal: equal for equal contents,
    /// whatever the file's name or format. Weights and groups do not enter.
    ///
    /// Of the classes `negative` and `positive`, each row is its label as one byte, the length of its text
    /// and the text. Of other classes, the task and the names come first, and a row begins with the number
    /// of its classes and these, each in four bytes.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        // With the length, the end of one text cannot be mistaken for the start of the next.
        let add = |hash: &mut Sha256, text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        let is_default = self.classes.is_default();
        if !is_default {
            add(&mut hash, self.classes.task.name());
            self.classes.names.iter().for_each(|name| add(&mut hash, name));
        }
        for (row, text) in self.texts().enumerate() {
            let classes = self.targets.of_row(row);
            if is_default {
                hash.update([u8::from(classes == [1])]);
            } else {
                hash.update((classes.len() as u32).to_le_bytes());
                classes.iter().for_each(|class| hash.update(class.to_le_bytes()));
            }
            add(&mut hash, text);
        }
        hex(hash)
    }
}

fn check_length(texts: &Texts, got: usize) -> Result<()> {
    let expected = texts.len();
    if got == expected {
        Ok(())
    } else {
        Err(Error::LengthMismatch { what: "labels", expected, got })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_tell_contents_order_and_borders() {
        let print =
            |texts: [&str; 2], labels| LabelledTexts::new(texts, labels).unwrap().fingerprint();
        let one = print(["ab", "c"], vec![0, 1]);
        assert_eq!(one, print(["ab", "c"], vec![0, 1]));
        // A change here makes older models think that they were trained on other texts.
        assert_eq!(one, "45be45e8a0feb79aba42c7e4c1f8507d4f0726f7b8d497d87294152a7a0d1716");
        for other in [
            print(["a", "bc"], vec![0, 1]),
            print(["c", "ab"], vec![1, 0]),
            print(["ab", "c"], vec![1, 1]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn rows_are_lent_in_the_order_asked_for() {
        let table = LabelledTexts::new(["a", "", "c"], vec![0, 1, 1]).unwrap();
        assert_eq!(table.texts().collect::<Vec<_>>(), ["a", "", "c"]);
        assert_eq!(table.texts_of(&[2, 0]).collect::<Vec<_>>(), ["c", "a"]);
        assert_eq!(table.targets_of(&[2, 0]), Targets::OneOf(vec![1, 0]));
        assert_eq!(table.class_counts(), [1, 2]);
    }

    #[test]
    fn fingerprints_tell_tasks_and_names_of_classes() {
        let classes = |task, names: &[&str]| {
            Classes::new(task, names.iter().map(ToString::to_string).collect())
        };
        let one_of = || Targets::OneOf(vec![0, 1]);
        let any_of = |first: &[u32]| Targets::any_of([first, &[1]]);
        let print = |targets, classes| {
            LabelledTexts::with_targets(["a", "b"], targets, classes).unwrap().fingerprint()
        };
        let (ham, spam) = (&["ham", "spam"], &["spam", "ham"]);
        let prints = [
            LabelledTexts::new(["a", "b"], vec![0, 1]).unwrap().fingerprint(),
            print(one_of(), classes(TaskKind::OneOf, &crate::CLASS_NAMES)),
            print(one_of(), classes(TaskKind::Binary, ham)),
            print(one_of(), classes(TaskKind::OneOf, ham)),
            print(one_of(), classes(TaskKind::OneOf, spam)),
            print(one_of(), classes(TaskKind::OneOf, &["ham", "spam", "x"])),
            print(any_of(&[0]), classes(TaskKind::AnyOf, ham)),
            print(any_of(&[]), classes(TaskKind::AnyOf, ham)),
            print(any_of(&[0, 1]), classes(TaskKind::AnyOf, ham)),
        ];
        let distinct: std::collections::BTreeSet<&String> = prints.iter().collect();
        assert_eq!(distinct.len(), prints.len());
        assert_eq!(prints[0], print(one_of(), Classes::binary()));
        let table = LabelledTexts::new(["a", "b"], vec![0, 1]).unwrap();
        assert_eq!(prints[0], table.with_weights(vec![1.0, 0.0]).unwrap().fingerprint());
    }

    #[test]
    fn classes_must_suit_their_task() {
        let refused = |targets, classes| {
            LabelledTexts::with_targets(["a", "b"], targets, classes).unwrap_err().to_string()
        };
        let three = || vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let one_of = || Targets::OneOf(vec![0, 3]);
        let classes = |task| Classes::new(task, three());
        assert_eq!(
            refused(one_of(), classes(TaskKind::OneOf)),
            "row 2: class 3 is not one of 3, numbered from 0"
        );
        let expected = "does not suit these labels or this number of classes (3)";
        for task in [TaskKind::Binary, TaskKind::AnyOf] {
            assert!(refused(one_of(), classes(task)).ends_with(expected));
        }
        let any_of = Targets::any_of([[0], [1]]);
        assert!(refused(any_of, classes(TaskKind::OneOf)).ends_with(expected));
    }

    #[test]
    fn weights_are_lent_in_the_order_asked_for() {
        let table = LabelledTexts::new(["a", "b"], vec![0, 1]).unwrap();
        assert_eq!((table.weights(), table.weights_of(&[1])), (None, None));
        let table = table.with_weights(vec![0.5, 2.0]).unwrap();
        assert_eq!(table.weights_of(&[1, 0]), Some(vec![2.0, 0.5]));
        assert!(table.with_weights(vec![1.0]).is_err());
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        let message = |labels| LabelledTexts::new(["a", "b"], labels).unwrap_err().to_string();
        assert_eq!(message(vec![0]), "expected 2 labels, one per row, got 1");
        assert_eq!(message(vec![0, 2]), "row 2: label 2 is neither 0 nor 1");
        let table = LabelledTexts::new(["a", "b"], vec![0, 1]).unwrap();
        let error = table.with_groups(vec![7]).unwrap_err();
        assert_eq!(error.to_string(), "expected 2 groups, one per row, got 1");
    }
}
