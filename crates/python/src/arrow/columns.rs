//! Answers as Arrow arrays and record batches.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{GenericListBuilder, GenericStringBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Int64Array, OffsetSizeTrait,
    RecordBatch, RecordBatchReader,
};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};

use crate::answers::{AnswerColumns, COLUMNS};

/// Answers in one record batch.
const BATCH: usize = 65_536;

/// The schema of a table of answers.
pub(crate) fn answers_schema(answers: &AnswerColumns) -> Schema {
    let [label, probability, all, tokens, cut] = COLUMNS;
    let n_classes = i32::try_from(answers.classes.len()).unwrap_or(i32::MAX);
    Schema::new(vec![
        Field::new(label, label_type(answers), true),
        Field::new(probability, DataType::Float32, true),
        Field::new(all, DataType::FixedSizeList(probability_item(), n_classes), true),
        Field::new(tokens, DataType::Int64, true),
        Field::new(cut, DataType::Boolean, true),
    ])
}

/// The type of predicted labels.
pub(crate) fn label_type(answers: &AnswerColumns) -> DataType {
    if answers.is_any_of {
        DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
    } else {
        DataType::Utf8
    }
}

/// The predicted labels of some texts, with offsets of `O`'s width.
pub(crate) fn label_array<O: OffsetSizeTrait>(
    answers: &AnswerColumns,
    texts: Range<usize>,
) -> ArrayRef {
    let name = |label: &u32| answers.classes[*label as usize].as_str();
    if answers.is_any_of {
        let mut builder = GenericListBuilder::<O, _>::new(GenericStringBuilder::<O>::new());
        for text in texts {
            let labels = answers.labels_of(text);
            for label in labels.into_iter().flatten() {
                builder.values().append_value(name(label));
            }
            builder.append(labels.is_some());
        }
        Arc::new(builder.finish())
    } else {
        let mut builder = GenericStringBuilder::<O>::new();
        for text in texts {
            builder.append_option(answers.labels_of(text).and_then(<[u32]>::first).map(name));
        }
        Arc::new(builder.finish())
    }
}

/// The predicted labels of all texts: of [`label_type`], with wider offsets if there are too many for it.
pub(crate) fn all_labels(answers: &AnswerColumns) -> ArrayRef {
    let lengths = answers.labels.iter().map(|&label| answers.classes[label as usize].len());
    let n_bytes: usize = lengths.sum();
    if i32::try_from(n_bytes.max(answers.labels.len())).is_ok() {
        label_array::<i32>(answers, 0..answers.len())
    } else {
        label_array::<i64>(answers, 0..answers.len())
    }
}

/// Reads answers as record batches, which are made when they are asked for.
pub(crate) struct AnswerBatches {
    answers: Arc<AnswerColumns>,
    schema: SchemaRef,
    next: usize,
}

impl AnswerBatches {
    pub(crate) fn new(answers: Arc<AnswerColumns>) -> Self {
        let schema = Arc::new(answers_schema(&answers));
        Self { answers, schema, next: 0 }
    }

    fn batch(&self, texts: Range<usize>) -> Result<RecordBatch, ArrowError> {
        let answers = &*self.answers;
        let n_classes = answers.classes.len();
        let there = BooleanBuffer::from(&answers.is_there[texts.clone()]);
        let nulls = Some(NullBuffer::new(there)).filter(|nulls| nulls.null_count() > 0);
        let all = &answers.probabilities[texts.start * n_classes..texts.end * n_classes];
        let all = FixedSizeListArray::try_new(
            probability_item(),
            i32::try_from(n_classes).unwrap_or(i32::MAX),
            Arc::new(Float32Array::from(all.to_vec())),
            nulls.clone(),
        )?;
        let probability = answers.probability[texts.clone()].to_vec();
        let tokens = answers.tokens[texts.clone()].to_vec();
        let cut = BooleanBuffer::from(&answers.cut[texts.clone()]);
        let columns: Vec<ArrayRef> = vec![
            label_array::<i32>(answers, texts),
            Arc::new(Float32Array::try_new(probability.into(), nulls.clone())?),
            Arc::new(all),
            Arc::new(Int64Array::try_new(tokens.into(), nulls.clone())?),
            Arc::new(BooleanArray::new(cut, nulls)),
        ];
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

impl Iterator for AnswerBatches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next;
        let end = (start + BATCH).min(self.answers.len());
        self.next = end;
        (start < end).then(|| self.batch(start..end))
    }
}

impl RecordBatchReader for AnswerBatches {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

fn probability_item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Float32, true))
}
