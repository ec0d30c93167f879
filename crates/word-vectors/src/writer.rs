//! Writes a store, word by word.

use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use whole_file::Staged;

use crate::error::{Error, Result};
use crate::header::{HEADER_BYTES, Header, Sizes};
use crate::origin::Origin;
use crate::read;
use crate::words::{Added, Words};

/// Bytes written at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// A store that is being written. It has its name only once it is [finished](Self::finish); words are in memory until
/// then, vectors are not.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use word_vectors::{Origin, Store, StoreWriter};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("mine.safetensors");
/// let mut writer = StoreWriter::create(&path)?;
/// writer.add("good", &[0.5, 1.0])?;
/// writer.add("bad", &[-0.5, 1.0])?;
/// writer.finish(Origin { name: "mine".into(), ..Origin::default() })?;
/// assert_eq!(Store::open(&path)?.vector(1), [-0.5, 1.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StoreWriter {
    path: PathBuf,
    staged: Staged,
    n_features: Option<usize>,
    words: Words,
    buffer: Vec<u8>,
    hasher: Sha256,
}

impl StoreWriter {
    /// Begins a store that will be at `path`; makes its folder if it is missing.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn create(path: &Path) -> Result<Self> {
        let begin = || -> io::Result<Staged> {
            std::fs::create_dir_all(whole_file::folder_of(path))?;
            let mut staged = Staged::beside(path)?;
            // The header's place.
            staged.file().write_all(&[0; HEADER_BYTES])?;
            Ok(staged)
        };
        let staged = begin().map_err(|source| Error::Write { path: path.to_path_buf(), source })?;
        Ok(Self {
            path: path.to_path_buf(),
            staged,
            n_features: None,
            words: Words::default(),
            buffer: Vec::with_capacity(BUFFER_BYTES),
            hasher: Sha256::new(),
        })
    }

    /// Adds a word; false if it is there already, in which case nothing changes.
    ///
    /// # Errors
    /// [`Error::Vector`] if the vector is empty, has another number of features than the first one, or a number is not
    /// finite; [`Error::TooManyWords`]; [`Error::Write`].
    pub fn add(&mut self, word: &str, vector: &[f32]) -> Result<bool> {
        read::check(word, vector, &mut self.n_features)?;
        match self.words.add(word) {
            Added::New => {}
            Added::Repeated => return Ok(false),
            Added::Full => return Err(Error::TooManyWords { path: self.path.clone() }),
        }
        self.write(bytemuck::cast_slice(vector))?;
        Ok(true)
    }

    /// Words so far.
    pub fn n_words(&self) -> usize {
        self.words.ends().len()
    }

    /// Gives the store its name, in place of an older one.
    ///
    /// # Errors
    /// [`Error::NoWords`] if nothing was added; [`Error::LongOrigin`]; [`Error::Write`]. An older store is then as it
    /// was.
    pub fn finish(mut self, origin: Origin) -> Result<()> {
        let words = std::mem::take(&mut self.words);
        let Some(n_features) = self.n_features.filter(|_| !words.ends().is_empty()) else {
            return Err(Error::NoWords { path: self.path });
        };
        self.write(bytemuck::cast_slice(words.ends()))?;
        self.write(words.text().as_bytes())?;
        self.flush()?;
        let n_words = words.ends().len();
        let sizes = Sizes { n_words, n_features, n_bytes: words.text().len() };
        let contents_sha256 = hex(self.hasher);
        let header = Header { sizes, origin, contents_sha256 }.to_bytes(&self.path)?;
        let (path, mut staged) = (self.path, self.staged);
        let mut end = || -> io::Result<()> {
            staged.file().seek(SeekFrom::Start(0))?;
            staged.file().write_all(&header)
        };
        end()
            .and_then(|()| staged.replace(&path))
            .map_err(|source| Error::Write { path: path.clone(), source })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.hasher.update(&self.buffer);
        let written = self.staged.file().write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|source| Error::Write { path: self.path.clone(), source })
    }
}

/// `1 number`, `2 numbers`.
pub(crate) fn numbers(n: usize) -> String {
    if n == 1 { "1 number".into() } else { format!("{n} numbers") }
}

/// 64 lower-case hexadecimal digits.
pub(crate) fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
