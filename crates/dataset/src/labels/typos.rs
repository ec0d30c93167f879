//! Rare labels that are likely to be misspelt.

use super::class::Class;
use super::spelled::{Spelling, WORDS, unknown};
use super::values::{Value, Values};
use crate::nearest::nearest;
use crate::tables::Fault;
use crate::wording::shortened;

/// A rare label has at most one row in this many, or one.
const ROWS_OF_RARE: usize = 200;
/// The label that was meant has at least this many times as many rows.
const TIMES_AS_MANY: usize = 20;
/// A shorter name is near any other.
const MIN_LETTERS: usize = 3;

/// The first value that is likely to be a misspelling of a more frequent one, and what is wrong with it.
pub(super) fn find<'a>(values: &'a Values, classes: &[Class<'a>]) -> Option<(&'a Value, Fault)> {
    let n_rows = values.of_row.len();
    let is_rare = |n: usize| n <= (n_rows / ROWS_OF_RARE).max(1);
    let rare = classes.iter().filter(|class| {
        !class.is_number && !class.is_named && is_rare(class.n_rows) && is_long(class.name)
    });
    let spelling = Spelling::of(classes.iter().map(|class| class.name));
    let n_unusual = classes.iter().filter(|class| spelling.label(class.name).is_none()).count();
    let n_labels: usize = classes.iter().map(|class| class.n_rows).sum();
    let mut found: Option<(&Value, Fault)> = None;
    for class in rare {
        let value = class.first;
        if found.as_ref().is_some_and(|(earlier, _)| earlier.first < value.first) {
            continue;
        }
        let enough = class.n_rows.saturating_mul(TIMES_AS_MANY);
        // All other labels are those of the two usual classes.
        let is_only_unusual = n_unusual == 1 && spelling.label(class.name).is_none();
        let fault = if is_only_unusual
            && n_labels - class.n_rows >= enough
            && nearest(class.name, WORDS).is_some_and(is_long)
        {
            Some(unknown(values, value))
        } else {
            near_frequent(values, classes, class, enough)
        };
        if let Some(fault) = fault {
            found = Some((value, fault));
        }
    }
    found
}

/// The fault if the name of a rare class is near that of one with at least `enough` rows.
fn near_frequent(
    values: &Values,
    classes: &[Class<'_>],
    rare: &Class<'_>,
    enough: usize,
) -> Option<Fault> {
    let frequent = classes
        .iter()
        .filter(|class| !class.is_number && class.n_rows >= enough)
        .map(|class| class.name)
        .filter(|name| is_long(name) && digits(name).eq(digits(rare.name)));
    let nearest = nearest(rare.name, frequent)?;
    Some(Fault::UnknownLabel {
        value: shortened(rare.first.text()),
        expected: "a more frequent label",
        nearest: Some(shortened(nearest)),
        values: values.counts(),
    })
}

fn is_long(name: &str) -> bool {
    name.chars().count() >= MIN_LETTERS
}

/// `class 1` and `class 2` are different on purpose.
fn digits(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(char::is_ascii_digit)
}
