//! The answers to many texts, as columns, and the ways in which Python takes them.

use std::sync::Arc;

use classifier::{Prediction, Task, TaskKind};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict, PyList, PyString, PyTuple};

use crate::arrow::{self, AnswerBatches};
use crate::error::Result;

/// The answers to texts: a table in the order of the texts, with null for a text that is missing.
///
/// Arrow libraries take it as it is: ``pyarrow.table(answers)``, ``polars.DataFrame(answers)``. Its columns:
///
/// * ``predicted_label``: the class, or a list of classes where a text may have several.
/// * ``probability``: of two classes, that of the second (positive) one; of more, that of the predicted one; where
///   a text may have several, that of the least certain decision.
/// * ``probabilities``: those of all classes, in the order of ``Classifier.classes``.
/// * ``tokens``: the number of the text's tokens.
/// * ``cut``: whether the text was longer than the model reads, so that its end (or its start) did not count.
#[pyclass(frozen, module = "sentiment_rnn._native")]
pub(crate) struct Answers(Arc<AnswerColumns>);

/// The columns.
pub(crate) struct AnswerColumns {
    /// Whether a text may have several labels.
    pub(crate) is_any_of: bool,
    /// The names of the classes, `[C]`.
    pub(crate) classes: Vec<String>,
    /// Whether the text is there, `[N]`; all other columns hold placeholders where it is not.
    pub(crate) is_there: Vec<bool>,
    /// Predicted classes, those of all texts one after the other.
    pub(crate) labels: Vec<u32>,
    /// Where the labels of each text end, `[N]`.
    pub(crate) ends: Vec<usize>,
    /// `[N·C]`; NaN for a missing text.
    pub(crate) probabilities: Vec<f32>,
    /// Whether there are two classes: then the probability in the table is that of the second.
    is_binary: bool,
    /// The column `probability`, `[N]`.
    pub(crate) probability: Vec<f32>,
    /// Tokens of the texts, `[N]`.
    pub(crate) tokens: Vec<i64>,
    /// Whether a text was cut, `[N]`.
    pub(crate) cut: Vec<bool>,
}

impl AnswerColumns {
    /// No answers yet.
    pub(crate) fn new(task: &Task) -> Self {
        Self {
            is_binary: task.kind() == TaskKind::Binary,
            is_any_of: task.kind() == TaskKind::AnyOf,
            classes: task.classes().to_vec(),
            is_there: Vec::new(),
            labels: Vec::new(),
            ends: Vec::new(),
            probabilities: Vec::new(),
            probability: Vec::new(),
            tokens: Vec::new(),
            cut: Vec::new(),
        }
    }

    /// Adds the answer to a text, `None` for one that is missing.
    pub(crate) fn push(&mut self, prediction: Option<Prediction>) {
        self.is_there.push(prediction.is_some());
        match prediction {
            Some(prediction) => {
                self.labels.extend(&prediction.classes);
                self.probabilities.extend(&prediction.probabilities);
                let positive = prediction.probabilities.last().filter(|_| self.is_binary);
                self.probability.push(positive.copied().unwrap_or(prediction.certainty));
                self.tokens.push(i64::try_from(prediction.n_tokens).unwrap_or(i64::MAX));
                self.cut.push(prediction.is_cut());
            }
            None => {
                let n_classes = self.classes.len();
                self.probabilities.extend(std::iter::repeat_n(f32::NAN, n_classes));
                self.probability.push(f32::NAN);
                self.tokens.push(0);
                self.cut.push(false);
            }
        }
        self.ends.push(self.labels.len());
    }

    /// Number of texts.
    pub(crate) fn len(&self) -> usize {
        self.is_there.len()
    }

    /// The labels of a text; `None` if it is missing.
    pub(crate) fn labels_of(&self, text: usize) -> Option<&[u32]> {
        let start = text.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.is_there[text].then(|| &self.labels[start..self.ends[text]])
    }

    /// The probabilities of a text, `[C]`.
    fn probabilities_of(&self, text: usize) -> &[f32] {
        let n_classes = self.classes.len();
        &self.probabilities[text * n_classes..(text + 1) * n_classes]
    }
}

impl Answers {
    pub(crate) fn new(columns: AnswerColumns) -> Self {
        Self(Arc::new(columns))
    }
}

#[pymethods]
impl Answers {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> String {
        format!("<sentiment_rnn.Answers: {} rows of {}>", self.0.len(), COLUMNS.join(", "))
    }

    /// The predicted label of each text: a class, or a list of classes where a text may have several; ``None`` for
    /// a missing text.
    fn labels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let names: Vec<_> = self.0.classes.iter().map(|name| PyString::new(py, name)).collect();
        let items = (0..self.0.len()).map(|text| -> PyResult<Bound<'py, PyAny>> {
            match (self.0.labels_of(text), self.0.is_any_of) {
                (None, _) => Ok(py.None().into_bound(py)),
                (Some([label]), false) => Ok(names[*label as usize].clone().into_any()),
                (Some(labels), _) => {
                    let of_text = labels.iter().map(|&label| &names[label as usize]);
                    Ok(PyList::new(py, of_text)?.into_any())
                }
            }
        });
        let items = items.collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, items)
    }

    /// The probabilities of all classes, text by text, as bytes of native 32-bit floats; NaN for a missing text.
    fn probability_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyByteArray> {
        PyByteArray::new(py, bytemuck::cast_slice(&self.0.probabilities))
    }

    /// The columns as lists, by name: for a look without any other library.
    fn to_pydict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let columns = &*self.0;
        let texts = || 0..columns.len();
        let there = |text: usize| columns.is_there[text].then_some(text);
        let decided = texts().map(|text| there(text).map(|text| columns.probability[text]));
        let probabilities =
            texts().map(|text| there(text).map(|text| columns.probabilities_of(text).to_vec()));
        let tokens = texts().map(|text| there(text).map(|text| columns.tokens[text]));
        let cut = texts().map(|text| there(text).map(|text| columns.cut[text]));
        let dict = PyDict::new(py);
        let [label, probability, all, n_tokens, is_cut] = COLUMNS;
        dict.set_item(label, self.labels(py)?)?;
        dict.set_item(probability, decided.collect::<Vec<_>>())?;
        dict.set_item(all, probabilities.collect::<Vec<_>>())?;
        dict.set_item(n_tokens, tokens.collect::<Vec<_>>())?;
        dict.set_item(is_cut, cut.collect::<Vec<_>>())?;
        Ok(dict)
    }

    /// The predicted labels alone, as an Arrow array.
    fn label_column(&self) -> Labels {
        Labels(Arc::clone(&self.0))
    }

    /// The table's schema, for Arrow libraries.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        Ok(arrow::schema_capsule(py, &arrow::answers_schema(&self.0))?.into_any())
    }

    /// The table as a stream of record batches, for Arrow libraries.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        // A consumer that asks for other types must take what there is, and can convert it.
        let _ = requested_schema;
        Ok(arrow::stream_capsule(py, AnswerBatches::new(Arc::clone(&self.0)))?.into_any())
    }
}

/// Names of the columns.
pub(crate) const COLUMNS: [&str; 5] =
    ["predicted_label", "probability", "probabilities", "tokens", "cut"];

/// Predicted labels as an Arrow array: strings, or lists of strings where a text may have several; null for a
/// missing text.
///
/// Arrow libraries take it as it is: ``pyarrow.array(labels)``, ``polars.Series(labels)``.
#[pyclass(frozen, module = "sentiment_rnn._native")]
pub(crate) struct Labels(Arc<AnswerColumns>);

#[pymethods]
impl Labels {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> String {
        format!("<sentiment_rnn.Labels: {} rows>", self.0.len())
    }

    /// The array's type, for Arrow libraries.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        Ok(arrow::type_capsule(py, &arrow::label_type(&self.0))?.into_any())
    }

    /// The array, for Arrow libraries.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyTuple>> {
        let _ = requested_schema;
        let labels = py.detach(|| arrow::all_labels(&self.0));
        arrow::array_capsules(py, &arrow_array::Array::to_data(&labels))
    }
}
