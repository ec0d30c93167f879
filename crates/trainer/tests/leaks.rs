//! No text, however it is written, and no group is on two sides of a split.
#![allow(clippy::unwrap_used)] // A table that cannot be made is a failure of the test.

use std::collections::BTreeSet;

use dataset::{Conflicts, LabelledTexts, SplitConfig};
use recurrent::SeededRng;
use text_preprocessing::{PreprocessingConfig, text_digest};
use trainer::{Divided, Duplicates, SplitPlan, prepare, split};

/// The same text, written in another way.
fn rewritten(text: &str, way: usize) -> String {
    match way {
        0 => text.to_owned(),
        1 => text.to_uppercase(),
        2 => format!("  {}\n", text.replace(' ', "   ")),
        3 => format!("{}!!!", text.replace(' ', ", ")),
        4 => text.replace(' ', "<br />"),
        5 => format!("\u{201c}{}\u{201d} ...", text.replace(' ', " - ")),
        _ => text.replace(' ', "&nbsp;"),
    }
}

fn plan(seed: u64) -> SplitPlan {
    SplitPlan { shares: SplitConfig { seed, ..SplitConfig::default() }, ..SplitPlan::default() }
}

/// Number of random tables to try each property on.
const N_TABLES: u64 = 200;

/// Texts by number, written in some way, with a group: 20 different ones, and up to 120 of another 40.
fn rows(seed: u64) -> Vec<(usize, usize, u32)> {
    let mut rng = SeededRng::new(seed);
    let n_odd = rng.below(120);
    let odd = (0..n_odd).map(|_| (rng.below(40), rng.below(6), rng.below(15) as u32));
    (0..20).map(|i| (100 + i, 0, 100 + i as u32)).chain(odd.collect::<Vec<_>>()).collect()
}

fn table(rows: &[(usize, usize, u32)]) -> LabelledTexts {
    let texts = rows.iter().map(|&(text, way, _)| {
        rewritten(&format!("text number{text} of a film seen by w{}", text % 7), way)
    });
    LabelledTexts::new(texts, rows.iter().map(|row| (row.0 % 2) as u8).collect()).unwrap()
}

fn sides(divided: &Divided, of: impl Fn(u32) -> u64) -> [BTreeSet<u64>; 3] {
    let split = &divided.split;
    [&split.train, &split.validation, &split.test]
        .map(|rows| rows.iter().map(|&row| of(row)).collect())
}

fn are_disjoint([train, validation, test]: &[BTreeSet<u64>; 3]) -> bool {
    train.is_disjoint(validation) && train.is_disjoint(test) && validation.is_disjoint(test)
}

#[test]
fn a_text_is_on_one_side_however_it_is_written() {
    for seed in 0..N_TABLES {
        let rows = rows(seed);
        let divided = split(&table(&rows), &plan(seed)).unwrap();
        assert!(are_disjoint(&sides(&divided, |row| rows[row as usize].0 as u64)), "{seed}");
        let distinct: BTreeSet<usize> = rows.iter().map(|row| row.0).collect();
        assert_eq!(divided.unique.kept.len(), distinct.len(), "{seed}");
    }
}

#[test]
fn neither_texts_nor_groups_are_on_two_sides() {
    let mut n_split = 0;
    for seed in 0..N_TABLES {
        let rows = rows(seed);
        let groups = rows.iter().map(|row| row.2).collect();
        let table = table(&rows).with_groups(groups).unwrap();
        let sample = (seed % 2 == 0).then_some(18);
        // A sample may leave too few groups, which is an error and no leak.
        match split(&table, &SplitPlan { sample, ..plan(seed) }) {
            Ok(divided) => {
                n_split += 1;
                let groups = sides(&divided, |row| u64::from(rows[row as usize].2));
                let texts = sides(&divided, |row| rows[row as usize].0 as u64);
                assert!(are_disjoint(&groups) && are_disjoint(&texts), "{seed}");
            }
            Err(error) => assert!(sample.is_some(), "{seed}: {error}"),
        }
    }
    assert!(n_split > N_TABLES * 3 / 4, "{n_split}");
}

#[test]
fn every_way_of_writing_a_text_is_seen_through() {
    let text = "The Film of 1999 was good 3 times";
    for way in 0..=5 {
        assert_eq!(text_digest(&rewritten(text, way)), text_digest(text), "{way}");
    }
    assert_ne!(text_digest("The film of 1998 was good 3 times"), text_digest(text));
}

#[test]
fn what_is_counted_is_what_was_done() {
    let mut texts: Vec<String> = (0..100).map(|i| format!("text number{i} about it")).collect();
    let mut labels: Vec<u8> = (0..100).map(|i| (i % 2) as u8).collect();
    // Row 101 is row 1 once more, rows 102 and 103 say what rows 2 and 3 do, 103 with another label.
    texts.extend([texts[0].clone(), texts[1].to_uppercase(), format!("{}!", texts[2])]);
    labels.extend([0, 1, 1]);
    let table = LabelledTexts::new(&texts, labels).unwrap();
    let config = PreprocessingConfig { seq_len: 3, ..PreprocessingConfig::default() };
    let summary = prepare(&table, &plan(0), &config).unwrap().summary;
    assert_eq!((summary.n_rows, summary.n_duplicates, summary.n_exact_duplicates), (103, 3, 1));
    assert_eq!((summary.n_conflicting, summary.n_dropped), (1, 0));
    assert_eq!(summary.conflicting_rows, [[3, 103]]);
    let splits = summary.splits.clone().unwrap();
    assert_eq!(splits.train.class_counts, [40, 40]);
    assert_eq!(
        (splits.validation.class_counts, splits.test.class_counts),
        (vec![5, 5], vec![5, 5])
    );
    // Each of the 80 texts has four words, of which three are read.
    assert_eq!(
        (splits.train.n_cut, splits.train.n_tokens_cut, splits.train.n_tokens),
        (80, 80, 320)
    );
    let told = summary.cut().unwrap().to_string();
    assert!(told.starts_with("80 of 80 training texts") && told.contains("25.0 %"), "{told}");
    // Every number is in one text: of the validation's 30 words read, 10 are unknown.
    assert_eq!(splits.validation.n_unknown, 10);

    let plan = SplitPlan { conflicts: Conflicts::Drop, ..plan(0) };
    let summary = prepare(&table, &plan, &config).unwrap().summary;
    assert_eq!((summary.n_duplicates, summary.n_conflicting, summary.n_dropped), (2, 1, 2));
    assert_eq!(summary.n_train + summary.n_validation + summary.n_test, 99);
    let plan = SplitPlan { conflicts: Conflicts::Error, ..plan };
    let error = prepare(&table, &plan, &config).unwrap_err().to_string();
    assert!(error.contains("1 text has both labels, for example rows 3 and 103"), "{error}");
}

#[test]
fn tables_of_one_or_two_texts_are_named_as_such() {
    let message = |texts: &[&str]| {
        let labels = (0..texts.len()).map(|i| (i % 2) as u8).collect();
        split(&LabelledTexts::new(texts, labels).unwrap(), &plan(0)).unwrap_err().to_string()
    };
    let error = message(&["nan"; 100]);
    assert!(error.starts_with("all 100 rows have the same text"), "{error}");
    let error = message(&[
        "good", "bad", "Good!", " bad ", "GOOD", "Bad", "good", "bad", "good", "bad", "good",
    ]);
    assert_eq!(error, "11 rows have only 2 distinct texts; at least 10 are needed");
    let error = message(&["a", "b", "c"]);
    assert_eq!(error, "3 rows are too few to split; at least 10 are needed");
}

/// The test split of a model that version 0.1 trained is found again only if its texts are compared as
/// they were then.
#[test]
fn plans_of_earlier_versions_compare_bytes() {
    let old =
        r#"{"sample": null, "shares": {"train": 0.8, "validation": 0.1, "test": 0.1, "seed": 5}}"#;
    let old: SplitPlan = serde_json::from_str(old).unwrap();
    assert_eq!((old.duplicates, old.conflicts), (Duplicates::SameBytes, Conflicts::Keep));
    let texts: Vec<String> =
        (0..60).map(|i| rewritten(&format!("text number{}", i % 30), i / 30)).collect();
    let table = LabelledTexts::new(&texts, (0..60).map(|i| (i % 2) as u8).collect()).unwrap();
    assert_eq!(split(&table, &old).unwrap().unique.kept.len(), 60);
    let new = plan(5);
    assert_eq!(split(&table, &new).unwrap().unique.kept.len(), 30);
    // What is written is read.
    let written = serde_json::to_string(&new).unwrap();
    assert_eq!(serde_json::from_str::<SplitPlan>(&written).unwrap(), new);
}
