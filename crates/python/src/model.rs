//! A trained model, as Python holds it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Device;
use classifier::{Classifier, DeviceChoice, ModelFiles, folder};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict};

use crate::answers::{AnswerColumns, Answers};
use crate::arrow::{Chunk, TextChunks};
use crate::compute::{Interrupts, guarded, without_lock};
use crate::error::{Error, Result};
use crate::process;
use crate::strings;

/// Texts that are answered in one go: enough for batches of texts of similar lengths, few enough for memory.
const GROUP: usize = 65_536;

/// The files that a model may have.
const FILES: [&str; 5] = [
    folder::CONFIG_FILE,
    folder::TOKENIZER_FILE,
    folder::WEIGHTS_FILE,
    folder::NGRAMS_FILE,
    folder::METRICS_FILE,
];

/// A trained model; `sentiment_rnn.Classifier` is made of one.
#[pyclass(frozen, module = "sentiment_rnn._native")]
pub(crate) struct Model {
    classifier: Classifier,
    files: ModelFiles,
}

#[pymethods]
impl Model {
    /// Opens the model in a folder.
    #[staticmethod]
    #[pyo3(signature = (folder, device = "cpu"))]
    fn load(py: Python<'_>, folder: PathBuf, device: &str) -> Result<Self> {
        let device = open_device(device)?;
        // Loading starts no threads, so a process may load and then fork.
        py.detach(|| {
            guarded(|| {
                let classifier = Classifier::open(&folder, &device)?;
                // The files are read again for a pickle, perhaps from another working directory.
                let files = std::path::absolute(&folder).unwrap_or(folder);
                Ok(Self::new(classifier, ModelFiles::Folder(files)))
            })
        })
    }

    /// Opens a model from the contents of its files, by name.
    #[staticmethod]
    #[pyo3(signature = (files, device = "cpu"))]
    fn from_files(
        py: Python<'_>,
        files: BTreeMap<String, PyBackedBytes>,
        device: &str,
    ) -> Result<Self> {
        if let Some(name) = files.keys().find(|name| !FILES.contains(&name.as_str())) {
            return Err(Error::FileName { name: name.clone() });
        }
        let files: BTreeMap<String, Arc<[u8]>> =
            files.into_iter().map(|(name, bytes)| (name, Arc::from(&*bytes))).collect();
        let (files, device) = (ModelFiles::Memory(files), open_device(device)?);
        py.detach(|| guarded(|| Ok(Self::new(Classifier::open(files.clone(), &device)?, files))))
    }

    /// The contents of the model's files, by name.
    fn files<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyDict>> {
        let read;
        let files = match &self.files {
            ModelFiles::Memory(files) => files,
            ModelFiles::Folder(folder) => {
                read = py.detach(|| guarded(|| self.read_again(folder)))?;
                &read
            }
        };
        let dict = PyDict::new(py);
        for (name, bytes) in files {
            dict.set_item(name, PyBytes::new(py, bytes))?;
        }
        Ok(dict)
    }

    /// `binary`, `one-of` or `any-of`.
    #[getter]
    fn task(&self) -> String {
        self.classifier.task().kind().to_string()
    }

    /// The names of the classes.
    #[getter]
    fn classes(&self) -> Vec<String> {
        self.classifier.task().classes().to_vec()
    }

    /// The thresholds of decisions, if training chose any.
    #[getter]
    fn thresholds(&self) -> Option<Vec<f32>> {
        self.classifier.thresholds().map(<[f32]>::to_vec)
    }

    /// The id of the model: hexadecimal digits. Absent in models of old formats.
    #[getter]
    fn id(&self) -> Option<String> {
        self.classifier.id().map(|id| id.to_string())
    }

    /// Identifies the model, also one without an id.
    #[getter]
    fn digest(&self) -> Option<&str> {
        self.classifier.digest()
    }

    /// The answers to strings; a ``None`` among them is an error or, if `missing` is true, has a null answer.
    #[pyo3(signature = (texts, missing = false))]
    fn answer(&self, texts: &Bound<'_, PyAny>, missing: bool) -> Result<Answers> {
        let strings = strings::take(texts, missing)?;
        without_lock(texts.py(), || {
            let texts: Vec<Option<&str>> = strings.iter().map(Option::as_deref).collect();
            let mut answering = Answering::new(&self.classifier);
            for group in texts.chunks(GROUP) {
                answering.add(group)?;
            }
            Ok(Answers::new(answering.answers))
        })
    }

    /// The answers to the texts of an object with `__arrow_c_stream__` or `__arrow_c_array__`.
    #[pyo3(signature = (texts, column = None))]
    fn answer_arrow(&self, texts: &Bound<'_, PyAny>, column: Option<&str>) -> Result<Answers> {
        let mut answering = Answering::new(&self.classifier);
        let added = answering.add_source(texts, column);
        answering.finish(texts.py(), added)
    }

    /// The answers to the texts of all such objects in an iterable.
    #[pyo3(signature = (batches, column = None))]
    fn answer_batches(&self, batches: &Bound<'_, PyAny>, column: Option<&str>) -> Result<Answers> {
        let mut answering = Answering::new(&self.classifier);
        let mut batches_read = batches.try_iter()?;
        let added = batches_read.try_for_each(|batch| answering.add_source(&batch?, column));
        answering.finish(batches.py(), added)
    }
}

impl Model {
    /// A model from its classifier and the files that hold it.
    pub(crate) fn new(classifier: Classifier, files: ModelFiles) -> Self {
        Self { classifier, files }
    }

    /// Reads the files of this model from its folder.
    ///
    /// # Errors
    /// [`Error::Replaced`] if there is another model in it by now.
    fn read_again(&self, path: &Path) -> Result<BTreeMap<String, Arc<[u8]>>> {
        let files = folder::read_files(path)?;
        let read = Classifier::open(ModelFiles::Memory(files.clone()), &Device::Cpu)?;
        if read.digest() != self.classifier.digest() {
            return Err(Error::Replaced { folder: path.to_path_buf() });
        }
        Ok(files)
    }
}

/// Answers that are being collected.
struct Answering<'a> {
    classifier: &'a Classifier,
    interrupts: Interrupts,
    answers: AnswerColumns,
    /// Small chunks are answered together.
    waiting: Vec<Chunk>,
    n_waiting: usize,
}

impl<'a> Answering<'a> {
    fn new(classifier: &'a Classifier) -> Self {
        let answers = AnswerColumns::new(classifier.task());
        let interrupts = Interrupts::new();
        Self { classifier, interrupts, answers, waiting: Vec::new(), n_waiting: 0 }
    }

    /// Takes the texts of an Arrow object, and answers them as soon as there are enough.
    fn add_source(&mut self, source: &Bound<'_, PyAny>, column: Option<&str>) -> Result<()> {
        let mut chunks = guarded(|| TextChunks::open(source, column))?;
        without_lock(source.py(), move || {
            while let Some(chunk) = chunks.next()? {
                self.n_waiting += chunk.len();
                self.waiting.push(chunk);
                if self.n_waiting >= GROUP {
                    self.add_waiting()?;
                }
                self.interrupts.check()?;
            }
            Ok(())
        })
    }

    /// Answers the chunks that wait.
    fn add_waiting(&mut self) -> Result<()> {
        self.n_waiting = 0;
        let chunks = std::mem::take(&mut self.waiting);
        let mut texts = Vec::new();
        for chunk in &chunks {
            texts.extend(chunk.texts()?);
        }
        texts.chunks(GROUP).try_for_each(|group| self.add(group))
    }

    /// The answers to all texts, if they could be `added`. What waits is released without Python's lock in any case.
    fn finish(mut self, py: Python<'_>, added: Result<()>) -> Result<Answers> {
        without_lock(py, move || {
            added?;
            self.add_waiting()?;
            Ok(Answers::new(self.answers))
        })
    }

    /// Answers some texts.
    ///
    /// # Errors
    /// What Ctrl-C raised; [`Error::Forked`] in a child of a process that has computed; the model's own.
    fn add(&mut self, texts: &[Option<&str>]) -> Result<()> {
        let there: Vec<&str> = texts.iter().flatten().copied().collect();
        let predictions = if there.is_empty() {
            Vec::new()
        } else {
            process::claim()?;
            let mut on_texts = |_| self.interrupts.look();
            let predictions = self.classifier.predict_with(&there, &mut on_texts);
            if let Some(raised) = self.interrupts.take() {
                return Err(raised.into());
            }
            predictions?
        };
        let mut predictions = predictions.into_iter();
        for text in texts {
            self.answers.push(text.and_then(|_| predictions.next()));
        }
        Ok(())
    }
}

/// The device of this name.
pub(crate) fn open_device(name: &str) -> Result<Device> {
    let choice = match name {
        "auto" => DeviceChoice::Auto,
        "cpu" => DeviceChoice::Cpu,
        "cuda" => DeviceChoice::Cuda,
        "metal" => DeviceChoice::Metal,
        _ => return Err(Error::DeviceName { name: name.to_string() }),
    };
    Ok(choice.open().map_err(classifier::Error::from)?)
}
