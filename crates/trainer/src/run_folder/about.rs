//! `run.toml`: what is trained, and with what; also a recipe.

use std::fs;
use std::path::{Component, Path, PathBuf};

use dataset::{LabelOptions, ReadOptions};
use model::Precision;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{in_words, now};
use crate::error::{Error, Result};
use crate::from_model::StartModel;
use crate::own_splits::{OwnOrigin, OwnSplits};
use crate::prepare::SplitPlan;
use crate::recipe::Recipe;
use crate::report::DataOrigin;
use crate::state::{machine, precision_of};

/// What a run is of, and everything that is needed to train it again.
#[derive(Debug, Clone, PartialEq)]
pub struct RunAbout {
    /// All settings.
    pub recipe: Recipe,
    /// The model folder.
    pub model: PathBuf,
    /// The labelled texts.
    pub data: RunData,
    /// The model that it starts from, if it starts from one.
    pub from: Option<RunFrom>,
    /// Whether a linear model is fitted for comparison.
    pub comparison: bool,
    /// The command line.
    pub command: Vec<String>,
    /// When the run was made: ISO 8601, UTC.
    pub created: String,
    /// The version of this program.
    pub program: String,
    /// Device, precision, threads, instruction set: what decides how numbers are rounded.
    pub machine: Value,
}

/// The labelled texts of a run, and how they are read and divided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunData {
    /// The file, as it was given.
    pub path: PathBuf,
    /// The same from the root.
    pub absolute_path: PathBuf,
    /// [`LabelledTexts::fingerprint`](dataset::LabelledTexts::fingerprint) of its contents.
    pub fingerprint: String,
    /// Its text column.
    pub text_column: String,
    /// Its label columns.
    pub label_columns: Vec<String>,
    /// Its group column, if the texts were divided by group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_column: Option<String>,
    /// Its column of weights, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_column: Option<String>,
    /// The files of the other splits, if the user divided the texts; then that of `path` is the training file.
    #[serde(default, skip_serializing_if = "OwnSplits::is_empty")]
    pub own_splits: OwnSplits<RunFile>,
    /// How it is read.
    pub options: ReadOptions,
    /// How its labels are read.
    pub labels: LabelOptions,
    /// How it is divided.
    pub split: SplitPlan,
}

/// A file of a run beside its training file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFile {
    /// The file, as it was given.
    pub path: PathBuf,
    /// The same from the root.
    pub absolute_path: PathBuf,
    /// [`LabelledTexts::fingerprint`](dataset::LabelledTexts::fingerprint) of its contents.
    pub fingerprint: String,
}

impl RunFile {
    fn of(origin: &OwnOrigin) -> Self {
        let (path, fingerprint) = (origin.path.clone(), origin.fingerprint.clone());
        Self { absolute_path: absolute(&path), path, fingerprint }
    }

    /// Where the file is: as it was given, if it is still there from here.
    pub fn found_path(&self) -> &Path {
        found(&self.path, &self.absolute_path)
    }
}

/// The model that a run starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFrom {
    /// Its folder, as it was given.
    pub path: PathBuf,
    /// The same from the root.
    pub absolute_path: PathBuf,
    /// Its id.
    pub id: String,
}

impl RunFrom {
    /// Of a model.
    pub fn of(model: &StartModel) -> Self {
        let path = model.path().to_path_buf();
        Self { absolute_path: absolute(&path), path, id: model.id().to_string() }
    }

    /// Where the folder is: as it was given, if it is still there from here.
    pub fn found_path(&self) -> &Path {
        found(&self.path, &self.absolute_path)
    }
}

impl RunData {
    /// Of the texts of a training.
    pub fn of(origin: &DataOrigin) -> Self {
        let DataOrigin { path, fingerprint, text_column, label_columns, .. } = origin.clone();
        let DataOrigin { group_column, weight_column, options, labels, split, .. } = origin.clone();
        Self {
            absolute_path: absolute(&path),
            path,
            own_splits: origin.own_splits.as_ref().map(RunFile::of),
            fingerprint,
            text_column,
            label_columns,
            group_column,
            weight_column,
            options,
            labels,
            split,
        }
    }

    /// Where the file is: as it was given, if it is still there from here.
    pub fn found_path(&self) -> &Path {
        found(&self.path, &self.absolute_path)
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn found<'a>(path: &'a Path, absolute: &'a Path) -> &'a Path {
    if path.exists() { path } else { absolute }
}

/// The table `[run]` of the file.
#[derive(Serialize, Deserialize)]
struct RunTable {
    recipe: String,
    /// From the run folder.
    model: PathBuf,
    /// The same from the root.
    absolute_model: PathBuf,
    created: String,
    program: String,
    command: Vec<String>,
    seed: u64,
    comparison: bool,
    machine: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<RunFrom>,
    data: RunData,
}

/// The whole file.
#[derive(Serialize)]
struct WholeFile<'a> {
    #[serde(flatten)]
    recipe: crate::recipe::Settings<'a>,
    run: RunTable,
}

impl RunAbout {
    /// A run that begins now.
    pub fn new(
        recipe: &Recipe,
        model: &Path,
        origin: &DataOrigin,
        device: &candle_core::Device,
    ) -> Self {
        Self {
            recipe: recipe.clone(),
            model: model.to_path_buf(),
            data: RunData::of(origin),
            from: None,
            comparison: true,
            command: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
            created: in_words(now()),
            program: env!("CARGO_PKG_VERSION").to_string(),
            machine: machine(device),
        }
    }

    /// The precision in which it computes.
    pub fn precision(&self) -> Precision {
        precision_of(&self.machine)
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        let failed = |reason: String| Error::RunFile {
            path: path.to_path_buf(),
            what: "the settings of a run",
            reason,
        };
        let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let mut table: toml::Table =
            toml::from_str(&text).map_err(|error| failed(error.message().to_string()))?;
        let run = table.remove("run").ok_or_else(|| failed("it has no table [run]".to_string()))?;
        let run: RunTable =
            run.try_into().map_err(|error: toml::de::Error| failed(error.message().to_string()))?;
        let name = path.to_string_lossy();
        let recipe = Recipe::load(&name, &[]).map_err(|error| failed(error.to_string()))?;
        let RunTable { model, absolute_model, created, program, command, comparison, .. } = run;
        let (machine, data, from) = (run.machine, run.data, run.from);
        // From the folder that the run is in.
        let beside = without_detours(&whole_file::folder_of(path).join(model));
        // The run folder may be reached through a link.
        let is_elsewhere = !beside.exists() && absolute_model.exists();
        let model = if is_elsewhere { absolute_model } else { beside };
        Ok(Self { recipe, model, data, from, comparison, command, created, program, machine })
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let failed = |reason: String| Error::Unsaveable { what: "settings".to_string(), reason };
        let Self { recipe, model, data, from, comparison, command, created, program, machine } =
            self.clone();
        let run = RunTable {
            recipe: recipe.name.clone(),
            absolute_model: std::path::absolute(&model).unwrap_or_else(|_| model.clone()),
            model: from_folder(&model, whole_file::folder_of(path)),
            created,
            program,
            command,
            seed: recipe.training.seed,
            comparison,
            machine,
            from,
            data,
        };
        let file = WholeFile { recipe: recipe.settings(), run };
        let text = toml::to_string(&file).map_err(|error| failed(error.to_string()))?;
        let written = whole_file::write(path, text.as_bytes());
        written.map_err(|source| Error::Unwritten { path: path.to_path_buf(), source })
    }
}

/// The path to `target` from a folder: relative if they have a folder in common, so that both can be moved together.
fn from_folder(target: &Path, folder: &Path) -> PathBuf {
    let (Ok(target), Ok(folder)) = (std::path::absolute(target), std::path::absolute(folder))
    else {
        return target.to_path_buf();
    };
    let mut common = folder.as_path();
    let mut up = PathBuf::new();
    while !target.starts_with(common) {
        match common.parent() {
            Some(parent) => (common, up) = (parent, up.join("..")),
            None => return target,
        }
    }
    match target.strip_prefix(common) {
        Ok(rest) if common.parent().is_some() => up.join(rest),
        _ => target,
    }
}

/// The same path without `NAME/..`: as somebody would write it who stands outside.
fn without_detours(path: &Path) -> PathBuf {
    let mut short = PathBuf::new();
    for part in path.components() {
        let is_named = matches!(short.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::ParentDir if is_named => {
                short.pop();
            }
            part => short.push(part),
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_from_its_run_and_both_can_be_moved() {
        for (model, run, expected) in [
            ("models/a", "runs/a", "../../models/a"),
            ("/x/models/a", "/x/runs/a", "../../models/a"),
            ("/x/a", "/x/runs/a", "../../a"),
            ("/elsewhere/a", "/x/runs/a", "/elsewhere/a"),
        ] {
            let relative = from_folder(Path::new(model), Path::new(run));
            assert_eq!(relative, Path::new(expected), "{model} {run}");
            let found = without_detours(&Path::new(run).join(relative));
            assert_eq!(found, Path::new(model), "{model} {run}");
        }
        assert_eq!(without_detours(Path::new("../../a/b/../c")), Path::new("../../a/c"));
    }

    /// Every setting of every built-in recipe, and some that none of them has.
    #[test]
    fn a_run_file_is_its_recipe() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        let settings = [
            "training.class_weights=positive=3",
            "training.threshold=cost=5:1",
            "training.learning_rate=1e-7",
            "training.word_vectors=vectors.txt",
            "regularization.word_dropout=0.1",
        ]
        .map(String::from);
        let test = RunFile {
            path: "test.csv".into(),
            absolute_path: "/test.csv".into(),
            fingerprint: "def".to_string(),
        };
        let names = Recipe::names().into_iter();
        let recipes = names.flat_map(|name| [(name, &[][..]), (name, &settings[..])]);
        for (name, settings) in recipes {
            let recipe = Recipe::load(name, settings).unwrap();
            let about = RunAbout {
                recipe: recipe.clone(),
                model: folder.path().join("models/m"),
                data: RunData {
                    path: "texts, and more.csv".into(),
                    absolute_path: "/texts, and more.csv".into(),
                    fingerprint: "abc".to_string(),
                    text_column: "te\"xt".to_string(),
                    label_columns: vec!["a".to_string(), "b".to_string()],
                    group_column: None,
                    weight_column: Some("w".to_string()),
                    own_splits: OwnSplits { validation: None, test: Some(test.clone()) },
                    options: ReadOptions::default(),
                    labels: LabelOptions { separator: Some('|'), ..LabelOptions::default() },
                    split: recipe.split_plan(),
                },
                from: (name == "quick").then(|| RunFrom {
                    path: "models/old".into(),
                    absolute_path: "/models/old".into(),
                    id: "0123456789abcdef".to_string(),
                }),
                comparison: false,
                command: vec!["sentiment".to_string(), "train".to_string()],
                created: "2026-01-01T00:00:00.000Z".to_string(),
                program: "0.1.0".to_string(),
                machine: machine(&candle_core::Device::Cpu),
            };
            about.write(&path).unwrap();
            assert_eq!(RunAbout::read(&path).unwrap(), about, "{name}");
            assert_eq!(Recipe::load(&path.to_string_lossy(), &[]).unwrap(), recipe, "{name}");
        }
    }
}
