//! Reads the usual formats of word vectors, as a rule into a store. Which one a file is in is told by its first bytes.

mod binary;
mod json;
mod takes;
mod text;

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::notes::{Notes, Unit};
use crate::origin::Origin;
use crate::unpack::{OnBytes, Source, with_reader};
use crate::writer::{StoreWriter, hex};

pub use json::read_json;
pub(crate) use takes::{Takes, check};

use takes::Each;

/// Bytes that tell the format.
const HEAD_BYTES: u64 = 1 << 13;
/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 18;

/// What to convert into what.
#[derive(Debug, Clone)]
pub struct ConvertRequest<'a> {
    /// A file in one of the formats.
    pub from: &'a Path,
    /// Which file of a zip file; needed if it has several.
    pub member: Option<&'a str>,
    /// The store.
    pub to: &'a Path,
    /// Where the vectors come from; the SHA-256 is computed.
    pub origin: Origin,
}

/// What was converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// The format that was read, in words.
    pub format: &'static str,
    /// Words in the store.
    pub n_words: usize,
    /// What was left out.
    pub notes: Notes,
}

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Binary,
    Json,
}

/// Reads a file of word vectors and writes a store, whole or not at all. `on_bytes` gets the bytes of the file that
/// have been read, and all it has.
///
/// # Errors
/// Any [`Error`]; an older store is then as it was.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use word_vectors::{ConvertRequest, Origin, Store, convert};
///
/// let folder = tempfile::tempdir()?;
/// let [from, to] = ["mine.txt", "mine.safetensors"].map(|name| folder.path().join(name));
/// std::fs::write(&from, "good 0.5 1\nbad -0.5 1\n")?;
/// let origin = Origin { name: "mine".into(), ..Origin::default() };
/// convert(&ConvertRequest { from: &from, member: None, to: &to, origin }, &mut |_, _| {})?;
/// let store = Store::open(&to)?;
/// assert_eq!((store.word(0), store.vector(0)), ("good", &[0.5, 1.0][..]));
/// # Ok(())
/// # }
/// ```
pub fn convert(
    request: &ConvertRequest<'_>,
    on_bytes: &mut dyn FnMut(u64, u64),
) -> Result<Converted> {
    let &ConvertRequest { from, member, to, ref origin } = request;
    refuse_others(from)?;
    let source_sha256 =
        sha256(from).map_err(|source| Error::Read { path: from.to_path_buf(), source })?;
    let writer = StoreWriter::create(to)?;
    let (writer, format, notes) = read_into(writer, from, member, on_bytes)?;
    if writer.n_words() == 0 {
        return Err(Error::NoWords { path: from.to_path_buf() });
    }
    let n_words = writer.n_words();
    writer.finish(Origin { source_sha256, ..origin.clone() })?;
    Ok(Converted { format: format.name(), n_words, notes })
}

/// What [`read_words`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordsRead {
    /// Words that were handed over, at least 1.
    pub n_words: usize,
    /// Numbers in each vector, at least 1.
    pub n_features: usize,
}

/// Reads a file of word vectors as [`convert`] does, and hands each word and its vector over, in the order of the file,
/// without writing anything. A word that occurs several times is handed over as often, and its first vector counts;
/// words that are not UTF-8 are left out.
///
/// # Errors
/// Any [`Error`] of reading; words before the fault were handed over.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = tempfile::NamedTempFile::new()?;
/// std::fs::write(file.path(), "good 0.5 1\nbad -0.5 1\n")?;
/// let mut words = Vec::new();
/// let read = word_vectors::read_words(file.path(), &mut |word, vector| {
///     words.push((word.to_string(), vector[0]));
/// })?;
/// assert_eq!((read.n_words, read.n_features), (2, 2));
/// assert_eq!(words[1], ("bad".to_string(), -0.5));
/// # Ok(())
/// # }
/// ```
pub fn read_words(path: &Path, on_word: &mut dyn FnMut(&str, &[f32])) -> Result<WordsRead> {
    refuse_others(path)?;
    let each = Each { on_word, n_features: None, n_words: 0 };
    let (each, _, _) = read_into(each, path, None, &mut |_, _| {})?;
    match (each.n_words, each.n_features) {
        (n_words @ 1.., Some(n_features)) => Ok(WordsRead { n_words, n_features }),
        _ => Err(Error::NoWords { path: path.to_path_buf() }),
    }
}

/// Fails for pipes and folders: a file is read from its start more than once.
fn refuse_others(path: &Path) -> Result<()> {
    match path.exists() && !path.is_file() {
        true => Err(Error::NotAFile { path: path.to_path_buf() }),
        false => Ok(()),
    }
}

/// Reads a file of any of the formats.
fn read_into<W: Takes>(
    writer: W,
    from: &Path,
    member: Option<&str>,
    on_bytes: OnBytes<'_>,
) -> Result<(W, Format, Notes)> {
    with_reader(from, member, on_bytes, |source, mut reader| {
        let mut head = Vec::new();
        Read::by_ref(&mut reader)
            .take(HEAD_BYTES)
            .read_to_end(&mut head)
            .map_err(|error| source.failed(error))?;
        let format = Format::of(&head);
        let reader = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(head).chain(reader));
        let mut sink = Sink::new(writer, source, format.unit());
        match format {
            Format::Text => text::read(reader, &mut sink)?,
            Format::Binary => binary::read(reader, &mut sink)?,
            Format::Json => json::read(reader, &mut sink)?,
        }
        Ok((sink.writer, format, sink.notes))
    })
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(hasher)),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Format {
    /// The format of a file that begins so.
    fn of(head: &[u8]) -> Self {
        if head.trim_ascii_start().starts_with(b"{\"") {
            return Self::Json;
        }
        // word2vec's binary files have a header, and then bytes that are no text.
        let end = head.iter().position(|byte| *byte == b'\n');
        let Some((header, rest)) = end.map(|end| head.split_at(end + 1)) else { return Self::Text };
        if text::counts(header).is_none() || text::begins_with_numbers(rest) {
            return Self::Text;
        }
        let has_controls = rest.iter().any(|byte| *byte < b' ' && !byte.is_ascii_whitespace());
        let is_cut = |error: std::str::Utf8Error| error.error_len().is_none();
        match has_controls || std::str::from_utf8(rest).is_err_and(|error| !is_cut(error)) {
            true => Self::Binary,
            false => Self::Text,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "word2vec's binary format",
            Self::Json => "JSON",
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::Text => Unit::Line,
            Self::Binary | Self::Json => Unit::Word,
        }
    }
}

/// Where readers put what they read.
pub(crate) struct Sink<'a, W> {
    writer: W,
    source: &'a Source,
    notes: Notes,
}

impl<'a, W: Takes> Sink<'a, W> {
    fn new(writer: W, source: &'a Source, unit: Unit) -> Self {
        Self { writer, source, notes: Notes { unit, ..Notes::default() } }
    }

    /// Takes the word in line or at place `number`, from 1.
    fn take(
        &mut self,
        number: usize,
        word: &[u8],
        vector: &[f32],
        expected: &'static str,
    ) -> Result<()> {
        let Ok(word) = std::str::from_utf8(word) else {
            self.notes.not_utf8.add(number);
            return Ok(());
        };
        match self.writer.take(word, vector) {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.notes.repeated.add(number);
                Ok(())
            }
            Err(Error::Vector { word, reason }) => {
                Err(self.wrong(number, format!("{word:?} {reason}"), expected))
            }
            Err(error) => Err(error),
        }
    }

    /// The error of the line or word `number`.
    fn wrong(&self, number: usize, reason: String, expected: &'static str) -> Error {
        let place = self.notes.unit.place(number);
        Error::Malformed { path: self.source.path.clone(), place, reason, expected }
    }

    /// Checks that a file has no fewer words than it announces. `n_read`: those that were left out among them.
    fn check_number(&self, announced: Option<usize>, n_read: usize) -> Result<()> {
        match announced {
            Some(announced) if n_read < announced => {
                let path = self.source.path.clone();
                Err(Error::CutShort { path, announced, found: n_read })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        for (head, format) in [
            (&b"good 0.5 1\n"[..], Format::Text),
            (b"2 2\ngood 0.5 1\n", Format::Text),
            (b"2 2\n\xff\xfe 0.5 1\n", Format::Text),
            (b"2 2\ngood x 1\n", Format::Text),
            (b"2 2\ngood \x00\x00\x00\x3f\x00\x00\x80\x3f\n", Format::Binary),
            (b"2 2\ngood \xcd\xcc\xcc\x3d\xcd\xcc\xcc\x3d\n", Format::Binary),
            (b"{\"size\":1", Format::Json),
            (b"{ 0.5 1\n", Format::Text),
            (b"", Format::Text),
        ] {
            assert_eq!(Format::of(head), format, "{}", String::from_utf8_lossy(head));
        }
    }
}
