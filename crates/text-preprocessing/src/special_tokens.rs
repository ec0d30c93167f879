//! The tokens that are no part of any text.

/// The id of padding.
pub const PAD_ID: u32 = 0;

/// The padding token in the vocabulary; no text encodes to it.
pub const PAD_TOKEN: &str = "[PAD]";

/// The token shared by all unknown words; its id is the last one.
pub const UNKNOWN_TOKEN: &str = "[UNK]";
