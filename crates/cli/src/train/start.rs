//! Tells what a training that starts from a model keeps of it, and what is new.

use std::path::Path;

use trainer::{FromRecord, ModelPart, Prepared, Start, StartModel, percent};

/// What is kept and what is new, and which texts are for training only. `path`: of the texts.
pub(super) fn tell(path: &Path, start: &Start, data: &Prepared) {
    let record = FromRecord::of(start);
    let (model, path) = (record.path.display(), path.display());
    eprintln!("{model}: kept are the {}", joined(&record.kept));
    if !record.new.is_empty() {
        let names = |names: &[String]| names.join(", ");
        eprintln!(
            "{model}: new are the {}, because the classes are others: {}, and in {path} {}",
            joined(&record.new),
            names(start.model.task().classes()),
            names(data.task.classes()),
        );
    }
    let unknown = data.summary.splits.as_ref().map_or(0.0, |splits| splits.train.unknown_share());
    eprintln!(
        "{path}: {} new words; of the words in its training texts, {} are not in the vocabulary",
        record.n_new_words,
        percent(unknown),
    );
    if record.n_learned > 0 {
        eprintln!(
            "{path}: {} of its texts are known to the model, which has learned them or was chosen by them: they are for \
             training only, with the labels that they have here",
            record.n_learned,
        );
    }
    if record.n_in_groups > 0 {
        eprintln!(
            "{path}: {} more texts are for training only, because their groups have texts that are known to the model",
            record.n_in_groups,
        );
    }
}

/// Says in what the recipe of a flag differs from the model's preprocessing and network, which are used instead.
pub(super) fn tell_recipe(model: &StartModel, recipe: &str) -> anyhow::Result<()> {
    let differences = model.differences_from(recipe)?;
    if !differences.is_empty() {
        let names: Vec<&str> = differences.iter().map(|found| found.name.as_str()).collect();
        eprintln!(
            "{}: its preprocessing and its network are used, not those of recipe {recipe} (other there: {})",
            model.path().display(),
            names.join(", ")
        );
    }
    Ok(())
}

fn joined(parts: &[ModelPart]) -> String {
    let names: Vec<&str> = parts.iter().map(|part| part.name()).collect();
    match names.as_slice() {
        [names @ .., last] if !names.is_empty() => format!("{} and {last}", names.join(", ")),
        names => names.concat(),
    }
}
