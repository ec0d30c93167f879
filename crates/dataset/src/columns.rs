//! Which column is the text and which the label: named by the user, or guessed by name.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::nearest::nearest;

/// The columns that the user named; `None` means guess.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnChoice {
    /// The column of texts.
    pub text: Option<String>,
    /// The column of labels.
    pub label: Option<String>,
}

/// A column of a file, and how it came to be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenColumn {
    /// Its name in the file.
    pub name: String,
    /// Whether we guessed it; worth telling the user.
    pub guessed: bool,
}

/// The columns that were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnNames {
    /// The column of texts.
    pub text: ChosenColumn,
    /// The column of labels.
    pub label: ChosenColumn,
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

/// Picks the columns of texts and labels from the names in a file.
///
/// # Errors
/// `UnknownColumn` if a named column is absent, `NoColumn` if none can be guessed, `SameColumn` if
/// the user named one column twice.
pub(crate) fn choose_both(
    path: &Path,
    columns: &[String],
    choice: &ColumnChoice,
) -> Result<ColumnNames> {
    // What the user named comes first, so that a guess cannot take it.
    let named_label = choice
        .label
        .as_deref()
        .map(|wanted| choose(path, columns, &LABEL, Some(wanted), None))
        .transpose()?;
    let taken = named_label.as_ref().map(|column| column.name.as_str());
    let text = choose(path, columns, &TEXT, choice.text.as_deref(), taken)?;
    let label = match named_label {
        Some(label) => label,
        None => choose(path, columns, &LABEL, None, Some(&text.name))?,
    };
    if text.name == label.name {
        return Err(Error::SameColumn { path: path.to_owned(), column: text.name });
    }
    Ok(ColumnNames { text, label })
}

/// Picks one column: the `wanted` one, or the best guess that is not `taken`.
pub(crate) fn choose(
    path: &Path,
    columns: &[String],
    role: &Role,
    wanted: Option<&str>,
    taken: Option<&str>,
) -> Result<ChosenColumn> {
    let names = || columns.iter().map(String::as_str);
    if let Some(wanted) = wanted {
        // Exact first: a file may have both "Text" and "text".
        let found = names()
            .find(|name| *name == wanted)
            .or_else(|| names().find(|name| same(name, wanted)));
        return match found {
            Some(name) => Ok(ChosenColumn { name: name.to_owned(), guessed: false }),
            None => Err(Error::UnknownColumn {
                path: path.to_owned(),
                wanted: wanted.to_owned(),
                columns: columns.to_vec(),
                nearest: nearest(wanted, names()).map(str::to_owned),
            }),
        };
    }

    let free = || names().filter(|name| Some(*name) != taken);
    let guess = role.guesses.iter().find_map(|guess| free().find(|name| same(name, guess)));
    match guess {
        Some(name) => Ok(ChosenColumn { name: name.to_owned(), guessed: true }),
        None => Err(Error::NoColumn {
            path: path.to_owned(),
            role: role.name,
            columns: columns.to_vec(),
            nearest: role
                .guesses
                .iter()
                .find_map(|guess| nearest(guess, free()))
                .map(str::to_owned),
        }),
    }
}

fn same(a: &str, b: &str) -> bool {
    a.trim().eq_ignore_ascii_case(b.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(
        columns: &[&str],
        text: Option<&str>,
        label: Option<&str>,
    ) -> Result<(String, String)> {
        let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
        let choice =
            ColumnChoice { text: text.map(str::to_owned), label: label.map(str::to_owned) };
        let names = choose_both(Path::new("reviews.csv"), &columns, &choice)?;
        assert_eq!(names.text.guessed, text.is_none());
        assert_eq!(names.label.guessed, label.is_none());
        Ok((names.text.name, names.label.name))
    }

    fn pair(a: &str, b: &str) -> (String, String) {
        (a.to_owned(), b.to_owned())
    }

    #[test]
    fn usual_names_are_guessed_most_telling_first() {
        assert_eq!(chosen(&["label", "text"], None, None).unwrap(), pair("text", "label"));
        assert_eq!(
            chosen(&["id", "Review", "SENTIMENT"], None, None).unwrap(),
            pair("Review", "SENTIMENT")
        );
        assert_eq!(chosen(&["body", "text", "y"], None, None).unwrap(), pair("text", "y"));
    }

    #[test]
    fn named_columns_win_and_are_not_guessed_again() {
        assert_eq!(chosen(&["a", "b"], Some("b"), Some("A")).unwrap(), pair("b", "a"));
        assert_eq!(chosen(&["Text", "text", "y"], Some("text"), None).unwrap(), pair("text", "y"));
        assert_eq!(chosen(&["text", "body"], None, Some("text")).unwrap(), pair("body", "text"));
        assert_eq!(chosen(&["label", "y"], Some("label"), None).unwrap(), pair("label", "y"));
    }

    #[test]
    fn what_is_missing_is_said_with_the_columns_and_the_nearest() {
        let message =
            |columns: &[&str], text, label| chosen(columns, text, label).unwrap_err().to_string();
        assert_eq!(
            message(&["reveiw", "label"], None, None),
            "reviews.csv has no text column that can be guessed; its columns are \"reveiw\", \
             \"label\" (did you mean \"reveiw\"?)"
        );
        assert_eq!(
            message(&["text", "stars"], None, None),
            "reviews.csv has no label column that can be guessed; its columns are \"text\", \
             \"stars\""
        );
        assert_eq!(
            message(&["text", "sentiment"], None, Some("sentimnet")),
            "reviews.csv has no column \"sentimnet\"; its columns are \"text\", \"sentiment\" \
             (did you mean \"sentiment\"?)"
        );
        assert_eq!(
            message(&["text"], Some("text"), Some("text")),
            "reviews.csv: column \"text\" cannot be both text and label"
        );
    }
}
