//! Prepared data on disk, so that another training run on the same texts starts at once.
//!
//! An entry is one safetensors file: the rows of the three splits as they are in memory (ids, classes and
//! weights), the digests of their texts, the rows of the files that the validation and test texts come from, the
//! `tokenizer.json` of the encoder, and the task, counts and column names in the header. Its name is a digest of
//! everything that decides its contents: the bytes of the data files, how they and their labels are read, the requested
//! columns, the split, the preprocessing, and the version of the preparation. So an entry never goes stale; the least
//! recently used entries are removed when all together take more than 1 GiB.
//!
//! Several training runs may use one cache at once: entries appear by renaming, and readers keep theirs
//! open.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use classifier::folder::SeenTexts;
use dataset::{ColumnChoice, ColumnNames, DataFile, EncodedSplit, ReadNotes, Targets};
use model::Task;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize_to_file};
use serde::{Deserialize, Serialize};
use text_preprocessing::{PAD_ID, TextEncoder};

use crate::error::Result;
use crate::few_texts::counted;
use crate::load::{DataRequest, LoadedData};
use crate::own_splits::{LoadedFile, OwnSplits};
use crate::prepare::Prepared;
use crate::split_texts::SplitTexts;
use crate::summary::DataSummary;

#[cfg(test)]
mod golden;

/// Maximum size of all entries together, in bytes: enough to switch between recipes (30 MB per entry
/// for 25,000 reviews), and small enough not to matter.
const MAX_BYTES: u64 = 1 << 30;

/// Version of reading, deduplicating, splitting and encoding: increment it whenever one of them gives a
/// different result for the same texts and settings.
const PREPARATION_VERSION: u32 = 6;

/// SHA-256 of what this version makes of the files in `tests/golden`: if it changes, the tests fail and
/// ask for a new version.
#[cfg(test)]
const PREPARATION_DIGEST: &str = "d9a7f25e999a5c547889778961898ecedc3090127d7b9fe0aa267075ee0ea87c";

/// Prefix of entries being written; they are left behind if that is interrupted.
const PARTIAL_PREFIX: &str = "partial-";
/// Age from which a partial entry counts as abandoned.
const PARTIAL_AGE: Duration = Duration::from_secs(3600);

const EXTENSION: &str = "safetensors";
const HEADER: &str = "prepared";
const TOKENIZER: &str = "tokenizer";
const SPLITS: [&str; 3] = ["train", "validation", "test"];
/// Digests of the training texts, ascending; those of the validation texts are in the order of the split.
const SEEN_TRAIN: &str = "seen.train";

/// A folder of prepared data.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    max_bytes: u64,
}

/// The contents of an entry's header.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    columns: ColumnNames,
    notes: ReadNotes,
    findings: Option<Vec<String>>,
    fingerprint: String,
    task: Task,
    separator: Option<char>,
    /// How often a word had to occur to be in the vocabulary; it may follow the number of texts.
    min_frequency: u64,
    summary: DataSummary,
    #[serde(default, skip_serializing_if = "OwnSplits::is_empty")]
    others: OwnSplits<LoadedFile>,
}

impl Cache {
    /// The cache in a folder, which is created when first needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), max_bytes: MAX_BYTES }
    }

    /// The same cache with a different limit than 1 GiB for all its entries together; a single larger
    /// entry is not kept.
    #[must_use]
    pub fn with_max_bytes(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// The user's cache, such as `~/.cache/sentiment-rnn/prepared`; `None` if the system has no folder
    /// for caches.
    pub fn of_user() -> Option<Self> {
        dirs::cache_dir().map(|folder| Self::new(folder.join("sentiment-rnn/prepared")))
    }

    /// The path of a request's entry, whether or not it exists.
    ///
    /// # Errors
    /// If the data file cannot be read.
    pub(crate) fn entry(&self, request: &DataRequest<'_>) -> Result<PathBuf> {
        let &DataRequest { file, others, columns, labels, options, plan, preprocessing, few_texts } =
            request;
        // Every field, so that a new one cannot be forgotten.
        let ColumnChoice { text, label, group, weight, known_text, known_group, known_label } =
            columns;
        let mut settings = serde_json::json!({
            "version": PREPARATION_VERSION,
            "extensions": extensions(file),
            "columns": (text, label, group, weight, known_text, known_group, known_label),
            "labels": labels,
            "options": options,
            "split": plan,
            "preprocessing": preprocessing,
            "few_texts": few_texts,
        });
        for (part, file) in others.iter() {
            settings[part] = serde_json::json!((extensions(file), file.digest(&[])?));
        }
        let digest = file.digest(settings.to_string().as_bytes())?;
        Ok(self.folder.join(digest).with_extension(EXTENSION))
    }

    /// Reads an entry; `None` if it is missing or damaged; the data is then prepared again.
    pub(crate) fn load(&self, entry: &Path, request: &DataRequest<'_>) -> Option<LoadedData> {
        let bytes = fs::read(entry).ok()?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes).ok()?;
        let header = metadata.metadata().as_ref()?.get(HEADER)?.clone();
        let header: Header = serde_json::from_str(&header).ok()?;
        let Header { columns, notes, findings, fingerprint, task, separator, .. } = header;
        let Header { min_frequency, summary, others, .. } = header;
        let sizes = [summary.n_train, summary.n_validation, summary.n_test];
        let n_counted = counted(request.plan, sizes);
        let preprocessing = request.few_texts.preprocessing(request.preprocessing, n_counted);
        // The rule of few texts may be another one since.
        if preprocessing.min_frequency != min_frequency {
            return None;
        }
        let tensors = SafeTensors::deserialize(&bytes).ok()?;
        let encoder =
            TextEncoder::from_json(tensors.tensor(TOKENIZER).ok()?.data(), preprocessing, entry)
                .ok()?;
        let split = |name: &str| {
            let tensor = |part: &str| tensors.tensor(&format!("{name}.{part}")).ok();
            let numbers = |part: &str| {
                let tensor = tensor(part)?;
                Some(bytemuck::pod_collect_to_vec::<u8, u32>(tensor.data()))
            };
            let classes = numbers("classes")?;
            let targets = match task {
                Task::AnyOf(_) => {
                    let starts = numbers("starts")?.into_iter().map(|start| start as usize);
                    Targets::AnyOf { starts: starts.collect(), classes }
                }
                Task::Binary(_) | Task::OneOf(_) => Targets::OneOf(classes),
            };
            targets.check(task.classes().len()).ok()?;
            let mut split =
                EncodedSplit::from_parts(numbers("ids")?, &numbers("lengths")?, targets).ok()?;
            if let Some(weights) = tensor("weights") {
                let weights = bytemuck::pod_collect_to_vec::<u8, f32>(weights.data());
                split = split.with_weights(weights).ok()?;
            }
            let is_word = |&id: &u32| id != PAD_ID && (id as usize) < summary.vocab_size;
            split.ids().iter().all(is_word).then(|| Arc::new(split))
        };
        let [Some(train), Some(validation), Some(test)] = SPLITS.map(split) else { return None };
        let sizes = [train.len(), validation.len(), test.len(), encoder.vocab_size()];
        let expected = [summary.n_train, summary.n_validation, summary.n_test, summary.vocab_size];
        if sizes != expected {
            return None;
        }
        let digests = |name: &str| {
            let tensor = tensors.tensor(name).ok()?;
            Some(bytemuck::pod_collect_to_vec::<u8, u64>(tensor.data()))
        };
        let texts = |name: &str, n_texts: usize| {
            let rows = tensors.tensor(&format!("{name}.rows")).ok()?;
            let rows = bytemuck::pod_collect_to_vec(rows.data());
            let texts = SplitTexts { rows, digests: digests(&format!("{name}.digests"))? };
            ([texts.rows.len(), texts.digests.len()] == [n_texts; 2]).then_some(texts)
        };
        let [_, of_validation, of_test] = SPLITS;
        let validation_texts = texts(of_validation, validation.len())?;
        let test_texts = texts(of_test, test.len())?;
        let of_train = digests(SEEN_TRAIN)?;
        if of_train.len() != train.len() || !of_train.is_sorted() {
            return None;
        }
        let seen = SeenTexts { train: of_train, validation: validation_texts.sorted_digests() };
        let data = Prepared {
            task: task.clone(),
            separator,
            encoder,
            train,
            validation,
            test,
            validation_texts,
            test_texts,
            seen,
            summary,
            start: None,
        };
        // Entries are removed by the time of their last use.
        let _ = fs::File::options()
            .append(true)
            .open(entry)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Some(LoadedData { data, columns, notes, findings, fingerprint, others, is_cached: true })
    }

    /// Stores prepared data. Failure is harmless: the next training run prepares it again.
    pub(crate) fn store(&self, entry: &Path, loaded: &LoadedData) -> Option<()> {
        let LoadedData { data, columns, notes, findings, fingerprint, others, .. } = loaded;
        let header = Header {
            columns: columns.clone(),
            notes: notes.clone(),
            findings: findings.clone(),
            fingerprint: fingerprint.clone(),
            task: data.task.clone(),
            separator: data.separator,
            min_frequency: data.encoder.config().min_frequency,
            summary: data.summary.clone(),
            others: others.clone(),
        };
        let metadata = HashMap::from([(HEADER.to_string(), serde_json::to_string(&header).ok()?)]);
        let splits = SPLITS.iter().zip([&data.train, &data.validation, &data.test]);
        let mut parts: Vec<(String, Dtype, Cow<'_, [u8]>)> = Vec::new();
        for (name, split) in splits {
            let lengths: Vec<u32> =
                (0..split.len()).map(|row| split.row(row).len() as u32).collect();
            let ids = Cow::Borrowed(bytemuck::cast_slice(split.ids()));
            let lengths = Cow::Owned(bytemuck::pod_collect_to_vec(&lengths));
            parts.push((format!("{name}.ids"), Dtype::U32, ids));
            parts.push((format!("{name}.lengths"), Dtype::U32, lengths));
            let classes = match split.targets()? {
                Targets::OneOf(classes) => classes,
                Targets::AnyOf { starts, classes } => {
                    let starts: Vec<u32> = starts.iter().map(|&start| start as u32).collect();
                    let starts = Cow::Owned(bytemuck::pod_collect_to_vec(&starts));
                    parts.push((format!("{name}.starts"), Dtype::U32, starts));
                    classes
                }
            };
            let classes = Cow::Borrowed(bytemuck::cast_slice(classes));
            parts.push((format!("{name}.classes"), Dtype::U32, classes));
            if let Some(weights) = split.weights() {
                let weights = Cow::Borrowed(bytemuck::cast_slice(weights));
                parts.push((format!("{name}.weights"), Dtype::F32, weights));
            }
        }
        let of_train = Cow::Borrowed(bytemuck::cast_slice(&data.seen.train));
        parts.push((SEEN_TRAIN.to_string(), Dtype::U64, of_train));
        for (name, texts) in SPLITS[1..].iter().zip([&data.validation_texts, &data.test_texts]) {
            let rows = Cow::Borrowed(bytemuck::cast_slice(&texts.rows));
            parts.push((format!("{name}.rows"), Dtype::U32, rows));
            let digests = Cow::Borrowed(bytemuck::cast_slice(&texts.digests));
            parts.push((format!("{name}.digests"), Dtype::U64, digests));
        }
        parts.push((TOKENIZER.to_string(), Dtype::U8, Cow::Owned(data.encoder.to_json().ok()?)));
        let views = parts
            .iter()
            .map(|(name, dtype, bytes)| {
                let size = dtype.bitsize() / 8;
                let view = TensorView::new(*dtype, vec![bytes.len() / size], bytes).ok()?;
                Some((name.as_str(), view))
            })
            .collect::<Option<Vec<_>>>()?;

        let n_bytes: u64 = parts.iter().map(|(_, _, bytes)| bytes.len() as u64).sum();
        if n_bytes > self.max_bytes {
            return None;
        }
        fs::create_dir_all(&self.folder).ok()?;
        let mut builder = tempfile::Builder::new();
        let file = builder.prefix(PARTIAL_PREFIX).tempfile_in(&self.folder).ok()?;
        serialize_to_file(views, Some(metadata), file.path()).ok()?;
        file.persist(entry).ok()?;
        self.forget_old();
        Some(())
    }

    /// Removes leftovers of interrupted writers, and the least recently used entries until the rest
    /// fits the limit.
    fn forget_old(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut by_use: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            let (Ok(used), path) = (metadata.modified(), entry.path()) else { continue };
            let is_partial = entry.file_name().to_string_lossy().starts_with(PARTIAL_PREFIX);
            if is_partial && used.elapsed().is_ok_and(|age| age > PARTIAL_AGE) {
                // Another training run may have just removed it, here and below.
                let _ = fs::remove_file(path);
            } else if path.extension().is_some_and(|extension| extension == EXTENSION) {
                by_use.push((used, metadata.len(), path));
            }
        }
        by_use.sort_unstable_by(|a, b| b.cmp(a));
        let mut n_bytes = 0;
        for (_, size, path) in by_use {
            n_bytes += size;
            if n_bytes > self.max_bytes {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// What follows the first full stop of a file's name, which determines the format, `.csv.gz` as well as `.csv`.
fn extensions(file: &DataFile) -> Option<String> {
    let name = file.path().file_name().unwrap_or_default().to_string_lossy();
    name.split_once('.').map(|(_, extensions)| extensions.to_string())
}
