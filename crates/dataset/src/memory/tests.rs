use super::Labels;
use crate::classes::Classes;
use crate::error::{Error, Result};
use crate::labelled::LabelledTexts;
use crate::labels::LabelOptions;
use crate::targets::Targets;
use crate::task_kind::TaskKind;

fn cells(labels: &[&str]) -> Labels {
    labels.to_vec().into()
}

fn lists(labels: &[&[&str]]) -> Labels {
    let list = |labels: &&[&str]| labels.iter().map(ToString::to_string).collect();
    labels.iter().map(list).collect::<Vec<Vec<String>>>().into()
}

fn texts(labels: &Labels) -> Vec<String> {
    (1..=labels.len()).map(|number| format!("text number {number}")).collect()
}

fn recognised(labels: &Labels) -> Result<LabelledTexts> {
    with(labels, LabelOptions::default())
}

fn with(labels: &Labels, options: LabelOptions) -> Result<LabelledTexts> {
    LabelledTexts::from_columns(texts(labels), labels, &options)
}

fn exact(labels: &Labels, task: Option<TaskKind>) -> Result<LabelledTexts> {
    LabelledTexts::of_classes(texts(labels), labels, Classes::of_labels(labels, task)?)
}

/// The message and the advice.
fn told(result: Result<LabelledTexts>) -> (String, String) {
    let error = result.unwrap_err();
    (error.to_string(), error.advice().unwrap_or_default())
}

fn map(map: &str) -> LabelOptions {
    LabelOptions { map: Some(map.parse().unwrap()), ..LabelOptions::default() }
}

/// 40 of each of two labels, then one more.
fn many(one: &str, other: &str, last: &str) -> Labels {
    let mut labels: Vec<&str> = [one, other].repeat(40);
    labels.push(last);
    cells(&labels)
}

#[test]
fn labels_are_recognised_as_those_of_a_table() {
    let table = recognised(&cells(&["pos", "neg", "Pos", "0"])).unwrap();
    assert_eq!(table.classes(), &Classes::binary());
    assert_eq!(table.targets(), &Targets::OneOf(vec![1, 0, 1, 0]));
    let table = recognised(&cells(&["ham", "spam", "Ham"])).unwrap();
    assert_eq!(table.classes().names, ["ham", "spam"]);
    assert_eq!(table.classes().task, TaskKind::Binary);
    assert_eq!(
        table.notes_in_words(),
        [
            "took \"Ham\" as other spellings of the label \"ham\"",
            "two classes, \"ham\" and \"spam\" (positive)"
        ]
    );
    let table = recognised(&cells(&["10", "2.0", "1", "2"])).unwrap();
    assert_eq!(table.classes().names, ["1", "2", "10"]);
    assert_eq!(table.notes_in_words(), ["3 classes: \"1\", \"2\", \"10\""]);
    let table = recognised(&cells(&["a|b", "b|a", "a", "b", "a|b|a"])).unwrap();
    assert_eq!((table.classes().task, table.classes().separator), (TaskKind::AnyOf, Some('|')));
    assert!(
        table.notes_in_words()[0].contains("separated by \"|\""),
        "{:?}",
        table.notes_in_words()
    );
}

#[test]
fn lists_are_any_number_of_labels() {
    let labels = lists(&[&["drama", "comedy"], &[], &["Comedy", "comedy"]]);
    for (table, n_classes) in [(recognised(&labels), 2), (exact(&labels, None), 3)] {
        let table = table.unwrap();
        assert_eq!((table.classes().task, table.classes().len()), (TaskKind::AnyOf, n_classes));
        assert!(table.targets().of_row(1).is_empty());
        assert_eq!(table.targets().of_row(0).len(), 2);
    }
    let one_of = LabelOptions { task: Some(TaskKind::OneOf), ..LabelOptions::default() };
    for result in [with(&labels, one_of), exact(&labels, Some(TaskKind::OneOf))] {
        let (message, advice) = told(result);
        assert!(message.starts_with("text 1: expected one label, got a list: ["), "{message}");
        assert!(advice.contains("any-of"), "{advice}");
    }
}

#[test]
fn exact_labels_keep_their_names() {
    for (labels, names) in [
        (&["pos", "neg", "Pos"][..], &["Pos", "neg", "pos"][..]),
        (&["10", "9", "1"], &["1", "9", "10"]),
        (&["1", "0"], &["0", "1"]),
        (&["a ", "a"], &["a", "a "]),
        (&["x|y", "y|x", "x"], &["x", "x|y", "y|x"]),
        (&["nan", "1.0", "1"], &["1", "1.0", "nan"]),
    ] {
        let labels = cells(labels);
        let table = exact(&labels, None).unwrap();
        assert_eq!(table.classes().names, names);
        let task = if names.len() == 2 { TaskKind::Binary } else { TaskKind::OneOf };
        assert_eq!(table.classes().task, task);
        let Labels::Cells(cells) = labels else { unreachable!() };
        for (row, label) in cells.iter().enumerate() {
            let class = table.targets().of_row(row)[0];
            assert_eq!(Some(table.classes().name(class as usize)), label.as_deref());
        }
        assert!(table.notes_in_words().is_empty());
    }
    let table = exact(&cells(&["1", "0"]), Some(TaskKind::OneOf)).unwrap();
    assert_eq!(table.classes().task, TaskKind::OneOf);
    let table = exact(&cells(&["1", "0"]), Some(TaskKind::AnyOf)).unwrap();
    assert_eq!(table.targets(), &Targets::any_of([[1], [0]]));
}

#[test]
fn the_callers_order_of_classes_counts() {
    let labels = cells(&["yes", "no", "yes"]);
    let names = ["yes", "no"].map(String::from).to_vec();
    let classes = Classes::new(TaskKind::Binary, names.clone());
    let table = LabelledTexts::of_classes(texts(&labels), &labels, classes).unwrap();
    assert_eq!(table.targets(), &Targets::OneOf(vec![0, 1, 0]));
    let labels = cells(&["yes", "No"]);
    let classes = Classes::new(TaskKind::Binary, names);
    let (message, _) = told(LabelledTexts::of_classes(texts(&labels), &labels, classes));
    assert_eq!(
        message,
        "text 2: label \"No\" is not one of the classes \"yes\", \"no\" (did you mean \"no\"?)"
    );
}

#[test]
fn errors_name_the_text() {
    let no_label = Labels::from(vec![Some("a".to_string()), Some("b".to_string()), None]);
    for result in [recognised(&no_label), exact(&no_label, None)] {
        assert_eq!(told(result).0, "text 3 has no label");
    }
    assert_eq!(told(exact(&cells(&["a", ""]), None)).0, "text 2 has no label");
    let (message, advice) = told(recognised(&many("ham", "spam", "spamm")));
    assert_eq!(
        message,
        "text 81: unknown label \"spamm\"; expected a more frequent label (did you mean \"spam\"?); the labels are \
         \"ham\" (40 times), \"spam\" (40 times), \"spamm\" (once)"
    );
    assert!(advice.starts_with("Correct it, or map it with the label map \"spamm=spam; *=keep\"."));
    let (message, advice) = told(recognised(&many("1", "0", "nan")));
    assert!(message.starts_with("text 81: unknown label \"nan\"; expected"), "{message}");
    assert_eq!(advice, "Such a text has no label: label it, or leave it out.");
    let (message, advice) = told(recognised(&many("1", "0", "posiitve")));
    assert!(message.contains("did you mean \"positive\"?"), "{message}");
    assert!(advice.contains("\"posiitve=positive; *=keep\"") && !advice.contains("--"), "{advice}");
    let (message, _) = told(recognised(&many("ham", "spam", "nan")));
    assert!(message.starts_with("text 81: label \"nan\" looks like a missing label"), "{message}");
    let (message, advice) = told(recognised(&cells(&["0.5", "1", "2"])));
    assert_eq!(message, "text 1: label 0.5 is a number that is not whole, not a class");
    assert!(advice.contains("one-of"), "{advice}");
    let (message, _) = told(with(&cells(&["1", "2"]), map("1=a")));
    assert!(message.starts_with("text 2: label \"2\" is not in the label map"), "{message}");
}

#[test]
fn errors_about_all_labels_name_no_file() {
    let binary = LabelOptions { task: Some(TaskKind::Binary), ..LabelOptions::default() };
    let three = cells(&["a", "b", "c"]);
    for result in [with(&three, binary), exact(&three, Some(TaskKind::Binary))] {
        let (message, advice) = told(result);
        assert_eq!(
            message,
            "there are 3 different labels (\"a\", \"b\", \"c\"), but the task is binary, which has two classes"
        );
        assert!(!advice.contains("--") && advice.contains("one-of"), "{advice}");
    }
    for result in [recognised(&cells(&["a", "a"])), exact(&cells(&["a", "a"]), None)] {
        let message = told(result).0;
        assert_eq!(message, "all 2 texts are labelled a; a classifier needs at least two classes");
    }
    let ids: Vec<String> = (0..30).map(|id| format!("id{id}")).collect();
    let message = told(recognised(&ids.into())).0;
    assert!(message.starts_with(
        "the labels do not look like classes: there are 30 different ones for 30 texts"
    ));
    let message = told(with(&cells(&["a", "b"]), map("a,b=skip"))).0;
    assert_eq!(message, "the label map leaves out all 2 texts");
    assert_eq!(told(recognised(&lists(&[&[], &[]]))).0, "none of the 2 texts has a label");
    assert_eq!(told(exact(&lists(&[&[], &[]]), None)).0, "none of the 2 texts has a label");
    let nothing: [&str; 0] = [];
    let empty = LabelledTexts::from_columns(nothing, &cells(&[]), &LabelOptions::default());
    assert_eq!(told(empty).0, "0 texts are too few to split; at least 10 are needed");
    let short = LabelledTexts::from_columns(["a"], &cells(&["a", "b"]), &LabelOptions::default());
    assert_eq!(told(short).0, "expected 1 labels, one per text, got 2");
}

#[test]
fn a_map_renames_labels_and_leaves_texts_out_with_their_weights_and_groups() {
    let labels = cells(&["1", "3", "5", "2"]);
    let table = with(&labels, map("1,2=bad; 3=skip; 5=good")).unwrap();
    assert_eq!(table.classes().names, ["bad", "good"]);
    assert_eq!((table.len(), table.file_row(1)), (3, 3));
    assert_eq!(table.label_options(), &map("1,2=bad; 3=skip; 5=good"));
    assert!(table.notes_in_words().contains(&"left out 1 text, as the label map says".to_string()));
    let table = table.with_weights(vec![1.0, 0.0, 2.0, 3.0]).unwrap();
    assert_eq!(table.weights(), Some(&[1.0, 2.0, 3.0][..]));
    let table = table.with_group_names(["x", "y", "z", "x"]).unwrap();
    assert_eq!(table.groups(), Some(&[0, 2, 0][..]));
    let told = |result: Result<LabelledTexts>| result.unwrap_err().to_string();
    let short = table.clone().with_weights(vec![1.0; 3]);
    assert_eq!(told(short), "expected 4 weights, one per text, got 3");
    let short = table.clone().with_groups(vec![1; 3]);
    assert_eq!(told(short), "expected 4 groups, one per text, got 3");
    let negative = table.clone().with_weights(vec![1.0, 1.0, 1.0, -1.0]);
    assert_eq!(told(negative), "text 4: weight -1 is not a number of at least 0");
    let only_skipped = table.with_weights(vec![0.0, 1.0, 0.0, 0.0]);
    assert_eq!(told(only_skipped), "all 3 texts have weight 0; at least one must be above 0");
}

#[test]
fn names_that_differ_only_in_case_are_told_apart_in_a_table_too() {
    let names = ["A", "a", "B", "1", "1.0"].map(String::from).to_vec();
    let known = Some(Classes::new(TaskKind::OneOf, names));
    let options = LabelOptions { known, ..LabelOptions::default() };
    let table = with(&cells(&["a", "A", "b", "1.0"]), options.clone()).unwrap();
    assert_eq!(table.targets(), &Targets::OneOf(vec![1, 0, 2, 4]));
    // Which of the two it means cannot be known.
    let message = told(with(&cells(&["a", "01"]), options)).0;
    assert!(message.starts_with("text 2: label \"01\" is not one of the classes"), "{message}");
}

#[test]
fn the_cause_of_an_error_is_kept() {
    let error = recognised(&cells(&["a", "a"])).unwrap_err();
    let Error::InMemory { error, .. } = error else { unreachable!() };
    assert!(matches!(*error, Error::SingleClass { n_rows: 2, .. }));
}
