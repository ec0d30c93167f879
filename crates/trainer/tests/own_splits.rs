//! Splits that the user made: files of their own for training, validation and test texts.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its files has failed")]

use std::fs;
use std::path::PathBuf;

use dataset::{
    ColumnChoice, Conflicts, DataFile, Fold, LabelOptions, LabelledTexts, ReadOptions, Split,
};
use tempfile::TempDir;
use text_preprocessing::PreprocessingConfig;
use trainer::{
    Cache, DataOrigin, DataRequest, Error, FewTexts, LeftOut, LoadedData, OwnOrigin, OwnSplits,
    Prepared, SharedGroups, SplitPlan, Warning, load, prepare, prepare_own, split,
};

/// Files of labelled texts, and how they are read.
struct Place {
    folder: TempDir,
    columns: ColumnChoice,
    labels: LabelOptions,
    plan: SplitPlan,
}

impl Place {
    fn new() -> Self {
        let (columns, labels) = (ColumnChoice::default(), LabelOptions::default());
        let folder = tempfile::tempdir().unwrap();
        Self { folder, columns, labels, plan: SplitPlan::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A table with the columns `text` and `label`.
    fn write<T: AsRef<str>>(&self, name: &str, rows: impl IntoIterator<Item = (T, &'static str)>) {
        let rows = rows.into_iter().map(|(text, label)| format!("{},{label}\n", text.as_ref()));
        fs::write(self.path(name), format!("text,label\n{}", rows.collect::<String>())).unwrap();
    }

    fn load(
        &self,
        train: &str,
        others: OwnSplits<&str>,
        cache: Option<&Cache>,
    ) -> trainer::Result<LoadedData> {
        let open = |name: &str| DataFile::open(self.path(name)).unwrap();
        let others = others.map(open);
        load(
            &DataRequest {
                file: &open(train),
                others: others.as_ref(),
                columns: &self.columns,
                labels: &self.labels,
                options: &ReadOptions::default(),
                plan: &self.plan,
                preprocessing: &PreprocessingConfig::default(),
                few_texts: FewTexts::Keep,
            },
            cache,
        )
    }

    fn loaded(&self, train: &str, others: OwnSplits<&str>) -> LoadedData {
        self.load(train, others, None).unwrap()
    }

    /// The message of a failure, without the folder.
    fn message(&self, train: &str, others: OwnSplits<&str>) -> String {
        let error = self.load(train, others, None).unwrap_err();
        let mut message = error.to_string();
        if let Error::InFile { source, .. } = &error {
            message = format!("{message}: {source}");
        }
        message.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn both<'a>(validation: &'a str, test: &'a str) -> OwnSplits<&'a str> {
    OwnSplits { validation: Some(validation), test: Some(test) }
}

fn only_test(test: &str) -> OwnSplits<&str> {
    OwnSplits { validation: None, test: Some(test) }
}

/// Different texts of two classes, numbered from `from`.
fn texts(from: usize, n: usize) -> impl Iterator<Item = (String, &'static str)> {
    let label = |i: usize| if i.is_multiple_of(3) { "good" } else { "bad" };
    (from..from + n).map(move |i| (format!("film w{} number n{i}", i * 7919 % 101), label(i)))
}

/// Some rows as they would be in a file.
fn rows_of(table: &LabelledTexts, rows: &[u32]) -> Vec<(String, &'static str)> {
    let names = ["bad", "good"];
    assert_eq!(table.classes().names, names);
    let classes = table.targets_of(rows).one_of().unwrap().to_vec();
    let labels = classes.into_iter().map(|class| names[class as usize]);
    table.texts_of(rows).map(str::to_owned).zip(labels).collect()
}

/// `all.csv`, and its rows in a file for each split, ascending.
fn divided(place: &Place) -> (LabelledTexts, Split) {
    // Every tenth text occurs again.
    let all: Vec<_> = texts(0, 150).chain(texts(0, 150).step_by(10)).collect();
    place.write("all.csv", all);
    let file = DataFile::open(place.path("all.csv")).unwrap();
    let (columns, labels) = (ColumnChoice::default(), LabelOptions::default());
    let table = LabelledTexts::read(&file, &columns, &labels, &ReadOptions::default()).unwrap();
    let Split { train, validation, test } = split(&table, &place.plan).unwrap().split;
    place.write("train.csv", rows_of(&table, &train));
    place.write("validation.csv", rows_of(&table, &validation));
    place.write("test.csv", rows_of(&table, &test));
    (table, Split { train, validation, test })
}

#[track_caller]
fn are_the_same_splits(a: &Prepared, b: &Prepared) {
    assert_eq!((&a.train, &a.validation, &a.test), (&b.train, &b.validation, &b.test));
    assert_eq!(a.encoder.to_json().unwrap(), b.encoder.to_json().unwrap());
    assert_eq!((&a.task, a.separator, &a.seen), (&b.task, b.separator, &b.seen));
    assert_eq!(a.validation_texts.digests, b.validation_texts.digests);
    assert_eq!(a.test_texts.digests, b.test_texts.digests);
    assert_eq!(a.summary.splits, b.summary.splits);
    assert_eq!(a.summary.test_digest, b.summary.test_digest);
}

#[test]
fn files_with_the_rows_of_a_split_give_what_the_divided_file_gives() {
    let place = Place::new();
    let (table, rows) = divided(&place);
    let whole = place.loaded("all.csv", OwnSplits::default());
    let own = place.loaded("train.csv", both("validation.csv", "test.csv"));
    are_the_same_splits(&whole.data, &own.data);
    let summary = &own.data.summary;
    assert_eq!((summary.n_rows, summary.n_duplicates), (rows.train.len(), 0));
    let left_out = LeftOut {
        n_validation_rows: Some(rows.validation.len()),
        n_test_rows: Some(rows.test.len()),
        ..LeftOut::default()
    };
    assert_eq!(summary.left_out, Some(left_out));
    assert_eq!(whole.data.summary.left_out, None);
    // Rows are those of their own file.
    let numbers = |n: usize| (1..=n as u32).collect::<Vec<_>>();
    assert_eq!(own.data.validation_texts.rows, numbers(rows.validation.len()));
    assert_eq!(own.data.test_texts.rows, numbers(rows.test.len()));
    // And from memory.
    let of = |rows: &[u32]| {
        let texts: Vec<&str> = table.texts_of(rows).collect();
        let classes = table.classes().clone();
        LabelledTexts::with_targets(texts, table.targets_of(rows), classes).unwrap()
    };
    let [train, validation, test] =
        [&rows.train, &rows.validation, &rows.test].map(|rows| of(rows));
    let others = OwnSplits { validation: Some(&validation), test: Some(&test) };
    let preprocessing = PreprocessingConfig::default();
    let from_memory = prepare_own(&train, others, &place.plan, &preprocessing).unwrap();
    are_the_same_splits(&from_memory, &whole.data);
    let nothing = OwnSplits::default();
    let undivided = prepare_own(&table, nothing, &place.plan, &preprocessing).unwrap();
    are_the_same_splits(&undivided, &prepare(&table, &place.plan, &preprocessing).unwrap());
}

/// So the mean of a cross-validation is that of trainings on these files.
#[test]
fn files_with_the_rows_of_a_fold_give_what_the_fold_gives() {
    let mut tested = Vec::new();
    for fold in Fold::all(3) {
        let place =
            Place { plan: SplitPlan { fold: Some(fold), ..SplitPlan::default() }, ..Place::new() };
        let (_, rows) = divided(&place);
        let whole = place.loaded("all.csv", OwnSplits::default());
        let refused = place.message("train.csv", both("validation.csv", "test.csv"));
        assert_eq!(refused, "folds divide one table; these texts are divided already");
        let without_fold = Place { plan: SplitPlan::default(), ..place };
        let own = without_fold.loaded("train.csv", both("validation.csv", "test.csv"));
        are_the_same_splits(&whole.data, &own.data);
        tested.extend(rows.test);
    }
    tested.sort_unstable();
    // Repeated texts are used once.
    assert_eq!(tested, (0..150).collect::<Vec<u32>>());
}

#[test]
fn texts_that_are_in_several_files_are_left_out_of_all_but_one_and_counted() {
    let place = Place::new();
    divided(&place);
    let append = |name: &str, rows: &[(&str, &'static str)]| {
        let mut csv = fs::read_to_string(place.path(name)).unwrap();
        rows.iter().for_each(|(text, label)| csv += &format!("{text},{label}\n"));
        fs::write(place.path(name), csv).unwrap();
    };
    let clean = place.loaded("train.csv", both("validation.csv", "test.csv")).data;
    // In other words for digests: case, spaces and punctuation do not count, nor do labels.
    append(
        "train.csv",
        &[("IN TEST!", "good"), ("in test", "good"), ("in validation", "bad"), ("in all", "bad")],
    );
    append(
        "validation.csv",
        &[("in validation", "bad"), ("In all", "good"), ("in both others", "bad")],
    );
    append(
        "test.csv",
        &[("in  test", "bad"), ("in all", "bad"), ("in both others", "good"), ("in test", "bad")],
    );
    let found = place.loaded("train.csv", both("validation.csv", "test.csv")).data;
    let (n_validation, n_test) = (clean.validation.len(), clean.test.len());
    let left_out = LeftOut {
        n_validation_rows: Some(n_validation + 3),
        n_test_rows: Some(n_test + 4),
        n_train_in_test: 2,
        n_train_in_validation: 1,
        n_validation_in_test: 2,
        groups: None,
    };
    assert_eq!(found.summary.left_out, Some(left_out));
    assert_eq!(found.summary.n_duplicates, 1);
    let sizes = |data: &Prepared| [data.train.len(), data.validation.len(), data.test.len()];
    let [n_train, ..] = sizes(&clean);
    assert_eq!(sizes(&found), [n_train, n_validation + 1, n_test + 4]);
    // Training has not changed at all, and nothing of it is in a test.
    assert_eq!(found.train, clean.train);
    assert_eq!(found.seen.train, clean.seen.train);
    let mut tested = found.test_texts.digests.clone();
    tested.sort_unstable();
    tested.dedup();
    assert_eq!(tested.len(), n_test + 3, "one text occurs twice, and both are tested");
    let is_seen = |digest| {
        let seen = &found.seen;
        seen.train.binary_search(digest).is_ok() || seen.validation.binary_search(digest).is_ok()
    };
    assert!(!tested.iter().any(is_seen));
    assert!(!found.seen.validation.iter().any(|digest| found.seen.train.contains(digest)));
    // The row of a validation text after one that was left out is that of its file.
    assert_eq!(found.validation_texts.rows.last(), Some(&(n_validation as u32 + 1)));
}

#[test]
fn without_validation_texts_a_tenth_is_split_off_by_the_seed_and_without_test_texts_there_is_no_test()
 {
    let mut place = Place::new();
    place.write("train.csv", texts(0, 200));
    place.write("other.csv", texts(190, 30));
    let first = place.loaded("train.csv", only_test("other.csv")).data;
    assert_eq!((first.train.len(), first.validation.len(), first.test.len()), (171, 19, 30));
    assert_eq!(first.summary.left_out.unwrap().n_train_in_test, 10);
    assert!(first.validation_texts.rows.iter().all(|&row| row <= 190));
    place.plan.shares.seed = 1;
    let other_seed = place.loaded("train.csv", only_test("other.csv")).data;
    assert_ne!(first.validation_texts, other_seed.validation_texts);
    assert_eq!(first.test_texts, other_seed.test_texts);
    let untested = OwnSplits { validation: Some("other.csv"), test: None };
    let untested = place.loaded("train.csv", untested).data;
    assert_eq!((untested.train.len(), untested.validation.len()), (190, 30));
    assert!(untested.test.is_empty() && untested.test_texts.rows.is_empty());
    // A sample is one of the training texts.
    place.plan.sample = Some(50);
    let sampled = place.loaded("train.csv", only_test("other.csv")).data;
    assert_eq!(sampled.train.len() + sampled.validation.len(), 50);
    assert_eq!(sampled.test_texts, first.test_texts);
}

#[test]
fn conflicts_are_those_of_the_training_file_and_its_rows() {
    let mut place = Place::new();
    let twice = [("same", "good"), ("same", "bad")];
    let own = |from| texts(from, 30).chain(twice.map(|(text, label)| (text.to_owned(), label)));
    place.write("train.csv", own(0));
    place.write("test.csv", texts(100, 10).chain(twice.map(|(t, l)| (t.replace('s', "t"), l))));
    place.write("validation.csv", texts(200, 10));
    place.plan.conflicts = Conflicts::Error;
    let message = place.message("train.csv", both("validation.csv", "test.csv"));
    assert!(
        message.starts_with("1 text has both labels, for example rows 31 and 32;"),
        "{message}"
    );
    place.plan.conflicts = Conflicts::Drop;
    let dropped = place.loaded("train.csv", both("validation.csv", "test.csv")).data;
    assert_eq!((dropped.train.len(), dropped.test.len()), (30, 12));
}

#[test]
fn classes_are_those_of_the_training_file() {
    let mut place = Place::new();
    place.write("train.csv", texts(0, 40));
    place.write("validation.csv", texts(100, 10));
    // One class is enough for a test, and the order of its labels decides nothing.
    place.write("test.csv", [("a", "good"), ("b", "good")]);
    let one = place.loaded("train.csv", both("validation.csv", "test.csv")).data;
    assert_eq!(one.test.targets().unwrap().one_of().unwrap(), [1, 1]);
    place.write("test.csv", [("a", "good"), ("b", "bad"), ("c", "unsure")]);
    assert_eq!(
        place.message("train.csv", both("validation.csv", "test.csv")),
        "test.csv, row 3 (line 4): label \"unsure\" is not in the training file, whose labels are \"bad\", \
         \"good\""
    );
    // A label map is that of all files.
    place.labels.map = Some("bad=no; good=yes; unsure=skip".parse().unwrap());
    let mapped = place.loaded("train.csv", both("validation.csv", "test.csv")).data;
    assert_eq!(mapped.task.classes(), ["no", "yes"]);
    assert_eq!(mapped.test.targets().unwrap().one_of().unwrap(), [1, 0]);
}

#[test]
fn several_labels_a_text_are_read_in_every_file_as_in_the_training_file() {
    let place = Place::new();
    let labels = ["a|b", "b|c", "a", "c", "", "a|c", "a|b|c"];
    place.write("train.csv", (0..70).map(|i| (format!("text number n{i}"), labels[i % 7])));
    place.write("validation.csv", [("v0", "b"), ("v1", "a|b")]);
    // In this file alone, nothing would show that there is a separator.
    place.write("test.csv", [("t0", "c|b"), ("t1", ""), ("t2", "b")]);
    let data = place.loaded("train.csv", both("validation.csv", "test.csv")).data;
    let targets = data.test.targets().unwrap();
    assert_eq!([0, 1, 2].map(|row| targets.of_row(row).to_vec()), [vec![1, 2], vec![], vec![1]]);
    assert_eq!(data.train.len(), 70);
}

#[test]
fn columns_of_the_training_file_are_found_in_the_others_or_guessed() {
    let mut place = Place::new();
    let csv = |from: usize, n: usize, head: &str| {
        let rows = texts(from, n).map(|(text, label)| format!("{label},{text},not a text\n"));
        format!("{head}\n{}", rows.collect::<String>())
    };
    fs::write(place.path("train.csv"), csv(0, 40, "mood,comment,text")).unwrap();
    fs::write(place.path("validation.csv"), csv(100, 10, "mood,comment,text")).unwrap();
    fs::write(place.path("test.csv"), csv(200, 12, "label,text,id")).unwrap();
    place.columns.text = Some("comment".to_owned());
    place.columns.label = vec!["mood".to_owned()];
    let LoadedData { data, others, .. } =
        place.loaded("train.csv", both("validation.csv", "test.csv"));
    assert_eq!([data.train.len(), data.validation.len(), data.test.len()], [40, 10, 12]);
    let names = others.map(|of| (of.columns.text.name, of.columns.text.guessed));
    assert_eq!(names.validation, Some(("comment".to_owned(), false)));
    assert_eq!(names.test, Some(("text".to_owned(), true)));
}

#[test]
fn weights_are_those_of_the_training_and_validation_files_and_the_test_needs_none() {
    let mut place = Place::new();
    place.columns.weight = Some("w".to_owned());
    let weighted = |name: &str, from: usize, n: usize, weight: fn(usize) -> f64| {
        let rows = texts(from, n).enumerate();
        let rows = rows.map(|(i, (text, label))| format!("{text},{label},{}\n", weight(i)));
        let csv = format!("text,label,w\n{}", rows.collect::<String>());
        fs::write(place.path(name), csv).unwrap();
    };
    // 3 on average.
    weighted("train.csv", 0, 40, |i| [2.0, 4.0][i % 2]);
    weighted("validation.csv", 100, 10, |_| 6.0);
    place.write("test.csv", texts(200, 10));
    let data = place.loaded("train.csv", both("validation.csv", "test.csv")).data;
    assert_eq!(data.train.weights().unwrap()[..2], [2.0 / 3.0, 4.0 / 3.0]);
    assert_eq!(data.validation.weights().unwrap(), [2.0; 10]);
    assert_eq!(data.test.weights(), None);
    // All that is left weighs nothing.
    weighted("validation.csv", 199, 3, |i| if i == 0 { 0.0 } else { 1.0 });
    place.write("test.csv", texts(200, 10));
    assert_eq!(
        place.message("train.csv", both("validation.csv", "test.csv")),
        "validation.csv: all validation texts have weight 0; give more of them a weight above 0"
    );
    place.write("validation.csv", texts(100, 10));
    let message = place.message("train.csv", both("validation.csv", "test.csv"));
    assert!(message.starts_with("validation.csv has no column \"w\""), "{message}");
}

#[test]
fn a_file_of_which_nothing_is_left_is_refused() {
    let place = Place::new();
    place.write("train.csv", texts(0, 40));
    place.write("copy.csv", texts(0, 40));
    place.write("most.csv", texts(0, 35));
    place.write("few.csv", texts(100, 3));
    place.write("fewer.csv", texts(101, 2));
    assert_eq!(
        place.message("train.csv", only_test("copy.csv")),
        "none of the 40 training texts is left: 40 also in the test file"
    );
    assert_eq!(
        place.message("train.csv", both("few.csv", "most.csv")),
        "only 5 of the 40 training texts are left, and 10 are needed: 35 also in the test file"
    );
    assert_eq!(
        place.message("train.csv", both("most.csv", "few.csv")),
        "only 5 of the 40 training texts are left, and 10 are needed: 35 also in the validation file"
    );
    assert_eq!(
        place.message("train.csv", both("fewer.csv", "few.csv")),
        "fewer.csv: none of the 2 validation texts is left: 2 also in the test file"
    );
}

#[test]
fn groups_are_kept_together_where_validation_texts_are_split_off_and_refused_elsewhere() {
    let mut place = Place::new();
    place.columns.group = Some("author".to_owned());
    let rows = texts(0, 200).enumerate();
    let rows = rows.map(|(i, (text, label))| format!("{text},{label},a{}\n", i / 4));
    let csv = format!("text,label,author\n{}", rows.collect::<String>());
    fs::write(place.path("train.csv"), csv).unwrap();
    place.write("other.csv", texts(300, 10));
    let data = place.loaded("train.csv", only_test("other.csv")).data;
    let mut groups: Vec<u32> = data.validation_texts.rows.iter().map(|row| (row - 1) / 4).collect();
    groups.dedup();
    assert_eq!(groups.len() * 4, data.validation.len());
    assert_eq!(data.summary.n_groups, Some(50));
    let message =
        place.message("train.csv", OwnSplits { validation: Some("other.csv"), test: None });
    assert!(message.starts_with("groups have no use here"), "{message}");
}

#[test]
fn training_texts_of_groups_in_the_test_file_are_left_out_and_counted() {
    let mut place = Place::new();
    place.columns.group = Some("author".to_owned());
    let rows = texts(0, 200).enumerate();
    let rows = rows.map(|(i, (text, label))| format!("{text},{label},a{}\n", i / 4));
    let csv = format!("text,label,author\n{}", rows.collect::<String>());
    fs::write(place.path("train.csv"), csv).unwrap();
    // Other numbers than in the training file, and another format. The first text is in both files.
    let of_test = |authors: &[&str]| {
        let texts = texts(0, 1).chain(texts(300, authors.len() - 1));
        let rows = authors.iter().zip(texts);
        let rows = rows.map(|(author, (text, label))| {
            format!("{{\"text\":\"{text}\",\"label\":\"{label}\",\"Author\":\"{author}\"}}\n")
        });
        fs::write(place.path("test.jsonl"), rows.collect::<String>()).unwrap();
    };
    of_test(&["new", "a49", "a7", "a7", "a0"]);
    let LoadedData { data, others, .. } = place.loaded("train.csv", only_test("test.jsonl"));
    assert_eq!(others.test.unwrap().columns.group.unwrap().name, "Author");
    let left_out = LeftOut {
        n_test_rows: Some(5),
        n_train_in_test: 1,
        groups: Some(SharedGroups { n_groups: 3, n_texts: 11 }),
        ..LeftOut::default()
    };
    assert_eq!((data.summary.left_out, data.summary.n_groups), (Some(left_out), Some(47)));
    assert_eq!((data.train.len() + data.validation.len(), data.test.len()), (188, 5));
    let digest = |from, n| {
        texts(from, n).map(|(text, _)| text_preprocessing::text_digest(&text)).collect::<Vec<_>>()
    };
    for digest in [digest(0, 4), digest(28, 4), digest(196, 4)].concat() {
        assert!(!data.seen.train.contains(&digest) && !data.seen.validation.contains(&digest));
    }
    assert!(!told(&data).iter().any(|warning| warning.contains("groups")), "{:?}", told(&data));
    // Nothing in common is compared, too.
    of_test(&["new", "newer"]);
    let data = place.loaded("train.csv", only_test("test.jsonl")).data;
    assert_eq!(data.summary.left_out.unwrap().groups, Some(SharedGroups::default()));
    let all: Vec<String> = (2..50).map(|i| format!("a{i}")).collect();
    of_test(&all.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(
        place.message("train.csv", only_test("test.jsonl")),
        "only 7 of the 200 training texts are left, and 10 are needed: 1 also in the test file, 192 of groups in \
         the test file"
    );
}

/// The warnings about data.
fn told(data: &Prepared) -> Vec<String> {
    Warning::of_data(&data.summary, &data.task).iter().map(ToString::to_string).collect()
}

#[test]
fn a_test_file_without_the_column_of_groups_is_warned_about() {
    let mut place = Place::new();
    place.columns.group = Some("author".to_owned());
    let rows = texts(0, 200).enumerate();
    let rows = rows.map(|(i, (text, label))| format!("{text},{label},a{}\n", i / 4));
    let csv = format!("text,label,author\n{}", rows.collect::<String>());
    fs::write(place.path("train.csv"), csv).unwrap();
    place.write("test.csv", texts(300, 200));
    let data = place.loaded("train.csv", only_test("test.csv")).data;
    assert_eq!(data.summary.left_out.unwrap().groups, None);
    let warnings = told(&data);
    let expected = "groups were not compared with the test file, which has no column of groups: ";
    assert!(warnings.iter().any(|warning| warning.starts_with(expected)), "{warnings:?}");
    // Without groups, there is nothing to compare.
    place.columns.group = None;
    let data = place.loaded("train.csv", only_test("test.csv")).data;
    assert!(!told(&data).iter().any(|warning| warning.contains("groups")));
}

#[test]
fn tables_with_other_classes_are_refused() {
    let train = LabelledTexts::new((0..20).map(|i| format!("n{i}")), [0, 1].repeat(10)).unwrap();
    let names = ["positive", "negative"].map(str::to_owned).to_vec();
    let classes = dataset::Classes::new(dataset::TaskKind::Binary, names);
    let test = LabelledTexts::with_targets(["x"], vec![0u8].into(), classes).unwrap();
    let others = OwnSplits { validation: None, test: Some(&test) };
    let error = prepare_own(&train, others, &SplitPlan::default(), &PreprocessingConfig::default());
    assert_eq!(
        error.unwrap_err().to_string(),
        "the test texts have other classes than the training texts"
    );
}

#[test]
fn weights_of_the_training_or_validation_texts_alone_are_refused() {
    let table = |name: &str, n: usize| {
        LabelledTexts::new((0..n).map(|i| format!("{name} n{i}")), [0, 1].repeat(n / 2)).unwrap()
    };
    let prepared = |train: &LabelledTexts, validation: &LabelledTexts| {
        let others = OwnSplits { validation: Some(validation), test: None };
        prepare_own(train, others, &SplitPlan::default(), &PreprocessingConfig::default())
    };
    let (train, validation) = (table("a", 20), table("b", 4));
    let (heavy, both_heavy) = (
        train.clone().with_weights(vec![2.0; 20]).unwrap(),
        validation.clone().with_weights(vec![1.0; 4]).unwrap(),
    );
    assert!(prepared(&train, &validation).is_ok());
    assert_eq!(prepared(&heavy, &both_heavy).unwrap().validation.weights().unwrap(), [0.5; 4]);
    for (train, validation) in [(&heavy, &validation), (&train, &both_heavy)] {
        let error = prepared(train, validation).unwrap_err().to_string();
        assert_eq!(error, "rows with weights cannot be joined with rows without");
    }
}

#[test]
fn the_cache_knows_all_files_and_their_parts() {
    let place = Place::new();
    let cache = Cache::new(place.path("cache"));
    place.write("train.csv", texts(0, 60));
    place.write("a.csv", texts(100, 10));
    place.write("b.csv", texts(200, 10));
    let load = |others| place.load("train.csv", others, Some(&cache)).unwrap();
    let splits = [
        both("a.csv", "b.csv"),
        both("b.csv", "a.csv"),
        only_test("a.csv"),
        only_test("b.csv"),
        OwnSplits { validation: Some("a.csv"), test: None },
        OwnSplits::default(),
    ];
    let fresh: Vec<LoadedData> = splits.iter().map(|&others| load(others)).collect();
    assert!(fresh.iter().all(|loaded| !loaded.is_cached));
    for (fresh, &others) in fresh.iter().zip(&splits) {
        let cached = load(others);
        assert!(cached.is_cached);
        are_the_same_splits(&fresh.data, &cached.data);
        assert_eq!(fresh.data.summary, cached.data.summary);
        assert_eq!(fresh.data.test_texts, cached.data.test_texts);
        assert_eq!(fresh.data.validation_texts, cached.data.validation_texts);
        assert_eq!((&fresh.others, &fresh.fingerprint), (&cached.others, &cached.fingerprint));
    }
    // As long as before.
    place.write("b.csv", texts(201, 10));
    assert!(!load(both("a.csv", "b.csv")).is_cached);
    assert!(!load(both("b.csv", "a.csv")).is_cached);
    assert!(load(only_test("a.csv")).is_cached);
    // Another format is another reading.
    fs::rename(place.path("a.csv"), place.path("a.tsv")).unwrap();
    assert!(!load(only_test("a.tsv")).is_cached);
}

#[test]
fn reports_name_the_files_and_older_ones_have_none() {
    let place = Place::new();
    divided(&place);
    let LoadedData { data, columns, fingerprint, others, .. } =
        place.loaded("train.csv", only_test("test.csv"));
    let how = (ReadOptions::default(), LabelOptions::default());
    let origin = DataOrigin::new("train.csv", columns, how, fingerprint, place.plan, &data);
    let names = only_test("test.csv").zip(others);
    let origin = origin.with_own_splits(names.map(|(name, of)| OwnOrigin::new(name, of)));
    let mut json = serde_json::to_value(&origin).unwrap();
    assert_eq!(serde_json::from_value::<DataOrigin>(json.clone()).unwrap(), origin);
    let test = &json["own_splits"]["test"];
    assert_eq!((&test["path"], &test["text_column"]), (&"test.csv".into(), &"text".into()));
    assert_eq!(test["fingerprint"].as_str().unwrap().len(), 64);
    assert_eq!(json["own_splits"].get("validation"), None);

    json.as_object_mut().unwrap().remove("own_splits");
    json["summary"].as_object_mut().unwrap().remove("left_out");
    let older: DataOrigin = serde_json::from_value(json.clone()).unwrap();
    assert!(older.own_splits.is_empty() && older.summary.left_out.is_none());
    assert_eq!(serde_json::to_value(&older).unwrap(), json);
}
