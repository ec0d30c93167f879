//! How a file is to be read, where its name and contents do not tell.

use std::fmt;
use std::str::FromStr;

use encoding_rs::{REPLACEMENT, UTF_8, X_USER_DEFINED};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::format::Format;
use crate::error::{Error, Result};
use crate::nearest::nearest;

/// How a file is to be read; the default tells everything from its name and contents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadOptions {
    /// The format; told by the extension if absent.
    pub format: Option<Format>,
    /// The encoding of a text file that has no byte order mark; UTF-8 if absent.
    pub encoding: Option<Encoding>,
    /// What stands between the columns of a text table; found in its first rows if absent.
    pub separator: Option<Separator>,
    /// Whether the first line of a text table names its columns.
    pub header: Header,
    /// What quotation marks mean in a text table.
    pub quoting: Quoting,
    /// What becomes of rows without text.
    pub missing: Missing,
}

/// Whether the first line of a text table names its columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Header {
    /// It does.
    #[default]
    Present,
    /// It is a row like the others; the columns are called `1`, `2` and so on.
    Absent,
}

/// What becomes of rows without text: an empty cell, `null`, no such key, a blank line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// The first such row is an error.
    #[default]
    Error,
    /// They are left out, and counted in the notes.
    Skip,
    /// They count as empty texts, and are counted in the notes.
    Empty,
}

/// What quotation marks mean in a text table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quoting {
    /// As in RFC 4180; in a table with tabs as found from the whole file (see the crate's README).
    #[default]
    Auto,
    /// As in RFC 4180: a field may stand in quotation marks, and those inside it are doubled.
    Standard,
    /// Nothing: they are characters like others, and a line is a row.
    Literal,
}

/// The name of a character encoding, as the web knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding(&'static encoding_rs::Encoding);

/// Names that a misspelt one is compared with; `encoding_rs` knows 228 and lists none.
const ENCODING_NAMES: [&str; 14] = [
    "utf-8",
    "utf-16le",
    "utf-16be",
    "windows-1252",
    "windows-1251",
    "windows-1250",
    "latin1",
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-15",
    "koi8-r",
    "shift_jis",
    "gb18030",
    "big5",
];

impl Encoding {
    /// UTF-8, which is tried where no encoding is named.
    pub const UTF_8: Self = Self(UTF_8);

    /// An encoding by one of its names in any case: `windows-1252`, `latin1`, `utf-16le`, `shift_jis`.
    ///
    /// # Errors
    /// `UnknownEncoding`.
    pub fn named(name: &str) -> Result<Self> {
        encoding_rs::Encoding::for_label(name.trim().as_bytes())
            // Not encodings: the one decodes nothing, the other anything.
            .filter(|&encoding| encoding != REPLACEMENT && encoding != X_USER_DEFINED)
            .map(Self)
            .ok_or_else(|| Error::UnknownEncoding {
                name: name.to_owned(),
                nearest: nearest(name, ENCODING_NAMES).map(str::to_owned),
            })
    }

    /// Its usual name; [`Encoding::named`] finds it again.
    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    pub(super) fn inner(self) -> &'static encoding_rs::Encoding {
        self.0
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Encoding {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::named(name)
    }
}

impl Serialize for Encoding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Encoding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).map_err(de::Error::custom)
    }
}

/// What stands between the columns of a text table: one character of ASCII.
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

    /// Those that are looked for.
    pub(super) const USUAL: [Self; 4] = [Self::COMMA, Self::TAB, Self::SEMICOLON, Self::PIPE];

    /// A separator by its name (`comma`, `semicolon`, `tab`, `pipe`) or as the character itself.
    ///
    /// # Errors
    /// `BadSeparator` for letters, digits, quotation marks, line breaks, and what is not ASCII.
    pub fn named(name: &str) -> Result<Self> {
        let byte = match name {
            "comma" => b',',
            "semicolon" => b';',
            "tab" | "\\t" => b'\t',
            "pipe" => b'|',
            other => match other.as_bytes() {
                &[byte] => byte,
                _ => return Err(Error::BadSeparator { name: other.to_owned() }),
            },
        };
        Self::of_byte(byte).ok_or_else(|| Error::BadSeparator { name: name.to_owned() })
    }

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
    /// As a noun in the plural: `commas`, or `":"`.
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

impl FromStr for Separator {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::named(name)
    }
}

impl Serialize for Separator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_char(char::from(self.0))
    }
}

impl<'de> Deserialize<'de> for Separator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_found_by_any_of_their_names() {
        for (name, expected) in [
            ("latin1", "windows-1252"),
            (" ISO-8859-1 ", "windows-1252"),
            ("cp1252", "windows-1252"),
            ("UTF8", "UTF-8"),
            ("utf-16le", "UTF-16LE"),
            ("sjis", "Shift_JIS"),
        ] {
            assert_eq!(Encoding::named(name).unwrap().name(), expected, "{name}");
        }
        let message = Encoding::named("windows-1253x").unwrap_err().to_string();
        assert!(message.contains("windows-125"), "{message}");
        assert!(Encoding::named("replacement").is_err());
        assert!(Encoding::named("x-user-defined").is_err());
    }

    #[test]
    fn separators_are_names_or_characters() {
        assert_eq!(Separator::named("tab").unwrap().byte(), b'\t');
        assert_eq!(Separator::named("\t").unwrap().byte(), b'\t');
        assert_eq!(Separator::named(":").unwrap().to_string(), "\":\"");
        for wrong in ["", "ab", "a", "1", "\"", "\n", "é"] {
            assert!(Separator::named(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_survive_being_kept() {
        let options = ReadOptions {
            format: Some(Format::Tsv),
            encoding: Some(Encoding::named("latin1").unwrap()),
            separator: Some(Separator::SEMICOLON),
            header: Header::Absent,
            quoting: Quoting::Literal,
            missing: Missing::Skip,
        };
        let json = serde_json::to_string(&options).unwrap();
        assert_eq!(serde_json::from_str::<ReadOptions>(&json).unwrap(), options);
        assert_eq!(serde_json::from_str::<ReadOptions>("{}").unwrap(), ReadOptions::default());
    }
}
