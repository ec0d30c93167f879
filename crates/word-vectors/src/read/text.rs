//! Lines `WORD NUMBER NUMBER ...`, as written by GloVe, and with a first line of two counts by word2vec and fastText.

use std::io::{BufRead, Read};

use super::{Sink, Takes};
use crate::error::Result;
use crate::writer::numbers;

const EXPECTED: &str =
    "one word and its numbers per line, as written by GloVe, word2vec and fastText";
/// The longest line that is read. A thousand numbers have a hundredth of it.
const MAX_LINE_BYTES: u64 = 1 << 24;

/// Reads all lines.
pub(super) fn read<W: Takes>(mut lines: impl BufRead, sink: &mut Sink<'_, W>) -> Result<()> {
    let (mut announced, mut n_features) = (None, None);
    let (mut number, mut n_read) = (0, 0);
    let (mut line, mut vector) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        let n = Read::by_ref(&mut lines)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line)
            .map_err(|error| sink.source.failed(error))?;
        if n == 0 {
            break;
        }
        number += 1;
        if n as u64 == MAX_LINE_BYTES {
            let reason = format!("it has more than {} MiB", MAX_LINE_BYTES >> 20);
            return Err(sink.wrong(number, reason, EXPECTED));
        }
        let text = line.trim_ascii_end();
        if number == 1
            && let Some(counts) = counts(text)
        {
            (announced, n_features) = (Some(counts.0), Some(counts.1));
            continue;
        }
        if text.is_empty() {
            continue;
        }
        let n_features = *n_features.get_or_insert_with(|| separators(text).count());
        let word = parse(text, n_features, &mut vector)
            .map_err(|reason| sink.wrong(number, reason, EXPECTED))?;
        sink.take(number, word, &vector, EXPECTED)?;
        n_read += 1;
    }
    sink.check_number(announced, n_read)
}

/// The two counts of a first line: words, and numbers of each.
pub(super) fn counts(line: &[u8]) -> Option<(usize, usize)> {
    let line = std::str::from_utf8(line).ok()?;
    let mut counts = line.split_ascii_whitespace().map(str::parse);
    match (counts.next(), counts.next(), counts.next()) {
        (Some(Ok(n_words)), Some(Ok(n_features)), None) => Some((n_words, n_features)),
        _ => None,
    }
}

/// Whether what follows the first word is a number in digits.
pub(super) fn begins_with_numbers(line: &[u8]) -> bool {
    let mut fields = line.split(u8::is_ascii_whitespace);
    fields.next();
    fields.next().and_then(number).is_some()
}

fn is_separator(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Where numbers begin, from the last one.
fn separators(line: &[u8]) -> impl Iterator<Item = usize> {
    line.iter().enumerate().rev().filter(|(_, byte)| is_separator(**byte)).map(|(at, _)| at)
}

fn number(field: &[u8]) -> Option<f32> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// The word of a line, which may contain spaces; its numbers go to `vector`.
fn parse<'a>(
    line: &'a [u8],
    n_features: usize,
    vector: &mut Vec<f32>,
) -> std::result::Result<&'a [u8], String> {
    let found = separators(line).count();
    let at = n_features.checked_sub(1).and_then(|nth| separators(line).nth(nth));
    let Some(at) = at else {
        let expected = n_features.max(1);
        return Err(format!("it has a word and {}, not {expected}", numbers(found)));
    };
    let (word, fields) = (&line[..at], &line[at + 1..]);
    if word.is_empty() {
        return Err("it has no word".into());
    }
    // A word may contain spaces; one that ends in a number is a line with a number too many.
    let mut parts = word.rsplit(|byte| is_separator(*byte));
    let last = parts.next();
    if parts.next().is_some() && last.and_then(number).is_some() {
        return Err(format!("it has more than a word and {}", numbers(n_features)));
    }
    vector.clear();
    for field in fields.split(|byte| is_separator(*byte)) {
        match number(field) {
            Some(number) if number.is_finite() => vector.push(number),
            _ => {
                let field = String::from_utf8_lossy(field);
                return Err(format!("{field:?} is not a finite number"));
            }
        }
    }
    Ok(word)
}
