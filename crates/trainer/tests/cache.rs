//! Prepared data comes out of the cache as it went in, and only for the same data and settings.
#![allow(clippy::unwrap_used)] // A test that cannot make its files has failed.

use std::fs;
use std::path::{Path, PathBuf};

use dataset::{
    ColumnChoice, Conflicts, DataFile, LabelOptions, LabelledTexts, Labels, Missing, ReadOptions,
    SplitConfig,
};
use tempfile::TempDir;
use text_preprocessing::{PreprocessingConfig, TokenScheme, text_digest};
use trainer::{
    Cache, DataRequest, FewTexts, LoadedData, OwnSplits, Prepared, SplitPlan, load, prepare,
};

struct Place {
    folder: TempDir,
    cache: Cache,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        let place = Self { folder, cache };
        place.write(40, "good");
        place
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("reviews.csv")
    }

    fn write(&self, n_rows: usize, word: &str) {
        let rows = (0..n_rows).map(|i| format!("\"{word} film, number {i}\",{}\n", i % 2));
        fs::write(self.data(), format!("text,label\n{}", rows.collect::<String>())).unwrap();
    }

    fn load(&self, preprocessing: &PreprocessingConfig, seed: u64) -> LoadedData {
        let shares = SplitConfig { seed, ..Default::default() };
        self.load_with(preprocessing, &SplitPlan { shares, ..SplitPlan::default() }, &self.cache)
    }

    fn load_with(
        &self,
        preprocessing: &PreprocessingConfig,
        plan: &SplitPlan,
        cache: &Cache,
    ) -> LoadedData {
        let request = DataRequest {
            file: &DataFile::open(self.data()).unwrap(),
            others: OwnSplits::default(),
            columns: &ColumnChoice::default(),
            labels: &LabelOptions::default(),
            options: &ReadOptions::default(),
            plan,
            preprocessing,
            few_texts: FewTexts::Keep,
        };
        load(&request, Some(cache)).unwrap()
    }

    fn entries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path().join("cache")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn assert_same(a: &LoadedData, b: &LoadedData) {
    assert_eq!(a.data.train, b.data.train);
    assert_eq!(a.data.validation, b.data.validation);
    assert_eq!(a.data.test, b.data.test);
    assert_eq!(a.data.validation_texts, b.data.validation_texts);
    assert_eq!(a.data.test_texts, b.data.test_texts);
    assert_eq!((&a.data.summary, &a.data.seen), (&b.data.summary, &b.data.seen));
    assert_eq!((&a.columns, &a.fingerprint, &a.notes), (&b.columns, &b.fingerprint, &b.notes));
    assert_eq!(a.data.encoder.to_json().unwrap(), b.data.encoder.to_json().unwrap());
}

#[test]
fn every_scheme_comes_back_as_it_was() {
    for scheme in TokenScheme::ALL {
        let place = Place::new();
        let preprocessing = PreprocessingConfig { scheme, seq_len: 4, ..Default::default() };
        let fresh = place.load(&preprocessing, 0);
        assert!(!fresh.is_cached);
        let cached = place.load(&preprocessing, 0);
        assert!(cached.is_cached, "{scheme}");
        assert_same(&fresh, &cached);
    }
}

/// Checks that every validation and test text is the one with its number, from 1, among all of them.
fn assert_found(data: &Prepared, texts: &[String]) {
    for (split, of_split) in
        [(&data.validation, &data.validation_texts), (&data.test, &data.test_texts)]
    {
        assert!(!split.is_empty());
        assert_eq!([of_split.rows.len(), of_split.digests.len()], [split.len(); 2]);
        for (idx, (&row, &digest)) in of_split.rows.iter().zip(&of_split.digests).enumerate() {
            let text = &texts[row as usize - 1];
            assert_eq!(digest, text_digest(text));
            assert_eq!(split.row(idx), data.encoder.encode(text).unwrap());
        }
    }
    let mut seen = data.validation_texts.digests.clone();
    seen.sort_unstable();
    assert_eq!(seen, data.seen.validation);
}

/// Labels that are skipped, and texts that occur twice, so that rows are not simply counted.
fn texts_with_gaps() -> (Vec<String>, Vec<&'static str>, LabelOptions) {
    let text = |i: usize| format!("number {}", if i % 11 == 10 { i - 5 } else { i });
    let labels = (0..120).map(|i| ["bad", "unsure", "good"][i % 3]).collect();
    let map = Some("bad=bad; unsure=skip; good=good".parse().unwrap());
    ((0..120).map(text).collect(), labels, LabelOptions { map, ..LabelOptions::default() })
}

#[test]
fn texts_of_validation_and_test_are_found_by_their_rows_in_the_file_cached_or_not() {
    let place = Place::new();
    let (mut texts, labels, label_options) = texts_with_gaps();
    // Rows without a text are left out, and count nevertheless.
    [0, 3, 77].iter().for_each(|&row| texts[row].clear());
    let rows = texts.iter().zip(labels).map(|(text, label)| format!("{text},{label}\n"));
    fs::write(place.data(), format!("text,label\n{}", rows.collect::<String>())).unwrap();
    let request = DataRequest {
        file: &DataFile::open(place.data()).unwrap(),
        others: OwnSplits::default(),
        columns: &ColumnChoice::default(),
        labels: &label_options,
        options: &ReadOptions { missing: Missing::Skip, ..ReadOptions::default() },
        plan: &SplitPlan::default(),
        preprocessing: &PreprocessingConfig::default(),
        few_texts: FewTexts::Keep,
    };
    let fresh = load(&request, Some(&place.cache)).unwrap();
    assert_found(&fresh.data, &texts);
    let cached = load(&request, Some(&place.cache)).unwrap();
    assert!(!fresh.is_cached && cached.is_cached);
    assert_same(&fresh, &cached);
    assert_same(&fresh, &load(&request, None).unwrap());
}

#[test]
fn texts_of_validation_and_test_are_found_by_their_numbers_in_memory() {
    let (texts, labels, options) = texts_with_gaps();
    let table = LabelledTexts::from_columns(&texts, &Labels::from(labels), &options).unwrap();
    let plan = SplitPlan { sample: Some(50), ..SplitPlan::default() };
    let data = prepare(&table, &plan, &PreprocessingConfig::default()).unwrap();
    assert_found(&data, &texts);
    let shares = SplitConfig { train: 0.8, validation: 0.2, test: 0.0, seed: 0 };
    let plan = SplitPlan { shares, ..SplitPlan::default() };
    let data = prepare(&table, &plan, &PreprocessingConfig::default()).unwrap();
    assert!(data.test_texts.rows.is_empty() && data.test_texts.digests.is_empty());
}

#[test]
fn other_texts_settings_and_seeds_are_prepared_anew() {
    let place = Place::new();
    let default = PreprocessingConfig::default();
    place.load(&default, 0);
    assert!(!place.load(&default, 1).is_cached);
    assert!(!place.load(&PreprocessingConfig { seq_len: 5, ..default.clone() }, 0).is_cached);
    // As long as before, and of the same age, as far as the clock shows.
    place.write(40, "best");
    let loaded = place.load(&default, 0);
    assert!(!loaded.is_cached);
    assert!(loaded.data.encoder.id_of("best").is_some());
}

#[test]
fn a_damaged_entry_is_prepared_anew_and_replaced() {
    let place = Place::new();
    let default = PreprocessingConfig::default();
    let fresh = place.load(&default, 0);
    let damage = |entry: &Path| {
        let bytes = fs::read(entry).unwrap();
        fs::write(entry, &bytes[..bytes.len() / 2]).unwrap();
    };
    place.entries().iter().for_each(|entry| damage(entry));
    let again = place.load(&default, 0);
    assert!(!again.is_cached);
    assert_same(&fresh, &again);
    assert!(place.load(&default, 0).is_cached);
}

#[test]
fn what_becomes_of_conflicts_is_part_of_the_name() {
    let place = Place::new();
    let default = PreprocessingConfig::default();
    place.load(&default, 0);
    let plan = SplitPlan { conflicts: Conflicts::Drop, ..SplitPlan::default() };
    assert!(!place.load_with(&default, &plan, &place.cache).is_cached);
    assert!(place.load_with(&default, &plan, &place.cache).is_cached);
}

#[test]
fn the_entries_used_longest_ago_are_forgotten_when_all_take_too_many_bytes() {
    let place = Place::new();
    let default = PreprocessingConfig::default();
    place.load(&default, 0);
    let size = |entry: &PathBuf| fs::metadata(entry).unwrap().len();
    let one = place.entries().iter().map(size).max().unwrap();
    // Room for three of them, and a half.
    let cache = place.cache.clone().with_max_bytes(one * 7 / 2);
    let load = |seed| {
        // Clocks of file systems are coarse.
        std::thread::sleep(std::time::Duration::from_millis(20));
        let shares = SplitConfig { seed, ..Default::default() };
        let plan = SplitPlan { shares, ..SplitPlan::default() };
        place.load_with(&default, &plan, &cache).is_cached
    };
    assert!(!load(1) && !load(2));
    assert!(load(0), "used again, 0 is newer than 1 and 2");
    assert!(!load(3));
    assert_eq!(place.entries().len(), 3);
    assert!(place.entries().iter().map(size).sum::<u64>() <= one * 7 / 2);
    assert!(load(0) && load(2) && load(3));
    assert!(!load(1));
}

#[test]
fn an_entry_larger_than_the_bound_is_not_kept() {
    let place = Place::new();
    let cache = Cache::new(place.folder.path().join("cache")).with_max_bytes(100);
    let (default, plan) = (PreprocessingConfig::default(), SplitPlan::default());
    for _ in 0..2 {
        assert!(!place.load_with(&default, &plan, &cache).is_cached);
    }
    assert!(!place.folder.path().join("cache").exists() || place.entries().is_empty());
}

#[test]
fn trainings_that_use_one_cache_at_once_do_not_hurt_each_other() {
    let place = Place::new();
    let default = PreprocessingConfig::default();
    let fresh: Vec<LoadedData> = (0..3).map(|seed| place.load(&default, seed)).collect();
    let one = place.entries().iter().map(|entry| fs::metadata(entry).unwrap().len()).max().unwrap();
    // Too small for all: they forget each other's entries all the time.
    let cache = &place.cache.clone().with_max_bytes(one * 3 / 2);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (place, fresh, default) = (&place, &fresh, &default);
            scope.spawn(move || {
                for i in 0..20 {
                    let seed = (thread + i) % 3;
                    let shares = SplitConfig { seed, ..Default::default() };
                    let plan = SplitPlan { shares, ..SplitPlan::default() };
                    assert_same(&fresh[seed as usize], &place.load_with(default, &plan, cache));
                }
            });
        }
    });
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_once_and_used_for_everything() {
    let place = Place::new();
    let pipe = place.folder.path().join("pipe.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let bytes = fs::read(place.data()).unwrap();
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::write(pipe, bytes).unwrap()
    });
    let file = DataFile::open(&pipe).unwrap();
    writer.join().unwrap();
    let request = DataRequest {
        file: &file,
        others: OwnSplits::default(),
        columns: &ColumnChoice::default(),
        labels: &LabelOptions::default(),
        options: &ReadOptions::default(),
        plan: &SplitPlan::default(),
        preprocessing: &PreprocessingConfig::default(),
        few_texts: FewTexts::Keep,
    };
    let loaded = load(&request, Some(&place.cache)).unwrap();
    assert_same(&loaded, &place.load(&PreprocessingConfig::default(), 0));
    assert!(load(&request, Some(&place.cache)).unwrap().is_cached);
}
