//! The kinds of tasks, and their names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the labels of a table mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// Two classes, the second of which is the positive one.
    Binary,
    /// One of several classes a text.
    OneOf,
    /// Any number of classes a text.
    AnyOf,
}

impl TaskKind {
    pub(crate) const ALL: [Self; 3] = [Self::Binary, Self::OneOf, Self::AnyOf];

    /// `binary`, `one-of` or `any-of`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::OneOf => "one-of",
            Self::AnyOf => "any-of",
        }
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
