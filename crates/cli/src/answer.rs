//! What a model answers about a text, and how the answer is printed.

use std::io::Write;

use classifier::{Prediction, Task};
use serde_json::{Map, Value, json};

/// How much of a prediction is shown.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Showing {
    /// So many of the most probable classes.
    pub(crate) top: Option<usize>,
    /// Texts whose prediction is less certain get none.
    pub(crate) abstain: Option<f32>,
    /// Between several labels of a text.
    pub(crate) separator: char,
}

/// The prediction for one text, as it is shown.
#[derive(Debug, Clone)]
pub(crate) struct Answer<'a> {
    task: &'a Task,
    prediction: Prediction,
    is_abstention: bool,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(task: &'a Task, prediction: Prediction, showing: Showing) -> Self {
        let is_abstention = showing.abstain.is_some_and(|below| prediction.certainty < below);
        Self { task, prediction, is_abstention }
    }

    /// The prediction itself.
    pub(crate) fn prediction(&self) -> &Prediction {
        &self.prediction
    }

    /// The predicted classes; `None` if the model is too uncertain.
    fn decided(&self) -> Option<&[u32]> {
        (!self.is_abstention).then_some(&*self.prediction.classes)
    }

    /// Whether the model is too uncertain to answer.
    pub(crate) fn is_abstention(&self) -> bool {
        self.is_abstention
    }

    /// The predicted class, or all predicted labels; `None` if the model is too uncertain.
    pub(crate) fn label(&self, separator: char) -> Option<String> {
        let decided = self.decided()?;
        let names: Vec<&str> = decided.iter().map(|&class| self.name(class as usize)).collect();
        Some(names.join(&separator.to_string()))
    }

    /// The probability of the positive class, or of the predicted one. If the model is too uncertain to predict
    /// one, of the most probable. Not for tasks with several labels per text.
    pub(crate) fn probability(&self) -> f32 {
        match self.task {
            Task::Binary(_) => self.prediction.probabilities[1],
            _ => {
                let decided = self.decided().and_then(|classes| classes.first());
                let class = decided.map(|&class| class as usize);
                let class = class.or_else(|| self.most_probable(1).first().copied());
                class.map_or(0.0, |class| self.prediction.probabilities[class])
            }
        }
    }

    /// The most probable classes, most probable first.
    pub(crate) fn most_probable(&self, n: usize) -> Vec<usize> {
        self.prediction.most_probable(n)
    }

    /// The name of a class.
    pub(crate) fn name(&self, class: usize) -> &str {
        &self.task.classes()[class]
    }

    /// Prints the answer as a line for people, or as a JSON object.
    pub(crate) fn print(
        &self,
        out: &mut impl Write,
        (text, is_json): (&str, bool),
        showing: Showing,
    ) -> anyhow::Result<()> {
        if is_json {
            writeln!(out, "{}", serde_json::to_string(&self.as_json(text, showing))?)?;
            return Ok(());
        }
        let with_probability = |class: usize| {
            format!("{} {:.4}", one_line(self.name(class)), self.prediction.probabilities[class])
        };
        let answer = match (self.decided(), self.task) {
            (None, Task::AnyOf(_)) => "?".to_string(),
            (None, _) => format!("?  {:.4}", self.probability()),
            (Some([]), Task::AnyOf(_)) => "-".to_string(),
            (Some(labels), Task::AnyOf(_)) => {
                let labels = labels.iter().map(|&class| with_probability(class as usize));
                labels.collect::<Vec<_>>().join(", ")
            }
            (Some(class), _) => {
                let name = class.first().map_or("", |&class| self.name(class as usize));
                format!("{}  {:.4}", one_line(name), self.probability())
            }
        };
        // What is most probable need not be what thresholds decide.
        let top = showing.top.map_or_else(String::new, |n| {
            let top = self.most_probable(n).into_iter().map(with_probability);
            format!("[{}]  ", top.collect::<Vec<_>>().join(", "))
        });
        writeln!(out, "{answer}  {top}{text}")?;
        Ok(())
    }

    fn as_json(&self, text: &str, showing: Showing) -> Value {
        let mut answer = Map::new();
        answer.insert("text".to_string(), json!(text));
        match self.task {
            Task::AnyOf(classes) => {
                let names = |all: &[u32]| {
                    all.iter()
                        .map(|&class| self.name(class as usize).to_string())
                        .collect::<Vec<_>>()
                };
                answer.insert("labels".to_string(), json!(self.decided().map(names)));
                let probabilities: Map<String, Value> = classes
                    .iter()
                    .zip(&self.prediction.probabilities)
                    .map(|(name, probability)| (name.clone(), json!(probability)))
                    .collect();
                answer.insert("probabilities".to_string(), Value::Object(probabilities));
            }
            _ => {
                answer.insert("label".to_string(), json!(self.label(showing.separator)));
                answer.insert("probability".to_string(), json!(self.probability()));
            }
        }
        if let Some(n) = showing.top {
            let of_class = |class: usize| json!({ "label": self.name(class), "probability": self.prediction.probabilities[class] });
            let top: Vec<Value> = self.most_probable(n).into_iter().map(of_class).collect();
            answer.insert("top".to_string(), Value::Array(top));
        }
        Value::Object(answer)
    }
}

/// A name without line breaks.
fn one_line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use model::TaskKind;

    use super::*;

    fn printed(task: &Task, logits: &[f32], showing: Showing) -> (String, String) {
        let probabilities = task.probabilities(logits);
        let classes = task.decide(&probabilities, None);
        let certainty = match task {
            Task::AnyOf(_) => probabilities.iter().map(|p| p.max(1.0 - p)).fold(1.0, f32::min),
            _ => probabilities[classes[0] as usize],
        };
        let (n_tokens, n_read, n_unknown) = (2, 2, 0);
        let prediction =
            Prediction { probabilities, classes, certainty, n_tokens, n_read, n_unknown };
        let answer = Answer::new(task, prediction, showing);
        let print = |is_json| {
            let mut out = Vec::new();
            answer.print(&mut out, ("a text", is_json), showing).map(|()| out).unwrap_or_default()
        };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap_or_default();
        (text(print(false)), text(print(true)))
    }

    #[test]
    fn each_task_has_its_answer() -> model::Result<()> {
        let showing = Showing { separator: ';', ..Showing::default() };
        let (line, json) = printed(&Task::binary(), &[0.0], showing);
        assert_eq!(line, "positive  0.5000  a text\n");
        assert_eq!(json, "{\"text\":\"a text\",\"label\":\"positive\",\"probability\":0.5}\n");

        let names = ["a", "b", "c", "d"];
        let one_of = Task::new(TaskKind::OneOf, names)?;
        let logits = [0.5f32, 0.125, 0.25, 0.125].map(f32::ln);
        assert_eq!(printed(&one_of, &logits, showing).0, "a  0.5000  a text\n");
        let top = Showing { top: Some(2), ..showing };
        assert_eq!(printed(&one_of, &logits, top).0, "a  0.5000  [a 0.5000, c 0.2500]  a text\n");
        let unsure = Showing { abstain: Some(0.75), ..top };
        let (line, json) = printed(&one_of, &logits, unsure);
        assert_eq!(line, "?  0.5000  [a 0.5000, c 0.2500]  a text\n");
        let json: Value = serde_json::from_str(&json).unwrap_or_default();
        assert_eq!((&json["label"], &json["top"][1]["label"]), (&Value::Null, &json!("c")));

        let any_of = Task::new(TaskKind::AnyOf, names)?;
        let (line, json) = printed(&any_of, &[9.0, -9.0, 9.0, -9.0], showing);
        assert_eq!(line, "a 0.9999, c 0.9999  a text\n");
        assert!(json.contains("\"labels\":[\"a\",\"c\"],\"probabilities\":{\"a\":0.99"), "{json}");
        assert_eq!(printed(&any_of, &[-9.0; 4], showing).0, "-  a text\n");
        let unsure = Showing { abstain: Some(0.6), ..showing };
        assert_eq!(printed(&any_of, &[9.0, 0.1, 9.0, -9.0], unsure).0, "?  a text\n");
        Ok(())
    }
}
