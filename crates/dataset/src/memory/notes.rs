//! Notes about labels from memory, which are in no file and no column.

use crate::tables::Note;
use crate::task_kind::TaskKind;
use crate::wording::{QuotedList, shortened};

/// A note as a clause without a full stop.
pub(super) fn in_words(note: &Note) -> String {
    match note {
        Note::Classes { task, names, .. } => match (task, &names[..]) {
            (TaskKind::Binary, [negative, positive]) => format!(
                "two classes, \"{}\" and \"{}\" (positive)",
                shortened(negative),
                shortened(positive)
            ),
            (TaskKind::AnyOf, _) => {
                format!("any number of {} labels per text: {}", names.len(), QuotedList(names))
            }
            _ => format!("{} classes: {}", names.len(), QuotedList(names)),
        },
        Note::SeveralLabels { separator, .. } => format!(
            "labels such as \"a{separator}b\" were taken as several, separated by \"{separator}\"; if each is one \
             class, set the task to one-of"
        ),
        Note::UnusedInMap { values } => {
            format!("no text has the label {} of the label map", QuotedList(values))
        }
        Note::SkippedLabels { n_rows } => {
            let texts = if *n_rows == 1 { "text" } else { "texts" };
            format!("left out {n_rows} {texts}, as the label map says")
        }
        other => other.to_string(),
    }
}
