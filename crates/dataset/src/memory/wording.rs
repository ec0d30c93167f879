//! Errors about texts from memory: their messages name texts and labels, where those of a table name the file, rows
//! and columns.

use crate::error::Error;
use crate::quoted::Quoted;
use crate::tables::{Fault, Place, looks_missing};
use crate::wording::{DidYouMean, QuotedList, shortened};

/// Values that a message names with their numbers.
const SHOWN: usize = 8;

/// The same error, with a message and advice for texts from memory.
pub(super) fn in_memory(error: Error) -> Error {
    if matches!(error, Error::InMemory { .. }) {
        return error;
    }
    let (message, advice) = (message(&error), advice(&error));
    Error::InMemory { message, advice, error: Box::new(error) }
}

fn message(error: &Error) -> String {
    match error {
        Error::Table { place: Place { row: Some(text), .. }, fault, .. } => of_text(*text, fault),
        Error::LengthMismatch { what, expected, got } => {
            format!("expected {expected} {what}, one per text, got {got}")
        }
        Error::TooManyRows { n_rows } => {
            format!("{n_rows} texts are too many; at most {} are possible", u32::MAX)
        }
        Error::TooFewRows { n_rows, needed } => {
            let are = if *n_rows == 1 { "text is" } else { "texts are" };
            format!("{n_rows} {are} too few to split; at least {needed} are needed")
        }
        Error::TooFewTexts { n_rows, n_texts, needed } => format!(
            "only {n_texts} of the {n_rows} texts are distinct; at least {needed} are needed"
        ),
        Error::AllTheSame { text, n_rows } => {
            format!("all {n_rows} texts are the same: \"{}\"", shortened(text))
        }
        Error::SingleClass { label, n_rows, n_classes } => format!(
            "all {n_rows} texts are labelled {}; a classifier needs {}",
            shortened(label),
            if *n_classes == 2 { "both classes" } else { "at least two classes" }
        ),
        Error::NoLabels { n_rows } => format!("none of the {n_rows} texts has a label"),
        Error::AllSkipped { n_rows, .. } => {
            format!("the label map leaves out all {n_rows} texts")
        }
        Error::NotLabels { n_values, n_rows, examples, .. } => format!(
            "the labels do not look like classes: there are {n_values} different ones for {n_rows} texts, such as {}",
            QuotedList(examples)
        ),
        Error::TooManyClasses { task, values, .. } => format!(
            "there are {} different labels ({}), but the task is {task}, which has two classes",
            values.len(),
            QuotedList(values)
        ),
        Error::BadWeight { row, value } => {
            format!("text {row}: weight {value} is not a number of at least 0")
        }
        Error::NoWeight { n_rows } => {
            format!("all {n_rows} texts have weight 0; at least one must be above 0")
        }
        Error::ClassWithoutTexts { label, other, n_rows } => format!(
            "none of the {n_rows} texts labelled {} can be used: the same words (ignoring case, spaces and \
             punctuation) are also labelled {}",
            shortened(label),
            shortened(other)
        ),
        Error::ConflictingLabels { n_texts, is_binary, examples } => {
            let pairs: Vec<String> = examples
                .iter()
                .map(|[first, other]| format!("texts {first} and {other}"))
                .collect();
            format!(
                "{n_texts} {} {} labels, for example {}; correct the labels, or choose whether to keep the first \
                 label or drop these texts",
                if *n_texts == 1 { "text has" } else { "texts have" },
                if *is_binary { "both" } else { "different" },
                pairs.join(", ")
            )
        }
        Error::TooFewGroups { n_groups, part, n_rows, n_all } => format!(
            "{n_groups} {} too few to split: texts of one group stay together, so {part} would get {n_rows} of \
             {n_all} texts",
            if *n_groups == 1 { "group is" } else { "groups are" }
        ),
        Error::LargeGroup { n_rows, n_all, row } => format!(
            "one group has {n_rows} of {n_all} texts (including text {row}), and texts of one group stay together: \
             the requested fractions are not possible"
        ),
        Error::EmptyPart { part, n_rows, fraction } => {
            format!("{n_rows} texts are too few: a fraction of {fraction} leaves {part} empty")
        }
        Error::ClassNotInTraining { label, n_rows } => format!(
            "no text labelled {} is left for training, out of {n_rows} in total",
            shortened(label)
        ),
        other => other.to_string(),
    }
}

/// What is wrong with one text or its label.
fn of_text(text: usize, fault: &Fault) -> String {
    match fault {
        Fault::MissingValue { .. } => format!("text {text} has no label"),
        Fault::UnknownLabel { value, expected, nearest, values } => format!(
            "text {text}: unknown label \"{value}\"; expected {expected}{}; the labels are {}",
            DidYouMean(nearest),
            counts(values)
        ),
        Fault::LooksMissing { value, values } => format!(
            "text {text}: label \"{value}\" looks like a missing label; the labels are {}",
            counts(values)
        ),
        Fault::NotOfModel { value, classes, nearest } => format!(
            "text {text}: label \"{value}\" is not one of the classes {}{}",
            QuotedList(classes),
            DidYouMean(nearest)
        ),
        Fault::NotClasses { value, .. } => {
            format!("text {text}: label {value} is a number that is not whole, not a class")
        }
        Fault::NotLabel { value, found, .. } => {
            format!("text {text}: expected one label, got {found}: {}", shortened(value))
        }
        other => format!("text {text}: {other}"),
    }
}

/// What to do about it, in full sentences, without flags and columns.
fn advice(error: &Error) -> Option<String> {
    let map = |value: &str, name: &str| format!("\"{}={name}; *=keep\"", Quoted(value));
    Some(match error {
        Error::Table { fault, .. } => match &**fault {
            Fault::MissingValue { .. } => "Label it, or leave the text out.".into(),
            Fault::UnknownLabel { value, .. } if looks_missing(value) => {
                "Such a text has no label: label it, or leave it out.".into()
            }
            Fault::UnknownLabel { value, nearest: Some(nearest), .. } => format!(
                "Correct it, or map it with the label map {}. If it is a class of its own, name the task, which \
                 turns this check off, or the classes.",
                map(value, &Quoted(nearest).to_string())
            ),
            Fault::UnknownLabel { .. } => {
                "The classes are negative and positive: map other labels with a label map, such as \"1,2=negative; \
                 3=skip; 4,5=positive\", or name the classes."
                    .into()
            }
            Fault::LooksMissing { value, .. } => format!(
                "Label the text, or leave it out, for example with the label map {}. If it is a class, name the \
                 classes.",
                map(value, "skip")
            ),
            Fault::NotOfModel { .. } => "Correct it, or name all classes.".into(),
            Fault::NotInMap { value, .. } => format!(
                "Add it to the label map, for example {}=skip, or decide about all other labels with *=skip or \
                 *=keep.",
                Quoted(value)
            ),
            Fault::NotClasses { .. } => {
                "Group the numbers into classes first. If each number is a class, set the task to one-of.".into()
            }
            Fault::NotLabel { .. } => "Set the task to any-of for texts with several labels.".into(),
            _ => return None,
        },
        Error::NotLabels { .. } => "Set the task if these are classes.".into(),
        Error::TooManyClasses { .. } => {
            "Map them to two classes with a label map, such as \"1,2=negative; 3=skip; 4,5=positive\", or set the \
             task to one-of."
                .into()
        }
        Error::AllSkipped { .. } => "Name at least one class in the label map.".into(),
        _ => return None,
    })
}

/// `"a" (3 times), "b" (once) and 2 more`.
fn counts(values: &[(String, usize)]) -> String {
    let shown = values.iter().take(SHOWN).map(|(value, n_texts)| match n_texts {
        1 => format!("\"{value}\" (once)"),
        2 => format!("\"{value}\" (twice)"),
        n_texts => format!("\"{value}\" ({n_texts} times)"),
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match values.len().saturating_sub(SHOWN) {
        0 => shown,
        n_more => format!("{shown} and {n_more} more"),
    }
}
