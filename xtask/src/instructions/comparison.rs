//! Compares a count with the baseline's.

use std::fmt::Write as _;

use super::baseline::{Pass, grouped};

/// Greater differences count. Counts themselves vary by less than a tenth of a percent.
pub(super) const TOLERANCE_PERCENT: u64 = 2;

/// A pass with its count in the baseline, and its count now.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) pass: Pass,
    pub(super) now: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Same,
    More,
    Fewer,
    /// The baseline has no count.
    New,
}

impl Comparison {
    pub(super) fn verdict(&self) -> Verdict {
        let Some(baseline) = self.pass.instructions else { return Verdict::New };
        // In hundredths, which are exact.
        let (now, baseline) = (u128::from(self.now) * 100, u128::from(baseline));
        if now > baseline * u128::from(100 + TOLERANCE_PERCENT) {
            Verdict::More
        } else if now < baseline * u128::from(100 - TOLERANCE_PERCENT) {
            Verdict::Fewer
        } else {
            Verdict::Same
        }
    }

    /// The pass with the new count.
    pub(super) fn into_pass(self) -> Pass {
        Pass { instructions: Some(self.now), ..self.pass }
    }
}

/// A line per pass: its name, both counts, their ratio, and a remark if they differ.
pub(super) fn table(comparisons: &[Comparison]) -> String {
    let names = comparisons.iter().map(|comparison| comparison.pass.name.chars().count());
    let width = names.max().unwrap_or(0).max("pass".len());
    let mut text = format!("{:width$}  {:>14}  {:>14}  ratio", "pass", "baseline", "now");
    for comparison in comparisons {
        let baseline = comparison.pass.instructions;
        let ratio = baseline
            .map_or("-".to_owned(), |count| format!("{:.3}", comparison.now as f64 / count as f64));
        let baseline = baseline.map_or("-".to_owned(), grouped);
        let remark = match comparison.verdict() {
            Verdict::Same => "",
            Verdict::More => "  more",
            Verdict::Fewer => "  fewer",
            Verdict::New => "  new",
        };
        let (name, now) = (&comparison.pass.name, grouped(comparison.now));
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{name:width$}  {baseline:>14}  {now:>14}  {ratio:>5}{remark}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(name: &str, baseline: Option<u64>, now: u64) -> Comparison {
        let pass = Pass { name: name.to_owned(), flags: String::new(), instructions: baseline };
        Comparison { pass, now }
    }

    #[test]
    fn only_differences_over_two_percent_count() {
        let verdict = |now| comparison("step", Some(10_000), now).verdict();
        assert_eq!(verdict(9_799), Verdict::Fewer);
        assert_eq!(verdict(9_800), Verdict::Same);
        assert_eq!(verdict(10_000), Verdict::Same);
        assert_eq!(verdict(10_200), Verdict::Same);
        assert_eq!(verdict(10_201), Verdict::More);
        assert_eq!(comparison("step", None, 5).verdict(), Verdict::New);
    }

    #[test]
    fn the_table_lines_up_and_names_differences() {
        let table = table(&[
            comparison("training lstm", Some(14_367_477), 14_900_000),
            comparison("step", Some(2_000), 1_000),
            comparison("new", None, 12),
        ]);
        let expected = "\
pass                 baseline             now  ratio
training lstm      14_367_477      14_900_000  1.037  more
step                    2_000           1_000  0.500  fewer
new                         -              12      -  new";
        assert_eq!(table, expected);
    }

    #[test]
    fn digits_are_in_groups_of_three() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1_000", "1_234_567"]);
    }
}
