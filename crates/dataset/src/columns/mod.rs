//! Chooses the text, label and group columns: named by the user, known from a model, or guessed by name.

mod check;
mod choose;

use serde::{Deserialize, Serialize};

pub(crate) use self::check::check_texts;
pub(crate) use self::choose::{choose_all, choose_text};
use crate::wording::is_invisible;

/// The requested columns; a text or label column that is `None` is guessed, a group column never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnChoice {
    /// The text column.
    pub text: Option<String>,
    /// The label column.
    pub label: Option<String>,
    /// The group column: rows with the same value belong together.
    pub group: Option<String>,
    /// The text column that a model was trained on: used before any guess, if the file has it.
    pub known_text: Option<String>,
    /// The label column that a model was trained on: used before any guess, if the file has it.
    pub known_label: Option<String>,
}

/// A column of a file, and how it was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenColumn {
    /// Its name in the file.
    pub name: String,
    /// Whether it was guessed, which the user should know.
    pub guessed: bool,
    /// The other columns that a guess could have taken, in file order.
    #[serde(default)]
    pub candidates: Vec<String>,
}

impl ChosenColumn {
    /// A column that was not guessed.
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), guessed: false, candidates: Vec::new() }
    }
}

/// The columns that were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnNames {
    /// The text column.
    pub text: ChosenColumn,
    /// The label column.
    pub label: ChosenColumn,
    /// The group column, if one was requested.
    #[serde(default)]
    pub group: Option<ChosenColumn>,
}

/// What a column is for, and the names that suggest it, strongest first.
pub(crate) struct Role {
    pub(crate) name: &'static str,
    guesses: &'static [&'static str],
}

pub(crate) const TEXT: Role = Role {
    name: "text",
    guesses: &[
        "text",
        "review",
        "sentence",
        "content",
        "body",
        "comment",
        "review_text",
        "tweet",
        "message",
        "document",
        "phrase",
    ],
};

pub(crate) const LABEL: Role = Role {
    name: "label",
    guesses: &["label", "sentiment", "class", "target", "polarity", "y", "labels"],
};

pub(crate) const GROUP: Role = Role { name: "group", guesses: &[] };

/// Whether a name suggests a text or label column.
pub(crate) fn is_usual(name: &str) -> bool {
    is_guess(&TEXT, name) || is_guess(&LABEL, name)
}

/// Whether a name suggests a role.
pub(crate) fn is_guess(role: &Role, name: &str) -> bool {
    role.guesses.iter().any(|guess| bare(name) == bare(guess))
}

/// The visible part of a name, in lower case: no invisible characters, no surrounding spaces.
fn visible(name: &str) -> String {
    let seen: String = name
        .chars()
        .map(|c| if c == '\u{a0}' { ' ' } else { c })
        .filter(|&c| !is_invisible(c))
        .collect();
    seen.trim().to_lowercase()
}

/// The letters and digits of a name in lower case: `Review-Text` and `reviewText` are the same.
fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
