//! The files of labelled texts: one, which the program divides, or several, which the user divided.

use std::path::{Path, PathBuf};

use anyhow::bail;
use dataset::DataFile;
use trainer::{OwnSplits, RunData};

use super::args::Args;
use super::place::is_same_path;
use crate::fetch;
use crate::same_file::is_same_file;

/// The name of standard input.
const STANDARD_INPUT: &str = "-";

/// The paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    /// The file that is divided, or that of the training texts; the IMDB reviews if absent.
    pub(super) data: Option<PathBuf>,
    /// Those of the other splits, if the user divided the texts.
    pub(super) others: OwnSplits<PathBuf>,
}

/// The same, opened.
pub(super) struct OpenFiles {
    pub(super) data: DataFile,
    pub(super) others: OwnSplits<DataFile>,
}

impl Files {
    /// What the flags name.
    ///
    /// # Errors
    /// If two flags name one file.
    pub(super) fn of(args: &Args) -> anyhow::Result<Self> {
        let (validation, test) = (args.validation.clone(), args.test.clone());
        let data = args.data.clone().or_else(|| args.train.clone());
        let files = Self { data, others: OwnSplits { validation, test } };
        files.check()?;
        Ok(files)
    }

    /// Those of a run, unless the flags name others.
    ///
    /// # Errors
    /// As [`of`](Self::of), and if one came from standard input.
    pub(super) fn of_run(args: &Args, data: &RunData) -> anyhow::Result<Self> {
        if args.data.is_some() || args.train.is_some() {
            return Self::of(args);
        }
        let of_run = Self {
            data: Some(data.path.clone()),
            others: data.own_splits.as_ref().map(|file| file.path.clone()),
        };
        if let Some((flag, _)) = of_run.named().find(|(_, path)| is_standard_input(path)) {
            match flag {
                "data" => bail!(
                    "the texts of this run came from standard input; pass them again with --data -"
                ),
                _ => bail!(
                    "the {flag} texts of this run came from standard input; name all its files again, with --{flag} -"
                ),
            }
        }
        let others = data.own_splits.as_ref().map(|file| file.found_path().to_path_buf());
        Ok(Self { data: Some(data.found_path().to_path_buf()), others })
    }

    /// Whether they are those of a run. What comes from standard input is never known to be the same.
    pub(super) fn are_of(&self, data: &RunData) -> bool {
        let path = self.data.clone().unwrap_or_else(|| fetch::FILE.into());
        let is_same =
            |path: &Path, of_run: &Path| !is_standard_input(path) && is_same_path(path, of_run);
        let OwnSplits { validation, test } = &self.others;
        let of_run = &data.own_splits;
        is_same(&path, &data.absolute_path)
            && [(validation, &of_run.validation), (test, &of_run.test)].into_iter().all(|pair| {
                match pair {
                    (None, None) => true,
                    (Some(path), Some(of_run)) => is_same(path, &of_run.absolute_path),
                    _ => false,
                }
            })
    }

    /// Opens them; downloads the IMDB reviews if they are wanted and missing.
    ///
    /// # Errors
    /// If one cannot be read.
    pub(super) fn open(&self) -> anyhow::Result<OpenFiles> {
        let path = match &self.data {
            Some(path) => path.clone(),
            None => fetch::default_data()?,
        };
        let data = DataFile::open(path)?;
        let others = self.others.as_ref().try_map(|_, path| DataFile::open(path))?;
        Ok(OpenFiles { data, others })
    }

    /// Whether one is standard input.
    pub(super) fn has_standard_input(&self) -> bool {
        self.named().any(|(_, path)| is_standard_input(path))
    }

    /// The paths with the names of their flags.
    fn named(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let first = if self.others.is_empty() { "data" } else { "train" };
        let data = self.data.iter().map(move |path| (first, path.as_path()));
        data.chain(self.others.iter().map(|(flag, path)| (flag, path.as_path())))
    }

    /// Fails if two flags name one file.
    fn check(&self) -> anyhow::Result<()> {
        let named: Vec<(&str, &Path)> = self.named().collect();
        for (idx, &(flag, path)) in named.iter().enumerate() {
            let same = named[..idx].iter().find(|(_, earlier)| is_same_file(earlier, path));
            let Some((earlier, of_earlier)) = same else { continue };
            if is_standard_input(path) {
                bail!(
                    "--{earlier} and --{flag} are both standard input, which can be read only once"
                );
            }
            bail!(
                "--{earlier} {} and --{flag} {} are the same file; each split needs a file of its own (--data FILE \
                 divides one file)",
                of_earlier.display(),
                path.display()
            );
        }
        Ok(())
    }
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == STANDARD_INPUT
}
