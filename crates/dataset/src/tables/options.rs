//! Options for reading a file, where its name and contents do not decide.

use std::fmt;
use std::str::FromStr;

use encoding_rs::{REPLACEMENT, UTF_8, X_USER_DEFINED};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::format::Format;
use super::separator::Separator;
use crate::error::{Error, Result};
use crate::nearest::nearest;

/// How to read a file; by default, everything is inferred from its name and contents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadOptions {
    /// The format; inferred from the extension if absent.
    pub format: Option<Format>,
    /// The encoding of a text file that has no byte order mark; UTF-8 if absent.
    pub encoding: Option<Encoding>,
    /// The column separator of a text table; inferred from its first rows if absent.
    pub separator: Option<Separator>,
    /// Whether the first line of a text table names its columns.
    pub header: Header,
    /// What quotation marks mean in a text table.
    pub quoting: Quoting,
    /// What to do with rows without text.
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

/// What to do with rows without text: an empty cell, `null`, a missing key, a blank line.
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
    /// As in RFC 4180; in a tab-separated table, inferred from the whole file (see the crate's README).
    #[default]
    Auto,
    /// As in RFC 4180: a field may be in quotation marks, and those inside it are doubled.
    Standard,
    /// Nothing: they are ordinary characters, and every line is a row.
    Literal,
}

/// A character encoding of the WHATWG Encoding Standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding(&'static encoding_rs::Encoding);

/// Names to suggest for a misspelt one; `encoding_rs` knows 228 but lists none.
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
    /// UTF-8, which is used if no encoding is named.
    pub const UTF_8: Self = Self(UTF_8);

    /// An encoding by one of its names in any case: `windows-1252`, `latin1`, `utf-16le`, `shift_jis`.
    ///
    /// # Errors
    /// `UnknownEncoding`.
    pub fn named(name: &str) -> Result<Self> {
        encoding_rs::Encoding::for_label(name.trim().as_bytes())
            // Not real encodings: one decodes nothing, the other anything.
            .filter(|&encoding| encoding != REPLACEMENT && encoding != X_USER_DEFINED)
            .map(Self)
            .ok_or_else(|| Error::UnknownEncoding {
                name: name.to_owned(),
                nearest: nearest(name, ENCODING_NAMES).map(str::to_owned),
            })
    }

    /// Its usual name, which [`Encoding::named`] accepts.
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

impl Separator {
    /// A separator by its name (`comma`, `semicolon`, `tab`, `pipe`) or as the character itself.
    ///
    /// # Errors
    /// `BadSeparator` for letters, digits, quotation marks, line breaks and non-ASCII characters.
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
}

impl FromStr for Separator {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::named(name)
    }
}

impl Serialize for Separator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_char(char::from(self.byte()))
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
