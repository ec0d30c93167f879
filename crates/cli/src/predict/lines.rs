//! Answers the lines of standard input.
//!
//! Lines that are already there are answered together, which is many times faster; an answer never waits for a line
//! that is not there.

use std::io::{BufRead, IsTerminal as _, Write};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use anyhow::Context as _;
use classifier::Classifier;

use crate::answer::{Answer, Showing};
use crate::understanding::Understanding;

/// Lines that are answered together; more wait unread.
const LINES: usize = 2048;
/// Bytes of lines that are answered together, unless a single line is longer.
const BYTES: usize = 1 << 22;
/// Lines that are read ahead.
const WAITING: usize = 256;

/// A byte order mark, which some shells put at the start of a pipe.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Classifies each line, in order.
pub(super) fn answer(
    classifier: &Classifier,
    (is_json, showing): (bool, Showing),
    out: &mut impl Write,
    understanding: &mut Understanding,
) -> anyhow::Result<()> {
    if std::io::stdin().is_terminal() {
        eprintln!("reading texts from standard input, one per line; press Ctrl-D to end");
    }
    let (sender, receiver) = sync_channel(WAITING);
    // It ends with the input, or with the program while it waits for a line.
    thread::spawn(move || {
        for line in read(std::io::stdin().lock()) {
            let is_last = line.is_err();
            if sender.send(line).is_err() || is_last {
                break;
            }
        }
    });
    while let Some((lines, error)) = waiting(&receiver) {
        let predictions = classifier.predict(&lines)?;
        understanding.add(&predictions);
        for (text, prediction) in lines.iter().zip(predictions) {
            let answer = Answer::new(classifier.task(), prediction, showing);
            answer.print(out, (text, is_json), showing)?;
        }
        // Print the answers at once, even into a pipe.
        out.flush()?;
        if let Some(error) = error {
            return Err(error);
        }
    }
    Ok(())
}

/// The next line, when it comes, and those that have come by then; and the error that ends them, if one does. `None` at
/// the end.
fn waiting(
    receiver: &Receiver<anyhow::Result<String>>,
) -> Option<(Vec<String>, Option<anyhow::Error>)> {
    let (mut lines, mut n_bytes) = (Vec::new(), 0);
    let mut next = receiver.recv().ok();
    while let Some(line) = next {
        match line {
            Ok(line) => {
                n_bytes += line.len();
                lines.push(line);
            }
            Err(error) => return Some((lines, Some(error))),
        }
        // A reader that is faster than the answers must not put them off for ever.
        if lines.len() == LINES || n_bytes >= BYTES {
            break;
        }
        next = receiver.try_recv().ok();
    }
    (!lines.is_empty()).then_some((lines, None))
}

/// The lines of an input, without their ends.
fn read(input: impl BufRead) -> impl Iterator<Item = anyhow::Result<String>> {
    input.lines().enumerate().map(|(index, line)| {
        let line = line.with_context(|| {
            format!(
                "cannot read line {} of standard input as UTF-8 text (convert it first, for example with \
                 iconv -f windows-1252 -t utf-8)",
                index + 1
            )
        })?;
        // It occurs in the middle where files were concatenated.
        Ok(match line.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => rest.to_string(),
            None => line,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_have_come_are_taken_together_and_an_error_after_them() {
        let (sender, receiver) = sync_channel(8);
        for line in read(&b"\xef\xbb\xbfa\r\n\nb\n\xff\nc\n"[..]) {
            sender.send(line).expect("there is room");
        }
        drop(sender);
        let (lines, error) = waiting(&receiver).expect("lines came");
        assert_eq!(lines, ["a", "", "b"]);
        assert!(error.expect("a line is not text").to_string().contains("line 4"));
        // The reader stops after an error; what it sent by then is still there.
        assert_eq!(waiting(&receiver).expect("a line came").0, ["c"]);
        assert!(waiting(&receiver).is_none());
    }
}
