//! Prepared data comes out of the cache as it went in, and only for the same data and settings.
#![allow(clippy::unwrap_used)] // A test that cannot make its files has failed.

use std::fs;
use std::path::{Path, PathBuf};

use dataset::{ColumnChoice, SplitConfig};
use tempfile::TempDir;
use text_preprocessing::{PreprocessingConfig, TokenScheme};
use trainer::{Cache, DataRequest, LoadedData, SplitPlan, load};

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
        let request = DataRequest {
            path: &self.data(),
            columns: &ColumnChoice::default(),
            plan: &SplitPlan { sample: None, shares: SplitConfig { seed, ..Default::default() } },
            preprocessing,
        };
        load(&request, Some(&self.cache)).unwrap()
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
    assert_eq!(a.data.summary, b.data.summary);
    assert_eq!((&a.columns, &a.fingerprint), (&b.columns, &b.fingerprint));
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

#[test]
fn other_texts_settings_and_seeds_are_prepared_anew() {
    let place = Place::new();
    let default = PreprocessingConfig::default();
    place.load(&default, 0);
    assert!(!place.load(&default, 1).is_cached);
    assert!(!place.load(&PreprocessingConfig { seq_len: 5, ..default.clone() }, 0).is_cached);
    // As long as before, and as old as the clock tells.
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
fn old_entries_are_forgotten() {
    let place = Place::new();
    for seed in 0..12 {
        place.load(&PreprocessingConfig::default(), seed);
    }
    assert_eq!(place.entries().len(), 8);
    assert!(place.load(&PreprocessingConfig::default(), 11).is_cached);
}
