//! Warnings about data and metrics, worded in one place.

use std::fmt;

use dataset::CLASS_NAMES;
use serde::{Deserialize, Serialize};

use crate::metrics::Metrics;
use crate::summary::{DataSummary, SplitSummary, percent};

/// With fewer texts, accuracy is uncertain by several hundredths.
const FEW_TEXTS: usize = 100;
/// With this fraction of unknown words or more, hardly anything of a text is read.
const MANY_UNKNOWN: f64 = 0.5;

/// Which texts a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The training split.
    Training,
    /// The validation split.
    Validation,
    /// The test split.
    Test,
    /// Other labelled texts to evaluate on.
    Given,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Training => "the training split",
            Self::Validation => "the validation split",
            Self::Test => "the test split",
            Self::Given => "the evaluation data",
        })
    }
}

/// A reason why a metric means less than it seems to. Displays as a sentence without a full stop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Warning {
    /// A class has no text.
    MissingClass {
        /// Where.
        scope: Scope,
        /// `negative` or `positive`.
        class: String,
    },
    /// So few texts that each one changes accuracy by hundredths.
    FewTexts {
        /// Where.
        scope: Scope,
        /// How many.
        n_texts: usize,
    },
    /// Always predicting the larger class would be more accurate.
    BelowMajority {
        /// Where.
        scope: Scope,
        /// The model's accuracy.
        accuracy: f64,
        /// Fraction of texts in the larger class.
        majority_accuracy: f64,
    },
    /// Every text gets the same prediction.
    OneAnswer {
        /// Where.
        scope: Scope,
        /// The predicted class: `negative` or `positive`.
        class: String,
        /// Fraction of the texts for which it is correct.
        accuracy: f64,
    },
    /// Most words are not in the vocabulary.
    UnknownWords {
        /// Where.
        scope: Scope,
        /// Their fraction.
        share: f64,
    },
    /// No text has more than one word.
    OneWordTexts {
        /// Where.
        scope: Scope,
    },
    /// Texts without words, which all get the same prediction.
    EmptyTexts {
        /// Where.
        scope: Scope,
        /// How many.
        n_texts: usize,
        /// Of how many.
        n_all: usize,
    },
    /// Texts occur with both labels.
    ConflictingLabels {
        /// How many texts.
        n_texts: usize,
        /// Some of them: two data rows of the file, from 1, with different labels.
        rows: Vec<[usize; 2]>,
        /// Whether they were dropped; otherwise each keeps its first label.
        are_dropped: bool,
    },
    /// The model has seen texts that it is evaluated on.
    SeenTexts {
        /// Texts that it was trained on.
        n_learned: usize,
        /// Texts that it was selected with (validation).
        n_chosen_by: usize,
        /// Of how many.
        n_texts: usize,
    },
    /// It is unknown whether the model has seen the texts.
    SeenUnknown,
    /// Training ended because values were no longer finite.
    Diverged {
        /// What happened.
        reason: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingClass { scope: Scope::Training, class } => {
                write!(f, "no {class} texts in the training split: the class cannot be learned")
            }
            Self::MissingClass { scope, class } => {
                let silent = if class == CLASS_NAMES[1] {
                    "precision, recall, F1 and ROC AUC are meaningless"
                } else {
                    "recall of negative texts and ROC AUC are meaningless"
                };
                write!(
                    f,
                    "no {class} texts in {scope}: {silent}, and accuracy covers one class only"
                )
            }
            Self::FewTexts { scope, n_texts } => {
                let each = 1.0 / (*n_texts).max(1) as f64;
                let texts = if *n_texts == 1 { "text" } else { "texts" };
                write!(
                    f,
                    "only {n_texts} {texts} in {scope}: each text changes accuracy by {each:.3}"
                )
            }
            Self::BelowMajority { scope, accuracy, majority_accuracy } => {
                let chance = if *accuracy < 0.5 { ", and worse than guessing" } else { "" };
                write!(
                    f,
                    "accuracy {accuracy:.4} on {scope} is below {majority_accuracy:.4}, the accuracy of always \
                     predicting the larger class{chance}"
                )
            }
            Self::OneAnswer { scope, class, accuracy } => write!(
                f,
                "the model predicts {class} for every text in {scope}: its accuracy of {accuracy:.4} is \
                 the fraction of that class"
            ),
            Self::UnknownWords { scope, share } => write!(
                f,
                "{} of the words in {scope} are not in the vocabulary; train on more texts or, for a language \
                 without spaces between words, set preprocessing.scheme = bpe",
                percent(*share)
            ),
            Self::OneWordTexts { scope } => write!(
                f,
                "no text in {scope} has more than one word: check the text column or, for a language \
                 without spaces between words, set preprocessing.scheme = bpe"
            ),
            Self::EmptyTexts { scope, n_texts, n_all } => write!(
                f,
                "{n_texts} of {n_all} texts in {scope} have no words: they all get the same prediction"
            ),
            Self::ConflictingLabels { n_texts, rows, are_dropped } => {
                let (texts, have) = if *n_texts == 1 { ("text", "has") } else { ("texts", "have") };
                write!(f, "{n_texts} {texts} {have} both labels")?;
                for (idx, [first, other]) in rows.iter().enumerate() {
                    let before = if idx == 0 { " (such as " } else { ", " };
                    write!(f, "{before}rows {first} and {other}")?;
                }
                let end = if rows.is_empty() { "" } else { ")" };
                let how = if *are_dropped {
                    "all rows of these texts were dropped"
                } else {
                    "each keeps the label of its first row"
                };
                write!(f, "{end}: {how}")
            }
            Self::SeenTexts { n_learned, n_chosen_by, n_texts } => {
                write!(f, "the model was trained on {n_learned} of these {n_texts} texts")?;
                if *n_chosen_by > 0 {
                    write!(f, " and selected with {n_chosen_by}")?;
                }
                write!(f, ": only the figures for texts that it has not seen are a fair test")
            }
            Self::SeenUnknown => write!(
                f,
                "the model folder has no list of the texts that the model was trained on, so it is \
                 unknown whether these are among them"
            ),
            Self::Diverged { reason } => write!(f, "training ended early: {reason}"),
        }
    }
}

impl Warning {
    /// Warnings about the data of a training run.
    pub fn of_data(summary: &DataSummary) -> Vec<Self> {
        let mut warnings = Vec::new();
        if summary.n_conflicting > 0 {
            warnings.push(Self::ConflictingLabels {
                n_texts: summary.n_conflicting,
                rows: summary.conflicting_rows.clone(),
                are_dropped: summary.n_dropped > 0,
            });
        }
        let Some(splits) = &summary.splits else { return warnings };
        let scopes = [
            (Scope::Training, splits.train),
            (Scope::Validation, splits.validation),
            (Scope::Test, splits.test),
        ];
        for (scope, split) in scopes {
            warnings.extend(missing_class(scope, split.class_counts()));
        }
        for (scope, split) in &scopes[1..] {
            warnings.extend(few_texts(*scope, split.n_texts()));
        }
        warnings.extend(Self::of_words(Scope::Validation, &splits.validation));
        if splits.train.n_empty > 0 {
            let (n_texts, n_all) = (splits.train.n_empty, splits.train.n_texts());
            warnings.push(Self::EmptyTexts { scope: Scope::Training, n_texts, n_all });
        }
        warnings
    }

    /// A warning about the words of some texts, if there is one.
    pub fn of_words(scope: Scope, split: &SplitSummary) -> Option<Self> {
        if split.n_texts() > split.n_empty && split.n_longest <= 1 {
            return Some(Self::OneWordTexts { scope });
        }
        let share = split.unknown_share();
        (share >= MANY_UNKNOWN).then_some(Self::UnknownWords { scope, share })
    }

    /// Warnings about metrics. [`Warning::of_data`] covers the sizes and classes of a training run's
    /// own splits.
    pub fn of_metrics(scope: Scope, metrics: &Metrics) -> Vec<Self> {
        let mut warnings = Vec::new();
        let &Metrics { accuracy, majority_accuracy, confusion, .. } = metrics;
        let n_told_positive = confusion.true_positive + confusion.false_positive;
        let has_both = metrics.missing_class().is_none();
        if accuracy < majority_accuracy {
            warnings.push(Self::BelowMajority { scope, accuracy, majority_accuracy });
        }
        let one_answer = [0, metrics.n_rows].iter().position(|&n| n == n_told_positive);
        if let (true, true, Some(class)) = (metrics.n_rows > 0, has_both, one_answer) {
            let class = CLASS_NAMES[class].to_string();
            warnings.push(Self::OneAnswer { scope, class, accuracy });
        }
        warnings
    }

    /// Warnings about the number of evaluated texts, and their classes.
    pub fn of_sizes(scope: Scope, metrics: &Metrics) -> Vec<Self> {
        let missing = missing_class(scope, metrics.class_counts());
        missing.into_iter().chain(few_texts(scope, metrics.n_rows)).collect()
    }
}

fn missing_class(scope: Scope, class_counts: [usize; 2]) -> Option<Warning> {
    // A split with fraction 0 has neither class.
    let class = match class_counts {
        [0, 0] => return None,
        [0, _] => 0,
        [_, 0] => 1,
        _ => return None,
    };
    Some(Warning::MissingClass { scope, class: CLASS_NAMES[class].to_string() })
}

fn few_texts(scope: Scope, n_texts: usize) -> Option<Warning> {
    (1..FEW_TEXTS).contains(&n_texts).then_some(Warning::FewTexts { scope, n_texts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::SplitSummaries;

    fn told(warnings: &[Warning]) -> Vec<String> {
        warnings.iter().map(Warning::to_string).collect()
    }

    fn split(n_negative: usize, n_positive: usize) -> SplitSummary {
        let n_tokens = 10 * (n_negative + n_positive);
        SplitSummary { n_negative, n_positive, n_tokens, n_longest: 10, ..Default::default() }
    }

    fn data(train: SplitSummary, validation: SplitSummary, test: SplitSummary) -> DataSummary {
        let splits = Some(SplitSummaries { train, validation, test });
        DataSummary { splits, ..DataSummary::default() }
    }

    /// Metrics of texts by class: `(number of texts, how many of them are predicted positive)`.
    fn metrics(negative: (usize, usize), positive: (usize, usize)) -> Metrics {
        let (mut logits, mut labels) = (Vec::new(), Vec::new());
        for (label, (n, n_told_positive)) in [negative, positive].into_iter().enumerate() {
            logits.extend((0..n).map(|i| if i < n_told_positive { 1.0 } else { -1.0 }));
            labels.extend(vec![label as u8; n]);
        }
        Metrics::of_logits(&logits, &labels)
    }

    #[test]
    fn good_data_and_good_figures_are_not_commented_on() {
        let summary = data(split(800, 800), split(100, 100), split(100, 100));
        assert!(told(&Warning::of_data(&summary)).is_empty());
        let good = metrics((100, 10), (100, 90));
        assert!(told(&Warning::of_metrics(Scope::Given, &good)).is_empty());
    }

    #[test]
    fn missing_classes_and_small_splits_are_named() {
        let summary = data(split(300, 3), split(38, 0), split(0, 200));
        assert_eq!(
            told(&Warning::of_data(&summary)),
            [
                "no positive texts in the validation split: precision, recall, F1 and ROC AUC are \
                 meaningless, and accuracy covers one class only",
                "no negative texts in the test split: recall of negative texts and ROC AUC are \
                 meaningless, and accuracy covers one class only",
                "only 38 texts in the validation split: each text changes accuracy by 0.026",
            ]
        );
        let one_class = metrics((150, 1), (0, 0));
        assert_eq!(Warning::of_metrics(Scope::Test, &one_class).len(), 1);
        assert_eq!(told(&Warning::of_sizes(Scope::Given, &one_class)).len(), 1);
    }

    #[test]
    fn worse_than_the_larger_class_and_one_answer_for_all_are_said() {
        let worse = metrics((99, 10), (1, 1));
        assert_eq!(
            told(&Warning::of_metrics(Scope::Validation, &worse)),
            ["accuracy 0.9000 on the validation split is below 0.9900, the accuracy of always \
              predicting the larger class"]
        );
        let worst = metrics((50, 30), (50, 10));
        let told_of_worst = told(&Warning::of_metrics(Scope::Test, &worst));
        assert!(told_of_worst[0].ends_with("and worse than guessing"), "{told_of_worst:?}");
        let never = metrics((99, 0), (1, 0));
        assert_eq!(
            told(&Warning::of_metrics(Scope::Test, &never)),
            [
                "the model predicts negative for every text in the test split: its accuracy of 0.9900 \
              is the fraction of that class"
            ]
        );
    }

    #[test]
    fn texts_of_unknown_or_single_words_are_named() {
        let unknown = SplitSummary { n_unknown: 1_500, ..split(100, 100) };
        let summary = data(split(800, 800), unknown, split(100, 100));
        let said = told(&Warning::of_data(&summary));
        assert!(said[0].starts_with("75.0 % of the words in the validation split"), "{said:?}");
        let single = SplitSummary { n_longest: 1, ..unknown };
        let said = told(&Warning::of_data(&data(split(800, 800), single, split(100, 100))));
        assert!(said[0].contains("more than one word: check the text column"), "{said:?}");
        let empty = SplitSummary { n_empty: 3, ..split(800, 800) };
        let said = told(&Warning::of_data(&data(empty, split(100, 100), split(100, 100))));
        assert!(
            said[0].starts_with("3 of 1600 texts in the training split have no words"),
            "{said:?}"
        );
    }

    #[test]
    fn conflicts_name_rows_and_what_became_of_them() {
        let summary = DataSummary {
            n_conflicting: 2,
            conflicting_rows: vec![[1, 4], [2, 7]],
            ..DataSummary::default()
        };
        assert_eq!(
            told(&Warning::of_data(&summary)),
            [
                "2 texts have both labels (such as rows 1 and 4, rows 2 and 7): each keeps the label of its \
              first row"
            ]
        );
        let dropped = DataSummary { n_dropped: 4, n_conflicting: 1, ..DataSummary::default() };
        assert_eq!(
            told(&Warning::of_data(&dropped)),
            ["1 text has both labels: all rows of these texts were dropped"]
        );
    }

    #[test]
    fn warnings_come_back_from_json() -> Result<(), serde_json::Error> {
        let warnings = [
            Warning::MissingClass { scope: Scope::Test, class: "positive".to_string() },
            Warning::SeenTexts { n_learned: 4, n_chosen_by: 1, n_texts: 6 },
            Warning::SeenUnknown,
        ];
        let json = serde_json::to_string(&warnings)?;
        assert!(json.starts_with(r#"[{"kind":"missing-class","scope":"test","class":"positive"}"#));
        assert_eq!(serde_json::from_str::<Vec<Warning>>(&json)?, warnings);
        Ok(())
    }
}
