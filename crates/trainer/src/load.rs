//! From a file, or the cache, to encoded splits.

use dataset::LabelledTexts;

use crate::cache::Cache;
use crate::error::Result;
use crate::prepare::{DataRequest, LoadedData, prepare_few};

/// Reads a file and [`prepare`]s it, or takes the result of an earlier call with the same bytes and
/// settings from the cache. The file is read once: an entry always matches the bytes in its digest,
/// even if the file changes meanwhile.
///
/// # Errors
/// As [`LabelledTexts::read`] and [`prepare`]. A cache that cannot be read or written is not an error.
pub fn load(request: &DataRequest<'_>, cache: Option<&Cache>) -> Result<LoadedData> {
    let Some(cache) = cache else { return read_and_prepare(request) };
    let file = request.file.in_memory()?;
    let request = DataRequest { file: &file, ..*request };
    let entry = cache.entry(&request)?;
    if let Some(loaded) = cache.load(&entry, &request) {
        return Ok(loaded);
    }
    let loaded = read_and_prepare(&request)?;
    let _ = cache.store(&entry, &loaded);
    Ok(loaded)
}

fn read_and_prepare(request: &DataRequest<'_>) -> Result<LoadedData> {
    let table =
        LabelledTexts::read(request.file, request.columns, request.labels, request.options)?;
    // The digest uses one core; preparing the words uses all of them.
    let (fingerprint, data) = rayon::join(
        || table.fingerprint(),
        || prepare_few(&table, request.plan, (request.preprocessing, request.few_texts)),
    );
    let (columns, notes) = (table.columns().clone(), table.notes().clone());
    Ok(LoadedData { data: data?, columns, notes, fingerprint, is_cached: false })
}
