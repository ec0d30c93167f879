//! Errors of this crate, with the data that their messages need.
//!
//! Messages are lower case without a full stop; the cause is the `source`, never repeated.

use std::path::PathBuf;

/// Result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why learning, encoding, saving or loading failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `seq_len` is 0 or above [`MAX_SEQ_LEN`](crate::MAX_SEQ_LEN).
    #[error("seq_len is {found}; expected 1 to {max} tokens")]
    SeqLen {
        /// The requested length, in tokens.
        found: usize,
        /// The greatest length accepted.
        max: usize,
    },

    /// `max_vocab` leaves no room for padding, unknown and the scheme's minimum.
    #[error("max_vocab is {found}; scheme {scheme} needs at least {min} ids")]
    MaxVocab {
        /// The requested number of ids.
        found: usize,
        /// The smallest number that works.
        min: usize,
        /// The token scheme that needs it.
        scheme: crate::TokenScheme,
    },

    /// A version of [`Cleaning`](crate::Cleaning) that this program does not know.
    #[error(
        "cleaning is {found}; this program knows 1 to {newest} (a newer release may know more)"
    )]
    UnknownCleaning {
        /// The requested version.
        found: u64,
        /// The newest version that this program knows.
        newest: u64,
    },

    /// There was no text to learn a vocabulary from.
    #[error("no texts to learn a vocabulary from")]
    NoTexts,

    /// The texts are empty, cleaning leaves nothing of them, or every word is too rare.
    #[error("no word occurs {min_frequency} or more times in {n_texts} texts")]
    NoWords {
        /// Number of texts.
        n_texts: usize,
        /// The `min_frequency` in force (0 counts as 1).
        min_frequency: u64,
    },

    /// The tokenizer could not be assembled; a bug in this crate.
    #[error("cannot build the tokenizer")]
    Build {
        /// The library's error.
        source: tokenizers::Error,
    },

    /// The tokenizer library could not encode a text; a bug in this crate.
    #[error("cannot encode a text")]
    Encode {
        /// The library's error.
        source: tokenizers::Error,
    },

    /// A tokenizer file could not be written; any existing file at `path` is unchanged.
    #[error("cannot write the tokenizer file {}", path.display())]
    Write {
        /// The file to write.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },

    /// A tokenizer file could not be read.
    #[error(
        "cannot read the tokenizer file {}; check the path, or learn a vocabulary and save it there",
        path.display()
    )]
    Read {
        /// The file to read.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },

    /// Word vectors were requested for a vocabulary of word pieces.
    #[error(
        "{} holds vectors of whole words; use scheme words or words-and-punctuation, not bpe",
        path.display()
    )]
    VectorsOfPieces {
        /// The file.
        path: PathBuf,
    },

    /// A tokenizer file is not JSON: cut short, overwritten, or another kind of file.
    #[error(
        "the tokenizer file {} is damaged or not JSON; restore it, or learn the vocabulary again",
        path.display()
    )]
    Json {
        /// The file that was read.
        path: PathBuf,
        /// Where the JSON stops making sense.
        source: serde_json::Error,
    },

    /// The file holds JSON, but the tokenizer library cannot read its model.
    #[error(
        "the tokenizer file {} holds no usable model; restore it, or learn the vocabulary again",
        path.display()
    )]
    Model {
        /// The file that was read.
        path: PathBuf,
        /// The library's error.
        source: serde_json::Error,
    },

    /// The file was saved under a different configuration from the one given.
    #[error(
        "the tokenizer file {} has {setting} {found}, but the configuration has {expected}; \
         load it with the configuration that it was learned under, or learn it again",
        path.display()
    )]
    Disagreement {
        /// The file that was read.
        path: PathBuf,
        /// The setting, named as in [`PreprocessingConfig`](crate::PreprocessingConfig).
        setting: &'static str,
        /// The configuration's value.
        expected: String,
        /// The file's value.
        found: String,
    },

    /// The file was saved under another version of [`Cleaning`](crate::Cleaning): by an older or newer
    /// release of this program, or with a configuration that set the version.
    #[error(
        "the tokenizer file {} has cleaning version {found}, but the configuration has {expected} \
         (1 if it does not say); set cleaning = {found} in the file's configuration, or learn the \
         vocabulary again",
        path.display()
    )]
    CleaningDisagreement {
        /// The file that was read.
        path: PathBuf,
        /// The configuration's value.
        expected: crate::Cleaning,
        /// The file's version.
        found: crate::Cleaning,
    },

    /// A special token has the wrong id: `[PAD]` must be 0 and `[UNK]` the last id.
    #[error(
        "the tokenizer file {} has {} for {token}, expected id {expected}; \
         learn the vocabulary again",
        path.display(),
        found.map_or("no id".to_owned(), |id| format!("id {id}"))
    )]
    SpecialToken {
        /// The file that was read.
        path: PathBuf,
        /// `[PAD]` or `[UNK]`.
        token: &'static str,
        /// The required id.
        expected: u64,
        /// The id in the file, if any.
        found: Option<u64>,
    },

    /// The ids are not 0, 1, 2 and so on, each once.
    #[error(
        "the tokenizer file {} gives {token:?} the id {id}, which is taken or out of range; \
         learn the vocabulary again",
        path.display()
    )]
    TokenId {
        /// The file that was read.
        path: PathBuf,
        /// The token with the bad id.
        token: String,
        /// Its id, as written in the file.
        id: String,
    },

    /// A byte-pair merge is not a pair of known tokens that make a known token.
    #[error(
        "the tokenizer file {} has a broken merge at rank {rank}; learn the vocabulary again",
        path.display()
    )]
    Merge {
        /// The file that was read.
        path: PathBuf,
        /// Index of the merge, from 0.
        rank: usize,
    },
}
