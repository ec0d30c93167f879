//! Finds texts that occur more than once, and texts that occur with different labels.
//!
//! The caller's digests decide which texts are the same; this module only compares numbers.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::labelled::LabelledTexts;

/// At most this many pairs of conflicting rows are named.
const N_EXAMPLES: usize = 5;

/// What to do with a text that occurs with different labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conflicts {
    /// It keeps the labels of its first row.
    #[default]
    Keep,
    /// All its rows are dropped.
    Drop,
    /// The table is rejected.
    Error,
}

/// The result of dropping duplicate texts from a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deduplicated {
    /// The rows to keep, ascending: the first of each text.
    pub kept: Vec<u32>,
    /// Rows dropped because an earlier row has the same text, not counting [`Conflicts::Drop`].
    pub n_duplicates: usize,
    /// How many of these duplicates match the first row of their text byte for byte.
    pub n_exact: usize,
    /// Texts, not rows, that occur with different labels.
    pub n_conflicting: usize,
    /// Rows dropped by [`Conflicts::Drop`]: all rows of the conflicting texts.
    pub n_dropped: usize,
    /// Some of the conflicting texts in file order, each as two data rows of the file, from 1: the
    /// first row of the text, and the first row with another label.
    pub conflicting_rows: Vec<[usize; 2]>,
}

impl LabelledTexts {
    /// Finds texts that occur more than once; the first row of each is kept.
    ///
    /// Do this before splitting: a text in both training and test makes the test too easy.
    ///
    /// `digests`: `[n_rows]`, equal for texts that count as the same.
    ///
    /// # Errors
    /// `AllTheSame`; `ClassWithoutTexts` if one of two classes has no row left; `ConflictingLabels` with
    /// [`Conflicts::Error`]; `LengthMismatch`.
    pub fn deduplicate(&self, digests: &[u64], conflicts: Conflicts) -> Result<Deduplicated> {
        let n_rows = self.len();
        if digests.len() != n_rows {
            let got = digests.len();
            return Err(Error::LengthMismatch { what: "digests", expected: n_rows, got });
        }
        // Never more than u32::MAX rows: polars' own row index has 32 bits, and `new` checks.
        let mut by_text: Vec<(u64, u32)> = digests.iter().copied().zip(0u32..).collect();
        // The row is part of the sort key, so rows are ascending within a text.
        by_text.sort_unstable();
        let mut result = Deduplicated::default();
        let (mut is_kept, mut n_texts) = (vec![true; n_rows], 0);
        let mut pairs = Vec::new();
        for same in by_text.chunk_by(|(a, _), (b, _)| a == b) {
            n_texts += 1;
            let [(_, first), rest @ ..] = same else { continue };
            let classes = |row: u32| self.targets().of_row(row as usize);
            let other = rest.iter().find(|(_, row)| classes(*row) != classes(*first));
            if let Some((_, other)) = other {
                pairs.push([*first, *other]);
            }
            if other.is_some() && conflicts == Conflicts::Drop {
                result.n_dropped += same.len();
                same.iter().for_each(|(_, row)| is_kept[*row as usize] = false);
                continue;
            }
            for (_, row) in rest {
                is_kept[*row as usize] = false;
                result.n_exact += usize::from(self.text(*row) == self.text(*first));
            }
            result.n_duplicates += rest.len();
        }
        pairs.sort_unstable();
        result.n_conflicting = pairs.len();
        let named = pairs.iter().take(N_EXAMPLES);
        result.conflicting_rows = named.map(|pair| pair.map(|row| self.file_row(row))).collect();
        result.kept = (0u32..).zip(is_kept).filter_map(|(row, kept)| kept.then_some(row)).collect();

        if n_texts == 1 && n_rows > 1 {
            return Err(Error::AllTheSame { text: self.text(0).to_owned(), n_rows });
        }
        if conflicts == Conflicts::Error && result.n_conflicting > 0 {
            let Deduplicated { n_conflicting: n_texts, conflicting_rows: examples, .. } = result;
            let is_binary = self.is_one_of_two();
            return Err(Error::ConflictingLabels { n_texts, is_binary, examples });
        }
        self.check_classes(&result.kept)?;
        Ok(result)
    }

    fn is_one_of_two(&self) -> bool {
        self.classes().len() == 2 && self.targets().one_of().is_some()
    }

    /// Fails if one of two classes has rows, but none of them is kept. Of more classes, one may go: what is left is
    /// counted by class.
    fn check_classes(&self, kept: &[u32]) -> Result<()> {
        if !self.is_one_of_two() {
            return Ok(());
        }
        let names = &self.classes().names;
        let n_kept = self.targets_of(kept).counts(names.len());
        for (class, n_rows) in self.class_counts().into_iter().enumerate() {
            if n_rows > 0 && n_kept[class] == 0 {
                let (label, other) = (names[class].clone(), names[1 - class].clone());
                return Err(Error::ClassWithoutTexts { label, other, n_rows });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::Classes;
    use crate::targets::Targets;
    use crate::task_kind::TaskKind;

    fn table(texts: &[&str], labels: &[u8]) -> LabelledTexts {
        LabelledTexts::new(texts, labels.to_vec()).unwrap()
    }

    /// Ignores case.
    fn digests(texts: &[&str]) -> Vec<u64> {
        let of =
            |text: &&str| text.to_lowercase().bytes().fold(0, |sum, b| sum * 256 + u64::from(b));
        texts.iter().map(of).collect()
    }

    const TEXTS: [&str; 9] = ["a", "b", "a", "A", "c", "B", "b", "d", "A"];
    const LABELS: [u8; 9] = [0, 1, 0, 1, 1, 1, 0, 0, 0];

    #[test]
    fn the_first_of_equal_texts_is_kept_and_conflicts_are_counted_by_text() {
        let table = table(&TEXTS, &LABELS);
        let expected = Deduplicated {
            kept: vec![0, 1, 4, 7],
            n_duplicates: 5,
            n_exact: 2,
            n_conflicting: 2,
            n_dropped: 0,
            conflicting_rows: vec![[1, 4], [2, 7]],
        };
        assert_eq!(table.deduplicate(&digests(&TEXTS), Conflicts::Keep).unwrap(), expected);
    }

    #[test]
    fn conflicting_texts_can_be_dropped_with_all_their_rows() {
        let table = table(&TEXTS, &LABELS);
        let dropped = table.deduplicate(&digests(&TEXTS), Conflicts::Drop).unwrap();
        assert_eq!(dropped.kept, [4, 7]);
        assert_eq!((dropped.n_duplicates, dropped.n_dropped, dropped.n_conflicting), (0, 7, 2));
        assert_eq!(dropped.conflicting_rows, [[1, 4], [2, 7]]);
    }

    #[test]
    fn conflicting_texts_can_be_refused_with_their_rows() {
        let digests = digests(&TEXTS);
        let error = table(&TEXTS, &LABELS).deduplicate(&digests, Conflicts::Error).unwrap_err();
        assert_eq!(
            error.to_string(),
            "2 texts have both labels, for example rows 1 and 4, rows 2 and 7; correct the labels, or \
             choose whether to keep the first label or drop these texts"
        );
        let agreeing = table(&TEXTS, &[0, 1, 0, 0, 1, 1, 1, 0, 0]);
        assert!(agreeing.deduplicate(&digests, Conflicts::Error).is_ok());
    }

    #[test]
    fn tables_that_are_one_text_over_and_over_are_named_as_such() {
        for (texts, labels, conflicts) in [
            (&["nan", "NAN", "nan"], &[0, 1, 0], Conflicts::Keep),
            (&["nan", "nan", "nan"], &[0, 1, 0], Conflicts::Drop),
            (&["nan", "nan", "nan"], &[1, 1, 1], Conflicts::Error),
        ] {
            let error = table(texts, labels).deduplicate(&digests(texts), conflicts).unwrap_err();
            assert!(error.to_string().starts_with("all 3 rows have the same text"), "{error}");
        }
    }

    #[test]
    fn a_class_whose_texts_all_have_the_other_label_is_named() {
        let texts = ["a", "b", "A", "B"];
        let table = table(&texts, &[0, 0, 1, 1]);
        let message =
            |conflicts| table.deduplicate(&digests(&texts), conflicts).unwrap_err().to_string();
        let expected = |label: &str, other: &str| {
            format!(
                "none of the 2 rows labelled {label} can be used: the same words (ignoring case, \
                 spaces and punctuation) are also labelled {other}"
            )
        };
        assert_eq!(message(Conflicts::Keep), expected("positive", "negative"));
        assert_eq!(message(Conflicts::Drop), expected("negative", "positive"));
    }

    #[test]
    fn texts_with_other_sets_of_labels_conflict() {
        let texts = ["a", "b", "A", "B", "c"];
        let targets = Targets::any_of([&[0, 1][..], &[0], &[1], &[0], &[0, 1]]);
        let names = ["x", "y"].map(str::to_owned).to_vec();
        let classes = Classes::new(TaskKind::AnyOf, names);
        let table = LabelledTexts::with_targets(texts, targets, classes).unwrap();
        let unique = table.deduplicate(&digests(&texts), Conflicts::Keep).unwrap();
        assert_eq!((unique.kept, unique.n_conflicting), (vec![0, 1, 4], 1));
        let refused = table.deduplicate(&digests(&texts), Conflicts::Error).unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("1 text has different labels, for example rows 1 and 3;"),
            "{refused}"
        );
    }

    #[test]
    fn one_of_several_classes_may_lose_all_its_texts() {
        let texts = ["a", "b", "c", "A"];
        let targets = Targets::OneOf(vec![0, 1, 2, 3]);
        let names = ["w", "x", "y", "z"].map(str::to_owned).to_vec();
        let classes = Classes::new(TaskKind::OneOf, names);
        let table = LabelledTexts::with_targets(texts, targets, classes).unwrap();
        // What is left is counted by class, and named where it matters.
        assert_eq!(table.deduplicate(&digests(&texts), Conflicts::Keep).unwrap().kept, [0, 1, 2]);
    }

    #[test]
    fn digests_must_be_as_many_as_rows() {
        let error = table(&["a"], &[1]).deduplicate(&[], Conflicts::Keep).unwrap_err();
        assert_eq!(error.to_string(), "expected 1 digests, one per row, got 0");
        assert!(table(&[], &[]).deduplicate(&[], Conflicts::Keep).unwrap().kept.is_empty());
    }
}
