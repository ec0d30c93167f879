//! How much the texts of each class count in everything that is fitted.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use dataset::{Targets, nearest};
use model::Task;
use recurrent::{OutOfRange, settings};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};

use crate::error::{Error, Result};

/// Weights of classes. They reach the network, the linear path, the calibration and the loss that selects the
/// model. Decision thresholds are chosen on logits calibrated with them, by a goal in which all classes count equally.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum ClassWeights {
    /// `"none"`: all texts count equally.
    #[default]
    None,
    /// `"auto"`: the square roots of the balanced weights, a compromise between accuracy and the recall of
    /// rare classes.
    Auto,
    /// `"balanced"`: a text of a class weighs N / (C n) where n of N training texts are of that class, one of
    /// the C that have any, as in
    /// [scikit-learn](https://scikit-learn.org/stable/modules/generated/sklearn.utils.class_weight.compute_class_weight.html),
    /// so that all classes count alike in training however skewed they are. Where a text may have several labels,
    /// having and lacking a label are two classes. The calibration takes their power 0.6: with the full weights, most
    /// texts predicted to be of a rare class would not be.
    Balanced,
    /// The weights of some classes, such as `"positive=3"`; all others weigh 1. Where a text may have several
    /// labels, it is the weight of having the label, against 1 for lacking it.
    Named(BTreeMap<String, f64>),
}

const NAMES: [(&str, ClassWeights); 3] = [
    ("none", ClassWeights::None),
    ("auto", ClassWeights::Auto),
    ("balanced", ClassWeights::Balanced),
];
/// The power of balanced weights in the calibration: with 1, most texts predicted to be of a rare class would not be;
/// with 0, hardly any would be found.
const CALIBRATION_POWER: f64 = 0.6;
/// The largest weight of a text in a step of the linear model, where the mean is 1: larger steps are unstable.
pub(crate) const MAX_STEP_WEIGHT: f64 = 8.0;
const FIELD: &str = "class_weights";
const EXPECTED: &str = "none, auto, balanced, or weights above 0 by class, such as positive=3,neutral=0.5 \
     (in a recipe also { \"a, b\" = 3.0 })";

/// The weights of a loss's terms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LossWeights {
    /// Of a sigmoid's output: of texts without the label, and of those with it.
    Sigmoid(Vec<[f64; 2]>),
    /// Of each class of a softmax.
    Softmax(Vec<f64>),
}

/// The weights of some texts in a fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weighting<'a> {
    pub(crate) classes: &'a LossWeights,
    /// The weights of the classes with which the logits were trained.
    pub(crate) trained: &'a LossWeights,
    /// The weight of each text beside its class's; 1 if absent.
    pub(crate) rows: Option<&'a [f32]>,
}

impl LossWeights {
    /// Whether all texts count equally.
    pub(crate) fn are_equal(&self) -> bool {
        match self {
            Self::Sigmoid(of_outputs) => {
                of_outputs.iter().all(|[lacking, having]| lacking == having)
            }
            Self::Softmax(of_classes) => of_classes.windows(2).all(|pair| pair[0] == pair[1]),
        }
    }

    /// The weight of each text of a task with one class a text: its class's. 1 where labels are weighted
    /// one by one.
    pub(crate) fn of_text(&self, classes: &[u32]) -> f64 {
        match (self, classes) {
            (Self::Softmax(of_classes), &[class]) => of_classes[class as usize],
            (Self::Sigmoid(of_outputs), &[class]) if of_outputs.len() == 1 => {
                of_outputs[0][usize::from(class == 1)]
            }
            _ => 1.0,
        }
    }

    fn map(self, change: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Sigmoid(of_outputs) => {
                Self::Sigmoid(of_outputs.into_iter().map(|both| both.map(&change)).collect())
            }
            Self::Softmax(of_classes) => {
                Self::Softmax(of_classes.into_iter().map(change).collect())
            }
        }
    }

    /// With the same ratios, as factors of a step: the larger weight of each sigmoid is 1, so that no text moves
    /// its logit further than a rate says; the mean over the texts of a softmax is 1, and no weight above
    /// [`MAX_STEP_WEIGHT`]. `counts`: of the texts of each class.
    pub(crate) fn of_steps(&self, counts: &[usize]) -> Self {
        match self {
            Self::Sigmoid(of_outputs) => {
                let scaled = |[a, b]: [f64; 2]| [a, b].map(|weight| weight / a.max(b));
                Self::Sigmoid(of_outputs.iter().copied().map(scaled).collect())
            }
            Self::Softmax(of_classes) => {
                let n_texts = counts.iter().sum::<usize>().max(1) as f64;
                let sum: f64 = of_classes.iter().zip(counts).map(|(w, &n)| w * n as f64).sum();
                let mean = if sum > 0.0 { sum / n_texts } else { 1.0 };
                let scaled = |weight: &f64| (weight / mean).min(MAX_STEP_WEIGHT);
                Self::Softmax(of_classes.iter().map(scaled).collect())
            }
        }
    }

    /// What has to be added to the logits of a network that was trained with the weights `trained`, so that they
    /// are those of a training with these weights: for a sigmoid the difference of the logarithmic ratios, for a
    /// softmax that of the logarithmic weights.
    pub(crate) fn shift_from(&self, trained: &Self) -> Vec<f64> {
        match (self, trained) {
            (Self::Sigmoid(wanted), Self::Sigmoid(trained)) => {
                let log_ratio = |[without, with]: &[f64; 2]| (with / without).ln();
                let both = wanted.iter().zip(trained);
                both.map(|(wanted, trained)| log_ratio(wanted) - log_ratio(trained)).collect()
            }
            (Self::Softmax(wanted), Self::Softmax(trained)) => wanted
                .iter()
                .zip(trained)
                .map(|(wanted, trained)| (wanted / trained).ln())
                .collect(),
            // Weights of two tasks.
            (Self::Sigmoid(_), Self::Softmax(_)) | (Self::Softmax(_), Self::Sigmoid(_)) => {
                Vec::new()
            }
        }
    }
}

impl ClassWeights {
    /// The weights for these training texts.
    ///
    /// # Errors
    /// [`Error::UnknownClass`] for a name that is not a class.
    pub(crate) fn of(&self, task: &Task, targets: &Targets) -> Result<LossWeights> {
        let counts = targets.counts(task.classes().len());
        let n_texts = targets.len();
        let by_name = |names: &BTreeMap<String, f64>| -> Result<Vec<f64>> {
            let classes = task.classes();
            let known = classes.iter().map(String::as_str);
            match names.keys().find(|name| !classes.contains(name)) {
                Some(name) => Err(Error::UnknownClass {
                    name: name.clone(),
                    classes: classes.to_vec(),
                    nearest: nearest(name, known).map(str::to_string),
                }),
                None => Ok(known.map(|name| names.get(name).copied().unwrap_or(1.0)).collect()),
            }
        };
        Ok(match (self, task) {
            (Self::None, Task::OneOf(_)) => LossWeights::Softmax(vec![1.0; counts.len()]),
            (Self::None, _) => LossWeights::Sigmoid(vec![[1.0; 2]; task.n_outputs()]),
            (Self::Auto, _) => Self::Balanced.of(task, targets)?.map(f64::sqrt),
            (Self::Balanced, Task::Binary(_)) => {
                LossWeights::Sigmoid(vec![balanced([counts[0], counts[1]])])
            }
            (Self::Balanced, Task::AnyOf(_)) => LossWeights::Sigmoid(
                counts.into_iter().map(|n| balanced([n_texts - n, n])).collect(),
            ),
            (Self::Balanced, Task::OneOf(_)) => {
                let n_present = counts.iter().filter(|&&n| n > 0).count();
                let weight = |n: usize| match n {
                    0 => 1.0,
                    n => n_texts as f64 / (n_present * n) as f64,
                };
                LossWeights::Softmax(counts.into_iter().map(weight).collect())
            }
            (Self::Named(names), Task::Binary(_)) => {
                let weights = by_name(names)?;
                LossWeights::Sigmoid(vec![[weights[0], weights[1]]])
            }
            (Self::Named(names), Task::OneOf(_)) => LossWeights::Softmax(by_name(names)?),
            (Self::Named(names), Task::AnyOf(_)) => {
                let weights = by_name(names)?;
                LossWeights::Sigmoid(weights.into_iter().map(|weight| [1.0, weight]).collect())
            }
        })
    }

    /// The weights in the calibration, for the same training texts.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(crate) fn in_calibration(&self, task: &Task, targets: &Targets) -> Result<LossWeights> {
        match self {
            Self::Balanced => {
                Ok(self.of(task, targets)?.map(|weight| weight.powf(CALIBRATION_POWER)))
            }
            _ => self.of(task, targets),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if let Self::Named(weights) = self {
            for weight in weights.values() {
                settings::check(FIELD, *weight > 0.0 && weight.is_finite(), EXPECTED, weight)?;
            }
            settings::check(FIELD, !weights.is_empty(), EXPECTED, "no class")?;
        }
        Ok(())
    }
}

/// Weights of two classes with these numbers of texts, with which both count alike; equal if one has none.
fn balanced(counts: [usize; 2]) -> [f64; 2] {
    match counts {
        [0, _] | [_, 0] => [1.0, 1.0],
        [a, b] => [a, b].map(|n| (a + b) as f64 / (2 * n) as f64),
    }
}

impl FromStr for ClassWeights {
    type Err = OutOfRange;

    fn from_str(text: &str) -> std::result::Result<Self, OutOfRange> {
        let text = text.trim();
        if let Some((_, named)) = NAMES.into_iter().find(|(name, _)| *name == text) {
            return Ok(named);
        }
        let refused = || OutOfRange { field: FIELD, expected: EXPECTED, got: format!("{text:?}") };
        let pair = |pair: &str| -> Option<(String, f64)> {
            let (name, weight) = pair.rsplit_once('=')?;
            let weight: f64 = weight.trim().parse().ok()?;
            let is_fine = weight > 0.0 && weight.is_finite() && !name.trim().is_empty();
            is_fine.then(|| (name.trim().to_string(), weight))
        };
        let mut weights = BTreeMap::new();
        for part in text.split(',') {
            let (name, weight) = pair(part).ok_or_else(refused)?;
            // Two weights for one class are a mistake.
            if weights.insert(name, weight).is_some() {
                return Err(refused());
            }
        }
        Ok(Self::Named(weights))
    }
}

impl fmt::Display for ClassWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(weights) => {
                for (index, (name, weight)) in weights.iter().enumerate() {
                    write!(f, "{}{name}={weight}", if index == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            other => NAMES
                .iter()
                .find(|(_, named)| named == other)
                .map_or(Ok(()), |(name, _)| f.write_str(name)),
        }
    }
}

impl Serialize for ClassWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Named(weights) => weights.serialize(serializer),
            other => serializer.collect_str(other),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct NameOrTable;

        impl<'de> Visitor<'de> for NameOrTable {
            type Value = ClassWeights;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Self::Value, E> {
                text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut weights = BTreeMap::new();
                while let Some((name, weight)) = map.next_entry()? {
                    weights.insert(name, weight);
                }
                Ok(ClassWeights::Named(weights))
            }
        }

        deserializer.deserialize_any(NameOrTable)
    }
}

#[cfg(test)]
mod tests {
    use model::TaskKind;

    use super::*;

    fn named(weights: &[(&str, f64)]) -> ClassWeights {
        ClassWeights::Named(weights.iter().map(|&(name, w)| (name.to_string(), w)).collect())
    }

    #[test]
    fn names_pairs_and_tables_are_read_and_written_back() -> serde_json::Result<()> {
        for (text, weights) in [
            ("\"none\"", ClassWeights::None),
            ("\"auto\"", ClassWeights::Auto),
            ("\"balanced\"", ClassWeights::Balanced),
            (r#"{"a=b":0.5,"c":3.0}"#, named(&[("c", 3.0), ("a=b", 0.5)])),
        ] {
            assert_eq!(serde_json::from_str::<ClassWeights>(text)?, weights);
            assert_eq!(serde_json::to_string(&weights)?, text);
        }
        let pairs: ClassWeights = serde_json::from_str("\" a = 2 , b=0.5\"")?;
        assert_eq!(pairs, named(&[("a", 2.0), ("b", 0.5)]));
        assert_eq!(pairs.to_string(), "a=2,b=0.5");
        for wrong in [
            "\"balance\"",
            "true",
            "[1]",
            "\"a=0\"",
            "\"a=nan\"",
            "\"a=1,,b=2\"",
            "\"a=1,a=2\"",
            "\"\"",
        ] {
            let error = serde_json::from_str::<ClassWeights>(wrong).err();
            assert!(error.is_some_and(|error| error.to_string().contains(EXPECTED)), "{wrong}");
        }
        assert!(named(&[("a", -1.0)]).check().is_err() && named(&[]).check().is_err());
        Ok(())
    }

    #[test]
    fn balanced_weights_make_the_classes_count_alike() -> Result<()> {
        let binary = Task::binary();
        let skewed = Targets::OneOf((0..100).map(|i| u32::from(i % 10 == 0)).collect());
        let balanced = ClassWeights::Balanced.of(&binary, &skewed)?;
        assert_eq!(balanced, LossWeights::Sigmoid(vec![[5.0 / 9.0, 5.0]]));
        assert!(!balanced.are_equal());
        let milder = ClassWeights::Balanced.in_calibration(&binary, &skewed)?;
        let powers = [5.0f64 / 9.0, 5.0].map(|weight| weight.powf(CALIBRATION_POWER));
        assert_eq!(milder, LossWeights::Sigmoid(vec![powers]));
        let roots = LossWeights::Sigmoid(vec![[(5.0f64 / 9.0).sqrt(), 5f64.sqrt()]]);
        assert_eq!(ClassWeights::Auto.of(&binary, &skewed)?, roots);
        let one_class = Targets::OneOf(vec![1, 1]);
        let equal = ClassWeights::Balanced.of(&binary, &one_class)?;
        assert!(equal.are_equal());

        let colours = Task::new(TaskKind::OneOf, ["red", "green", "blue", "none of them"])?;
        let targets = Targets::OneOf(vec![0, 0, 0, 1, 2, 2]);
        let weights = ClassWeights::Balanced.of(&colours, &targets)?;
        assert_eq!(weights, LossWeights::Softmax(vec![6.0 / 9.0, 2.0, 1.0, 1.0]));
        assert_eq!(weights.of_text(&[1]), 2.0);
        assert_eq!(weights.shift_from(&weights), [0.0; 4]);
        let milder = ClassWeights::Balanced.in_calibration(&colours, &targets)?;
        let shift = (CALIBRATION_POWER - 1.0) * 2f64.ln();
        assert!((milder.shift_from(&weights)[1] - shift).abs() < 1e-12);
        let weights = named(&[("green", 4.0)]).of(&colours, &targets)?;
        assert_eq!(weights, LossWeights::Softmax(vec![1.0, 4.0, 1.0, 1.0]));
        // Six texts that weigh nine: the mean of their factors is 1.
        let steps = weights.of_steps(&[3, 1, 2, 0]);
        for (class, expected) in [(0, 6.0 / 9.0), (1, 24.0 / 9.0), (2, 6.0 / 9.0), (3, 6.0 / 9.0)] {
            assert!((steps.of_text(&[class]) - expected).abs() < 1e-12, "{steps:?}");
        }
        let extreme = LossWeights::Softmax(vec![1.0, 1e6]).of_steps(&[1_000, 1]);
        assert_eq!(extreme.of_text(&[1]), MAX_STEP_WEIGHT);
        let error = named(&[("gren", 4.0)]).of(&colours, &targets).err();
        let message = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("did you mean \"green\"?"), "{message}");

        let topics = Task::new(TaskKind::AnyOf, ["a", "b"])?;
        let targets = Targets::AnyOf { starts: vec![0, 1, 3, 3, 4], classes: vec![0, 0, 1, 0] };
        let weights = ClassWeights::Balanced.of(&topics, &targets)?;
        assert_eq!(weights, LossWeights::Sigmoid(vec![[2.0, 4.0 / 6.0], [4.0 / 6.0, 2.0]]));
        assert_eq!(
            named(&[("b", 3.0)]).of(&topics, &targets)?,
            LossWeights::Sigmoid(vec![[1.0; 2], [1.0, 3.0]])
        );
        Ok(())
    }
}
