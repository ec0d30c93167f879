//! Metrics as tables for people, and as JSON with the names of the classes.

use std::fmt::Write as _;

use measures::{AnyOf, Binary, ClassMetrics, Confusion, Intervals, Metrics, OneOf};
use model::Task;
use serde_json::{Value, json};
use trainer::{PathScores, SeenMetrics};

/// Most classes whose confusion is printed.
const MOST_IN_A_MATRIX: usize = 12;
/// Most classes that are printed one by one.
const MOST_ROWS: usize = 40;
/// Most characters of a class's name in a column of its own.
const MOST_IN_A_NAME: usize = 24;

/// The metrics with the names of the classes, as JSON: `classes` becomes a list of objects with a `name`, and
/// intervals are those of `classes.NAME.recall`.
pub(crate) fn as_json(
    metrics: &Metrics,
    intervals: &Intervals,
    task: &Task,
    thresholds: Option<&[f32]>,
) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(metrics)?;
    let classes = value.get_mut("classes").and_then(Value::as_array_mut);
    for (class, name) in classes.into_iter().flatten().zip(task.classes()) {
        if let Some(class) = class.as_object_mut() {
            class.insert("name".to_string(), json!(name));
        }
    }
    let named = |key: &str| -> String {
        let mut parts = key.splitn(3, '.');
        match (parts.next(), parts.next().and_then(|i| i.parse::<usize>().ok()), parts.next()) {
            (Some("classes"), Some(class), Some(measure)) => {
                let name = task.classes().get(class).map_or("", String::as_str);
                format!("classes.{name}.{measure}")
            }
            _ => key.to_string(),
        }
    };
    let intervals: serde_json::Map<String, Value> =
        intervals.0.iter().map(|(key, interval)| (named(key), json!(interval))).collect();
    if let Some(value) = value.as_object_mut() {
        value.insert("intervals".to_string(), Value::Object(intervals));
        value.insert("task".to_string(), json!(task));
        if let Some(thresholds) = thresholds {
            value.insert("thresholds".to_string(), json!(thresholds));
        }
        if let Some(error) = trainer::mean_absolute_error(metrics, task) {
            value.insert("mean_absolute_error".to_string(), json!(error));
        }
    }
    Ok(value)
}

/// The metrics as a table.
pub(crate) fn table(metrics: &Metrics, intervals: &Intervals, task: &Task) -> String {
    match metrics {
        Metrics::Binary(metrics) => binary(metrics, intervals, task),
        Metrics::OneOf(one_of) => {
            let error = trainer::mean_absolute_error(metrics, task);
            one_of_table(one_of, intervals, task, error)
        }
        Metrics::AnyOf(metrics) => any_of(metrics, intervals, task),
    }
}

/// One line: name, value, interval, remark.
struct Lines<'a> {
    intervals: &'a Intervals,
    text: String,
}

impl Lines<'_> {
    /// A measure whose interval is that of `field`.
    fn measure(&mut self, name: &str, value: f64, field: &str, remark: &str) {
        let interval = self
            .intervals
            .get(field)
            .map_or_else(String::new, |[low, high]| format!("  [{low:.4}, {high:.4}]"));
        self.line(name, &format!("{value:.4}{interval}"), remark);
    }

    /// A measure that may be absent; then `why`.
    fn some(&mut self, name: &str, value: Option<f64>, field: &str, (remark, why): (&str, &str)) {
        match value {
            Some(value) => self.measure(name, value, field, remark),
            None => self.line(name, "-", why),
        }
    }

    fn line(&mut self, name: &str, value: &str, remark: &str) {
        let remark = if remark.is_empty() { String::new() } else { format!("   ({remark})") };
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{name:<10} {value}{remark}");
    }
}

const ONE_CLASS: &str = "one class only";

fn binary(metrics: &Binary, intervals: &Intervals, task: &Task) -> String {
    let (negative, positive) = (&task.classes()[0], &task.classes()[1]);
    let Confusion { true_positive, false_positive, true_negative, false_negative } =
        metrics.confusion;
    let (n_negative, n_positive) = (true_negative + false_positive, true_positive + false_negative);
    let mut lines = Lines { intervals, text: String::new() };
    lines.line("texts", &metrics.n_rows.to_string(), "in brackets: 95 % bootstrap intervals");
    if metrics.threshold != 0.5 {
        let remark = format!("probability from which a text is {positive}");
        lines.line("threshold", &format!("{:.4}", metrics.threshold), &remark);
    }
    lines.measure("loss", metrics.loss, "loss", "");
    lines.measure("accuracy", metrics.accuracy, "accuracy", "");
    let larger = if n_positive > n_negative { positive } else { negative };
    let majority = format!("accuracy of always predicting {}", short(larger));
    lines.measure("majority", metrics.majority_accuracy, "", &majority);
    lines.measure(
        "precision",
        metrics.precision,
        "precision",
        &format!("of texts predicted {positive}"),
    );
    let mut recall =
        |name: &str, recall: f64, n_texts: usize, class: &str, field: &str| match n_texts {
            0 => lines.line(name, "-", &format!("no {class} texts")),
            _ => lines.measure(name, recall, field, &format!("of {class} texts")),
        };
    recall("recall", metrics.recall, n_positive, positive, "recall");
    recall("", metrics.negative_recall, n_negative, negative, "negative_recall");
    lines.measure("F1", metrics.f1, "f1", "");
    lines.measure("macro F1", metrics.macro_f1, "macro_f1", "mean of both classes");
    lines.some("ROC AUC", metrics.roc_auc, "roc_auc", ("", ONE_CLASS));
    lines.some("avg. prec.", metrics.average_precision, "average_precision", ("", ONE_CLASS));
    lines.measure("Matthews", metrics.matthews, "matthews", "correlation coefficient");
    lines.some("Brier", metrics.brier, "brier", ("", ""));
    let ece = "expected calibration error, 15 bins";
    lines.measure("ECE", metrics.calibration_error, "", ece);
    let matrix = vec![vec![true_negative, false_positive], vec![false_negative, true_positive]];
    lines.text + &matrix_table(&matrix, task)
}

fn one_of_table(
    metrics: &OneOf,
    intervals: &Intervals,
    task: &Task,
    mean_absolute_error: Option<f64>,
) -> String {
    let mut lines = Lines { intervals, text: String::new() };
    lines.line("texts", &metrics.n_rows.to_string(), "in brackets: 95 % bootstrap intervals");
    lines.measure("loss", metrics.loss, "loss", "");
    lines.measure("accuracy", metrics.accuracy, "accuracy", "");
    let largest =
        (0..metrics.classes.len()).rev().max_by_key(|&class| metrics.classes[class].n_texts);
    let largest = largest.map_or("", |class| task.classes()[class].as_str());
    let majority = format!("accuracy of always predicting {}", short(largest));
    lines.measure("majority", metrics.majority_accuracy, "", &majority);
    lines.measure(
        "balanced",
        metrics.balanced_accuracy,
        "balanced_accuracy",
        "mean recall of the classes",
    );
    lines.measure("macro F1", metrics.macro_f1, "macro_f1", "mean of the classes");
    for (k, accuracy) in &metrics.top_k {
        let remark = format!("the class is among the {k} most probable");
        lines.measure(&format!("top {k}"), *accuracy, &format!("top_k.{k}"), &remark);
    }
    if let Some(error) = mean_absolute_error {
        lines.measure("MAE", error, "", "mean absolute error of the classes as numbers");
    }
    let mean = "mean of the classes, each against the rest";
    lines.some("ROC AUC", metrics.roc_auc, "roc_auc", (mean, ONE_CLASS));
    lines.some("avg. prec.", metrics.average_precision, "average_precision", (mean, ONE_CLASS));
    lines.measure("Matthews", metrics.matthews, "matthews", "correlation coefficient");
    lines.some("kappa", metrics.kappa, "kappa", ("Cohen's", ONE_CLASS));
    lines.measure("Brier", metrics.brier, "brier", "sum over the classes, 0 to 2");
    let ece = "expected calibration error of the predicted class, 15 bins";
    lines.measure("ECE", metrics.calibration_error, "", ece);
    lines.text + &classes_table(&metrics.classes, task) + &matrix_table(&metrics.confusion, task)
}

fn any_of(metrics: &AnyOf, intervals: &Intervals, task: &Task) -> String {
    let mut lines = Lines { intervals, text: String::new() };
    lines.line("texts", &metrics.n_rows.to_string(), "in brackets: 95 % bootstrap intervals");
    lines.line("labels", &format!("{:.2}", metrics.n_labels_per_text), "per text");
    lines.measure("loss", metrics.loss, "loss", "mean over the labels");
    lines.measure("micro F1", metrics.micro_f1, "micro_f1", "all labels together");
    lines.measure("precision", metrics.micro_precision, "micro_precision", "all labels together");
    lines.measure("recall", metrics.micro_recall, "micro_recall", "all labels together");
    lines.measure("macro F1", metrics.macro_f1, "macro_f1", "mean of the labels");
    lines.measure(
        "subset",
        metrics.accuracy,
        "accuracy",
        "all labels of a text right, and no others",
    );
    lines.measure(
        "majority",
        metrics.majority_accuracy,
        "",
        "subset accuracy of always predicting the most frequent labels",
    );
    lines.measure("Hamming", metrics.hamming_loss, "hamming_loss", "fraction of wrong decisions");
    lines.measure("LRAP", metrics.lrap, "lrap", "label ranking average precision");
    let mean = "mean of the labels";
    lines.some("ROC AUC", metrics.roc_auc, "roc_auc", (mean, ONE_CLASS));
    lines.some("avg. prec.", metrics.average_precision, "average_precision", (mean, ONE_CLASS));
    lines.measure("Brier", metrics.brier, "brier", "");
    lines.measure("ECE", metrics.calibration_error, "", "expected calibration error, 15 bins");
    lines.text + &classes_table(&metrics.classes, task)
}

/// Precision, recall and F1 of each class.
fn classes_table(classes: &[ClassMetrics], task: &Task) -> String {
    let width = name_width(task);
    let mut table = format!("\n{:<width$}   texts  precision  recall      F1\n", "class");
    for (class, name) in classes.iter().zip(task.classes()).take(MOST_ROWS) {
        let name = short(name);
        // Writing to a string cannot fail.
        let _ = match class.n_texts {
            0 => writeln!(table, "{name:<width$} {:>7}          -       -       -", 0),
            n_texts => writeln!(
                table,
                "{name:<width$} {n_texts:>7}     {:.4}  {:.4}  {:.4}",
                class.precision, class.recall, class.f1
            ),
        };
    }
    if classes.len() > MOST_ROWS {
        let _ = writeln!(
            table,
            "and {} more; all are in the output of --json",
            classes.len() - MOST_ROWS
        );
    }
    table
}

/// How often each class is predicted for each class; nothing if there are too many.
fn matrix_table(matrix: &[Vec<usize>], task: &Task) -> String {
    if matrix.is_empty() || matrix.len() > MOST_IN_A_MATRIX {
        return String::new();
    }
    let width = name_width(task) + 3;
    let names: Vec<String> = task.classes().iter().map(|name| short(name)).collect();
    let widths: Vec<usize> = names.iter().map(|name| name.chars().count().max(7)).collect();
    let mut table = format!("\n{:<width$}  predicted\n{:<width$}", "", "");
    for (name, width) in names.iter().zip(&widths) {
        let _ = write!(table, "  {name:>width$}");
    }
    for (name, row) in names.iter().zip(matrix) {
        let _ = write!(table, "\n{:<width$}", format!("is {name}"));
        for (count, width) in row.iter().zip(&widths) {
            let _ = write!(table, "  {count:>width$}");
        }
    }
    table + "\n"
}

fn name_width(task: &Task) -> usize {
    task.classes().iter().map(|name| short(name).chars().count()).max().unwrap_or(0).max(5)
}

/// A name in at most [`MOST_IN_A_NAME`] characters.
fn short(name: &str) -> String {
    let is_long = name.chars().count() > MOST_IN_A_NAME;
    let shown = name.chars().take(MOST_IN_A_NAME - usize::from(is_long));
    shown.map(|c| if c.is_control() { ' ' } else { c }).chain(is_long.then_some('…')).collect()
}

/// The metrics of each path alone.
pub(crate) fn paths_table(PathScores { linear, recurrent }: &PathScores) -> String {
    let headline = if linear.micro_f1.is_some() { "micro F1" } else { "accuracy" };
    let mut table = format!("\nalone             {headline}  macro F1\n");
    for (name, score) in [("linear path", linear), ("recurrent layers", recurrent)] {
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{name:<16}    {:.4}    {:.4}", score.headline(), score.macro_f1);
    }
    table
}

/// The metrics of seen and unseen texts; empty if the model has seen none of them.
pub(crate) fn seen_table(seen: &SeenMetrics) -> String {
    let parts = [
        ("training texts", &seen.learned),
        ("validation texts", &seen.chosen_by),
        ("unseen texts", &seen.unseen),
    ];
    if seen.learned.is_none() && seen.chosen_by.is_none() {
        return String::new();
    }
    let headline = parts.iter().find_map(|(_, metrics)| metrics.as_ref().map(|m| m.headline().0));
    let mut table =
        format!("\n                       texts  {}      loss\n", headline.unwrap_or("accuracy"));
    for (name, metrics) in parts {
        // Writing to a string cannot fail.
        let _ = match metrics {
            Some(metrics) => writeln!(
                table,
                "{name:<16}{:>12}    {:.4}    {:.4}",
                metrics.n_rows(),
                metrics.headline().1,
                metrics.loss()
            ),
            None => writeln!(table, "{name:<16}{:>12}         -         -", 0),
        };
    }
    table
}

/// The chosen decision thresholds.
pub(crate) fn thresholds_in_words(thresholds: &[f32], task: &Task) -> String {
    const SHOWN: usize = 12;
    let (what, classes) = match task {
        Task::Binary(names) => {
            (format!("a text is {} from a probability of", names[1]), &names[1..])
        }
        Task::OneOf(names) => {
            ("the largest probability decides after division by".to_string(), &names[..])
        }
        Task::AnyOf(names) => {
            ("a label is predicted from a probability of".to_string(), &names[..])
        }
    };
    let shown = thresholds.iter().zip(classes).take(SHOWN).map(|(threshold, name)| match task {
        Task::Binary(_) => format!("{threshold:.4}"),
        _ => format!("{threshold:.4} ({name})"),
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = if thresholds.len() > SHOWN { " and so on" } else { "" };
    format!("thresholds: {what} {shown}{more}")
}
