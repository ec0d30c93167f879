//! Which texts a split holds, when the texts themselves are no longer in memory.

use dataset::LabelledTexts;

/// Where each text of a split comes from, in the split's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SplitTexts {
    /// `[n_texts]`: the row of each text in its file, from 1, as messages name it; the number of a text from
    /// memory.
    pub rows: Vec<u32>,
    /// `[n_texts]`: the digest of each text ([`text_digest`](text_preprocessing::text_digest)).
    pub digests: Vec<u64>,
}

impl SplitTexts {
    /// The texts of some rows of a table; `digests`: of every row of it.
    pub(crate) fn of(table: &LabelledTexts, digests: &[u64], rows: &[u32]) -> Self {
        Self {
            // A table has fewer than 2³² rows, so their numbers from 1 fit.
            rows: rows.iter().map(|&row| table.file_row(row) as u32).collect(),
            digests: rows.iter().map(|&row| digests[row as usize]).collect(),
        }
    }

    /// The digests in ascending order.
    pub(crate) fn sorted_digests(&self) -> Vec<u64> {
        let mut digests = self.digests.clone();
        digests.sort_unstable();
        digests
    }
}
