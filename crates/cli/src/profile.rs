//! The time that each part of a training took, as a table.

use std::fmt::Write as _;

use trainer::{Part, Profile};

/// A line for each part: milliseconds per step, share of the total, and GFLOP/s of matrix products.
///
/// Evaluation and saving are not part of a step, so they are given in seconds.
pub(crate) fn table(profile: &Profile) -> String {
    let mut table =
        format!("{:<20} {:>10} {:>7} {:>10}\n", "part", "ms / step", "share", "GFLOP/s");
    let n_steps = profile.n_steps.max(1) as f64;
    let share = |seconds: f64| 100.0 * seconds / profile.total_s.max(f64::MIN_POSITIVE);
    let mut line = |name: &str, time: String, seconds: f64, gflops: Option<f64>| {
        let gflops = gflops.map(|rate| format!("{rate:.0}")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{name:<20} {time:>10} {:>5.1} % {gflops:>10}", share(seconds));
    };
    for part in Part::ALL {
        let seconds = profile.seconds(part);
        let time = match part {
            Part::Evaluation | Part::Save => format!("({seconds:.1} s)"),
            _ => format!("{:.1}", 1e3 * seconds / n_steps),
        };
        line(part.name(), time, seconds, profile.gflops(part));
    }
    line("everything else", format!("({:.1} s)", profile.other_s()), profile.other_s(), None);
    let total = format!("({:.1} s)", profile.total_s);
    line(&format!("all {} steps", profile.n_steps), total, profile.total_s, None);
    table
}
