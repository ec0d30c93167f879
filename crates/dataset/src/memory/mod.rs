//! Labelled texts from memory: two lists instead of the columns of a table.

mod exact;
mod labels;
mod notes;
mod recognised;
mod wording;

pub use self::labels::Labels;

#[cfg(test)]
mod tests;
