//! Messages about keys and values that no recipe has, with the nearest known name.

use dataset::nearest;
use model::{ModelConfig, Regularization};
use text_preprocessing::PreprocessingConfig;

use crate::config::TrainingConfig;
use crate::pretraining::PretrainingConfig;

/// Joins a message and its place, which is on a second line since a table has no text to point at.
/// Suggests the nearest known name for an unknown one.
pub(super) fn one_line(error: &toml::de::Error) -> String {
    let message = error.to_string().trim_end().replace('\n', " ");
    let is_key = message.starts_with("unknown field");
    let Some((what, list)) = message.split_once(", expected ") else { return message };
    if !is_key && !message.starts_with("unknown variant") {
        return message;
    }
    // The place follows the last expected name.
    let (list, place) = list.split_at(list.rfind(" in `").unwrap_or(list.len()));
    // Names are in backticks.
    let unknown = what.split('`').nth(1).unwrap_or_default();
    // A key of another table is more likely to be meant than a similar one of this table.
    let elsewhere = if is_key { key_elsewhere(unknown) } else { None };
    let similar = || nearest(unknown, list.split('`').skip(1).step_by(2)).map(str::to_owned);
    let near = elsewhere.or_else(similar);
    match near {
        // A table has many keys: the list would hide the suggestion.
        Some(near) if is_key => format!("{what}{place}; did you mean `{near}`?"),
        Some(near) => format!("{message}; did you mean `{near}`?"),
        None => message,
    }
}

/// `table.name`, if another table has a key of this name.
fn key_elsewhere(name: &str) -> Option<String> {
    let tables = [
        ("preprocessing", toml::Table::try_from(PreprocessingConfig::default())),
        ("model", toml::Table::try_from(ModelConfig::default())),
        ("regularization", toml::Table::try_from(Regularization::default())),
        ("training", toml::Table::try_from(TrainingConfig::default())),
        ("pretraining", toml::Table::try_from(PretrainingConfig::default())),
    ];
    let has_it = |keys: &Result<toml::Table, _>| {
        keys.as_ref().is_ok_and(|keys: &toml::Table| keys.contains_key(name))
    };
    tables.iter().find(|(_, keys)| has_it(keys)).map(|(table, _)| format!("{table}.{name}"))
}
