//! What can go wrong in this crate, with the data that a message to a user needs.
//!
//! Messages are lower case and have no full stop; a cause is the `source`, never repeated.

use std::path::PathBuf;

/// The result of everything fallible here.
pub type Result<T> = std::result::Result<T, Error>;

/// Why learning, encoding, saving or loading failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `seq_len` is 0 or beyond [`MAX_SEQ_LEN`](crate::MAX_SEQ_LEN).
    #[error("seq_len is {found}; expected 1 to {max} tokens")]
    SeqLen {
        /// The length asked for, in tokens.
        found: usize,
        /// The greatest length accepted.
        max: usize,
    },

    /// `max_vocab` leaves no room for padding, unknown and what the scheme cannot do without.
    #[error("max_vocab is {found}; the scheme {scheme} needs at least {min} ids")]
    MaxVocab {
        /// The number of ids asked for.
        found: usize,
        /// The smallest number that works.
        min: usize,
        /// The token scheme that needs it.
        scheme: crate::TokenScheme,
    },

    /// A version of [`Cleaning`](crate::Cleaning) that this program does not know.
    #[error(
        "cleaning is {found}; this program knows 1 to {newest}, and a newer version of it may know more"
    )]
    UnknownCleaning {
        /// The version asked for.
        found: u64,
        /// The newest version there is here.
        newest: u64,
    },

    /// A vocabulary was asked for without a text to learn it from.
    #[error("no texts to learn a vocabulary from")]
    NoTexts,

    /// The texts are empty, hold nothing but what normalisation removes, or every word is too rare.
    #[error("no word occurs {min_frequency} or more times in {n_texts} texts")]
    NoWords {
        /// How many texts there were.
        n_texts: usize,
        /// The `min_frequency` in force (0 counts as 1).
        min_frequency: u64,
    },

    /// The tokenizer library refused to be put together; a bug in this crate.
    #[error("cannot build the tokenizer")]
    Build {
        /// What the library said.
        source: tokenizers::Error,
    },

    /// The tokenizer library could not encode a text; a bug in this crate.
    #[error("cannot encode a text")]
    Encode {
        /// What the library said.
        source: tokenizers::Error,
    },

    /// A tokenizer file could not be written; whatever stood at `path` is unchanged.
    #[error("cannot write the tokenizer file {}", path.display())]
    Write {
        /// The file to be written.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// A tokenizer file could not be read.
    #[error(
        "cannot read the tokenizer file {}; check the path, or learn a vocabulary and save it there",
        path.display()
    )]
    Read {
        /// The file to be read.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// A file of word vectors could not be read.
    #[error("cannot read the word vectors {}", path.display())]
    ReadVectors {
        /// The file to be read.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// Word vectors were given for a vocabulary of pieces of words.
    #[error(
        "the vectors of {} are of whole words; use a scheme of words, not bpe",
        path.display()
    )]
    VectorsOfPieces {
        /// The file.
        path: PathBuf,
    },

    /// A file is no list of words with their vectors.
    #[error(
        "line {line} of {}: {reason}; word vectors are text, a word and its numbers a line, as GloVe, \
         word2vec and fastText write them",
        path.display()
    )]
    WordVectors {
        /// The file that was read.
        path: PathBuf,
        /// The line, from 1; 0 for a file without any.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },

    /// A tokenizer file is not JSON: cut short, overwritten, or another kind of file.
    #[error(
        "the tokenizer file {} is damaged or not JSON; restore it, or learn the vocabulary again",
        path.display()
    )]
    Json {
        /// The file that was read.
        path: PathBuf,
        /// Where the JSON ends to make sense.
        source: serde_json::Error,
    },

    /// The file holds JSON, but the tokenizer library makes nothing of its model.
    #[error(
        "the tokenizer file {} holds no usable model; restore it, or learn the vocabulary again",
        path.display()
    )]
    Model {
        /// The file that was read.
        path: PathBuf,
        /// What the library said.
        source: serde_json::Error,
    },

    /// The file was saved under another configuration than the one given.
    #[error(
        "the tokenizer file {} has {setting} {found}, the configuration {expected}; \
         load it with the configuration that it was learned with, or learn it again",
        path.display()
    )]
    Disagreement {
        /// The file that was read.
        path: PathBuf,
        /// The setting, named as in [`PreprocessingConfig`](crate::PreprocessingConfig).
        setting: &'static str,
        /// What the configuration says.
        expected: String,
        /// What the file says.
        found: String,
    },

    /// The file was saved under another version of [`Cleaning`](crate::Cleaning): by an older or a newer
    /// version of this program, or under a configuration that named a version.
    #[error(
        "the tokenizer file {} cleans texts by the rules of version {found}, the configuration by \
         those of version {expected}; set cleaning = {found} in the configuration of this file (one \
         that was written before there were versions has 1), or learn the vocabulary again",
        path.display()
    )]
    CleaningDisagreement {
        /// The file that was read.
        path: PathBuf,
        /// What the configuration says.
        expected: crate::Cleaning,
        /// What the file's rules are.
        found: crate::Cleaning,
    },

    /// A special token does not have its id: `[PAD]` is 0 and `[UNK]` the last one.
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
        /// The id that it must have.
        expected: u64,
        /// The id that it has, if any.
        found: Option<u64>,
    },

    /// Ids are not 0, 1, 2 and so on, each once.
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
        /// Its id, as it stands in the file.
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
        /// Which merge, from 0.
        rank: usize,
    },
}
