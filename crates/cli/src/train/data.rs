//! Reads, splits and encodes the texts, and tells what was found.

use std::path::Path;

use dataset::DataFile;
use trainer::{Cache, DataOrigin, DataRequest, DataSummary, LoadedData, Prepared};

use super::start;
use super::wanted::Wanted;
use crate::progress::spinner;
use crate::reading::{tell_guesses, tell_notes};

/// Reads, splits and encodes the data, and prints what it found.
pub(super) fn prepare(
    wanted: &Wanted,
    uses_cache: bool,
    file: &DataFile,
) -> anyhow::Result<(Prepared, DataOrigin)> {
    let Wanted { recipe, from, columns, labels, options, plan, .. } = wanted;
    let preprocessing = &recipe.preprocessing;
    let request = DataRequest { file, columns, labels, options, plan, preprocessing };
    let cache = if uses_cache { Cache::of_user() } else { None };
    let path = file.path();
    let spinner = spinner(format!("reading and encoding {}", path.display()));
    let loaded = match from {
        // With its vocabulary, whatever is in the cache.
        Some(model) => trainer::load_from(&request, model),
        None => trainer::load(&request, cache.as_ref()).map(|loaded| (loaded, labels.clone())),
    };
    spinner.finish_and_clear();
    let (LoadedData { data, columns, notes, fingerprint, .. }, labels) =
        loaded.map_err(|error| with_path(error, path))?;
    tell_notes(path, &notes);
    tell_guesses(path, &columns);
    tell_summary(path, &data.summary);
    if let Some(start) = &data.start {
        start::tell(path, start, &data);
    }
    let how = (options.clone(), labels);
    let origin = DataOrigin::new(path, columns, how, fingerprint, *plan, &data);
    Ok((data, origin))
}

/// Prints how many texts there are, how they are split, and how much of them is cut off.
fn tell_summary(path: &Path, summary: &DataSummary) {
    let path = path.display();
    let groups = summary
        .n_groups
        .map_or_else(String::new, |n_groups| format!(" in {n_groups} groups, none of them split"));
    eprintln!(
        "{path}: {} texts{groups}, {} duplicates left out; {} for training, {} for validation, {} for testing; \
         vocabulary of {}",
        summary.n_rows,
        summary.n_duplicates,
        summary.n_train,
        summary.n_validation,
        summary.n_test,
        summary.vocab_size,
    );
    if let Some(cut) = summary.cut() {
        eprintln!("{path}: {cut}");
    }
}

/// Adds the file to an error that does not name it.
fn with_path(error: trainer::Error, path: &Path) -> anyhow::Error {
    let path = path.display().to_string();
    let names_it = error.to_string().contains(&path);
    let error = anyhow::Error::from(error);
    if names_it { error } else { error.context(path) }
}
