//! Counts of how a table's rows were used, for the user and for `metrics.json`.

use std::collections::BTreeMap;
use std::fmt;

use dataset::Targets;
use serde::{Deserialize, Serialize};
use text_preprocessing::{Encoded, script_counts};

/// How a table's rows were used.
///
/// Fields missing in reports of earlier versions are read as 0, empty or absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSummary {
    /// Rows with a text.
    pub n_rows: usize,
    /// Rows that had no text and were skipped.
    #[serde(default)]
    pub n_missing: usize,
    /// Rows dropped because an earlier row has the same text, not counting those in `n_dropped`.
    pub n_duplicates: usize,
    /// How many of them are the same byte for byte.
    #[serde(default)]
    pub n_exact_duplicates: usize,
    /// Texts that occur with different labels. (Up to version 0.1: dropped rows whose label differs from the
    /// kept row's.)
    pub n_conflicting: usize,
    /// Some of these texts: the first row of each and the first with another label, as data rows of the
    /// file, from 1.
    #[serde(default)]
    pub conflicting_rows: Vec<[usize; 2]>,
    /// Rows dropped because their text occurs with different labels.
    #[serde(default)]
    pub n_dropped: usize,
    /// Groups among the rows that were split, if the table was split by group.
    #[serde(default)]
    pub n_groups: Option<usize>,
    /// Rows of the training split.
    pub n_train: usize,
    /// Rows of the validation split.
    pub n_validation: usize,
    /// Rows of the test split.
    pub n_test: usize,
    /// Ids of the vocabulary.
    pub vocab_size: usize,
    /// A digest of the test split's texts, by which it is recognised later; absent in reports of
    /// earlier versions.
    #[serde(default)]
    pub test_digest: Option<String>,
    /// Maximum number of tokens of a text; longer texts are cut.
    #[serde(default)]
    pub seq_len: usize,
    /// Classes and tokens of the three splits; absent in reports of earlier versions.
    #[serde(default)]
    pub splits: Option<SplitSummaries>,
    /// What was left out because it is in another file, where the user divided the texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
}

/// What was left out of the files of a training, so that no text is in two of its splits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Rows of the validation file, if there is one.
    pub n_validation_rows: Option<usize>,
    /// Rows of the test file, if there is one. All of them are tested.
    pub n_test_rows: Option<usize>,
    /// Different texts of the training file that are also in the test file.
    pub n_train_in_test: usize,
    /// Different texts of the training file that are also in the validation file, and not in the test file.
    pub n_train_in_validation: usize,
    /// Rows of the validation file whose texts are also in the test file.
    pub n_validation_in_test: usize,
    /// Groups that the training and the test file share; absent if they were not compared, as one of the files has no
    /// groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<SharedGroups>,
}

/// What was left out of the training file so that none of its groups is in the test file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedGroups {
    /// The groups of these texts.
    pub n_groups: usize,
    /// Different texts that are not in the test file, but whose groups are.
    pub n_texts: usize,
}

/// What is in each split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitSummaries {
    /// The training split.
    pub train: SplitSummary,
    /// The validation split.
    pub validation: SplitSummary,
    /// The test split.
    pub test: SplitSummary,
}

/// What is in one split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct SplitSummary {
    /// Texts.
    pub n_texts: usize,
    /// Texts of each class; a text may be of several where the task allows it.
    pub class_counts: Vec<usize>,
    /// Texts without any token.
    pub n_empty: usize,
    /// Tokens of all texts, before they are cut.
    pub n_tokens: usize,
    /// Tokens of the longest text, before it is cut.
    pub n_longest: usize,
    /// Texts that were cut.
    pub n_cut: usize,
    /// Tokens that were cut off.
    pub n_tokens_cut: usize,
    /// Tokens, among those left, that are not in the vocabulary.
    pub n_unknown: usize,
    /// Letters of each script, by its Unicode name; empty in reports of earlier versions.
    pub scripts: BTreeMap<String, usize>,
}

/// A summary as it is stored; until the first release with several classes, two numbers in place of a list.
#[derive(Deserialize)]
struct Stored {
    n_texts: Option<usize>,
    #[serde(default)]
    class_counts: Vec<usize>,
    #[serde(default)]
    n_negative: usize,
    #[serde(default)]
    n_positive: usize,
    n_empty: usize,
    n_tokens: usize,
    n_longest: usize,
    n_cut: usize,
    n_tokens_cut: usize,
    n_unknown: usize,
    #[serde(default)]
    scripts: BTreeMap<String, usize>,
}

impl From<Stored> for SplitSummary {
    fn from(stored: Stored) -> Self {
        let Stored { n_negative, n_positive, n_empty, n_tokens, n_longest, .. } = stored;
        let Stored { n_cut, n_tokens_cut, n_unknown, .. } = stored;
        let scripts = stored.scripts;
        let (n_texts, class_counts) = match stored.n_texts {
            Some(n_texts) => (n_texts, stored.class_counts),
            None => (n_negative + n_positive, vec![n_negative, n_positive]),
        };
        Self {
            n_texts,
            class_counts,
            n_empty,
            n_tokens,
            n_longest,
            n_cut,
            n_tokens_cut,
            n_unknown,
            scripts,
        }
    }
}

impl SplitSummary {
    /// The same with the scripts of the texts.
    pub(crate) fn with_scripts(self, texts: &[&str]) -> Self {
        Self { scripts: script_counts(texts), ..self }
    }

    /// Counts encoded texts and their classes.
    pub(crate) fn of(texts: &[Encoded], targets: &Targets, n_classes: usize) -> Self {
        let class_counts = targets.counts(n_classes);
        let mut summary = Self { n_texts: texts.len(), class_counts, ..Self::default() };
        for Encoded { ids, n_tokens, n_unknown } in texts {
            summary.n_empty += usize::from(ids.is_empty());
            summary.n_tokens += n_tokens;
            summary.n_longest = summary.n_longest.max(*n_tokens);
            summary.n_cut += usize::from(*n_tokens > ids.len());
            summary.n_tokens_cut += n_tokens.saturating_sub(ids.len());
            summary.n_unknown += n_unknown;
        }
        summary
    }

    /// The fraction of the tokens read that are not in the vocabulary; 0 for no tokens.
    pub fn unknown_share(&self) -> f64 {
        share(self.n_unknown, self.n_tokens - self.n_tokens_cut)
    }
}

impl DataSummary {
    /// How much of the training texts is cut off; `None` if nothing is, or if the report does not say.
    pub fn cut(&self) -> Option<CutTexts> {
        let train = &self.splits.as_ref()?.train;
        let &SplitSummary { n_texts, n_cut, n_tokens, n_tokens_cut, .. } = train;
        let seq_len = self.seq_len;
        (n_cut > 0).then_some(CutTexts { n_texts, n_cut, n_tokens, n_tokens_cut, seq_len })
    }
}

/// How much of the training texts is cut off. Displays as a sentence without a full stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutTexts {
    n_texts: usize,
    n_cut: usize,
    n_tokens: usize,
    n_tokens_cut: usize,
    seq_len: usize,
}

impl fmt::Display for CutTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_texts, n_cut, n_tokens, n_tokens_cut, seq_len } = *self;
        write!(
            f,
            "{n_cut} of {n_texts} training texts {} longer than {seq_len} tokens: {} of all tokens were cut off",
            if n_cut == 1 { "is" } else { "are" },
            percent(share(n_tokens_cut, n_tokens)),
        )
    }
}

/// The fraction `part / whole`; 0 if `whole` is 0.
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Formats as `12.3 %`; never as 0.0 % for some or 100.0 % for not all.
pub fn percent(share: f64) -> String {
    match share {
        0.0 => "0 %".to_string(),
        1.0 => "100 %".to_string(),
        share if share < 0.001 => "less than 0.1 %".to_string(),
        share if share > 0.999 => "more than 99.9 %".to_string(),
        share => format!("{:.1} %", share * 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_counted_by_text_and_token() {
        let text = |ids: &[u32], n_tokens| {
            let n_unknown = ids.iter().filter(|&&id| id == 9).count();
            Encoded { ids: ids.to_vec(), n_tokens, n_unknown }
        };
        let texts = [text(&[1, 9, 2], 3), text(&[], 0), text(&[9, 9, 1], 7), text(&[1], 1)];
        let summary = SplitSummary::of(&texts, &Targets::OneOf(vec![1, 0, 0, 0]), 2);
        let expected = SplitSummary {
            n_texts: 4,
            class_counts: vec![3, 1],
            n_empty: 1,
            n_tokens: 11,
            n_longest: 7,
            n_cut: 1,
            n_tokens_cut: 4,
            n_unknown: 3,
            scripts: BTreeMap::new(),
        };
        assert_eq!(summary, expected);
        let scripts = summary.clone().with_scripts(&["Zwei", "два 2"]).scripts;
        assert_eq!(scripts, [("Cyrillic".to_string(), 3), ("Latin".to_string(), 4)].into());
        assert_eq!(summary.unknown_share(), 3.0 / 7.0);
        let splits = Some(SplitSummaries { train: summary.clone(), ..Default::default() });
        let whole = DataSummary { seq_len: 3, splits, ..DataSummary::default() };
        assert_eq!(
            whole.cut().unwrap().to_string(),
            "1 of 4 training texts is longer than 3 tokens: 36.4 % of all tokens were cut off"
        );
        assert_eq!(DataSummary::default().cut(), None);
        assert_eq!(SplitSummary::default().unknown_share(), 0.0);
    }

    #[test]
    fn some_is_never_printed_as_none_or_all() {
        let printed = [0.0, 0.0004, 0.5, 0.9996, 1.0].map(percent);
        assert_eq!(printed, ["0 %", "less than 0.1 %", "50.0 %", "more than 99.9 %", "100 %"]);
    }

    #[test]
    fn reports_of_earlier_versions_are_read() -> Result<(), serde_json::Error> {
        let old = r#"{"n_rows": 9, "n_duplicates": 1, "n_conflicting": 0, "n_train": 6,
            "n_validation": 1, "n_test": 1, "vocab_size": 7}"#;
        let summary: DataSummary = serde_json::from_str(old)?;
        assert_eq!((summary.n_rows, summary.splits, summary.n_groups), (9, None, None));
        let old = r#"{"n_negative": 3, "n_positive": 4, "n_empty": 0, "n_tokens": 5, "n_longest": 2,
            "n_cut": 0, "n_tokens_cut": 0, "n_unknown": 0}"#;
        let split: SplitSummary = serde_json::from_str(old)?;
        assert_eq!((split.n_texts, split.class_counts), (7, vec![3, 4]));
        Ok(())
    }
}
