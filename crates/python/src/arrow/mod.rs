//! Texts in and answers out through the Arrow C data interface, whose structures travel in Python capsules.

mod capsules;
mod columns;
mod texts;

pub(crate) use capsules::{array_capsules, schema_capsule, stream_capsule, type_capsule};
pub(crate) use columns::{AnswerBatches, all_labels, answers_schema, label_type};
pub(crate) use texts::{Chunk, TextChunks};
