//! A line protocol with which a script runs several programs in turn without restarting them.
//! `benches/peers/protocol.py` is the same for Python.
//!
//! ```text
//! program: {"ready":{"program":"...","threads":2,"tokens":10000}}    prepared and warmed up
//! script:  go 3
//! program: {"seconds":[0.91,0.92,0.90]}                              three runs
//! script:  use --cell gru --batch 8                                  another pass
//! program: {"ready":...} or {"error":"why not"}
//! ```
//!
//! The program ends when its input ends.

use std::io::{BufRead, Write};

use anyhow::{Context as _, Result};
use serde::Serialize;

/// Something that is prepared once and timed repeatedly.
pub trait Timed {
    /// Runs once.
    ///
    /// # Errors
    /// If the computation fails.
    fn run(&mut self) -> Result<()>;

    /// Runs once and returns the time in seconds.
    ///
    /// # Errors
    /// As [`Timed::run`].
    fn time_s(&mut self) -> Result<f64>;
}

/// The program's answer once a pass is prepared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// Name, version and implementation.
    pub program: String,
    /// Number of threads it may use.
    pub threads: usize,
    /// Real steps of all rows together: the script checks that all programs agree.
    pub tokens: usize,
}

/// A prepared pass and its description.
pub struct Prepared {
    /// Warmed up.
    pub pass: Box<dyn Timed>,
    /// The answer to the script.
    pub ready: Ready,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer<'a> {
    Ready(&'a Ready),
    Seconds(Vec<f64>),
    Error(String),
}

/// Answers line by line until `input` ends; `prepare` builds a pass from the words after `use`.
///
/// # Errors
/// If reading or writing fails. Any other error is sent as an answer.
pub fn serve(
    input: impl BufRead,
    mut output: impl Write,
    first: Prepared,
    prepare: impl Fn(&[&str]) -> Result<Prepared>,
) -> Result<()> {
    answer(&mut output, &Answer::Ready(&first.ready))?;
    let mut pass = Some(first.pass);
    for line in input.lines() {
        let line = line.context("cannot read the next command")?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let said = match words.as_slice() {
            ["go", runs @ ..] if runs.len() <= 1 => match time_runs_s(pass.as_deref_mut(), runs) {
                Ok(seconds) => answer(&mut output, &Answer::Seconds(seconds)),
                Err(error) => answer(&mut output, &Answer::Error(format!("{error:#}"))),
            },
            ["use", flags @ ..] => {
                // Drop the old pass first: two of them may not fit into memory.
                drop(pass.take());
                match prepare(flags) {
                    Ok(prepared) => {
                        pass = Some(prepared.pass);
                        answer(&mut output, &Answer::Ready(&prepared.ready))
                    }
                    Err(error) => answer(&mut output, &Answer::Error(format!("{error:#}"))),
                }
            }
            _ => {
                let error = format!("unknown command {line:?}; expected go RUNS or use FLAGS");
                answer(&mut output, &Answer::Error(error))
            }
        };
        said?;
    }
    Ok(())
}

/// `runs`: the words after `go`; none means one run.
fn time_runs_s(pass: Option<&mut (dyn Timed + '_)>, runs: &[&str]) -> Result<Vec<f64>> {
    let runs: usize = match runs {
        [runs, ..] => runs.parse().with_context(|| format!("{runs:?} is not a number of runs"))?,
        [] => 1,
    };
    let pass = pass.context("no pass is prepared")?;
    (0..runs).map(|_| pass.time_s()).collect()
}

fn answer(output: &mut impl Write, answer: &Answer<'_>) -> Result<()> {
    let line = serde_json::to_string(answer).context("cannot serialize an answer as JSON")?;
    writeln!(output, "{line}").and_then(|()| output.flush()).context("cannot write an answer")
}

#[cfg(test)]
mod tests {
    use anyhow::ensure;

    use super::*;
    use crate::config::PassConfig;
    use crate::pass::Pass;

    fn prepared() -> Result<Prepared> {
        let config =
            PassConfig { batch: 1, steps: 2, input: 3, hidden: 4, ..PassConfig::default() };
        let ready = Ready { program: "test".to_string(), threads: 1, tokens: config.n_tokens() };
        Ok(Prepared { pass: Box::new(Pass::new(&config)?), ready })
    }

    #[test]
    fn each_line_has_its_answer_and_errors_do_not_end_the_conversation() -> Result<()> {
        let mut output = Vec::new();
        let script = "go\nuse --bad\ngo\nuse --good\ngo 3\ngo on\nhello\n";
        serve(script.as_bytes(), &mut output, prepared()?, |flags| {
            ensure!(flags == ["--good"], "unknown flags {flags:?}");
            prepared()
        })?;
        let output = String::from_utf8(output)?;
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(lines.len(), 8);
        assert_eq!(lines[0], r#"{"ready":{"program":"test","threads":1,"tokens":2}}"#);
        let n_seconds = |line: &str| -> Result<Option<usize>> {
            let answer: serde_json::Value = serde_json::from_str(line)?;
            Ok(answer["seconds"].as_array().map(Vec::len))
        };
        assert_eq!(n_seconds(lines[1])?, Some(1));
        assert_eq!(lines[2], r#"{"error":"unknown flags [\"--bad\"]"}"#);
        assert_eq!(lines[3], r#"{"error":"no pass is prepared"}"#);
        assert_eq!(lines[4], lines[0]);
        assert_eq!(n_seconds(lines[5])?, Some(3));
        assert!(lines[6].contains("is not a number of runs"), "{}", lines[6]);
        assert!(lines[7].contains("expected go RUNS or use FLAGS"), "{}", lines[7]);
        Ok(())
    }
}
