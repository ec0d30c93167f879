//! Chooses the text, label, group and weight columns: named by the user, known from a model, or guessed by name.

mod check;
mod choose;

use serde::{Deserialize, Deserializer, Serialize};

pub(crate) use self::check::{Look, check_texts};
pub(crate) use self::choose::{choose_all, choose_text};
use crate::wording::is_invisible;

/// The requested columns. A text or label column that is not named is guessed, a group or weight column
/// never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnChoice {
    /// The text column.
    pub text: Option<String>,
    /// The label columns; none to guess one. Of several, each is a class and holds 0 or 1.
    pub label: Vec<String>,
    /// The group column: rows with the same value belong together.
    pub group: Option<String>,
    /// The column of the rows' weights.
    pub weight: Option<String>,
    /// The text column that a model was trained on: used before any guess, if the file has it.
    pub known_text: Option<String>,
    /// The group column of another table, whose groups are compared with those of this one: read if the file has it.
    pub known_group: Option<String>,
    /// The label columns that a model was trained on: used before any guess, if the file has all of them.
    pub known_label: Vec<String>,
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
    /// The label columns: one, or one a class.
    #[serde(alias = "label", deserialize_with = "one_or_several")]
    pub labels: Vec<ChosenColumn>,
    /// The group column, if one was requested.
    #[serde(default)]
    pub group: Option<ChosenColumn>,
    /// The column of weights, if one was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<ChosenColumn>,
}

/// Reads a list of columns, or the one column that older versions wrote.
fn one_or_several<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ChosenColumn>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Columns {
        One(ChosenColumn),
        Several(Vec<ChosenColumn>),
    }
    Ok(match Columns::deserialize(from)? {
        Columns::One(column) => vec![column],
        Columns::Several(columns) => columns,
    })
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
pub(crate) const WEIGHT: Role = Role { name: "weight", guesses: &[] };

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_older_versions_have_one_label_column() {
        let older = r#"{"text": {"name": "a", "guessed": true},
                        "label": {"name": "b", "guessed": false, "candidates": ["c"]}}"#;
        let names: ColumnNames = serde_json::from_str(older).unwrap();
        assert_eq!((names.labels.len(), names.labels[0].name.as_str()), (1, "b"));
        assert_eq!(names.labels[0].candidates, ["c"]);
        assert_eq!((&names.group, &names.weight), (&None, &None));
        let again = serde_json::to_string(&names).unwrap();
        assert_eq!(serde_json::from_str::<ColumnNames>(&again).unwrap(), names);
        assert!(
            serde_json::from_str::<ColumnNames>(r#"{"text": {"name": "a", "guessed": true}}"#)
                .is_err()
        );
    }
}
