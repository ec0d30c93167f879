//! Chooses columns: first by the user's names, then by a model's names, then by guessing.

use std::path::Path;

use super::{
    ChosenColumn, ColumnChoice, ColumnNames, GROUP, LABEL, Role, TEXT, WEIGHT, bare, is_guess,
    visible,
};
use crate::error::{Error, Result};
use crate::nearest::nearest;
use crate::tables::{Cells, Fault, Note, Place, ReadNotes, Table, looks_like_data};

/// Prefixes of the names of prediction columns, which are never labels.
const ANSWERS: [&str; 4] = ["predictedlabel", "predictedprobability", "prediction", "probability"];

/// Chooses the text, label, group and weight columns.
///
/// # Errors
/// `UnknownColumn`, `AmbiguousColumn` or `ColumnLeftOut` if a named column cannot be found, `NoColumn`
/// if none can be guessed, `OwnAnswers` if only predictions can, `SameColumn` or `LabelTwice` if one
/// column is named twice, `Fault::NoHeader` if the names look like a row.
pub(crate) fn choose_all(
    path: &Path,
    table: &Table,
    choice: &ColumnChoice,
    notes: &mut ReadNotes,
) -> Result<ColumnNames> {
    let chooser = Chooser::new(path, table);
    let named = |role, wanted: &Option<String>| {
        wanted.as_deref().map(|wanted| chooser.named(role, wanted)).transpose()
    };
    // The user's names come first, so that a guess cannot take one of these columns.
    let text = named(&TEXT, &choice.text)?;
    let labels: Vec<ChosenColumn> =
        choice.label.iter().map(|wanted| chooser.named(&LABEL, wanted)).collect::<Result<_>>()?;
    let known_group = choice.known_group.as_ref().filter(|known| chooser.has(known));
    let group = named(&GROUP, &choice.group.clone().or_else(|| known_group.cloned()))?;
    let weight = named(&WEIGHT, &choice.weight)?;
    let mut taken: Vec<&str> = [&text, &group, &weight]
        .into_iter()
        .flatten()
        .chain(&labels)
        .map(|column| column.name.as_str())
        .collect();
    let text = match text.clone() {
        Some(text) => text,
        None => chooser.unnamed(&TEXT, choice.known_text.as_deref(), &taken, notes)?,
    };
    taken.push(&text.name);
    let labels = match &labels[..] {
        [] => chooser.unnamed_labels(&choice.known_label, &taken, notes)?,
        _ => labels.clone(),
    };
    let of_roles = [(Some(&text), &TEXT)]
        .into_iter()
        .chain(labels.iter().map(|label| (Some(label), &LABEL)))
        .chain([(group.as_ref(), &GROUP), (weight.as_ref(), &WEIGHT)]);
    let of_roles: Vec<(&ChosenColumn, &Role)> =
        of_roles.filter_map(|(column, role)| Some((column?, role))).collect();
    for (idx, (column, role)) in of_roles.iter().enumerate() {
        let earlier = of_roles[..idx].iter().find(|(other, _)| other.name == column.name);
        let (path, column) = (path.to_owned(), column.name.clone());
        match earlier {
            Some((_, other)) if other.name == role.name => {
                return Err(Error::LabelTwice { path, column });
            }
            Some((_, other)) => {
                let (role, other) = (other.name, role.name);
                return Err(Error::SameColumn { path, column, role, other });
            }
            None => {}
        }
    }
    Ok(ColumnNames { text, labels, group, weight })
}

/// Chooses only the text column.
///
/// # Errors
/// As [`choose_all`].
pub(crate) fn choose_text(
    path: &Path,
    table: &Table,
    choice: &ColumnChoice,
) -> Result<ChosenColumn> {
    let chooser = Chooser::new(path, table);
    match &choice.text {
        Some(wanted) => chooser.named(&TEXT, wanted),
        // There are no notes about texts.
        None => {
            chooser.unnamed(&TEXT, choice.known_text.as_deref(), &[], &mut ReadNotes::default())
        }
    }
}

/// Whether a name is that of a column of predictions: `predicted_label`, `probability_of_spam`, `top_2`.
fn is_answer(name: &str) -> bool {
    let name = bare(name);
    let is_ranked = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    ANSWERS.iter().any(|answer| name.starts_with(answer))
        || name.strip_prefix("top").is_some_and(is_ranked)
}

struct Chooser<'a> {
    path: &'a Path,
    table: &'a Table,
    names: Vec<String>,
    /// [`bare`] of each name.
    bare: Vec<String>,
}

impl<'a> Chooser<'a> {
    fn new(path: &'a Path, table: &'a Table) -> Self {
        let names = table.names();
        let bare = names.iter().map(|name| bare(name)).collect();
        Self { path, table, names, bare }
    }

    /// The columns with this bare name.
    fn of_bare(&self, wanted: &str) -> impl Iterator<Item = &str> {
        let wanted = bare(wanted);
        self.names().zip(&self.bare).filter(move |(_, bare)| **bare == wanted).map(|(name, _)| name)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The columns that match a name, by the strictest comparison that finds any.
    fn find(&self, wanted: &str) -> Vec<&str> {
        let exact: Vec<&str> = self.names().filter(|name| *name == wanted).collect();
        if !exact.is_empty() {
            return exact;
        }
        let seen = visible(wanted);
        let visible: Vec<&str> = self.names().filter(|name| visible(name) == seen).collect();
        if !visible.is_empty() || bare(wanted).is_empty() {
            return visible;
        }
        self.of_bare(wanted).collect()
    }

    /// Whether there is a column of this name, or several.
    fn has(&self, wanted: &str) -> bool {
        !self.find(wanted).is_empty() || self.table.left_out.iter().any(|name| name == wanted)
    }

    /// The column that the user named.
    fn named(&self, role: &'static Role, wanted: &str) -> Result<ChosenColumn> {
        let path = || self.path.to_owned();
        match self.find(wanted)[..] {
            [name] => Ok(ChosenColumn::named(name)),
            [] if self.table.left_out.iter().any(|column| column == wanted) => {
                Err(Error::ColumnLeftOut { path: path(), column: wanted.to_owned() })
            }
            [] => Err(self.or_no_header(Error::UnknownColumn {
                path: path(),
                wanted: wanted.to_owned(),
                columns: self.names.clone(),
                nearest: nearest(wanted, self.names()).map(str::to_owned),
            })),
            ref several => Err(Error::AmbiguousColumn {
                path: path(),
                role: role.name,
                wanted: wanted.to_owned(),
                columns: several.iter().map(ToString::to_string).collect(),
            }),
        }
    }

    /// The label columns that the model was trained on, or the best guess.
    fn unnamed_labels(
        &self,
        known: &[String],
        taken: &[&str],
        notes: &mut ReadNotes,
    ) -> Result<Vec<ChosenColumn>> {
        let is_free = |name: &str| !taken.contains(&name) && !is_answer(name);
        let find = |name: &String| match self.find(name)[..] {
            [found] if is_free(found) => Some(ChosenColumn::named(found)),
            _ => None,
        };
        let of_model = if known.len() > 1 { known.iter().map(find).collect() } else { None };
        match of_model {
            Some(columns) => Ok(columns),
            None => {
                let known = known.first().filter(|_| known.len() == 1);
                let label = self.unnamed(&LABEL, known.map(String::as_str), taken, notes)?;
                Ok(vec![label])
            }
        }
    }

    /// The column that the model was trained on, or the best guess.
    fn unnamed(
        &self,
        role: &'static Role,
        known: Option<&str>,
        taken: &[&str],
        notes: &mut ReadNotes,
    ) -> Result<ChosenColumn> {
        let beside = self.own_probability();
        let is_own =
            |name: &str| role.name == LABEL.name && beside.is_some() && bare(name) == "label";
        let free = |name: &&str| !taken.contains(name) && !is_answer(name);
        if let Some(known) = known
            && let [name] = self.find(known)[..]
            && free(&name)
            && !is_own(name)
        {
            return Ok(ChosenColumn::named(name));
        }
        let mut guesses: Vec<&str> =
            role.guesses.iter().flat_map(|guess| self.of_bare(guess)).filter(free).collect();
        let own = guesses.iter().copied().find(|name| is_own(name));
        guesses.retain(|name| !is_own(name));
        match (guesses.first(), own, beside) {
            (Some(&name), own, _) => {
                if let Some(own) = own {
                    notes.add(Note::OwnAnswers { column: own.to_owned(), taken: name.to_owned() });
                }
                let others = self.names().filter(|other| *other != name && guesses.contains(other));
                let candidates = others.map(str::to_owned).collect();
                Ok(ChosenColumn { name: name.to_owned(), guessed: true, candidates })
            }
            (None, Some(own), Some(beside)) => Err(Error::OwnAnswers {
                path: self.path.to_owned(),
                column: own.to_owned(),
                beside: beside.to_owned(),
            }),
            (None, ..) if self.left_out_guess(role).is_some() => Err(Error::ColumnLeftOut {
                path: self.path.to_owned(),
                column: self.left_out_guess(role).unwrap_or_default().to_owned(),
            }),
            (None, ..) => Err(self.or_no_header(Error::NoColumn {
                path: self.path.to_owned(),
                role: role.name,
                columns: self.names.clone(),
                nearest: role
                    .guesses
                    .iter()
                    // A single letter is near any other.
                    .filter(|guess| guess.len() > 2)
                    .find_map(|guess| nearest(guess, self.names().filter(free)))
                    .map(str::to_owned),
            })),
        }
    }

    /// A left-out column that would otherwise have been guessed.
    fn left_out_guess(&self, role: &Role) -> Option<&str> {
        self.table.left_out.iter().map(String::as_str).find(|name| is_guess(role, name))
    }

    /// The probability column, if a `label` column next to it is a prediction: an older version of this
    /// program used that name if the table had no labels of its own.
    fn own_probability(&self) -> Option<&str> {
        let has_own_label = self.bare.iter().any(|name| name.starts_with("predictedlabel"));
        let mut found =
            ["probability", "predicted_probability"].iter().flat_map(|name| self.of_bare(name));
        found.next().filter(|_| !has_own_label)
    }

    /// Replaces the error by `NoHeader` if the column names of a text table look like a row.
    fn or_no_header(&self, error: Error) -> Error {
        let is_numbered = self.names().enumerate().all(|(idx, name)| name == (idx + 1).to_string());
        if self.table.cells == Cells::Text && !is_numbered && looks_like_data(&self.names) {
            let fault = Fault::NoHeader { names: self.names.clone() };
            return Error::at(self.path, Place::default(), fault);
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, DataFrame};

    use super::*;

    fn table(columns: &[&str]) -> Table {
        let columns: Vec<Column> =
            columns.iter().map(|&name| Column::new(name.into(), ["a", "b"])).collect();
        let frame = DataFrame::new(2, columns).unwrap();
        Table {
            frame,
            cells: Cells::Text,
            left_out: Vec::new(),
            lines: vec![2, 3],
            first_row: 0,
            bad: Vec::new(),
        }
    }

    fn all(columns: &[&str], choice: &ColumnChoice) -> Result<(ColumnNames, ReadNotes)> {
        let mut notes = ReadNotes::default();
        let names = choose_all(Path::new("reviews.csv"), &table(columns), choice, &mut notes)?;
        Ok((names, notes))
    }

    fn chosen(
        columns: &[&str],
        text: Option<&str>,
        label: Option<&str>,
    ) -> Result<(String, String)> {
        let (text, label) = (text.map(str::to_owned), label.map(str::to_owned));
        let (is_guess, is_label_guess) = (text.is_none(), label.is_none());
        let label = label.into_iter().collect();
        let (names, _) = all(columns, &ColumnChoice { text, label, ..ColumnChoice::default() })?;
        assert_eq!(names.text.guessed, is_guess);
        let [label] = &names.labels[..] else { panic!("{:?}", names.labels) };
        assert_eq!(label.guessed, is_label_guess);
        Ok((names.text.name, label.name.clone()))
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
            "cannot guess the text column of reviews.csv; its columns are \"reveiw\", \
             \"label\" (did you mean \"reveiw\"?)"
        );
        assert_eq!(
            message(&["text", "stars"], None, None),
            "cannot guess the label column of reviews.csv; its columns are \"text\", \
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

    #[test]
    fn names_that_look_alike_are_found() {
        for name in
            ["review text", "Review-Text", "REVIEW_TEXT", "reviewText", " review\u{a0}text "]
        {
            let found = chosen(&[name, "\u{feff}Label\u{200b}"], None, None).unwrap();
            assert_eq!(found, pair(name, "\u{feff}Label\u{200b}"));
            let label = Some("label");
            assert_eq!(chosen(&[name, "Label "], Some("review text"), label).unwrap().0, name);
        }
        let message = chosen(&["Text", "TEXT ", "y"], Some("text"), None).unwrap_err().to_string();
        assert_eq!(
            message,
            "reviews.csv: column name \"text\" is ambiguous; it matches \"Text\", \"TEXT \""
        );
    }

    #[test]
    fn a_guess_lists_what_it_could_have_taken() {
        let columns = ["body", "y", "text", "Sentiment", "label", "id"];
        let (names, _) = all(&columns, &ColumnChoice::default()).unwrap();
        assert_eq!(
            (names.text.name.as_str(), names.text.candidates),
            ("text", vec!["body".to_owned()])
        );
        assert_eq!(names.labels[0].name, "label");
        assert_eq!(names.labels[0].candidates, ["y", "Sentiment"]);
    }

    #[test]
    fn what_a_model_knows_comes_before_a_guess_and_after_the_user() {
        let known = ColumnChoice {
            known_text: Some("comment".to_owned()),
            known_label: vec!["good".to_owned()],
            ..ColumnChoice::default()
        };
        let of = |columns: &[&str], choice: &ColumnChoice| {
            let (names, _) = all(columns, choice).unwrap();
            (names.text.name, names.labels[0].name.clone(), names.text.guessed)
        };
        let both = ["text", "label", "comment", "good"];
        assert_eq!(of(&both, &known), ("comment".into(), "good".into(), false));
        assert_eq!(of(&["text", "label", "x"], &known), ("text".into(), "label".into(), true));
        let named = ColumnChoice { text: Some("text".to_owned()), ..known };
        assert_eq!(of(&both, &named), ("text".into(), "good".into(), false));
    }

    #[test]
    fn answers_are_never_taken_as_labels() {
        let none = ["predicted_label", "Predicted_Label_2", "probability", "prediction", "score"];
        for answer in none {
            let error = chosen(&["text", answer], None, None).unwrap_err();
            assert!(matches!(error, Error::NoColumn { .. }), "{answer}: {error}");
            let known =
                ColumnChoice { known_label: vec![answer.to_owned()], ..ColumnChoice::default() };
            if answer != "score" {
                assert!(all(&["text", answer], &known).is_err(), "{answer}");
            }
        }
        // An older version wrote these columns if the table had no label.
        let columns = ["text", "label", "probability"];
        assert_eq!(
            chosen(&columns, None, None).unwrap_err().to_string(),
            "reviews.csv: column \"label\" looks like predictions of this program, not labels, because \
             it is next to \"probability\""
        );
        let known =
            ColumnChoice { known_label: vec!["label".to_owned()], ..ColumnChoice::default() };
        assert!(matches!(all(&columns, &known), Err(Error::OwnAnswers { .. })));
        assert_eq!(chosen(&columns, None, Some("label")).unwrap(), pair("text", "label"));
        let (names, notes) =
            all(&["text", "label", "sentiment", "probability"], &ColumnChoice::default()).unwrap();
        assert_eq!((names.labels[0].name.as_str(), notes.iter().len()), ("sentiment", 1));
        // And these if it had one.
        let columns = ["text", "label", "predicted_label", "probability"];
        assert_eq!(chosen(&columns, None, None).unwrap(), pair("text", "label"));
    }

    #[test]
    fn groups_are_named_and_stand_alone() {
        let choice =
            |group: &str| ColumnChoice { group: Some(group.to_owned()), ..ColumnChoice::default() };
        let columns = ["text", "label", "author", "comment"];
        let (names, _) = all(&columns, &choice("Author")).unwrap();
        assert_eq!(names.group, Some(ChosenColumn::named("author")));
        // A group is not guessed as something else.
        assert_eq!(all(&columns, &choice("text")).unwrap().0.text.name, "comment");
        let mut both = choice("label");
        both.label = vec!["label".to_owned()];
        assert_eq!(
            all(&columns, &both).unwrap_err().to_string(),
            "reviews.csv: column \"label\" cannot be both label and group"
        );
    }

    #[test]
    fn several_label_columns_are_named_or_known() {
        let labels = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let names_of = |choice: &ColumnChoice| {
            let columns = ["text", "label", "sport", "Money", "w"];
            all(&columns, choice).map(|(names, _)| {
                names.labels.iter().map(|label| label.name.clone()).collect::<Vec<_>>()
            })
        };
        let named =
            |names: &[&str]| ColumnChoice { label: labels(names), ..ColumnChoice::default() };
        assert_eq!(names_of(&named(&["money", "sport"])).unwrap(), ["Money", "sport"]);
        assert_eq!(
            names_of(&named(&["money", "Money"])).unwrap_err().to_string(),
            "reviews.csv: label column \"Money\" is named twice"
        );
        let known =
            |names: &[&str]| ColumnChoice { known_label: labels(names), ..ColumnChoice::default() };
        assert_eq!(names_of(&known(&["sport", "money"])).unwrap(), ["sport", "Money"]);
        // One of them is not in this file.
        assert_eq!(names_of(&known(&["sport", "health"])).unwrap(), ["label"]);
        let weighted = ColumnChoice { weight: Some("W".to_owned()), ..named(&["w"]) };
        assert_eq!(
            names_of(&weighted).unwrap_err().to_string(),
            "reviews.csv: column \"w\" cannot be both label and weight"
        );
    }

    #[test]
    fn answers_about_several_classes_are_no_labels() {
        for answer in ["probability_of_spam", "top_1", "Top 2 probability", "predicted_labels"] {
            let choice =
                ColumnChoice { known_label: vec![answer.to_owned()], ..ColumnChoice::default() };
            assert!(all(&["text", answer], &choice).is_err(), "{answer}");
        }
        let choice =
            ColumnChoice { known_label: vec!["topic".to_owned()], ..ColumnChoice::default() };
        assert_eq!(all(&["text", "topic"], &choice).unwrap().0.labels[0].name, "topic");
    }

    #[test]
    fn names_that_are_a_row_are_no_header() {
        let error = chosen(&["1", "what a good film this is"], None, None).unwrap_err();
        assert!(error.to_string().contains("is the header missing?"), "{error}");
        let error = chosen(&["1", "2"], None, None).unwrap_err();
        assert!(matches!(error, Error::NoColumn { .. }), "{error}");
    }
}
