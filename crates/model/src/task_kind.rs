//! The kinds of tasks, and their names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many classes a text may have, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// One of two classes; the network has one output, the logit of the second.
    Binary,
    /// One of several classes; an output for each, and a softmax.
    OneOf,
    /// Any number of classes, perhaps none; an output for each, and a sigmoid of each.
    AnyOf,
}

impl TaskKind {
    /// The name in files and settings: `binary`, `one-of` or `any-of`.
    #[must_use]
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
