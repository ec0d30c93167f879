//! How the texts are spread over the classes.

use super::finding::{Finding, Found, Severity};
use super::table::CheckedTable;
use crate::task_kind::TaskKind;

/// Of a class with fewer texts, hardly anything can be learned.
const RARE: usize = 10;
/// The largest class may have so many times as many texts as the smallest.
const MOST_TIMES: usize = 10;
/// More classes whose names are numbers may be values of a scale,
const MANY_VALUES: usize = 20;
/// if half of them have fewer rows than this.
const FEW_ROWS: usize = 10;

/// Looks at the number of texts of each class.
pub(super) fn find(table: &CheckedTable) -> Vec<Finding> {
    let labelled = table.labelled();
    let classes = labelled.classes();
    let counts: Vec<(String, usize)> =
        classes.names.iter().cloned().zip(labelled.class_counts()).collect();
    let used: Vec<&(String, usize)> = counts.iter().filter(|(_, n)| *n > 0).collect();
    if let ([(class, n)], true) = (&used[..], classes.task != TaskKind::AnyOf)
        && *n == labelled.len()
    {
        return vec![Finding::unusable(Found::OneClass { class: class.clone() })];
    }
    if let Some(scale) = scale(classes.values(), &counts) {
        return vec![Finding::of(Severity::Warning, scale)];
    }
    let mut findings = Vec::new();
    let (rare, frequent): (Vec<_>, Vec<_>) = counts.into_iter().partition(|(_, n)| *n < RARE);
    if !rare.is_empty() {
        let n_classes = classes.len();
        let found = Found::RareClasses { classes: rare, n_classes };
        findings.push(Finding::of(Severity::Warning, found));
    }
    let (largest, smallest) =
        (frequent.iter().max_by_key(|(_, n)| *n), frequent.iter().min_by_key(|(_, n)| *n));
    if let (Some(largest), Some(smallest), true) =
        (largest, smallest, classes.task != TaskKind::AnyOf)
        && largest.1 > MOST_TIMES * smallest.1
    {
        let found = Found::Imbalance { largest: largest.clone(), smallest: smallest.clone() };
        findings.push(Finding::of(Severity::Warning, found));
    }
    findings
}

/// Many numbers with few rows each.
fn scale(values: Option<Vec<f64>>, counts: &[(String, usize)]) -> Option<Found> {
    let values = values.filter(|values| values.len() > MANY_VALUES)?;
    let mut sizes: Vec<usize> = counts.iter().map(|(_, n)| *n).collect();
    sizes.sort_unstable();
    let (least, greatest) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &value| (a.min(value), b.max(value)));
    let is_scale = sizes[sizes.len() / 2] < FEW_ROWS;
    is_scale.then_some(Found::Scale { n_values: values.len(), least, greatest })
}
