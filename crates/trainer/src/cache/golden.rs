//! Makes sure that the preparation's version is not forgotten, by a digest of what it makes of
//! committed files.

use std::path::{Path, PathBuf};

use dataset::{ColumnChoice, Conflicts, DataFile, LabelOptions, ReadOptions, SplitConfig};
use text_preprocessing::{Cleaning, PreprocessingConfig, TokenScheme, Truncation};

use super::{Cache, PREPARATION_DIGEST, PREPARATION_VERSION};
use crate::error::Result;
use crate::few_texts::FewTexts;
use crate::load::{DataRequest, load};
use crate::own_splits::OwnSplits;
use crate::prepare::SplitPlan;

const FORMATS: [&str; 4] = ["csv", "tsv", "jsonl", "parquet"];

fn golden(format: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/curiosities").with_extension(format)
}

/// Plans that cover every path through deduplication, sampling and splitting.
fn plans() -> [SplitPlan; 3] {
    let plan =
        SplitPlan { shares: SplitConfig { seed: 3, ..Default::default() }, ..Default::default() };
    [plan, SplitPlan { conflicts: Conflicts::Drop, ..plan }, SplitPlan { sample: Some(60), ..plan }]
}

/// Preprocessing configurations to cover.
fn ways() -> Vec<PreprocessingConfig> {
    let default = PreprocessingConfig { seq_len: 12, ..PreprocessingConfig::default() };
    let schemes = Cleaning::ALL
        .into_iter()
        .flat_map(|cleaning| TokenScheme::ALL.map(|scheme| (cleaning, scheme)));
    let mut ways: Vec<PreprocessingConfig> = schemes
        .map(|(cleaning, scheme)| {
            let max_vocab = (scheme == TokenScheme::Bpe).then_some(400);
            PreprocessingConfig { cleaning, scheme, max_vocab, ..default.clone() }
        })
        .collect();
    ways.push(PreprocessingConfig { truncation: Truncation::HeadTail, ..default.clone() });
    ways.push(PreprocessingConfig { min_frequency: 3, truncation: Truncation::Tail, ..default });
    ways
}

#[test]
fn what_is_made_of_the_same_texts_has_not_changed_since_the_version_was_counted_up() -> Result<()> {
    let folder = tempfile::tempdir().map_err(candle_core::Error::wrap)?;
    let cache = Cache::new(folder.path());
    let (options, labels) = (ReadOptions::default(), &LabelOptions::default());
    // Each digest goes into the next.
    let mut digest = String::new();
    for format in FORMATS {
        let file = DataFile::open(golden(format))?;
        for group in [None, Some("maker".to_string())] {
            let columns = ColumnChoice { group, ..ColumnChoice::default() };
            for plan in &plans() {
                for preprocessing in &ways() {
                    let (file, columns, options) = (&file, &columns, &options);
                    let request = DataRequest {
                        file,
                        others: OwnSplits::default(),
                        columns,
                        labels,
                        options,
                        plan,
                        preprocessing,
                        few_texts: FewTexts::Keep,
                    };
                    load(&request, Some(&cache))?;
                    digest = DataFile::open(cache.entry(&request)?)?.digest(digest.as_bytes())?;
                }
            }
        }
    }
    assert_eq!(
        digest, PREPARATION_DIGEST,
        "reading, cleaning, deduplicating, splitting or encoding gives different results than in \
         version {PREPARATION_VERSION} of the preparation. If that is intended, increment PREPARATION_VERSION \
         in cache.rs, so that entries of the old version are not reused, and set PREPARATION_DIGEST to \
         the digest on the left"
    );
    Ok(())
}
