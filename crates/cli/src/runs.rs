//! `sentiment runs`: what was trained, how it went, and in what two trainings differ.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::{Value, json};
use trainer::{Difference, Ending, KeyFigures, RunAbout, RunData, RunFolder, RunStatus};

use crate::columns::aligned;

/// Lists trainings: their name, data, recipe, when they began, how they ended, and their key figures.
///
/// `sentiment runs compare A B` shows the settings in which two of them differ, and their figures side by side.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = false,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  sentiment runs
  sentiment runs --folder experiments/runs --json
  sentiment runs compare default default-2"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// Folder with the runs
    #[arg(long, value_name = "DIR", default_value = "runs", global = true)]
    folder: PathBuf,

    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows the settings in which two trainings differ, and their figures side by side
    Compare {
        /// Name of a run in the folder, or its path
        a: PathBuf,
        /// Another one
        b: PathBuf,
    },
}

/// A run with all that is said of it.
struct Run {
    folder: RunFolder,
    about: RunAbout,
    status: RunStatus,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        None => list(args),
        Some(Command::Compare { a, b }) => {
            compare(&named(&args.folder, a)?, &named(&args.folder, b)?, args.json)
        }
    }
}

fn list(args: &Args) -> anyhow::Result<()> {
    if !args.folder.is_dir() {
        let folder = args.folder.display();
        bail!(
            "there is no folder {folder}; `sentiment train` makes it, or name another with --folder"
        );
    }
    let mut runs = Vec::new();
    for folder in RunFolder::all_in(&args.folder)? {
        match read(folder) {
            Ok(run) => runs.push(run),
            // One damaged run must not hide the others.
            Err(error) => eprintln!("warning: {error:#}"),
        }
    }
    runs.sort_by(|a, b| a.about.created.cmp(&b.about.created));
    let mut out = std::io::stdout().lock();
    if args.json {
        let all: Vec<Value> = runs.iter().map(as_json).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        return Ok(());
    }
    if runs.is_empty() {
        eprintln!("{}: no runs", args.folder.display());
        return Ok(());
    }
    let head = ["name", "recipe", "data", "began", "state", "validation", "test", "time"];
    let mut rows = vec![head.map(String::from).to_vec()];
    rows.extend(runs.iter().map(row));
    write!(out, "{}", aligned(&rows))?;
    Ok(())
}

fn read(folder: RunFolder) -> anyhow::Result<Run> {
    let (about, status) = (folder.about()?, folder.status()?);
    Ok(Run { folder, about, status })
}

fn named(parent: &Path, name: &Path) -> anyhow::Result<Run> {
    let inside = parent.join(name);
    let path = if inside.is_dir() || !name.is_dir() { inside } else { name.to_path_buf() };
    let run = RunFolder::open(&path).map_err(anyhow::Error::from).and_then(read);
    run.with_context(|| format!("cannot read the run {}", name.display()))
}

impl Run {
    fn name(&self) -> String {
        self.folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// How it stands, in a word or two.
    fn state(&self) -> &'static str {
        match self.status.ended {
            Ending::Running if classifier::folder::is_claimed(&self.about.model) => "running",
            Ending::Running => "killed",
            Ending::Complete => "complete",
            Ending::EarlyStopping => "stopped early",
            Ending::Interrupted => "interrupted",
            Ending::Diverged => "diverged",
            Ending::Failed => "failed",
        }
    }
}

fn row(run: &Run) -> Vec<String> {
    let figures = |figures: &Option<KeyFigures>| {
        figures.as_ref().map_or_else(
            || "-".to_string(),
            |figures| format!("{} {:.4}, loss {:.4}", figures.name, figures.value, figures.loss),
        )
    };
    let data = run.about.data.path.file_name().unwrap_or(run.about.data.path.as_os_str());
    vec![
        run.name(),
        run.about.recipe.name.clone(),
        data.to_string_lossy().into_owned(),
        minutes(&run.about.created),
        run.state().to_string(),
        figures(&run.status.validation),
        figures(&run.status.test),
        duration(run.status.train_s),
    ]
}

/// A time without seconds.
fn minutes(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        seconds if seconds < 5400.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

fn as_json(run: &Run) -> Value {
    let Run { folder, about, status } = run;
    json!({
        "name": run.name(),
        "folder": folder.path(),
        "model": about.model,
        "recipe": about.recipe.name,
        "data": about.data,
        "created": about.created,
        "program": about.program,
        "machine": about.machine,
        "command": about.command,
        "state": run.state(),
        "status": status,
    })
}

fn compare(a: &Run, b: &Run, as_json: bool) -> anyhow::Result<()> {
    let settings = Difference::all(&settings(&a.about)?, &settings(&b.about)?);
    let mut out = std::io::stdout().lock();
    if as_json {
        let differences: Vec<Value> = settings
            .iter()
            .map(|found| json!({ "setting": found.name, "a": found.was, "b": found.is }))
            .collect();
        let printed =
            json!({ "a": self::as_json(a), "b": self::as_json(b), "differences": differences });
        writeln!(out, "{}", serde_json::to_string_pretty(&printed)?)?;
        return Ok(());
    }
    let mut rows = vec![vec![String::new(), a.name(), b.name()]];
    rows.extend(settings.into_iter().map(|found| vec![found.name, found.was, found.is]));
    let n_settings = rows.len() - 1;
    let mut figures = |name: &str, of: &dyn Fn(&Run) -> Option<String>| {
        let [of_a, of_b] = [a, b].map(|run| of(run).unwrap_or_else(|| "-".to_string()));
        rows.push(vec![name.to_string(), of_a, of_b]);
    };
    figures("state", &|run| Some(run.state().to_string()));
    figures("time", &|run| Some(duration(run.status.train_s)));
    for (split, of) in [
        (
            "validation",
            (|status| status.validation.clone()) as fn(&RunStatus) -> Option<KeyFigures>,
        ),
        ("test", |status| status.test.clone()),
    ] {
        figures(&format!("{split} loss"), &|run| Some(format!("{:.4}", of(&run.status)?.loss)));
        let names = [a, b].map(|run| of(&run.status).map(|figures| figures.name));
        let name = match names {
            [Some(of_a), Some(of_b)] if of_a != of_b => format!("{of_a} or {of_b}"),
            [of_a, of_b] => of_a.or(of_b).unwrap_or_else(|| "accuracy".to_string()),
        };
        figures(&format!("{split} {name}"), &|run| Some(format!("{:.4}", of(&run.status)?.value)));
        figures(&format!("{split} macro F1"), &|run| {
            Some(format!("{:.4}", of(&run.status)?.macro_f1))
        });
    }
    if n_settings == 0 {
        writeln!(out, "the two have the same settings, data and machine")?;
    }
    write!(out, "{}", aligned(&rows))?;
    Ok(())
}

/// Everything that decides a result, as one value.
fn settings(about: &RunAbout) -> anyhow::Result<Value> {
    let recipe = &about.recipe;
    Ok(json!({
        "recipe": recipe.name,
        "data": {
            "file": about.data.path,
            "contents": about.data.fingerprint,
            "own splits": own_splits(&about.data),
            "text column": about.data.text_column,
            "label columns": about.data.label_columns,
            "group column": about.data.group_column,
            "weight column": about.data.weight_column,
            "options": serde_json::to_value(&about.data.options)?,
            "labels": serde_json::to_value(&about.data.labels)?,
            "split": serde_json::to_value(about.data.split)?,
        },
        "preprocessing": serde_json::to_value(&recipe.preprocessing)?,
        "model": serde_json::to_value(&recipe.model)?,
        "regularization": serde_json::to_value(recipe.regularization)?,
        "pretraining": serde_json::to_value(&recipe.pretraining)?,
        "training": serde_json::to_value(&recipe.training)?,
        "program": about.program,
        "machine": about.machine,
    }))
}

/// The files beside the training file; null if there are none.
fn own_splits(data: &RunData) -> Value {
    let of = data.own_splits.iter();
    let of = of.map(|(part, file)| {
        (part.to_string(), json!({ "file": file.path, "contents": file.fingerprint }))
    });
    let of: serde_json::Map<String, Value> = of.collect();
    if of.is_empty() { Value::Null } else { of.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        assert_eq!(minutes("2026-11-27T03:41:16.123Z"), "2026-11-27 03:41");
        assert_eq!([duration(12.3), duration(240.0), duration(7200.0)], ["12 s", "4 min", "2.0 h"]);
    }
}
