//! Warnings about data and metrics, worded in one place.

use std::fmt;

use measures::{Confusion, Metrics};
use model::Task;
use serde::{Deserialize, Serialize};

use crate::calibration::FEW_TEXTS as FEW_TEXTS_OF_LABEL;
use crate::error::quoted;
use crate::from_model::FromRecord;
use crate::summary::{DataSummary, SplitSummaries, SplitSummary, percent};
use crate::thresholds::ThresholdGoal;

/// With fewer texts, accuracy is uncertain by several hundredths.
const FEW_TEXTS: usize = 100;
/// With fewer training texts, hardly anything of a class can be learned.
const FEW_TEXTS_OF_CLASS: usize = 10;
/// How much more accurate other names for the predicted classes must be before they are pointed out.
const SWAPPED_GAIN: f64 = 0.3;
/// From this fraction of words on that a model does not know, much of a text is lost to it.
const UNKNOWN_TO_MODEL: f64 = 0.2;
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
    /// One of two classes has no text.
    MissingClass {
        /// Where.
        scope: Scope,
        /// Its name.
        class: String,
        /// Whether it is the positive one.
        #[serde(default)]
        is_positive: bool,
    },
    /// Several classes have no text, or one of more than two.
    MissingClasses {
        /// Where.
        scope: Scope,
        /// Their names.
        classes: Vec<String>,
        /// The number of classes.
        n_classes: usize,
    },
    /// Classes have very few training texts.
    RareClasses {
        /// Their names.
        classes: Vec<String>,
        /// The number of classes.
        n_classes: usize,
    },
    /// Predictions would be far more accurate if the classes had each other's names.
    SwappedClasses {
        /// Where.
        scope: Scope,
        /// Pairs of a label and what is predicted instead.
        pairs: Vec<[String; 2]>,
        /// The accuracy.
        accuracy: f64,
        /// The accuracy with the other names.
        accuracy_swapped: f64,
    },
    /// Labels had too few validation texts for a decision threshold of their own.
    NoThreshold {
        /// The labels.
        classes: Vec<String>,
    },
    /// No decision threshold reaches the goal.
    GoalNotReached {
        /// The goal.
        goal: String,
        /// The classes that miss it.
        classes: Vec<String>,
    },
    /// So few texts that each one changes accuracy by hundredths.
    FewTexts {
        /// Where.
        scope: Scope,
        /// How many.
        n_texts: usize,
    },
    /// Always predicting the largest class would be more accurate.
    BelowMajority {
        /// Where.
        scope: Scope,
        /// The model's accuracy.
        accuracy: f64,
        /// Fraction of texts in the largest class.
        majority_accuracy: f64,
        /// Whether guessing would be more accurate, too.
        #[serde(default)]
        is_below_chance: bool,
    },
    /// Every text gets the same prediction.
    OneAnswer {
        /// Where.
        scope: Scope,
        /// The predicted class.
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
    /// Texts occur with different labels.
    ConflictingLabels {
        /// How many texts.
        n_texts: usize,
        /// Some of them: two data rows of the file, from 1, with different labels.
        rows: Vec<[usize; 2]>,
        /// Whether they were dropped; otherwise each keeps the labels of its first row.
        are_dropped: bool,
        /// Whether the rows are the numbers of texts from memory.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        in_memory: bool,
    },
    /// The batch size was lowered, because there were fewer training texts.
    LoweredBatch {
        /// The batch size of the recipe.
        from: usize,
        /// The one that was used: the number of training texts.
        to: usize,
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
    /// Classes of the model that a training started from have no training texts.
    NoNewTexts {
        /// Their names.
        classes: Vec<String>,
    },
    /// Many words of the training texts are not in the vocabulary of the model that a training started from.
    UnknownToModel {
        /// Their fraction.
        share: f64,
    },
    /// Training texts have groups, and test texts in a file of their own have none.
    GroupsNotCompared,
    /// It is unknown which texts the model has seen that a training started from.
    SeenByModelUnknown,
    /// Training ended because values were no longer finite.
    Diverged {
        /// What happened.
        reason: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingClass { scope: Scope::Training, class, .. } => {
                write!(f, "no {class} texts in the training split: the class cannot be learned")
            }
            Self::MissingClass { scope, class, is_positive } => {
                let silent = if *is_positive {
                    "precision, recall, F1 and ROC AUC are meaningless".to_string()
                } else {
                    format!("recall of {class} texts and ROC AUC are meaningless")
                };
                write!(
                    f,
                    "no {class} texts in {scope}: {silent}, and accuracy covers one class only"
                )
            }
            Self::MissingClasses { scope, classes, n_classes } => {
                let (have, n) = (if classes.len() == 1 { "has" } else { "have" }, classes.len());
                write!(
                    f,
                    "{n} of {n_classes} classes {have} no texts in {scope} ({})",
                    quoted(classes)
                )?;
                match scope {
                    Scope::Training => write!(f, ": {} cannot be learned", it_or(n, "they")),
                    _ => write!(f, ": the figures say nothing about {}", it_or(n, "them")),
                }
            }
            Self::RareClasses { classes, n_classes } => {
                let (have, n) = (if classes.len() == 1 { "has" } else { "have" }, classes.len());
                write!(
                    f,
                    "{n} of {n_classes} classes {have} fewer than {FEW_TEXTS_OF_CLASS} training texts ({}): hardly \
                     anything can be learned about {}",
                    quoted(classes),
                    it_or(n, "them")
                )
            }
            Self::SwappedClasses { scope, pairs, accuracy, accuracy_swapped } => {
                let pairs: Vec<String> = pairs
                    .iter()
                    .map(|[label, predicted]| {
                        format!("most {label:?} texts are predicted {predicted:?}")
                    })
                    .collect();
                write!(
                    f,
                    "{} in {scope}: with the classes renamed, accuracy would be {accuracy_swapped:.4} instead of \
                     {accuracy:.4}; check whether the labels are swapped",
                    pairs.join(", ")
                )
            }
            Self::NoThreshold { classes } => write!(
                f,
                "no threshold was chosen for {}: fewer than {FEW_TEXTS_OF_LABEL} validation texts have the label, or \
                 lack it",
                quoted(classes)
            ),
            Self::GoalNotReached { goal, classes } => write!(
                f,
                "no threshold reaches {goal} for {}: the nearest one was chosen",
                quoted(classes)
            ),
            Self::FewTexts { scope, n_texts } => {
                let each = 1.0 / (*n_texts).max(1) as f64;
                let texts = if *n_texts == 1 { "text" } else { "texts" };
                write!(
                    f,
                    "only {n_texts} {texts} in {scope}: each text changes accuracy by {each:.3}"
                )
            }
            Self::BelowMajority { scope, accuracy, majority_accuracy, is_below_chance } => {
                let chance = if *is_below_chance { ", and worse than guessing" } else { "" };
                write!(
                    f,
                    "accuracy {accuracy:.4} on {scope} is below {majority_accuracy:.4}, the accuracy of always \
                     predicting the largest class{chance}"
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
            Self::ConflictingLabels { n_texts, rows, are_dropped, in_memory } => {
                let (texts, have) = if *n_texts == 1 { ("text", "has") } else { ("texts", "have") };
                write!(f, "{n_texts} {texts} {have} different labels")?;
                for (idx, [first, other]) in rows.iter().enumerate() {
                    let before = if idx == 0 { " (such as " } else { ", " };
                    let rows = if *in_memory { "texts" } else { "rows" };
                    write!(f, "{before}{rows} {first} and {other}")?;
                }
                let end = if rows.is_empty() { "" } else { ")" };
                let how = match (*are_dropped, *in_memory) {
                    (true, false) => "all rows of these texts were dropped",
                    (true, true) => "they were dropped",
                    (false, false) => "each keeps the label of its first row",
                    (false, true) => "each keeps its first label",
                };
                write!(f, "{end}: {how}")
            }
            Self::LoweredBatch { from, to } => write!(
                f,
                "training.batch_size was lowered from {from} to {to}, because there are only {to} training texts"
            ),
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
            Self::NoNewTexts { classes } => write!(
                f,
                "no training texts of {}: the model still tells these classes apart, but what it knows of them may fade; \
                 add some of their texts",
                quoted(classes)
            ),
            Self::UnknownToModel { share } => write!(
                f,
                "{} of the words in the training split are not in the model's vocabulary, with the new words that occur \
                 often enough: they are all read as the same unknown word; train a new model on the old and the new \
                 texts, if you have them",
                percent(*share)
            ),
            Self::GroupsNotCompared => write!(
                f,
                "groups were not compared with the test file, which has no column of groups: texts of one group may be \
                 both in training and in the test, so the figures for the test may be too good"
            ),
            Self::SeenByModelUnknown => write!(
                f,
                "the folder of the model that the training started from has no list of the texts that it had seen: \
                 some of them may be among those for validation and testing, so these figures may be too good"
            ),
            Self::Diverged { reason } => write!(f, "training ended early: {reason}"),
        }
    }
}

impl Warning {
    /// Warnings about the data of a training run.
    pub fn of_data(summary: &DataSummary, task: &Task) -> Vec<Self> {
        let mut warnings = Vec::new();
        if summary.n_conflicting > 0 {
            warnings.push(Self::ConflictingLabels {
                n_texts: summary.n_conflicting,
                rows: summary.conflicting_rows.clone(),
                are_dropped: summary.n_dropped > 0,
                in_memory: false,
            });
        }
        let is_compared = summary
            .left_out
            .is_none_or(|left_out| left_out.n_test_rows.is_none() || left_out.groups.is_some());
        if summary.n_groups.is_some() && !is_compared {
            warnings.push(Self::GroupsNotCompared);
        }
        let Some(splits) = &summary.splits else { return warnings };
        let scopes = [
            (Scope::Training, &splits.train),
            (Scope::Validation, &splits.validation),
            (Scope::Test, &splits.test),
        ];
        for (scope, split) in scopes {
            warnings.extend(missing_classes(scope, &split.class_counts, task));
        }
        warnings.extend(rare_classes(&splits.train.class_counts, task));
        for (scope, split) in &scopes[1..] {
            warnings.extend(few_texts(*scope, split.n_texts));
        }
        warnings.extend(Self::of_words(Scope::Validation, &splits.validation));
        if splits.train.n_empty > 0 {
            let (n_texts, n_all) = (splits.train.n_empty, splits.train.n_texts);
            warnings.push(Self::EmptyTexts { scope: Scope::Training, n_texts, n_all });
        }
        warnings
    }

    /// The same warnings about the data of a training that started from a model, and what else is to be said of it.
    pub(crate) fn of_start(
        from: &FromRecord,
        (summary, task): (&DataSummary, &Task),
        of_data: Vec<Self>,
    ) -> Vec<Self> {
        let mut warnings = Vec::new();
        if !from.knows_its_texts {
            warnings.push(Self::SeenByModelUnknown);
        }
        let Some(SplitSummaries { train, .. }) = &summary.splits else {
            warnings.extend(of_data);
            return warnings;
        };
        if from.keeps_outputs() {
            let counts = train.class_counts.iter().zip(task.classes());
            let missing = counts.filter(|(n_texts, _)| **n_texts == 0);
            let classes: Vec<String> = missing.map(|(_, name)| name.clone()).collect();
            if !classes.is_empty() {
                warnings.push(Self::NoNewTexts { classes });
            }
        }
        let share = train.unknown_share();
        if share >= UNKNOWN_TO_MODEL {
            warnings.push(Self::UnknownToModel { share });
        }
        // The model knows its classes already, whatever the new texts are of.
        let is_of_classes = |warning: &Self| {
            let of_training = matches!(
                warning,
                Self::MissingClass { scope: Scope::Training, .. }
                    | Self::MissingClasses { scope: Scope::Training, .. }
                    | Self::RareClasses { .. }
            );
            of_training && from.keeps_outputs()
        };
        warnings.extend(of_data.into_iter().filter(|warning| !is_of_classes(warning)));
        warnings
    }

    /// The same about texts from memory, which are in no rows of a file.
    pub(crate) fn worded(mut self, of_memory: bool) -> Self {
        if let Self::ConflictingLabels { in_memory, .. } = &mut self {
            *in_memory = of_memory;
        }
        self
    }

    /// A warning about the words of some texts, if there is one.
    pub fn of_words(scope: Scope, split: &SplitSummary) -> Option<Self> {
        if split.n_texts > split.n_empty && split.n_longest <= 1 {
            return Some(Self::OneWordTexts { scope });
        }
        let share = split.unknown_share();
        (share >= MANY_UNKNOWN).then_some(Self::UnknownWords { scope, share })
    }

    /// Warnings about metrics. [`Warning::of_data`] covers the sizes and classes of a training run's
    /// own splits.
    ///
    /// `has_goal`: whether decision thresholds were chosen for another goal than accuracy.
    pub fn of_metrics(scope: Scope, metrics: &Metrics, task: &Task, has_goal: bool) -> Vec<Self> {
        let mut warnings = Vec::new();
        let (accuracy, majority_accuracy) = (metrics.accuracy(), metrics.majority_accuracy());
        // Of several labels, the most frequent set may well be none at all.
        if accuracy < majority_accuracy && !has_goal && !matches!(task, Task::AnyOf(_)) {
            let chance = 1.0 / task.classes().len() as f64;
            let is_below_chance = accuracy < chance;
            warnings.push(Self::BelowMajority {
                scope,
                accuracy,
                majority_accuracy,
                is_below_chance,
            });
        }
        warnings.extend(swapped(scope, metrics, task));
        let (n_rows, n_missing) = (metrics.n_rows(), metrics.missing_classes().len());
        let has_several = task.classes().len() > n_missing + 1;
        let told = metrics.predicted_counts();
        let one_answer = told.iter().position(|&n| n == n_rows);
        if let (true, true, Some(class), false) =
            (n_rows > 0, has_several, one_answer, matches!(task, Task::AnyOf(_)))
        {
            let class = task.classes()[class].clone();
            warnings.push(Self::OneAnswer { scope, class, accuracy });
        }
        warnings
    }

    /// Warnings about the number of evaluated texts, and their classes.
    pub fn of_sizes(scope: Scope, metrics: &Metrics, task: &Task) -> Vec<Self> {
        let missing = missing_classes(scope, &metrics.class_counts(), task);
        missing.into_iter().chain(few_texts(scope, metrics.n_rows())).collect()
    }

    /// Warnings about thresholds that were not chosen, or that miss their goal on the texts that they were chosen on.
    pub fn of_goal(goal: ThresholdGoal, metrics: &Metrics, task: &Task) -> Vec<Self> {
        let unchosen = without_threshold(metrics, task);
        let is_chosen = |name: &&String| !unchosen.contains(name);
        let missed = missed(goal, metrics, task).into_iter().filter(|name| is_chosen(&name));
        let missed: Vec<String> = missed.collect();
        let goal = goal.to_string();
        let not_reached =
            (!missed.is_empty()).then_some(Self::GoalNotReached { goal, classes: missed });
        let unchosen =
            (!unchosen.is_empty()).then(|| Self::NoThreshold { classes: unchosen.clone() });
        unchosen.into_iter().chain(not_reached).collect()
    }
}

/// Labels with too few texts for a threshold.
fn without_threshold(metrics: &Metrics, task: &Task) -> Vec<String> {
    let (counts, n_rows) = (metrics.class_counts(), metrics.n_rows());
    let first = usize::from(matches!(task, Task::Binary(_)));
    let labels = task.classes().iter().zip(counts).skip(first);
    let is_rare = |n: usize| n.min(n_rows - n) < FEW_TEXTS_OF_LABEL;
    match task {
        Task::OneOf(_) => Vec::new(),
        _ => labels.filter(|(_, n)| is_rare(*n)).map(|(name, _)| name.clone()).collect(),
    }
}

/// Labels whose thresholds miss a goal.
fn missed(goal: ThresholdGoal, metrics: &Metrics, task: &Task) -> Vec<String> {
    let ThresholdGoal::Precision(wanted) = goal else { return Vec::new() };
    let names = task.classes().iter();
    match metrics {
        Metrics::Binary(metrics) => {
            names.skip(1).filter(|_| metrics.precision < wanted).cloned().collect()
        }
        Metrics::OneOf(_) => Vec::new(),
        Metrics::AnyOf(metrics) => names
            .zip(&metrics.classes)
            .filter(|(_, class)| class.n_texts > 0 && class.precision < wanted)
            .map(|(name, _)| name.clone())
            .collect(),
    }
}

/// What classes without texts are worth saying; a split with fraction 0 has none of any class.
fn missing_classes(scope: Scope, class_counts: &[usize], task: &Task) -> Option<Warning> {
    if class_counts.iter().all(|&n| n == 0) {
        return None;
    }
    let missing = |(_, n): &(&String, &usize)| **n == 0;
    let classes: Vec<String> = task
        .classes()
        .iter()
        .zip(class_counts)
        .filter(missing)
        .map(|(name, _)| name.clone())
        .collect();
    match (task, classes.as_slice()) {
        (_, []) => None,
        (Task::Binary(names), [class]) => {
            let is_positive = *class == names[1];
            Some(Warning::MissingClass { scope, class: class.clone(), is_positive })
        }
        _ => Some(Warning::MissingClasses { scope, classes, n_classes: task.classes().len() }),
    }
}

/// Classes with few training texts, but not without any.
fn rare_classes(class_counts: &[usize], task: &Task) -> Option<Warning> {
    let is_rare = |(_, n): &(&String, &usize)| (1..FEW_TEXTS_OF_CLASS).contains(*n);
    let classes: Vec<String> = task
        .classes()
        .iter()
        .zip(class_counts)
        .filter(is_rare)
        .map(|(name, _)| name.clone())
        .collect();
    let n_classes = task.classes().len();
    (!classes.is_empty()).then_some(Warning::RareClasses { classes, n_classes })
}

/// Whether most texts of each class are predicted to be of another one, one for one.
fn swapped(scope: Scope, metrics: &Metrics, task: &Task) -> Option<Warning> {
    let confusion = match metrics {
        Metrics::Binary(metrics) => {
            let Confusion { true_positive, false_positive, true_negative, false_negative } =
                metrics.confusion;
            vec![vec![true_negative, false_positive], vec![false_negative, true_positive]]
        }
        Metrics::OneOf(metrics) => metrics.confusion.clone(),
        Metrics::AnyOf(_) => return None,
    };
    // For each class with texts, what more than half of them are predicted to be.
    let most =
        |row: &Vec<usize>| (0..row.len()).find(|&class| 2 * row[class] > row.iter().sum::<usize>());
    let mut predicted = Vec::new();
    for (class, row) in confusion.iter().enumerate().filter(|(_, row)| row.iter().any(|&n| n > 0)) {
        predicted.push((class, most(row)?));
    }
    let mut distinct: Vec<usize> = predicted.iter().map(|(_, predicted)| *predicted).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let is_one_to_one = predicted.len() > 1 && distinct.len() == predicted.len();
    let n_right: usize =
        predicted.iter().map(|&(class, predicted)| confusion[class][predicted]).sum();
    let accuracy = metrics.accuracy();
    let accuracy_swapped = n_right as f64 / metrics.n_rows().max(1) as f64;
    if !is_one_to_one || accuracy_swapped < accuracy + SWAPPED_GAIN {
        return None;
    }
    let name = |class: usize| task.classes()[class].clone();
    let pairs = predicted.iter().filter(|(class, predicted)| class != predicted);
    let pairs = pairs.map(|&(class, predicted)| [name(class), name(predicted)]).collect();
    Some(Warning::SwappedClasses { scope, pairs, accuracy, accuracy_swapped })
}

fn it_or(n: usize, several: &'static str) -> &'static str {
    if n == 1 { "it" } else { several }
}

fn few_texts(scope: Scope, n_texts: usize) -> Option<Warning> {
    (1..FEW_TEXTS).contains(&n_texts).then_some(Warning::FewTexts { scope, n_texts })
}

#[cfg(test)]
mod tests {
    use measures::{Binary, OneOf};
    use model::TaskKind;

    use super::*;
    use crate::summary::SplitSummaries;

    fn told(warnings: &[Warning]) -> Vec<String> {
        warnings.iter().map(Warning::to_string).collect()
    }

    fn of_data(summary: &DataSummary) -> Vec<String> {
        told(&Warning::of_data(summary, &Task::binary()))
    }

    fn split(n_negative: usize, n_positive: usize) -> SplitSummary {
        let n_tokens = 10 * (n_negative + n_positive);
        let class_counts = vec![n_negative, n_positive];
        let n_texts = n_negative + n_positive;
        SplitSummary { n_texts, class_counts, n_tokens, n_longest: 10, ..Default::default() }
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
            labels.extend(vec![label as u32; n]);
        }
        Metrics::Binary(Binary::of_logits(&logits, &labels, 0.5).unwrap())
    }

    #[test]
    fn good_data_and_good_figures_are_not_commented_on() {
        let summary = data(split(800, 800), split(100, 100), split(100, 100));
        assert!(of_data(&summary).is_empty());
        let good = metrics((100, 10), (100, 90));
        assert!(told(&Warning::of_metrics(Scope::Given, &good, &Task::binary(), false)).is_empty());
    }

    #[test]
    fn missing_classes_and_small_splits_are_named() {
        let summary = data(split(300, 3), split(38, 0), split(0, 200));
        assert_eq!(
            of_data(&summary),
            [
                "no positive texts in the validation split: precision, recall, F1 and ROC AUC are \
                 meaningless, and accuracy covers one class only",
                "no negative texts in the test split: recall of negative texts and ROC AUC are \
                 meaningless, and accuracy covers one class only",
                "1 of 2 classes has fewer than 10 training texts (\"positive\"): hardly anything can be learned \
                 about it",
                "only 38 texts in the validation split: each text changes accuracy by 0.026",
            ]
        );
        let one_class = metrics((150, 1), (0, 0));
        assert_eq!(Warning::of_metrics(Scope::Test, &one_class, &Task::binary(), false).len(), 1);
        assert_eq!(told(&Warning::of_sizes(Scope::Given, &one_class, &Task::binary())).len(), 1);
    }

    #[test]
    fn worse_than_the_larger_class_and_one_answer_for_all_are_said() {
        let worse = metrics((99, 10), (1, 1));
        assert_eq!(
            told(&Warning::of_metrics(Scope::Validation, &worse, &Task::binary(), false)),
            ["accuracy 0.9000 on the validation split is below 0.9900, the accuracy of always \
              predicting the largest class"]
        );
        let worst = metrics((50, 30), (50, 10));
        let told_of_worst = told(&Warning::of_metrics(Scope::Test, &worst, &Task::binary(), false));
        assert!(told_of_worst[0].ends_with("and worse than guessing"), "{told_of_worst:?}");
        let never = metrics((99, 0), (1, 0));
        assert_eq!(
            told(&Warning::of_metrics(Scope::Test, &never, &Task::binary(), false)),
            [
                "the model predicts negative for every text in the test split: its accuracy of 0.9900 \
              is the fraction of that class"
            ]
        );
    }

    #[test]
    fn labels_turned_round_are_noticed() {
        let turned = metrics((100, 92), (100, 7));
        let said = told(&Warning::of_metrics(Scope::Given, &turned, &Task::binary(), false));
        assert_eq!(
            said[1],
            "most \"negative\" texts are predicted \"positive\", most \"positive\" texts are predicted \
             \"negative\" in the evaluation data: with the classes renamed, accuracy would be 0.9250 instead of \
             0.0750; check whether the labels are swapped"
        );
        let task = Task::new(TaskKind::OneOf, ["a", "b", "c"]).unwrap();
        // Texts of b are predicted c, and those of c b.
        let labels: Vec<u32> = (0..90).map(|i| i % 3).collect();
        let logits: Vec<f32> = labels
            .iter()
            .flat_map(|&label| {
                (0..3).map(move |c| if c == [0, 2, 1][label as usize] { 3.0 } else { 0.0 })
            })
            .collect();
        let metrics = Metrics::OneOf(OneOf::of_logits(&logits, 3, &labels, None).unwrap());
        let said = told(&Warning::of_metrics(Scope::Test, &metrics, &task, false));
        assert!(
            said.len() == 1 && said[0].starts_with("most \"b\" texts are predicted \"c\", most"),
            "{said:?}"
        );
    }

    #[test]
    fn classes_without_texts_or_with_few_are_named() {
        let names: Vec<String> = (0..20).map(|i| format!("c{i}")).collect();
        let task = Task::new(TaskKind::OneOf, names).unwrap();
        let of = |counts: Vec<usize>| SplitSummary {
            n_texts: 1_000,
            class_counts: counts,
            n_tokens: 9_000,
            n_longest: 9,
            ..Default::default()
        };
        let (mut train, mut test) = (vec![50; 20], vec![50; 20]);
        (train[3], train[4], test[3], test[19]) = (0, 2, 0, 0);
        let summary = data(of(train), of(vec![50; 20]), of(test));
        assert_eq!(
            told(&Warning::of_data(&summary, &task)),
            [
                "1 of 20 classes has no texts in the training split (\"c3\"): it cannot be learned",
                "2 of 20 classes have no texts in the test split (\"c3\", \"c19\"): the figures say nothing \
                 about them",
                "1 of 20 classes has fewer than 10 training texts (\"c4\"): hardly anything can be learned \
                 about it",
            ]
        );
    }

    #[test]
    fn texts_of_unknown_or_single_words_are_named() {
        let unknown = SplitSummary { n_unknown: 1_500, ..split(100, 100) };
        let summary = data(split(800, 800), unknown.clone(), split(100, 100));
        let said = of_data(&summary);
        assert!(said[0].starts_with("75.0 % of the words in the validation split"), "{said:?}");
        let single = SplitSummary { n_longest: 1, ..unknown };
        let said = of_data(&data(split(800, 800), single, split(100, 100)));
        assert!(said[0].contains("more than one word: check the text column"), "{said:?}");
        let empty = SplitSummary { n_empty: 3, ..split(800, 800) };
        let said = of_data(&data(empty, split(100, 100), split(100, 100)));
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
            of_data(&summary),
            [
                "2 texts have different labels (such as rows 1 and 4, rows 2 and 7): each keeps the label of its \
              first row"
            ]
        );
        let dropped = DataSummary { n_dropped: 4, n_conflicting: 1, ..DataSummary::default() };
        assert_eq!(
            of_data(&dropped),
            ["1 text has different labels: all rows of these texts were dropped"]
        );
    }

    #[test]
    fn that_the_seen_texts_are_unknown_is_said_also_without_counts_of_the_splits() {
        let from = FromRecord {
            path: "m".into(),
            id: String::new(),
            kept: Vec::new(),
            new: Vec::new(),
            n_new_words: 0,
            n_new_ngrams: 0,
            trained_share: 1.0,
            knows_its_texts: false,
            n_learned: 0,
            n_in_groups: 0,
        };
        let (summary, task) = (DataSummary::default(), Task::binary());
        let of_data = vec![Warning::LoweredBatch { from: 4, to: 2 }];
        let warnings = Warning::of_start(&from, (&summary, &task), of_data.clone());
        assert_eq!(warnings, [vec![Warning::SeenByModelUnknown], of_data].concat());
    }

    #[test]
    fn warnings_come_back_from_json() -> Result<(), serde_json::Error> {
        let warnings = [
            Warning::MissingClass {
                scope: Scope::Test,
                class: "positive".to_string(),
                is_positive: true,
            },
            Warning::SeenTexts { n_learned: 4, n_chosen_by: 1, n_texts: 6 },
            Warning::SeenUnknown,
        ];
        let json = serde_json::to_string(&warnings)?;
        assert!(json.starts_with(
            r#"[{"kind":"missing-class","scope":"test","class":"positive","is_positive":true}"#
        ));
        assert_eq!(serde_json::from_str::<Vec<Warning>>(&json)?, warnings);
        Ok(())
    }
}
