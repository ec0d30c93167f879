//! A store: opened, not read.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use whole_file::Mapped;

use crate::error::{Error, Result};
use crate::header::{HEADER_BYTES, Header, Sizes, is_safetensors};
use crate::origin::Origin;
use crate::writer::hex;

/// Words and their vectors in a file that is mapped: what is not asked for is not read.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    bytes: Mapped,
    header: Header,
}

impl Store {
    /// Whether a file is a store, or at least a safetensors file, rather than a text or another format.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn is_at(path: &Path) -> Result<bool> {
        let head = || -> io::Result<(Vec<u8>, u64)> {
            let file = File::open(path)?;
            let n_bytes = file.metadata()?.len();
            let mut head = Vec::new();
            file.take(16).read_to_end(&mut head)?;
            Ok((head, n_bytes))
        };
        let (head, n_bytes) =
            head().map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
        Ok(is_safetensors(&head, n_bytes))
    }

    /// Opens a store and checks its header and its words; vectors are not read.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Store`] if the file is something else or damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let wrong = |reason: String| Error::Store { path: path.to_path_buf(), reason };
        let bytes = Mapped::open(path)
            .map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
        let header = Header::parse(&bytes).map_err(wrong)?;
        let store = Self { path: path.to_path_buf(), bytes, header };
        if bytemuck::try_cast_slice::<_, f32>(&store.bytes[store.vectors_at()]).is_err() {
            return Err(wrong("its vectors are not aligned".into()));
        }
        let text = std::str::from_utf8(&store.bytes[store.words_at()])
            .map_err(|_| wrong("its words are not in UTF-8".into()))?;
        let mut start = 0;
        for place in 0..store.n_words() {
            let end = store.end(place);
            if end < start || !text.is_char_boundary(end) {
                return Err(wrong(format!("word {} has no end", place + 1)));
            }
            start = end;
        }
        if start != text.len() {
            return Err(wrong("its words do not end where they should".into()));
        }
        Ok(store)
    }

    /// Reads everything and compares it with the digest that was written with it.
    ///
    /// # Errors
    /// [`Error::Store`] if anything has changed since.
    pub fn verify(&self) -> Result<()> {
        let mut hasher = Sha256::new();
        hasher.update(&self.bytes[HEADER_BYTES..]);
        if hex(hasher) == self.header.contents_sha256 {
            return Ok(());
        }
        let reason = "its contents do not have the SHA-256 that was written with them".into();
        Err(Error::Store { path: self.path.clone(), reason })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of words, at least 1.
    pub fn n_words(&self) -> usize {
        self.header.sizes.n_words
    }

    /// Numbers in each vector, at least 1.
    pub fn n_features(&self) -> usize {
        self.header.sizes.n_features
    }

    /// Where the vectors come from.
    pub fn origin(&self) -> &Origin {
        &self.header.origin
    }

    /// SHA-256 of the vectors and words, as it was written with them.
    pub fn contents_sha256(&self) -> &str {
        &self.header.contents_sha256
    }

    /// All words, in the order of the file that the store was made of: as a rule, the most frequent first.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        (0..self.n_words()).map(|place| self.word(place))
    }

    /// The word at a place from 0.
    ///
    /// # Panics
    /// If there is none.
    pub fn word(&self, place: usize) -> &str {
        let start = place.checked_sub(1).map_or(0, |before| self.end(before));
        let words = &self.bytes[self.words_at()];
        // All words were found to be UTF-8 when the store was opened.
        std::str::from_utf8(&words[start..self.end(place)]).unwrap_or_default()
    }

    /// The vector of the word at a place from 0, as many numbers as there are features.
    ///
    /// # Panics
    /// If there is none.
    pub fn vector(&self, place: usize) -> &[f32] {
        let n = self.n_features();
        &self.vectors()[place * n..(place + 1) * n]
    }

    /// The place of a word.
    ///
    /// # Errors
    /// [`Error::NoSuchWord`].
    pub fn place_of(&self, word: &str) -> Result<usize> {
        let missing = || Error::NoSuchWord { path: self.path.clone(), word: word.to_string() };
        self.words().position(|other| other == word).ok_or_else(missing)
    }

    /// All vectors, one behind the other.
    pub(crate) fn vectors(&self) -> &[f32] {
        // Found to be aligned when the store was opened.
        bytemuck::try_cast_slice(&self.bytes[self.vectors_at()]).unwrap_or_default()
    }

    fn vectors_at(&self) -> Range<usize> {
        HEADER_BYTES..HEADER_BYTES + self.header.sizes.vector_bytes()
    }

    fn words_at(&self) -> Range<usize> {
        let Sizes { n_bytes, .. } = self.header.sizes;
        let start = self.vectors_at().end + self.header.sizes.end_bytes();
        start..start + n_bytes
    }

    /// Where a word ends.
    fn end(&self, place: usize) -> usize {
        let at = self.vectors_at().end + place * size_of::<u32>();
        match self.bytes[at..].first_chunk() {
            Some(bytes) => u32::from_le_bytes(*bytes) as usize,
            // The header was checked against the number of bytes.
            None => 0,
        }
    }
}
