//! Makes sure that the preparation's version is not forgotten, by a digest of what it makes of
//! committed files.

use std::path::{Path, PathBuf};

use dataset::{ColumnChoice, Conflicts, DataFile, Fold, LabelOptions, ReadOptions, SplitConfig};
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
fn plans() -> Vec<SplitPlan> {
    let plan =
        SplitPlan { shares: SplitConfig { seed: 3, ..Default::default() }, ..Default::default() };
    vec![
        plan,
        SplitPlan { conflicts: Conflicts::Drop, ..plan },
        SplitPlan { sample: Some(60), ..plan },
        SplitPlan { fold: Fold::all(3).nth(1), ..plan },
    ]
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

/// Validation and test texts: the first of each is also in the golden files, the second of both in the other, and the
/// third test text is of a maker in them.
const VALIDATION: &str = "text,label,maker\n\
    \"A bright film, number 1 of 1, with scene 7\",1,nobody\n\
    A film of both,0,nobody\nA film to choose by,1,nobody\nAnother one,0,nobody\n";
const TEST: &str = "text,label,maker\n\
    \"a dull film, number 0 of 0, with scene 0!\",0,nobody\n\
    a film of both,0,nobody\nA film to test,1,maker 5\nA film to test,1,nobody\n";

/// A cache, and the digest of all entries so far: each goes into the next.
struct Entries {
    cache: Cache,
    digest: String,
}

impl Entries {
    fn add(&mut self, request: &DataRequest<'_>) -> Result<()> {
        load(request, Some(&self.cache))?;
        let entry = DataFile::open(self.cache.entry(request)?)?;
        self.digest = entry.digest(self.digest.as_bytes())?;
        Ok(())
    }
}

#[test]
fn what_is_made_of_the_same_texts_has_not_changed_since_the_version_was_counted_up() -> Result<()> {
    let folder = tempfile::tempdir().map_err(candle_core::Error::wrap)?;
    let own = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).map_err(candle_core::Error::wrap)?;
        Ok::<_, crate::Error>(DataFile::open(path)?)
    };
    let (validation, test) = (own("validation.csv", VALIDATION)?, own("test.csv", TEST)?);
    let cache = Cache::new(folder.path().join("cache"));
    let mut entries = Entries { cache, digest: String::new() };
    let ways = ways();
    let (options, labels) = (&ReadOptions::default(), &LabelOptions::default());
    for format in FORMATS {
        let file = &DataFile::open(golden(format))?;
        for group in [None, Some("maker".to_string())] {
            let columns = &ColumnChoice { group, ..ColumnChoice::default() };
            for plan in &plans() {
                let (others, few_texts) = (OwnSplits::default(), FewTexts::Keep);
                let request = |preprocessing| DataRequest {
                    file,
                    others,
                    columns,
                    labels,
                    options,
                    plan,
                    preprocessing,
                    few_texts,
                };
                for preprocessing in &ways {
                    entries.add(&request(preprocessing))?;
                }
                // Words that occur once are known after all.
                let rare =
                    &PreprocessingConfig { min_frequency: 3, ..PreprocessingConfig::default() };
                let adapted = DataRequest { few_texts: FewTexts::Adapt, ..request(rare) };
                entries.add(&adapted)?;
                let validation = Some(&validation).filter(|_| columns.group.is_none());
                for others in [
                    OwnSplits { validation: None, test: Some(&test) },
                    OwnSplits { validation, test: Some(&test) },
                    OwnSplits { validation, test: None },
                ] {
                    if plan.fold.is_none() {
                        entries.add(&DataRequest { others, ..request(rare) })?;
                    }
                }
            }
        }
    }
    let digest = entries.digest;
    assert_eq!(
        digest, PREPARATION_DIGEST,
        "reading, cleaning, deduplicating, splitting or encoding gives different results than in \
         version {PREPARATION_VERSION} of the preparation. If that is intended, increment PREPARATION_VERSION \
         in cache.rs, so that entries of the old version are not reused, and set PREPARATION_DIGEST to \
         the digest on the left"
    );
    Ok(())
}
