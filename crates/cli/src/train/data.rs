//! Reads, splits and encodes the texts, and tells what was found.

use std::path::Path;

use trainer::{
    Cache, DataOrigin, DataRequest, DataSummary, LeftOut, LoadedData, MOST_CHECKED, OwnOrigin,
    OwnSplits, Prepared, Recipe, SharedGroups,
};

use super::files::OpenFiles;
use super::start;
use super::wanted::Wanted;
use crate::progress::spinner;
use crate::reading::{tell_guesses, tell_notes};
use crate::shell::{program, quoted};

/// Findings of a check that are printed one by one.
const MOST_FINDINGS: usize = 4;

/// Reads, splits and encodes the data, and prints what it found if it `tells`.
pub(super) fn prepare(
    wanted: &Wanted,
    uses_cache: bool,
    files: &OpenFiles,
    tells: bool,
) -> anyhow::Result<(Prepared, DataOrigin)> {
    let Wanted { recipe, from, columns, labels, options, plan, .. } = wanted;
    let preprocessing = &recipe.preprocessing;
    let few_texts = recipe.training.few_texts;
    let (file, others) = (&files.data, files.others.as_ref());
    let request =
        DataRequest { file, others, columns, labels, options, plan, preprocessing, few_texts };
    let cache = if uses_cache { Cache::of_user() } else { None };
    let path = file.path();
    let spinner = spinner(format!("reading and encoding {}", path.display()));
    let loaded = match from {
        // With its vocabulary, whatever is in the cache.
        Some(model) => trainer::load_from(&request, model),
        None => trainer::load(&request, cache.as_ref()).map(|loaded| (loaded, labels.clone())),
    };
    spinner.finish_and_clear();
    let paths = others.map(|file| file.path());
    let (loaded, labels) = loaded.map_err(|error| with_path(error, path, paths))?;
    let LoadedData { data, columns, notes, findings, fingerprint, others: loaded, .. } = loaded;
    if tells {
        tell_notes(path, &notes);
        tell_guesses(path, &columns);
        for (_, (path, loaded)) in paths.zip(loaded.as_ref()).iter() {
            tell_notes(path, &loaded.notes);
            tell_guesses(path, &loaded.columns);
        }
        match &data.summary.left_out {
            None => tell_summary(path, &data.summary),
            Some(left_out) => tell_own(path, paths, &data.summary, left_out),
        }
        if let Some(cut) = data.summary.cut() {
            eprintln!("{}: {cut}", path.display());
        }
        if let Some(start) = &data.start {
            start::tell(path, start, &data);
        }
        tell_findings(path, findings.as_deref());
    }
    let how = (options.clone(), labels);
    let own = paths.zip(loaded).map(|(path, loaded)| OwnOrigin::new(path, loaded));
    let origin = DataOrigin::new(path, columns, how, fingerprint, *plan, &data);
    Ok((data, origin.with_own_splits(own)))
}

/// Prints how many texts there are, and how they are split.
fn tell_summary(path: &Path, summary: &DataSummary) {
    eprintln!(
        "{}; {} for training, {} for validation, {} for testing; vocabulary of {}",
        texts_in_words(path, summary),
        summary.n_train,
        summary.n_validation,
        summary.n_test,
        summary.vocab_size,
    );
}

/// The same of the files that the user divided the texts into, and how much is left out of each because it is in another.
fn tell_own(path: &Path, others: OwnSplits<&Path>, summary: &DataSummary, left_out: &LeftOut) {
    let split_off = match others.validation {
        Some(_) => String::new(),
        None => format!(", {} for validation", summary.n_validation),
    };
    eprintln!(
        "{}; {} for training{split_off}; vocabulary of {}",
        texts_in_words(path, summary),
        summary.n_train,
        summary.vocab_size,
    );
    tell_left_out(path, left_out.n_train_in_test, others.test);
    tell_groups(path, left_out.groups, others.test);
    tell_left_out(path, left_out.n_train_in_validation, others.validation);
    if let (Some(path), Some(n_rows)) = (others.validation, left_out.n_validation_rows) {
        let n_used = summary.n_validation;
        eprintln!("{}: {n_rows} texts, {n_used} for validation", path.display());
        tell_left_out(path, left_out.n_validation_in_test, others.test);
    }
    match (others.test, left_out.n_test_rows) {
        (Some(path), Some(n_rows)) => {
            eprintln!("{}: {n_rows} texts, all for testing", path.display());
        }
        _ => eprintln!(
            "the model will not be tested, as there is no --test; `{} evaluate --model DIR --data FILE` does it later",
            program()
        ),
    }
}

/// Prints what a check found that should be known before a training, in at most five lines.
fn tell_findings(path: &Path, findings: Option<&[String]>) {
    let shown = path.display();
    let command = format!("{} check {}", program(), quoted(&path.to_string_lossy()));
    match findings {
        None => eprintln!(
            "{shown}: not looked through for faults, as there are more than {MOST_CHECKED} texts; `{command}`, with the \
             same flags for columns and reading, does that"
        ),
        Some([]) => {}
        Some(findings) => {
            for finding in findings.iter().take(MOST_FINDINGS) {
                eprintln!("warning: {shown}: {finding}");
            }
            let more = match findings.len().saturating_sub(MOST_FINDINGS) {
                0 => String::new(),
                n => format!("{n} more were found; "),
            };
            eprintln!(
                "{more}`{command}`, with the same flags for columns and reading, says what to do"
            );
        }
    }
}

/// Says which settings follow the number of texts.
pub(super) fn tell_adapted(recipe: &Recipe, adapted: &Recipe) {
    let [was, is] = [recipe, adapted];
    let mut changes = Vec::new();
    let mut note = |name: &str, [was, is]: [u64; 2]| {
        if was != is {
            changes.push(format!("{name}={is} (recipe: {was})"));
        }
    };
    note("training.batch_size", [was, is].map(|of| of.training.batch_size as u64));
    note("training.epochs", [was, is].map(|of| of.training.epochs as u64));
    note("training.windows", [was, is].map(|of| of.training.windows as u64));
    note("preprocessing.min_frequency", [was, is].map(|of| of.preprocessing.min_frequency));
    if !changes.is_empty() {
        eprintln!("as there are few texts: {}", changes.join(", "));
    }
}

/// Prints how many texts of a file were left out because they are in another, if any were.
fn tell_left_out(path: &Path, n_texts: usize, other: Option<&Path>) {
    if let (1.., Some(other)) = (n_texts, other) {
        let (texts, are) = if n_texts == 1 { ("text", "is") } else { ("texts", "are") };
        let (path, other) = (path.display(), other.display());
        eprintln!("{path}: left out {n_texts} {texts} that {are} also in {other}");
    }
}

/// Prints how many texts of a file were left out because their groups are in another, if any were.
fn tell_groups(path: &Path, groups: Option<SharedGroups>, other: Option<&Path>) {
    if let (Some(SharedGroups { n_groups, n_texts: n_texts @ 1.. }), Some(other)) = (groups, other)
    {
        let texts = if n_texts == 1 { "text" } else { "texts" };
        let (of, are) = if n_groups == 1 { ("group", "is") } else { ("groups", "are") };
        let (path, other) = (path.display(), other.display());
        eprintln!(
            "{path}: left out {n_texts} {texts} of {n_groups} {of} that {are} also in {other}"
        );
    }
}

/// How many texts there are, and how many are left out because they occur several times.
fn texts_in_words(path: &Path, summary: &DataSummary) -> String {
    let groups = summary
        .n_groups
        .map_or_else(String::new, |n_groups| format!(" in {n_groups} groups, none of them split"));
    let (path, n_rows, n_duplicates) = (path.display(), summary.n_rows, summary.n_duplicates);
    format!("{path}: {n_rows} texts{groups}, {n_duplicates} duplicates left out")
}

/// Adds the file to an error that names none.
fn with_path(error: trainer::Error, path: &Path, others: OwnSplits<&Path>) -> anyhow::Error {
    let message = error.to_string();
    let names = |path: &Path| message.contains(&path.display().to_string());
    let names_one = matches!(error, trainer::Error::InFile { .. })
        || names(path)
        || others.iter().any(|(_, other)| names(other));
    let error = anyhow::Error::from(error);
    if names_one { error } else { error.context(path.display().to_string()) }
}
