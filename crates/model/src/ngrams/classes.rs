//! The classes of training texts.

/// The classes of some texts, as indices from 0.
#[derive(Debug, Clone, Copy)]
pub enum TextClasses<'a> {
    /// One class of each text; of two classes, 1 is the positive one.
    OneOf(&'a [u32]),
    /// Any number of classes of each text. Those of text t are `classes[starts[t]..starts[t + 1]]`, distinct.
    AnyOf {
        /// Where the classes of each text begin, and where those of the last one end: one more than texts.
        starts: &'a [usize],
        /// The classes of all texts.
        classes: &'a [u32],
    },
}

impl TextClasses<'_> {
    /// Number of texts.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::OneOf(classes) => classes.len(),
            Self::AnyOf { starts, .. } => starts.len().saturating_sub(1),
        }
    }

    /// Whether there are no texts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The classes of a text; none if there is no such text.
    #[must_use]
    pub fn of_text(&self, text: usize) -> &[u32] {
        let found = match self {
            Self::OneOf(classes) => classes.get(text..=text),
            Self::AnyOf { starts, classes } => match starts.get(text..text + 2) {
                Some(&[start, end]) => classes.get(start..end),
                _ => None,
            },
        };
        found.unwrap_or_default()
    }

    /// Whether every text has exactly one class.
    pub(super) fn is_one_of(&self) -> bool {
        matches!(self, Self::OneOf(_))
    }

    /// Number of texts of each class below `n_classes`.
    pub(super) fn counts(&self, n_classes: usize) -> Vec<usize> {
        let mut counts = vec![0; n_classes];
        for text in 0..self.len() {
            for &class in self.of_text(text) {
                if let Some(count) = counts.get_mut(class as usize) {
                    *count += 1;
                }
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_a_text_are_found_in_either_form() {
        let one = TextClasses::OneOf(&[2, 0]);
        assert_eq!((one.len(), one.of_text(0), one.of_text(2)), (2, &[2][..], &[][..]));
        assert_eq!(one.counts(3), [1, 0, 1]);
        let any = TextClasses::AnyOf { starts: &[0, 2, 2, 3], classes: &[0, 1, 1] };
        assert_eq!(any.len(), 3);
        assert_eq!((any.of_text(0), any.of_text(1)), (&[0, 1][..], &[][..]));
        assert_eq!((any.of_text(2), any.of_text(3)), (&[1][..], &[][..]));
        assert_eq!(any.counts(2), [1, 2]);
        assert!(TextClasses::AnyOf { starts: &[], classes: &[] }.is_empty());
    }
}
