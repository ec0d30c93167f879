//! The progress of a run over a table, which may take hours.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::progress::{SCORING, bar};

/// The progress of a run over a table: a bar on a terminal, and a line now and then where there is none, for logs.
pub(crate) struct LongRun {
    bar: ProgressBar,
    what: &'static str,
    /// Rows that were done before.
    first: usize,
    started: Instant,
    told: Instant,
}

/// Time between two lines.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

impl LongRun {
    /// `first`: rows that an earlier run has done.
    pub(crate) fn new(what: &'static str, n_rows: usize, first: usize) -> Self {
        let bar = bar(&SCORING.replace("texts", "rows"), n_rows).with_prefix(what);
        bar.set_position(first as u64);
        bar.reset_eta();
        let now = Instant::now();
        Self { bar, what, first, started: now, told: now }
    }

    /// So many more rows are done.
    pub(crate) fn inc(&mut self, n_rows: usize) {
        self.bar.inc(n_rows as u64);
        if self.bar.is_hidden() && self.told.elapsed() >= BETWEEN_LINES {
            self.told = Instant::now();
            let n_done = self.bar.position() as usize;
            let n_all = self.bar.length().unwrap_or_default() as usize;
            let seconds = self.started.elapsed().as_secs_f64();
            eprintln!("{}", progress_line(self.what, (self.first, n_done, n_all), seconds));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// How far a run is, and how long it will take. Rows: done before, done by now, and all.
fn progress_line(
    what: &str,
    (first, n_done, n_all): (usize, usize, usize),
    seconds: f64,
) -> String {
    let rate = (n_done - first) as f64 / seconds.max(f64::MIN_POSITIVE);
    let left = n_all.saturating_sub(n_done) as f64 / rate.max(f64::MIN_POSITIVE);
    let left = match left {
        left if left < 90.0 => format!("{left:.0} s"),
        left if left < 5400.0 => format!("{:.0} min", left / 60.0),
        left => format!("{:.1} h", left / 3600.0),
    };
    format!("{what}: {n_done} of {n_all} rows, {rate:.0} rows/s, {left} left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_progress_counts_only_this_run() {
        let line = |rows, seconds| progress_line("predicting", rows, seconds);
        assert_eq!(
            line((0, 5_000, 10_000), 10.0),
            "predicting: 5000 of 10000 rows, 500 rows/s, 10 s left"
        );
        assert_eq!(
            line((900, 1_000, 1_000_000), 1.0),
            "predicting: 1000 of 1000000 rows, 100 rows/s, 2.8 h left"
        );
        assert!(line((0, 100, 12_100), 1.0).ends_with(", 2 min left"));
    }
}
