//! Errors of the reader as findings.

use super::finding::{Finding, Found};
use crate::error::Error;
use crate::tables::Fault;

/// An error as the finding that nothing can be trained on the file, with the row that it names.
pub(super) fn refused(error: &Error) -> Finding {
    let finding = match error {
        Error::SingleClass { label, .. } => {
            return Finding::unusable(Found::OneClass { class: label.clone() });
        }
        error => Finding::unusable(Found::Refused {
            kind: kind(error),
            message: chain(error),
            advice: error.advice(),
        }),
    };
    match error {
        Error::Table { place, .. } => finding.in_rows(place.row),
        _ => finding,
    }
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::NoColumn { .. } | Error::UnknownColumn { .. } | Error::AmbiguousColumn { .. } => {
            "no-column"
        }
        Error::Empty { .. } | Error::NoRows { .. } => "no-rows",
        Error::NoLabels { .. } => "no-labels",
        Error::NotLabels { .. } => "not-labels",
        Error::Table { fault, .. } => match **fault {
            Fault::NotClasses { .. } => "scale",
            Fault::UnknownLabel { .. } => "spellings",
            Fault::LooksMissing { .. } | Fault::MissingValue { role: "label", .. } => {
                "missing-label"
            }
            _ => "unreadable",
        },
        _ => "unreadable",
    }
}

/// The error with its causes, on one line.
fn chain(error: &Error) -> String {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    message
}
