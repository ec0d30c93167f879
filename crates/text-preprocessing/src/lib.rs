#![doc = include_str!("../README.md")]

mod bpe;
mod config;
mod counts;
mod encoder;
mod error;
mod file;
mod ngrams;
mod padding;
mod pipeline;
mod splitter;
mod vocabulary;
mod word_vectors;
mod words;

pub use config::{DEFAULT_BPE_VOCAB, MAX_SEQ_LEN, PreprocessingConfig, TokenScheme, Truncation};
pub use encoder::TextEncoder;
pub use error::{Error, Result};
pub use ngrams::{NgramHasher, spread_bits};
pub use padding::left_pad;
pub use vocabulary::{PAD_ID, PAD_TOKEN, UNKNOWN_TOKEN};
pub use word_vectors::WordVectors;
