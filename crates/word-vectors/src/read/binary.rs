//! word2vec's binary format: two counts on a line, then each word, a space, and its numbers as four bytes each, the
//! lowest first; as a rule, a line break after them.

use std::io::{self, BufRead, Read};

use super::{Sink, Takes, text};
use crate::error::{Error, Result};

const EXPECTED: &str = "a word, a space and its numbers as four bytes each, as written by word2vec";
/// The longest word that is read.
const MAX_WORD_BYTES: u64 = 1 << 16;
/// The most numbers of a vector.
const MAX_FEATURES: usize = 1 << 20;

/// Reads all words.
pub(super) fn read<W: Takes>(mut reader: impl BufRead, sink: &mut Sink<'_, W>) -> Result<()> {
    let mut word = Vec::new();
    reader.read_until(b'\n', &mut word).map_err(|error| sink.source.failed(error))?;
    let counts = text::counts(&word);
    let Some((n_words, n_features)) = counts.filter(|(_, n)| (1..=MAX_FEATURES).contains(n)) else {
        let reason = "the first line does not give the numbers of words and of features";
        return Err(sink.wrong(1, reason.into(), EXPECTED));
    };
    let mut bytes = vec![0; n_features * size_of::<f32>()];
    let mut vector = Vec::with_capacity(n_features);
    for number in 1..=n_words {
        word.clear();
        let mut limited = Read::by_ref(&mut reader).take(MAX_WORD_BYTES);
        let n = limited.read_until(b' ', &mut word).map_err(|error| sink.source.failed(error))?;
        let is_whole = word.pop_if(|last| *last == b' ').is_some();
        if !is_whole && n as u64 == MAX_WORD_BYTES {
            return Err(sink.wrong(number, "it has no end".into(), EXPECTED));
        }
        let read = if is_whole { reader.read_exact(&mut bytes) } else { Err(end()) };
        match read {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let path = sink.source.path.clone();
                return Err(Error::CutShort { path, announced: n_words, found: number - 1 });
            }
            Err(error) => return Err(sink.source.failed(error)),
        }
        let (numbers, _) = bytes.as_chunks();
        vector.clear();
        vector.extend(numbers.iter().map(|number| f32::from_le_bytes(*number)));
        // The line break after the vector before.
        let word = word.strip_prefix(b"\n").unwrap_or(&word);
        if word.is_empty() {
            return Err(sink.wrong(number, "there is no word".into(), EXPECTED));
        }
        sink.take(number, word, &vector, EXPECTED)?;
    }
    let mut rest = Vec::new();
    reader.take(2).read_to_end(&mut rest).map_err(|error| sink.source.failed(error))?;
    if rest.trim_ascii().is_empty() {
        return Ok(());
    }
    let reason = "the file goes on after the last word";
    Err(sink.wrong(n_words, reason.into(), EXPECTED))
}

fn end() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}
