//! Prepared data on disk, so that a second training on the same texts starts at once.
//!
//! An entry is one safetensors file: the rows of the three splits as they are in memory, the
//! `tokenizer.json` of the encoder, and counts and column names in the header. Its name is a digest
//! of everything that decides its contents: the bytes of the data file, the columns asked for, the
//! split, the preprocessing, and the version of what is done to them. So an entry never goes stale; it
//! is only forgotten.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dataset::{ColumnNames, EncodedSplit, file_digest};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize_to_file};
use serde::{Deserialize, Serialize};
use text_preprocessing::{PAD_ID, TextEncoder};

use crate::prepare::{DataRequest, DataSummary, LoadedData, Prepared};

/// Entries that are kept, newest first: enough to go back and forth between recipes, and little
/// enough to need no care (30 MB each for 25,000 reviews).
const N_ENTRIES: usize = 8;

/// Of reading, deduplicating, splitting and encoding: to be counted up whenever one of them gives
/// another result for the same texts and settings.
const PREPARATION_VERSION: u32 = 1;

/// An entry that is being written, and is left behind if that is interrupted.
const PARTIAL_PREFIX: &str = "partial-";
/// After which nobody writes it any more.
const PARTIAL_AGE: Duration = Duration::from_secs(3600);

const EXTENSION: &str = "safetensors";
const HEADER: &str = "prepared";
const TOKENIZER: &str = "tokenizer";
const SPLITS: [&str; 3] = ["train", "validation", "test"];

/// A folder of prepared data.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

/// What an entry's header holds.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    columns: ColumnNames,
    fingerprint: String,
    summary: DataSummary,
}

impl Cache {
    /// The cache in a folder, which is made when it is first needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The user's cache, such as `~/.cache/sentiment-rnn/prepared`; `None` if the system has no place
    /// for caches.
    pub fn of_user() -> Option<Self> {
        dirs::cache_dir().map(|folder| Self::new(folder.join("sentiment-rnn/prepared")))
    }

    /// Where the data of a request is kept, or would be; `None` if the data file cannot be read.
    pub(crate) fn entry(&self, request: &DataRequest<'_>) -> Option<PathBuf> {
        let DataRequest { path, columns, plan, preprocessing } = request;
        let settings = serde_json::json!({
            "version": PREPARATION_VERSION,
            "extension": path.extension().map(|extension| extension.to_string_lossy()),
            "text_column": columns.text,
            "label_column": columns.label,
            "split": plan,
            "preprocessing": preprocessing,
        });
        let digest = file_digest(path, settings.to_string().as_bytes()).ok()?;
        Some(self.folder.join(digest).with_extension(EXTENSION))
    }

    /// Reads an entry; `None` if it is not there or damaged, in which case the data is prepared anew.
    pub(crate) fn load(&self, entry: &Path, request: &DataRequest<'_>) -> Option<LoadedData> {
        let bytes = fs::read(entry).ok()?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes).ok()?;
        let header = metadata.metadata().as_ref()?.get(HEADER)?.clone();
        let Header { columns, fingerprint, summary } = serde_json::from_str(&header).ok()?;
        let tensors = SafeTensors::deserialize(&bytes).ok()?;
        let encoder = TextEncoder::from_json(
            tensors.tensor(TOKENIZER).ok()?.data(),
            request.preprocessing.clone(),
            entry,
        )
        .ok()?;
        let split = |name: &str| {
            let tensor = |part: &str| tensors.tensor(&format!("{name}.{part}")).ok();
            let numbers = |part: &str| {
                let tensor = tensor(part)?;
                Some(bytemuck::pod_collect_to_vec::<u8, u32>(tensor.data()))
            };
            let labels = tensor("labels")?.data().to_vec();
            let split =
                EncodedSplit::from_parts(numbers("ids")?, &numbers("lengths")?, labels).ok()?;
            let is_word = |&id: &u32| id != PAD_ID && (id as usize) < summary.vocab_size;
            split.ids().iter().all(is_word).then(|| Arc::new(split))
        };
        let [Some(train), Some(validation), Some(test)] = SPLITS.map(split) else { return None };
        let sizes = [train.len(), validation.len(), test.len(), encoder.vocab_size()];
        let expected = [summary.n_train, summary.n_validation, summary.n_test, summary.vocab_size];
        if sizes != expected {
            return None;
        }
        let data = Prepared { encoder, train, validation, test, summary };
        // Entries are forgotten by age of their last use.
        let _ = fs::File::options()
            .append(true)
            .open(entry)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Some(LoadedData { data, columns, fingerprint, is_cached: true })
    }

    /// Keeps prepared data. Failing is no harm: the next training prepares it again.
    pub(crate) fn store(&self, entry: &Path, loaded: &LoadedData) -> Option<()> {
        let LoadedData { data, columns, fingerprint, .. } = loaded;
        let header = Header {
            columns: columns.clone(),
            fingerprint: fingerprint.clone(),
            summary: data.summary.clone(),
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
            parts.push((format!("{name}.labels"), Dtype::U8, Cow::Borrowed(split.labels()?)));
        }
        parts.push((TOKENIZER.to_string(), Dtype::U8, Cow::Owned(data.encoder.to_json().ok()?)));
        let views = parts
            .iter()
            .map(|(name, dtype, bytes)| {
                let size = if *dtype == Dtype::U32 { size_of::<u32>() } else { 1 };
                let view = TensorView::new(*dtype, vec![bytes.len() / size], bytes).ok()?;
                Some((name.as_str(), view))
            })
            .collect::<Option<Vec<_>>>()?;

        fs::create_dir_all(&self.folder).ok()?;
        let mut builder = tempfile::Builder::new();
        let file = builder.prefix(PARTIAL_PREFIX).tempfile_in(&self.folder).ok()?;
        serialize_to_file(views, Some(metadata), file.path()).ok()?;
        file.persist(entry).ok()?;
        self.forget_old();
        Some(())
    }

    /// Removes all but the newest entries, and what interrupted writers left.
    fn forget_old(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let entries: Vec<fs::DirEntry> = entries.flatten().collect();
        for entry in &entries {
            let is_partial = entry.file_name().to_string_lossy().starts_with(PARTIAL_PREFIX);
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|modified| modified.elapsed().ok());
            if is_partial && age.is_some_and(|age| age > PARTIAL_AGE) {
                let _ = fs::remove_file(entry.path());
            }
        }
        let mut by_age: Vec<(SystemTime, PathBuf)> = entries
            .iter()
            .map(fs::DirEntry::path)
            .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
            .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
            .collect();
        by_age.sort_unstable_by(|a, b| b.cmp(a));
        for (_, path) in by_age.iter().skip(N_ENTRIES) {
            // Another training may have removed it just now.
            let _ = fs::remove_file(path);
        }
    }
}
