//! Which column is the text, which the label and which the group: named by the user, known from a model,
//! or guessed by name.

mod check;
mod choose;

use serde::{Deserialize, Serialize};

pub(crate) use self::check::check_texts;
pub(crate) use self::choose::{choose_all, choose_text};
use crate::wording::is_invisible;

/// The columns that are wanted; what is `None` is guessed, the group never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnChoice {
    /// The column of texts.
    pub text: Option<String>,
    /// The column of labels.
    pub label: Option<String>,
    /// The column of groups: rows with the same value belong together.
    pub group: Option<String>,
    /// The column of texts that a model was trained on: taken before any guess, if the file has it.
    pub known_text: Option<String>,
    /// The column of labels that a model was trained on: taken before any guess, if the file has it.
    pub known_label: Option<String>,
}

/// A column of a file, and how it came to be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenColumn {
    /// Its name in the file.
    pub name: String,
    /// Whether we guessed it; worth telling the user.
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
    /// The column of texts.
    pub text: ChosenColumn,
    /// The column of labels.
    pub label: ChosenColumn,
    /// The column of groups, if one was asked for.
    #[serde(default)]
    pub group: Option<ChosenColumn>,
}

/// What a column is for, and the names that suggest it, most telling first.
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

/// Whether a name suggests a column of texts or of labels.
pub(crate) fn is_usual(name: &str) -> bool {
    is_guess(&TEXT, name) || is_guess(&LABEL, name)
}

/// Whether a name suggests a role.
pub(crate) fn is_guess(role: &Role, name: &str) -> bool {
    role.guesses.iter().any(|guess| bare(name) == bare(guess))
}

/// What one sees of a name, in lower case: no invisible characters, no space around it.
fn visible(name: &str) -> String {
    let seen: String = name
        .chars()
        .map(|c| if c == '\u{a0}' { ' ' } else { c })
        .filter(|&c| !is_invisible(c))
        .collect();
    seen.trim().to_lowercase()
}

/// The letters and digits of a name in lower case: `Review-Text` and `reviewText` are one.
fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
