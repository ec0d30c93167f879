//! The part of a text that is in memory: it moves over the whole text, and grows where a row needs it.

use super::decode::Decoder;
use crate::error::Result;

/// A part of a text, from a byte on.
pub(super) struct Window {
    decoder: Decoder,
    text: String,
    is_last: bool,
}

impl Window {
    pub(super) fn new(decoder: Decoder) -> Self {
        Self { decoder, text: String::new(), is_last: false }
    }

    /// The text in memory.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the text in memory goes to the end of the file.
    pub(super) fn is_last(&self) -> bool {
        self.is_last
    }

    /// Forgets the text before `from`, and reads at least as much as is left, so that whoever begins
    /// again at `from` reads no byte more often than twice on average.
    ///
    /// # Errors
    /// `Read`, `Unpack`, `Changed`; a fault of the encoding.
    pub(super) fn go_on(&mut self, from: usize) -> Result<()> {
        let n_left = self.text.len() - from;
        self.fill(from, 2 * n_left + 1)
    }

    /// Forgets the text before `from`, and reads on until so many bytes are in memory, or the file ends.
    ///
    /// # Errors
    /// `Read`, `Unpack`, `Changed`; a fault of the encoding.
    pub(super) fn fill(&mut self, from: usize, n_bytes: usize) -> Result<()> {
        self.text.drain(..from);
        while !self.is_last && self.text.len() < n_bytes {
            self.is_last = !self.decoder.fill(&mut self.text)?;
        }
        Ok(())
    }
}
