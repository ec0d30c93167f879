//! Which rows of a training, a validation and a test table are used, so that no text is in two splits.
//!
//! Texts are told apart by their digests, groups by their names.

use std::collections::HashSet;

use dataset::LabelledTexts;

use crate::own_splits::OwnSplits;
use crate::summary::{LeftOut, SharedGroups};

/// The rows of each table that are used, ascending, and how many are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Apart {
    /// Of the training table.
    pub(super) train: Vec<u32>,
    /// Of the others: all of the test table.
    pub(super) others: OwnSplits<Vec<u32>>,
    pub(super) left_out: LeftOut,
}

impl Apart {
    /// Leaves out training texts that are also validation or test texts, and validation texts that are also test texts.
    /// A training text that is both counts as a test text.
    ///
    /// `(digests, rows)`: of all training texts, and the rows of those that may be used; `others`: the digests of all
    /// texts of the other tables.
    pub(super) fn of((digests, rows): (&[u64], &[u32]), others: OwnSplits<&[u64]>) -> Self {
        let distinct = others.map(|digests| digests.iter().copied().collect::<HashSet<u64>>());
        let is_in = |of: &Option<HashSet<u64>>, digest: u64| {
            of.as_ref().is_some_and(|of| of.contains(&digest))
        };
        let is_test = |digest| is_in(&distinct.test, digest);
        let is_validation = |digest| is_in(&distinct.validation, digest);
        let digest_of = |row: &u32| digests[*row as usize];

        let (in_test, rest): (Vec<u32>, Vec<u32>) =
            rows.iter().partition(|&row| is_test(digest_of(row)));
        let (in_validation, train): (Vec<u32>, Vec<u32>) =
            rest.into_iter().partition(|row| is_validation(digest_of(row)));
        let numbered = |digests: &[u64], is_used: &dyn Fn(u64) -> bool| -> Vec<u32> {
            let rows = (0u32..).zip(digests).filter(|(_, digest)| is_used(**digest));
            rows.map(|(row, _)| row).collect()
        };
        let validation = others.validation.map(|of| numbered(of, &|digest| !is_test(digest)));
        let test = others.test.map(|of| numbered(of, &|_| true));
        let n_validation_rows = others.validation.map(<[u64]>::len);
        let n_left = validation.as_ref().map_or(0, Vec::len);
        let left_out = LeftOut {
            n_validation_rows,
            n_test_rows: others.test.map(<[u64]>::len),
            n_train_in_test: in_test.len(),
            n_train_in_validation: in_validation.len(),
            n_validation_in_test: n_validation_rows.unwrap_or_default() - n_left,
            groups: None,
        };
        Self { train, others: OwnSplits { validation, test }, left_out }
    }

    /// Leaves out training texts whose groups the test table has, too. Nothing is compared if one of the tables has no
    /// groups, or only numbers of them.
    pub(super) fn without_groups_of(self, test: &LabelledTexts, table: &LabelledTexts) -> Self {
        let names = table.groups().zip(table.group_names()).zip(test.group_names());
        let Some(((groups, names), of_test)) = names else { return self };
        let of_test: HashSet<&str> = of_test.iter().map(String::as_str).collect();
        let is_shared: Vec<bool> = names.iter().map(|name| of_test.contains(&**name)).collect();
        let group_of = |row: &u32| groups[*row as usize];
        let (out, train): (Vec<u32>, Vec<u32>) =
            self.train.into_iter().partition(|row| is_shared[group_of(row) as usize]);
        let n_groups = out.iter().map(group_of).collect::<HashSet<u32>>().len();
        let groups = Some(SharedGroups { n_groups, n_texts: out.len() });
        Self { train, left_out: LeftOut { groups, ..self.left_out }, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows 0 to 9 have the digests 100 to 109; row 9 is a repeated text that is not used.
    fn apart(validation: Option<&[u64]>, test: Option<&[u64]>) -> Apart {
        let digests: Vec<u64> = (100..110).collect();
        let rows: Vec<u32> = (0..9).collect();
        Apart::of((&digests, &rows), OwnSplits { validation, test })
    }

    #[test]
    fn each_overlap_is_left_out_where_it_does_not_belong_and_counted_once() {
        // 101 is in all three, 102 in training and test, 103 twice in validation, 201 in both others, twice in each.
        let validation = [200, 201, 101, 103, 103, 201, 109];
        let test = [101, 201, 102, 201, 300];
        let found = apart(Some(&validation), Some(&test));
        let expected = Apart {
            train: vec![0, 4, 5, 6, 7, 8],
            others: OwnSplits {
                validation: Some(vec![0, 3, 4, 6]),
                test: Some(vec![0, 1, 2, 3, 4]),
            },
            left_out: LeftOut {
                n_validation_rows: Some(7),
                n_test_rows: Some(5),
                n_train_in_test: 2,
                n_train_in_validation: 1,
                n_validation_in_test: 3,
                groups: None,
            },
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_not_there_leaves_nothing_out() {
        let only_test = apart(None, Some(&[100, 7]));
        assert_eq!(only_test.train, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(only_test.others, OwnSplits { validation: None, test: Some(vec![0, 1]) });
        let expected = LeftOut { n_test_rows: Some(2), n_train_in_test: 1, ..LeftOut::default() };
        assert_eq!(only_test.left_out, expected);
        let only_validation = apart(Some(&[108, 108]), None);
        assert_eq!(only_validation.train.len(), 8);
        assert_eq!(only_validation.others.validation, Some(vec![0, 1]));
        assert_eq!(only_validation.left_out.n_train_in_validation, 1);
    }
}
