//! What word vectors are and where they come from.

use serde::{Deserialize, Serialize};

/// Where word vectors come from. Absent is what nobody said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// What they are called.
    pub name: String,
    /// Their version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The licence under which they may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Who made them, of what, and where they were published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// SHA-256 of the file that the store was made of, 64 lower-case hexadecimal digits.
    pub source_sha256: String,
}
