//! The classes of each row.

use crate::error::{Error, Result};

/// The classes of each row, as indices into the names of the classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// `[n_rows]`: one class a row. Of two classes, 0 is negative and 1 is positive.
    OneOf(Vec<u32>),
    /// Any number of classes a row: row `r` has `classes[starts[r]..starts[r + 1]]`.
    AnyOf {
        /// `[n_rows + 1]`, ascending, from 0 to `classes.len()`.
        starts: Vec<usize>,
        /// The classes of all rows; ascending and distinct within a row.
        classes: Vec<u32>,
    },
}

impl Targets {
    /// Any number of classes a row, in any order and with repetitions, which count once.
    ///
    /// ```
    /// use dataset::Targets;
    ///
    /// let targets = Targets::any_of([&[2, 0, 2][..], &[], &[1]]);
    /// assert_eq!(targets.of_row(0), [0, 2]);
    /// assert!(targets.of_row(1).is_empty());
    /// assert_eq!(targets.counts(3), [1, 1, 1]);
    /// ```
    pub fn any_of<R: AsRef<[u32]>>(rows: impl IntoIterator<Item = R>) -> Self {
        let (mut starts, mut classes) = (vec![0], Vec::new());
        let mut of_row = Vec::new();
        for row in rows {
            of_row.clear();
            of_row.extend_from_slice(row.as_ref());
            of_row.sort_unstable();
            of_row.dedup();
            classes.extend_from_slice(&of_row);
            starts.push(classes.len());
        }
        Self::AnyOf { starts, classes }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::OneOf(classes) => classes.len(),
            Self::AnyOf { starts, .. } => starts.len().saturating_sub(1),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The classes of one row, ascending: exactly one, or any number.
    ///
    /// # Panics
    /// If the row is past the end, like a slice.
    pub fn of_row(&self, row: usize) -> &[u32] {
        match self {
            Self::OneOf(classes) => std::slice::from_ref(&classes[row]),
            Self::AnyOf { starts, classes } => &classes[starts[row]..starts[row + 1]],
        }
    }

    /// Whether a row has a class.
    ///
    /// # Panics
    /// If the row is past the end, like a slice.
    pub fn has(&self, row: usize, class: u32) -> bool {
        self.of_row(row).binary_search(&class).is_ok()
    }

    /// The classes of some rows, in the order given.
    ///
    /// # Panics
    /// If a row is past the end, like a slice.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        match self {
            Self::OneOf(classes) => {
                Self::OneOf(rows.iter().map(|&row| classes[row as usize]).collect())
            }
            Self::AnyOf { .. } => Self::any_of(rows.iter().map(|&row| self.of_row(row as usize))),
        }
    }

    /// The rows of both, the first ones first.
    ///
    /// # Errors
    /// `DifferentTargets` if one has one class a row and the other any number.
    pub fn joined(first: &Self, second: &Self) -> Result<Self> {
        match (first, second) {
            (Self::OneOf(one), Self::OneOf(other)) => {
                Ok(Self::OneOf([one.as_slice(), other].concat()))
            }
            (Self::AnyOf { .. }, Self::AnyOf { .. }) => {
                let rows = |targets: &'_ Self| 0..targets.len();
                Ok(Self::any_of(
                    rows(first)
                        .map(|row| first.of_row(row))
                        .chain(rows(second).map(|row| second.of_row(row))),
                ))
            }
            _ => Err(Error::DifferentTargets),
        }
    }

    /// The number of rows of each class, `[n_classes]`; classes past the end are not counted.
    pub fn counts(&self, n_classes: usize) -> Vec<usize> {
        let mut counts = vec![0; n_classes];
        for &class in self.classes() {
            if let Some(count) = counts.get_mut(class as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// `[n_rows]`: the class of each row, if every row has exactly one.
    pub fn one_of(&self) -> Option<&[u32]> {
        match self {
            Self::OneOf(classes) => Some(classes),
            Self::AnyOf { .. } => None,
        }
    }

    /// The largest class that a row has.
    pub fn largest(&self) -> Option<u32> {
        self.classes().iter().copied().max()
    }

    /// Checks that every class is one of `n_classes`, and that the lists of classes are well formed.
    ///
    /// # Errors
    /// `ClassOutOfRange`; `MalformedTargets` if the starts do not ascend from 0 to the number of
    /// classes, or the classes of a row do not ascend.
    pub fn check(&self, n_classes: usize) -> Result<()> {
        if let Self::AnyOf { starts, classes } = self {
            let is_whole = starts.first() == Some(&0)
                && starts.is_sorted()
                && starts.last() == Some(&classes.len());
            if !is_whole {
                return Err(Error::MalformedTargets);
            }
            let ascend = |row| self.of_row(row).is_sorted_by(|one, next| one < next);
            if !(0..self.len()).all(ascend) {
                return Err(Error::MalformedTargets);
            }
        }
        let outside = |&class: &u32| class as usize >= n_classes;
        for row in 0..self.len() {
            if let Some(&class) = self.of_row(row).iter().find(|class| outside(class)) {
                return Err(Error::ClassOutOfRange { row: row + 1, class, n_classes });
            }
        }
        Ok(())
    }

    fn classes(&self) -> &[u32] {
        match self {
            Self::OneOf(classes) | Self::AnyOf { classes, .. } => classes,
        }
    }
}

impl From<Vec<u8>> for Targets {
    /// One class a row.
    fn from(labels: Vec<u8>) -> Self {
        Self::OneOf(labels.into_iter().map(u32::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Targets {
        Targets::any_of([&[3, 1][..], &[], &[1]])
    }

    #[test]
    fn rows_are_selected_and_joined_with_their_classes() {
        let one = Targets::OneOf(vec![2, 0, 1]);
        assert_eq!(one.select(&[2, 2, 0]), Targets::OneOf(vec![1, 1, 2]));
        assert_eq!(one.of_row(0), [2]);
        assert_eq!(one.one_of(), Some(&[2, 0, 1][..]));
        assert_eq!(Targets::joined(&one, &one).unwrap().len(), 6);

        let any = some();
        assert_eq!(any.select(&[1, 0]), Targets::any_of([&[][..], &[1, 3]]));
        assert_eq!(any.one_of(), None);
        let twice = Targets::joined(&any, &any).unwrap();
        assert_eq!((twice.len(), twice.of_row(3)), (6, &[1, 3][..]));
        assert!(matches!(Targets::joined(&one, &any), Err(Error::DifferentTargets)));
    }

    #[test]
    fn classes_are_counted_by_row() {
        assert_eq!(some().counts(4), [0, 2, 0, 1]);
        assert_eq!(some().largest(), Some(3));
        assert_eq!(Targets::from(vec![0u8, 1, 1]).counts(2), [1, 2]);
        assert_eq!(Targets::OneOf(Vec::new()).largest(), None);
        assert!(Targets::any_of(Vec::<Vec<u32>>::new()).is_empty());
    }

    #[test]
    fn what_is_malformed_is_refused() {
        assert!(some().check(4).is_ok());
        let message = |targets: Targets| targets.check(3).unwrap_err().to_string();
        assert_eq!(message(some()), "row 1: class 3 is not one of 3, numbered from 0");
        assert_eq!(
            message(Targets::OneOf(vec![0, 9])),
            "row 2: class 9 is not one of 3, numbered from 0"
        );
        for (starts, classes) in [
            (vec![], vec![]),
            (vec![1, 2], vec![0, 1]),
            (vec![0, 1], vec![0, 1]),
            (vec![0, 2, 1, 2], vec![0, 1]),
            (vec![0, 2], vec![1, 1]),
            (vec![0, 2], vec![1, 0]),
        ] {
            let targets = Targets::AnyOf { starts, classes };
            assert!(matches!(targets.check(3), Err(Error::MalformedTargets)), "{targets:?}");
        }
    }
}
