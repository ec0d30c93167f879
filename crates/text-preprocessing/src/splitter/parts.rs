//! What both versions of the splitter are made of.

/// Whether the caller wants more tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    Stop,
}

/// `char::is_whitespace` for ASCII; faster, since it is a range.
pub(super) fn is_ascii_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ')
}

/// A negation is a token of its own, wherever it occurs.
pub(super) const NEGATION: &str = "n't";

/// Marks that form runs of up to three.
pub(super) const RUN_MARKS: [u8; 5] = *b".!?-*";
pub(super) const LONGEST_RUN: usize = 3;

/// The words of a text, between the parts that are cut out of it.
pub(super) struct Cutter<'a> {
    text: &'a str,
    /// Where the current word begins.
    pub(super) start: usize,
}

impl<'a> Cutter<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, start: 0 }
    }

    /// Ends the current word at `at`, where `len` bytes are cut out: a token by themselves if `is_token`.
    /// Returns where the text goes on; `None` if the caller wants no more tokens.
    #[inline(always)]
    pub(super) fn cut(
        &mut self,
        at: usize,
        (len, is_token): (usize, bool),
        on_token: &mut impl FnMut(&str) -> Flow,
    ) -> Option<usize> {
        let (text, start) = (self.text, self.start);
        self.start = at + len;
        if start < at && on_token(&text[start..at]) == Flow::Stop {
            return None;
        }
        if is_token && on_token(&text[at..at + len]) == Flow::Stop {
            return None;
        }
        Some(at + len)
    }

    /// Ends the last word at `at`.
    #[inline(always)]
    pub(super) fn finish(self, at: usize, on_token: &mut impl FnMut(&str) -> Flow) {
        if self.start < at {
            on_token(&self.text[self.start..at]);
        }
    }
}
