//! The column separator of a text table.

use std::fmt;

/// The column separator of a text table: one ASCII character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Separator(u8);

impl Separator {
    /// `,`
    pub const COMMA: Self = Self(b',');
    /// `;`
    pub const SEMICOLON: Self = Self(b';');
    /// A tab.
    pub const TAB: Self = Self(b'\t');
    /// `|`
    pub const PIPE: Self = Self(b'|');

    /// The separators that are tried.
    pub(super) const USUAL: [Self; 4] = [Self::COMMA, Self::TAB, Self::SEMICOLON, Self::PIPE];

    pub(super) fn of_byte(byte: u8) -> Option<Self> {
        let fits = matches!(byte, b'\t' | b' '..=b'~')
            && !byte.is_ascii_alphanumeric()
            && byte != b'"'
            && byte != b'\\';
        fits.then_some(Self(byte))
    }

    /// The character.
    pub fn byte(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Separator {
    /// As a plural noun: `commas`, or `":"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b',' => f.write_str("commas"),
            b';' => f.write_str("semicolons"),
            b'\t' => f.write_str("tabs"),
            b'|' => f.write_str("vertical bars"),
            b' ' => f.write_str("spaces"),
            other => write!(f, "\"{}\"", char::from(other)),
        }
    }
}
