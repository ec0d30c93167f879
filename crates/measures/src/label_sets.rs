//! The labels of texts that may have any number of them.

use crate::error::{Error, Result};

/// The labels of texts, any number each: those of text i are `classes[starts[i]..starts[i + 1]]`.
///
/// `starts` has one number more than there are texts; without texts it may be empty.
#[derive(Debug, Clone, Copy)]
pub struct LabelSets<'a> {
    /// Where the labels of each text start, and where the last ones end.
    pub starts: &'a [usize],
    /// Classes from 0; each text's ascending, none twice.
    pub classes: &'a [u32],
}

impl<'a> LabelSets<'a> {
    /// Number of texts.
    pub fn n_rows(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The labels of each text.
    ///
    /// # Errors
    /// If a text's labels are no part of `classes`, not ascending, or not below `n_classes`.
    pub(crate) fn checked(&self, n_classes: usize) -> Result<Vec<&'a [u32]>> {
        let n_labels = self.classes.len();
        let of_text = |(text, range): (usize, &[usize])| {
            let (start, end) = (range[0], range[1]);
            let labels = self.classes.get(start..end);
            let labels = labels.ok_or(Error::LabelRange { text, start, end, n_labels })?;
            for pair in labels.windows(2) {
                let (first, second) = (pair[0], pair[1]);
                if first >= second {
                    return Err(Error::LabelOrder { text, first, second });
                }
            }
            match labels.last() {
                Some(&class) if class as usize >= n_classes => {
                    Err(Error::ClassOutOfRange { text, class, n_classes })
                }
                _ => Ok(labels),
            }
        };
        self.starts.windows(2).enumerate().map(of_text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(starts: &[usize], classes: &[u32]) -> Result<Vec<Vec<u32>>> {
        let sets = LabelSets { starts, classes }.checked(3)?;
        Ok(sets.into_iter().map(<[u32]>::to_vec).collect())
    }

    #[test]
    fn each_text_has_its_part_of_the_labels() {
        assert_eq!(checked(&[0, 2, 2, 3], &[0, 2, 1]).unwrap(), [vec![0, 2], vec![], vec![1]]);
        assert!(checked(&[], &[]).unwrap().is_empty());
        assert!(checked(&[0], &[]).unwrap().is_empty());
    }

    #[test]
    fn labels_that_do_not_fit_are_refused() {
        let range = |text, start, end| Error::LabelRange { text, start, end, n_labels: 2 };
        assert_eq!(checked(&[0, 3], &[0, 1]), Err(range(0, 0, 3)));
        assert_eq!(checked(&[0, 2, 1], &[0, 1]), Err(range(1, 2, 1)));
        let twice = Error::LabelOrder { text: 0, first: 1, second: 1 };
        assert_eq!(checked(&[0, 2], &[1, 1]), Err(twice));
        let unknown = Error::ClassOutOfRange { text: 1, class: 3, n_classes: 3 };
        assert_eq!(checked(&[0, 1, 2], &[2, 3]), Err(unknown));
    }
}
