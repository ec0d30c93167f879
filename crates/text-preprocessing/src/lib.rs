#![doc = include_str!("../README.md")]

mod bpe;
mod cleaning;
mod config;
mod counts;
mod digest;
mod encoder;
mod error;
mod file;
mod padding;
mod pipeline;
mod rules;
mod scripts;
mod special_tokens;
mod splitter;
mod symbols;
mod vocabulary;
mod word_vectors;
mod words;

pub use cleaning::clean;
pub use config::{DEFAULT_BPE_VOCAB, MAX_SEQ_LEN, PreprocessingConfig, Truncation};
pub use digest::{text_digest, text_digests};
pub use encoder::{Encoded, TextEncoder};
pub use error::{Error, Result};
pub use padding::left_pad;
pub use rules::{Cleaning, TokenScheme};
pub use scripts::script_counts;
pub use special_tokens::{PAD_ID, PAD_TOKEN, UNKNOWN_TOKEN};
pub use word_vectors::WordVectors;
