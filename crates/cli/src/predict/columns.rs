//! The columns of answers beside a table.

use classifier::Task;
use dataset::{AnswerKind, AnswerName, AnswerValues};

use crate::answer::{Answer, Showing};

/// A column that can be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ColumnName {
    /// The predicted class, or all predicted labels
    #[value(name = "predicted_label")]
    Label,
    /// The probability of the positive class where there are two, else of the predicted one
    #[value(name = "probability")]
    Probability,
    /// The probabilities of all classes, as a list
    #[value(name = "probabilities")]
    Probabilities,
    /// The number of tokens (words and marks) of the text
    #[value(name = "tokens")]
    Tokens,
    /// Whether the text is longer than the network reads, so that its end did not count
    #[value(name = "cut")]
    Cut,
}

/// What a column holds.
#[derive(Debug, Clone, Copy)]
enum Source {
    Label,
    Probability,
    ProbabilityOf(usize),
    Probabilities,
    Tokens,
    Cut,
    /// Of the class in this place, from 0.
    TopLabel(usize),
    TopProbability(usize),
}

/// The columns that are written, in order.
pub(super) struct Columns {
    names: Vec<AnswerName>,
    sources: Vec<Source>,
    showing: Showing,
}

/// The values of a column for some texts.
pub(super) enum Values {
    Words(Vec<Option<String>>),
    Numbers(Vec<f32>),
    Counts(Vec<u32>),
    Flags(Vec<bool>),
    Lists(Vec<Vec<f32>>),
}

impl Values {
    pub(super) fn as_answers(&self) -> AnswerValues<'_> {
        match self {
            Self::Words(values) => AnswerValues::Words(values),
            Self::Numbers(values) => AnswerValues::Numbers(values),
            Self::Counts(values) => AnswerValues::Counts(values),
            Self::Flags(values) => AnswerValues::Flags(values),
            Self::Lists(values) => AnswerValues::Lists(values),
        }
    }
}

impl Columns {
    /// The columns that were asked for, or the usual ones, and those of the most probable classes.
    pub(super) fn new(asked: &[ColumnName], task: &Task, showing: Showing) -> Self {
        const USUAL: [ColumnName; 2] = [ColumnName::Label, ColumnName::Probability];
        let mut columns = Self { names: Vec::new(), sources: Vec::new(), showing };
        for name in if asked.is_empty() { &USUAL[..] } else { asked } {
            match (name, task) {
                (ColumnName::Probability, Task::AnyOf(classes)) => {
                    for (class, name) in classes.iter().enumerate() {
                        columns.add(format!("probability_of_{name}"), Source::ProbabilityOf(class));
                    }
                }
                (ColumnName::Label, _) => columns.add("predicted_label", Source::Label),
                (ColumnName::Probability, _) => columns.add("probability", Source::Probability),
                (ColumnName::Probabilities, _) => {
                    columns.add("probabilities", Source::Probabilities);
                }
                (ColumnName::Tokens, _) => columns.add("tokens", Source::Tokens),
                (ColumnName::Cut, _) => columns.add("cut", Source::Cut),
            }
        }
        for place in 0..showing.top.unwrap_or(0).min(task.classes().len()) {
            columns.add(format!("top_{}_label", place + 1), Source::TopLabel(place));
            columns.add(format!("top_{}_probability", place + 1), Source::TopProbability(place));
        }
        columns
    }

    fn add(&mut self, name: impl Into<String>, source: Source) {
        let kind = match source {
            Source::Label | Source::TopLabel(_) => AnswerKind::Words,
            Source::Tokens => AnswerKind::Counts,
            Source::Cut => AnswerKind::Flags,
            Source::Probabilities => AnswerKind::Lists,
            Source::Probability | Source::ProbabilityOf(_) | Source::TopProbability(_) => {
                AnswerKind::Numbers
            }
        };
        self.names.push(AnswerName { name: name.into(), kind });
        self.sources.push(source);
    }

    /// Their names and kinds.
    pub(super) fn names(&self) -> &[AnswerName] {
        &self.names
    }

    /// The values for some texts, a column each.
    pub(super) fn values(&self, answers: &[Answer<'_>]) -> Vec<Values> {
        let n_top = self.showing.top.unwrap_or(0);
        let top: Vec<Vec<usize>> =
            answers.iter().map(|answer| answer.prediction().most_probable(n_top)).collect();
        let numbers = |number: &dyn Fn(&Answer<'_>) -> f32| -> Values {
            Values::Numbers(answers.iter().map(number).collect())
        };
        let column = |source: &Source| match *source {
            Source::Label => {
                let label = |answer: &Answer<'_>| answer.label(self.showing.separator);
                Values::Words(answers.iter().map(label).collect())
            }
            Source::Probability => numbers(&|answer| answer.probability()),
            Source::ProbabilityOf(class) => {
                numbers(&|answer| answer.prediction().probabilities[class])
            }
            Source::Probabilities => {
                let all = |answer: &Answer<'_>| answer.prediction().probabilities.clone();
                Values::Lists(answers.iter().map(all).collect())
            }
            Source::Tokens => {
                let tokens = |answer: &Answer<'_>| {
                    u32::try_from(answer.prediction().n_tokens).unwrap_or(u32::MAX)
                };
                Values::Counts(answers.iter().map(tokens).collect())
            }
            Source::Cut => {
                Values::Flags(answers.iter().map(|answer| answer.prediction().is_cut()).collect())
            }
            Source::TopLabel(place) => {
                let of_place = answers.iter().zip(&top);
                let label = |(answer, top): (&Answer<'_>, &Vec<usize>)| {
                    Some(answer.name(top[place]).to_string())
                };
                Values::Words(of_place.map(label).collect())
            }
            Source::TopProbability(place) => {
                let of_place = answers.iter().zip(&top);
                let probability = |(answer, top): (&Answer<'_>, &Vec<usize>)| {
                    answer.prediction().probabilities[top[place]]
                };
                Values::Numbers(of_place.map(probability).collect())
            }
        };
        self.sources.iter().map(column).collect()
    }
}
