#![doc = include_str!("../../RUNS.md")]

mod about;
mod checkpoints;
mod log;
mod recorder;
mod status;
mod steps;
mod tensorboard;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::error::{Error, Result};
use crate::record::Ending;
pub(crate) use crate::training::now;

pub use about::{RunAbout, RunData, RunFile, RunFrom};
pub(crate) use checkpoints::Found;
pub use recorder::{RecordPlan, RunRecorder};
pub(crate) use recorder::{TEST, VALIDATION};
pub use status::{KeyFigures, RunSession, RunStatus};

/// The name of the file that says what is trained.
pub const RUN_FILE: &str = "run.toml";
/// The name of the file that says how a run stands.
pub const STATUS_FILE: &str = "status.json";
/// The name of the log.
pub const LOG_FILE: &str = "log.jsonl";
/// The name of the learning curve.
pub const CURVE_FILE: &str = "curve.svg";
const CHECKPOINTS: &str = "checkpoints";
const PREDICTIONS: &str = "predictions";
/// Part of the name of every file of events.
const EVENTS: &str = "tfevents";

/// The folder of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// The folder of the run that trains a model: `runs/NAME` beside the folder `models` for `models/NAME`, and beside
    /// the model's own folder otherwise.
    pub fn beside(model: &Path) -> Self {
        let parent = whole_file::folder_of(model);
        let parent = match parent.file_name() {
            Some(name) if name == "models" => whole_file::folder_of(parent),
            _ => parent,
        };
        let runs = if parent == Path::new(".") { PathBuf::new() } else { parent.to_path_buf() };
        Self(runs.join("runs").join(model.file_name().unwrap_or_default()))
    }

    /// The folder at a path, whether or not there is a run in it.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// A folder with a run in it.
    ///
    /// # Errors
    /// [`Error::RunFile`] if there is none.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = Self(path.to_path_buf());
        if folder.holds_a_run() {
            return Ok(folder);
        }
        let reason = match path.exists() {
            true => format!("it has no {RUN_FILE}"),
            false => "there is no such folder".to_string(),
        };
        Err(Error::RunFile { path: path.to_path_buf(), what: "a run folder", reason })
    }

    /// Makes the folder of a new run; an older run in it is removed.
    ///
    /// # Errors
    /// [`Error::RunFile`] if anything else is in it; [`Error::Unwritten`].
    pub fn create(&self, about: &RunAbout) -> Result<()> {
        let failed = |source| Error::Unwritten { path: self.0.clone(), source };
        fs::create_dir_all(&self.0).map_err(failed)?;
        self.clear()?;
        RunStatus::new().write(&self.status_file())?;
        // Last: with it there is a run.
        about.write(&self.about_file())
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether a run is in it.
    pub fn holds_a_run(&self) -> bool {
        self.about_file().is_file()
    }

    /// What is trained.
    ///
    /// # Errors
    /// [`Error::RunFile`] if its file cannot be read.
    pub fn about(&self) -> Result<RunAbout> {
        RunAbout::read(&self.about_file())
    }

    /// How the run stands.
    ///
    /// # Errors
    /// [`Error::RunFile`] if its file cannot be read.
    pub fn status(&self) -> Result<RunStatus> {
        RunStatus::read(&self.status_file())
    }

    /// Whether there is a checkpoint to go on from.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub fn has_checkpoint(&self) -> Result<bool> {
        Ok(!checkpoints::Checkpoints::in_folder(self.checkpoints()).all()?.is_empty())
    }

    /// Removes the checkpoints of a training that is done, and of one that diverged, which would diverge again.
    ///
    /// # Errors
    /// [`Error::RunFile`] if its status cannot be read; [`Error::Unwritten`].
    pub fn tidy(&self) -> Result<()> {
        match self.status()?.ended {
            Ending::Complete | Ending::EarlyStopping | Ending::Diverged => {
                checkpoints::Checkpoints::in_folder(self.checkpoints()).remove_all()
            }
            _ => Ok(()),
        }
    }

    /// Removes the folder of a training that ended before its first step, and the folder around it if that is empty
    /// then. What cannot be removed stays.
    pub fn remove_if_nothing_happened(&self) {
        let is_empty = fs::metadata(self.log()).map_or(true, |log| log.len() == 0);
        if is_empty && self.has_checkpoint().is_ok_and(|has_one| !has_one) && self.clear().is_ok() {
            let _ = fs::remove_dir(&self.0);
            let _ = fs::remove_dir(whole_file::folder_of(&self.0));
        }
    }

    /// The runs in a folder, by name; folders of other kinds are left out.
    ///
    /// # Errors
    /// [`Error::Unread`] if the folder cannot be read.
    pub fn all_in(parent: &Path) -> Result<Vec<Self>> {
        let failed = |source| Error::Unread { path: parent.to_path_buf(), source };
        let mut found = Vec::new();
        for entry in fs::read_dir(parent).map_err(failed)? {
            let folder = Self(entry.map_err(failed)?.path());
            if folder.holds_a_run() {
                found.push(folder);
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    /// Writes a file that the training itself does not write, such as the learning curve.
    ///
    /// # Errors
    /// [`Error::Unwritten`].
    pub fn write_file(&self, name: &str, contents: &[u8]) -> Result<()> {
        let path = self.0.join(name);
        whole_file::write(&path, contents).map_err(|source| Error::Unwritten { path, source })
    }

    /// The file that says what is trained, which is also a recipe.
    pub fn about_file(&self) -> PathBuf {
        self.0.join(RUN_FILE)
    }

    pub(crate) fn status_file(&self) -> PathBuf {
        self.0.join(STATUS_FILE)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.join(LOG_FILE)
    }

    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.0.join(CHECKPOINTS)
    }

    pub(crate) fn predictions(&self, split: &str) -> PathBuf {
        self.0.join(PREDICTIONS).join(split).with_extension("parquet")
    }

    /// All files of TensorBoard's events.
    pub(crate) fn event_files(&self) -> Result<Vec<PathBuf>> {
        let entries = self.entries(&self.0)?.into_iter();
        let is_events = |path: &PathBuf| name_of(path).contains(EVENTS) && path.is_file();
        Ok(entries.filter(is_events).collect())
    }

    fn entries(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let failed = |source| Error::Unread { path: folder.to_path_buf(), source };
        let entries = fs::read_dir(folder).map_err(failed)?;
        let paths = entries.map(|entry| Ok(entry.map_err(failed)?.path()));
        paths.collect()
    }

    /// Fails if anything is in the folder that is not of a run, or if it looks like the folder of another program.
    ///
    /// # Errors
    /// [`Error::RunFile`] if so; [`Error::Unread`].
    pub fn check_nothing_foreign(&self) -> Result<()> {
        if self.0.is_dir() { self.files().map(drop) } else { Ok(()) }
    }

    /// All files of a run that are in the folder, `run.toml` first.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let foreign = |path: &Path| {
            let name = path.strip_prefix(&self.0).unwrap_or(path).display();
            let reason = format!("it holds {name}; move that away first");
            Error::RunFile { path: self.0.clone(), what: "a run folder", reason }
        };
        let (mut files, mut rest) = (Vec::new(), Vec::new());
        for path in self.entries(&self.0)? {
            let name = name_of(&path);
            match name {
                RUN_FILE => files.push(path),
                CHECKPOINTS | PREDICTIONS if path.is_dir() && !path.is_symlink() => {
                    let is_ours: fn(&str) -> bool = match name {
                        CHECKPOINTS => checkpoints::is_checkpoint,
                        _ => |name| name.ends_with(".parquet"),
                    };
                    for inner in self.entries(&path)? {
                        let name = name_of(&inner);
                        if !(is_ours(name) || is_staged(name)) || !inner.is_file() {
                            return Err(foreign(&inner));
                        }
                        rest.push(inner);
                    }
                }
                _ => {
                    let is_ours = [STATUS_FILE, LOG_FILE, CURVE_FILE].contains(&name)
                        || name.contains(EVENTS)
                        || is_staged(name);
                    if !is_ours || !path.is_file() {
                        return Err(foreign(&path));
                    }
                    rest.push(path);
                }
            }
        }
        // Other programs write events and checkpoints, too: without `run.toml`, only what a run begins with is ours.
        let is_beginning =
            |path: &&PathBuf| name_of(path) == STATUS_FILE || is_staged(name_of(path));
        if files.is_empty()
            && let Some(path) = rest.iter().find(|path| !is_beginning(path))
        {
            return Err(foreign(path));
        }
        files.append(&mut rest);
        Ok(files)
    }

    /// Removes an older run; nothing, if anything else is in the folder.
    fn clear(&self) -> Result<()> {
        // `run.toml` first: without it there is no run.
        for path in self.files()? {
            remove(&path)?;
        }
        for folder in [CHECKPOINTS, PREDICTIONS] {
            let _ = fs::remove_dir(self.0.join(folder));
        }
        Ok(())
    }

    /// Removes the predictions of some splits.
    fn remove_predictions(&self, splits: &[&str]) -> Result<()> {
        splits.iter().try_for_each(|split| remove(&self.predictions(split)))
    }
}

fn is_staged(name: &str) -> bool {
    name.starts_with(".sentiment-")
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::Unwritten { path: path.to_path_buf(), source })
        }
        _ => Ok(()),
    }
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// A time in seconds since 1970 as ISO 8601, UTC.
pub(crate) fn in_words(time: f64) -> String {
    let time = Duration::try_from_secs_f64(time).unwrap_or_default();
    humantime::format_rfc3339_millis(UNIX_EPOCH + time).to_string()
}
