//! Labels of every task, and what is said about those that are none.

use std::path::Path;

use polars::prelude::{Column, DataFrame, DataType};
use proptest::prelude::*;

use super::*;
use crate::classes::CLASS_NAMES;
use crate::label_words::parse_label;
use crate::tables::{Cells, Table};
use crate::task_kind::TaskKind;

fn found(
    columns: Vec<Column>,
    cells: Cells,
    options: &LabelOptions,
) -> Result<(Found, Vec<String>)> {
    let names: Vec<ChosenColumn> =
        columns.iter().map(|column| ChosenColumn::named(column.name())).collect();
    let n_rows = columns.first().map_or(0, Column::len);
    let frame = DataFrame::new(n_rows, columns).unwrap();
    let table = Table {
        frame,
        cells,
        left_out: Vec::new(),
        lines: Vec::new(),
        first_row: 0,
        bad: Vec::new(),
    };
    let source = Source {
        path: Path::new("reviews.csv"),
        table: &table,
        rows: None,
        writing: Writing::Open,
    };
    let mut notes = ReadNotes::default();
    let found = read(&source, &names, options, &mut notes)?;
    Ok((found, notes.iter().map(ToString::to_string).collect()))
}

/// The labels of a column of the two usual classes.
fn parsed(column: Column) -> Result<Vec<u8>> {
    let (found, notes) = found(vec![column], Cells::Typed, &LabelOptions::default())?;
    assert!(found.classes.is_default() && notes.is_empty(), "{:?} {notes:?}", found.classes);
    Ok(found.targets.one_of().unwrap().iter().map(|&class| class as u8).collect())
}

fn words(words: &[&str], options: &LabelOptions) -> Result<(Found, Vec<String>)> {
    found(vec![Column::new("label".into(), words)], Cells::Text, options)
}

fn json(values: &[&str], options: &LabelOptions) -> Result<(Found, Vec<String>)> {
    found(vec![Column::new("label".into(), values)], Cells::Json, options)
}

/// The task, the names and the classes of the rows, as text.
fn outline(result: Result<(Found, Vec<String>)>) -> String {
    let (Found { targets, classes, .. }, _) = match result {
        Ok(found) => found,
        Err(error) => return error.to_string(),
    };
    let rows = (0..targets.len()).map(|row| {
        let of_row = targets.of_row(row).iter().map(|&class| classes.name(class as usize));
        of_row.collect::<Vec<_>>().join("+")
    });
    let rows = rows.collect::<Vec<_>>().join(" ");
    format!("{} {}: {rows}", classes.task, classes.names.join(","))
}

fn with(task: Option<TaskKind>, map: Option<&str>, separator: Option<char>) -> LabelOptions {
    let map = map.map(|map| map.parse().unwrap());
    LabelOptions { task, map, separator, ..LabelOptions::default() }
}

fn known(task: TaskKind, names: &[&str]) -> LabelOptions {
    let names = names.iter().map(ToString::to_string).collect();
    LabelOptions { known: Some(Classes::new(task, names)), ..LabelOptions::default() }
}

fn mapped(map: &str) -> LabelOptions {
    with(None, Some(map), None)
}

fn task(task: TaskKind) -> LabelOptions {
    with(Some(task), None, None)
}

fn message(column: Column) -> String {
    parsed(column).unwrap_err().to_string()
}

#[test]
fn every_way_to_write_a_label() {
    for (word, label) in [
        ("0", 0),
        (" 1 ", 1),
        ("neg", 0),
        ("POS", 1),
        ("Negative", 0),
        ("positive ", 1),
        ("FALSE", 0),
        ("true", 1),
        ("f", 0),
        ("T", 1),
        ("No", 0),
        ("yes", 1),
        ("N", 0),
        ("y", 1),
        ("0.0", 0),
        ("1.0", 1),
        ("1.", 1),
        ("1.00", 1),
        ("01", 1),
        ("000", 0),
        ("+1", 1),
        ("-0.0", 0),
        ("1.000000e+00", 1),
        ("0E0", 0),
        ("1e-0", 1),
    ] {
        assert_eq!(parse_label(word), Some(label), "{word:?}");
        assert_eq!(parsed(Column::new("label".into(), [word])).unwrap(), [label], "{word:?}");
    }
    for word in [
        "",
        " ",
        ".",
        "-",
        "e",
        "e0",
        "1e",
        ".0",
        ".1",
        "1e1",
        "10",
        "0.1",
        "1.01",
        "10e-1",
        "1e-400",
        "0.99999999999999999999",
        "1.00000000000000000001",
        "1 0",
        "0x1",
        "1_0",
        "-1",
        "2",
        "nan",
        "p",
        "P",
        "good",
        "bad",
        "negatives",
        "neg.",
        "LABEL_1",
        "__label__1",
        "１",
        "👍",
        "négatif",
        "1f",
    ] {
        assert_eq!(parse_label(word), None, "{word:?}");
    }
    assert_eq!(parsed(Column::new("label".into(), [0i64, 1])).unwrap(), [0, 1]);
    assert_eq!(parsed(Column::new("label".into(), [0u8, 1])).unwrap(), [0, 1]);
    assert_eq!(parsed(Column::new("label".into(), [1i8, 0])).unwrap(), [1, 0]);
    assert_eq!(parsed(Column::new("label".into(), [0.0f32, 1.0])).unwrap(), [0, 1]);
    assert_eq!(parsed(Column::new("label".into(), [true, false])).unwrap(), [1, 0]);
}

#[test]
fn a_typo_is_named_with_its_row_and_a_suggestion() {
    let mut words = vec!["positive"; 811];
    words.push("postive");
    assert_eq!(
        message(Column::new("label".into(), words)),
        "reviews.csv, row 812: unknown label \"postive\"; expected negative or positive \
         (did you mean \"positive\"?); the column holds \"positive\" (811 times), \"postive\" (once)"
    );
}

#[test]
fn a_missing_label_is_named() {
    let expected = "reviews.csv, row 2: column \"label\" has no value";
    assert_eq!(message(Column::new("label".into(), [Some("pos"), None])), expected);
    assert_eq!(message(Column::new("label".into(), [Some(1i64), None])), expected);
    assert_eq!(message(Column::new("label".into(), [Some(true), None])), expected);
    let nothing = Column::full_null("label".into(), 2, &DataType::Null);
    assert_eq!(message(nothing), "reviews.csv, row 1: column \"label\" has no value");
}

#[test]
fn dates_are_no_labels() {
    let dates = Column::new("label".into(), [1i32]).cast(&DataType::Date).unwrap();
    assert_eq!(
        message(dates),
        "reviews.csv: column \"label\" has type date; a label column must hold numbers, booleans or \
         words"
    );
}

#[test]
fn minus_one_is_negative_unless_there_is_a_zero() {
    let of = |words: &[&str]| parsed(Column::new("label".into(), words));
    assert_eq!(of(&["-1", "+1", "1", "-1.0"]).unwrap(), [0, 1, 1, 0]);
    assert_eq!(parsed(Column::new("label".into(), [-1i64, 1])).unwrap(), [0, 1]);
    assert_eq!(parsed(Column::new("label".into(), [1.0f64, -1.0])).unwrap(), [1, 0]);
    let options = LabelOptions::default();
    assert_eq!(outline(words(&["1", "-1", "0"], &options)), "one-of -1,0,1: 1 -1 0");
    assert_eq!(outline(words(&["0", "-1"], &options)), "binary -1,0: 0 -1");
}

#[test]
fn labels_of_json_are_told_by_value() {
    let options = LabelOptions::default();
    let values = ["1", "\"negative\"", "true", "1.0", "\"0\"", "false", "\"\\u0070os\""];
    let (found, _) = json(&values, &options).unwrap();
    assert_eq!(found.targets, Targets::OneOf(vec![1, 0, 1, 1, 0, 0, 1]));
    for (value, expected) in [
        ("null", "no value"),
        ("{\"a\":1}", "column \"label\" holds an object where a label is expected"),
        ("[null]", "holds a list that holds more than labels where a label is expected: [null]"),
        ("[[1]]", "holds a list that holds more than labels"),
    ] {
        let message = json(&["1", value], &options).unwrap_err().to_string();
        assert!(message.contains("row 2") && message.contains(expected), "{message}");
    }
}

#[test]
fn two_values_are_two_classes_and_more_are_one_of_several() {
    let options = LabelOptions::default();
    for (values, expected) in [
        (&["spam", "ham", "spam"][..], "binary ham,spam: spam ham spam"),
        (&["2", "1", "1.0", "02"], "binary 1,2: 2 1 1 2"),
        (&["10", "9", "8"], "one-of 8,9,10: 10 9 8"),
        (&["pos", "neutral", "neg"], "one-of neg,neutral,pos: pos neutral neg"),
        (&["b", "A", "c"], "one-of A,b,c: b A c"),
        (&["1", "x", "10"], "one-of 1,10,x: 1 x 10"),
        (&["0 or 1", "1"], "binary 0 or 1,1: 0 or 1 1"),
    ] {
        assert_eq!(outline(words(values, &options)), expected);
    }
    let stars = Column::new("stars".into(), [5.0f32, 4.0, 1.0]);
    let (found, notes) = found(vec![stars], Cells::Typed, &options).unwrap();
    assert_eq!(found.classes.values(), Some(vec![1.0, 4.0, 5.0]));
    assert_eq!(notes, ["label column \"stars\": three classes: \"1\", \"4\", \"5\""]);
    let (_, notes) = words(&["spam", "ham"], &options).unwrap();
    assert_eq!(notes, ["label column \"label\": two classes, \"ham\" and \"spam\" (positive)"]);
    let many: Vec<String> = (0..14).map(|id| format!("c{:02}", id)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let (_, notes) = words(&many, &options).unwrap();
    assert!(
        notes[0].contains(": 14 classes: \"c00\", ") && notes[0].ends_with("\"c11\" and 2 more")
    );
}

#[test]
fn a_named_task_decides() {
    let three = ["a", "b", "c"];
    let usual = ["pos", "neg"];
    assert_eq!(
        outline(words(&three, &task(TaskKind::Binary))),
        "reviews.csv: column \"label\" has 3 different labels (\"a\", \"b\", \"c\"), but the task is \
         binary, which has two classes"
    );
    assert_eq!(outline(words(&three[..2], &task(TaskKind::OneOf))), "one-of a,b: a b");
    assert_eq!(
        outline(words(&usual, &task(TaskKind::OneOf))),
        "one-of negative,positive: positive negative"
    );
    assert_eq!(
        outline(words(&usual, &task(TaskKind::Binary))),
        "binary negative,positive: positive negative"
    );
    assert_eq!(outline(words(&three, &task(TaskKind::AnyOf))), "any-of a,b,c: a b c");
    // Several labels are found, but each cell is one class.
    let cells = ["a|b", "b|a", "a|b|a"];
    assert_eq!(
        outline(words(&cells, &task(TaskKind::OneOf))),
        "one-of a|b,a|b|a,b|a: a|b b|a a|b|a"
    );
    let lists = json(&["[1]", "[2]"], &task(TaskKind::Binary)).unwrap_err().to_string();
    assert_eq!(
        lists,
        "reviews.csv, row 1: column \"label\" holds a list where a label is expected: [1]"
    );
}

#[test]
fn spellings_of_one_label_are_one_class_named_by_the_most_frequent() {
    let values = ["Ham", "spam", "ham", "SPAM", "spam ", "ham", "Spam"];
    let (found, notes) = words(&values, &LabelOptions::default()).unwrap();
    assert_eq!(found.classes.names, ["ham", "spam"]);
    assert_eq!(found.targets, Targets::OneOf(vec![0, 1, 0, 1, 1, 0, 1]));
    assert_eq!(notes[0], "took \"Ham\" as other spellings of the label \"ham\"");
    assert_eq!(
        notes[1],
        "took \"SPAM\", \"Spam\", \"spam \" as other spellings of the label \"spam\""
    );
}

#[test]
fn cells_with_several_labels_are_recognised() {
    let options = LabelOptions::default();
    let cells = ["a|b", "b", "b|c|b", "c | a", "a|b|c"];
    let (found, notes) = words(&cells, &options).unwrap();
    assert_eq!(found.classes.separator, Some('|'));
    assert_eq!(
        notes,
        [
            "column \"label\" holds several labels in a cell, separated by \"|\"; if each cell is one \
             class, set the task to one-of",
            "label column \"label\": any number of three labels per text: \"a\", \"b\", \"c\""
        ]
    );
    assert_eq!(outline(words(&cells, &options)), "any-of a,b,c: a+b b b+c a+c a+b+c");
    let with_empty = Column::new("label".into(), [Some("x,y"), None, Some("y,x"), Some("x,y,x")]);
    let result = self::found(vec![with_empty], Cells::Text, &options);
    assert_eq!(outline(result), "any-of x,y: x+y  x+y x+y");
    // Cells of separators alone are values like others.
    assert_eq!(outline(words(&["a", ",", "|"], &options)), "one-of ,,a,|: a , |");
    // As many parts as cells with a comma: these are names.
    let names = ["Sports, Outdoors", "Health, Beauty", "Sports, Outdoors"];
    assert!(outline(words(&names, &options)).starts_with("binary Health, Beauty,Sports, Outdoors"));
    assert_eq!(outline(words(&["a+b", "b"], &with(None, None, Some('+')))), "any-of a,b: a+b b");
    assert_eq!(
        outline(words(&["1", "0"], &with(None, None, Some('+')))),
        "binary negative,positive: 1 0".replace("1 0", "positive negative")
    );
    assert_eq!(
        outline(json(&["[\"a\", 2]", "[]", "\"a\"", "null", "[2.0, 2]"], &options)),
        "any-of 2,a: 2+a  a  2"
    );
}

#[test]
fn maps_name_order_and_leave_out() {
    let stars = ["1", "2", "3", "4", "5.0"];
    let (found, notes) = words(&stars, &mapped("1,2=negative; 3=skip; 4,5=positive")).unwrap();
    assert!(found.classes.is_default());
    assert_eq!(found.targets, Targets::OneOf(vec![0, 0, 1, 1]));
    assert_eq!(found.kept, Some(vec![0, 1, 3, 4]));
    assert_eq!(notes, ["left out 1 row, as the label map says"]);

    for (map, expected) in [
        ("4,5=positive; 1,2,3=negative", "binary negative,positive: "),
        ("1,2=bad; 3,4,5=good", "binary bad,good: bad bad good good good"),
        ("3,4,5=good; 1,2=bad", "binary good,bad: bad bad good good good"),
        ("4,5=yes; 1,2,3=no", "binary no,yes: no no no yes yes"),
        ("4,5=z; 3=y; 1,2=x", "one-of z,y,x: x x y z z"),
        ("3=mid; *=keep", "one-of 1,2,4,5,mid: 1 2 mid 4 5"),
        ("2=1; 3=skip; 4=5; *=keep", "binary 1,5: 1 1 5 5"),
        ("1=low; 5=high; *=skip", "binary low,high: low high"),
        (
            "1=2; 3,4=skip; *=skip",
            "all 2 rows are labelled 2; a classifier needs at least two classes",
        ),
        ("1,2,3,4,5=skip", "reviews.csv: the label map leaves out all 5 rows"),
        (
            "1=low; 2=skip",
            "reviews.csv, row 3: label \"3\" is not in the label map (1=low; 2=skip)",
        ),
    ] {
        let outline = outline(words(&stars, &mapped(map)));
        assert!(outline.starts_with(expected), "{map}: {outline}");
    }
    let error = words(&stars, &mapped("1=low")).unwrap_err();
    assert!(error.advice().unwrap().contains("2=skip"));
    // What is left are the usual words.
    assert_eq!(
        outline(words(&["1", "no", "nan"], &mapped("nan=skip; *=keep"))),
        "binary negative,positive: positive negative"
    );
    assert_eq!(
        outline(words(&["a|b", "b|c", "c|a", "b|a"], &mapped("a,b=x; *=keep"))),
        "any-of c,x: x c+x c+x x"
    );
    assert_eq!(
        outline(words(&["none", "mild", "none"], &mapped("none=none; *=keep"))),
        "binary mild,none: none mild none"
    );
}

#[test]
fn a_label_that_the_training_file_lacks_is_named_as_such_with_its_row() {
    let of_training = |classes: &Classes| LabelOptions::default().of_training(classes);
    let names = ["sport", "money"].map(str::to_owned).to_vec();
    let topics = of_training(&Classes::new(TaskKind::OneOf, names));
    assert_eq!(outline(words(&["MONEY"], &topics)), "one-of sport,money: money");
    assert_eq!(
        outline(words(&["sport", "mony"], &topics)),
        "reviews.csv, row 2: label \"mony\" is not in the training file, whose labels are \"sport\", \
         \"money\" (did you mean \"money\"?)"
    );
    // The usual classes keep their synonyms.
    let usual = of_training(&Classes::binary());
    assert_eq!(
        outline(words(&["yes", "0"], &usual)),
        "binary negative,positive: positive negative"
    );
    let error = words(&["yes", "no", "maybe"], &usual).unwrap_err();
    assert_eq!(
        error.to_string(),
        "reviews.csv, row 3: label \"maybe\" is not in the training file, whose labels are \"negative\", \
         \"positive\""
    );
    assert_eq!(
        error.advice().unwrap(),
        "Correct it, map it with --labels \"maybe=skip; *=keep\", or add texts with this label to the training \
         file: a model learns only the labels that are there."
    );
    // A separator that was recognised there is one here.
    let tags = Classes {
        separator: Some('/'),
        ..Classes::new(TaskKind::AnyOf, vec!["a".into(), "b".into()])
    };
    assert_eq!(outline(words(&["b/a", ""], &of_training(&tags))), "any-of a,b: a+b ");
    // What is not said is not written down.
    let json = serde_json::to_string(&LabelOptions::default()).unwrap();
    assert!(!json.contains("known_of"), "{json}");
}

#[test]
fn models_know_their_classes() {
    let topics = known(TaskKind::OneOf, &["sport", "Money", "4"]);
    assert_eq!(
        outline(words(&["money", "SPORT", "4.0"], &topics)),
        "one-of sport,Money,4: Money sport 4"
    );
    // One class without rows is fine.
    assert_eq!(outline(words(&["sport"], &topics)), "one-of sport,Money,4: sport");
    assert_eq!(
        outline(words(&["sport", "mony"], &topics)),
        "reviews.csv, row 2: label \"mony\" is not a class of the model; its classes are \"sport\", \
         \"Money\", \"4\" (did you mean \"Money\"?)"
    );
    let usual = known(TaskKind::Binary, &CLASS_NAMES);
    assert_eq!(
        outline(words(&["-1", "yes"], &usual)),
        "binary negative,positive: negative positive"
    );
    let error = words(&["1", "0", "5"], &usual).unwrap_err();
    assert!(error.to_string().contains("row 3: unknown label \"5\"; expected 0 or 1"), "{error}");
    assert!(error.advice().unwrap().contains("--labels"), "{error}");
    let stars = LabelOptions { map: mapped("4,5=positive; 1,2=negative; 3=skip").map, ..usual };
    assert_eq!(
        outline(words(&["5", "3", "1", "neg"], &stars)),
        "binary negative,positive: positive negative negative"
    );
    let softmax = known(TaskKind::OneOf, &CLASS_NAMES);
    assert_eq!(
        outline(words(&["1", "0"], &softmax)),
        "one-of negative,positive: positive negative"
    );

    let mut tags = known(TaskKind::AnyOf, &["a", "b"]);
    assert_eq!(outline(words(&["b", "a"], &tags)), "any-of a,b: b a");
    tags.separator = Some('/');
    assert_eq!(outline(words(&["b/a", ""], &tags)), "any-of a,b: a+b ");
    assert_eq!(outline(json(&["[\"b\"]", "[]"], &tags)), "any-of a,b: b ");
    let flags = |name: &str, values: [i64; 2]| Column::new(name.into(), values);
    let columns = vec![flags("B", [1, 0]), flags("a", [1, 0])];
    assert_eq!(outline(found(columns, Cells::Typed, &tags)), "any-of a,b: a+b ");
    let columns = vec![flags("bb", [1, 0]), flags("a", [1, 0])];
    assert_eq!(
        outline(found(columns, Cells::Typed, &tags)),
        "reviews.csv: column \"bb\" is not a class of the model; its classes are \"a\", \"b\" (did you \
         mean \"b\"?)"
    );
}

#[test]
fn columns_of_zeros_and_ones_are_labels_of_any_number() {
    let flags = |name: &str, values: &[&str]| Column::new(name.into(), values);
    let of = |second: &[&str], options: &LabelOptions| {
        let columns = vec![flags("sport", &["1", "0", "yes"]), flags("money", second)];
        outline(found(columns, Cells::Text, options))
    };
    let open = LabelOptions::default();
    assert_eq!(of(&["0", "false", "1.0"], &open), "any-of sport,money: sport  sport+money");
    assert_eq!(
        of(&["0", "2", "1"], &open),
        "reviews.csv, row 2: column \"money\" holds \"2\"; each of several label columns holds 0 or 1"
    );
    assert_eq!(
        of(&["0", "1", "0"], &task(TaskKind::OneOf)),
        "reviews.csv: 2 label columns hold any number of labels a row, but the task is one-of"
    );
    assert_eq!(of(&["0", "1", "0"], &mapped("1=a")), "a label map needs one label column, not 2");
    let columns = vec![
        Column::new("a".into(), [Some(1i64), None]),
        Column::new("b".into(), [Some(1i64), Some(0)]),
    ];
    assert_eq!(
        outline(found(columns, Cells::Typed, &open)),
        "reviews.csv, row 2: column \"a\" has no value"
    );
}

#[test]
fn words_for_missing_values_are_no_labels() {
    for word in ["nan", "None", "NULL", "n/a", "NA", "-", "?"] {
        let error = words(&["ham", "spam", word], &LabelOptions::default()).unwrap_err();
        let message = error.to_string();
        let expected = format!("reviews.csv, row 3: label \"{word}\" looks like a missing label;");
        assert!(message.starts_with(&expected), "{message}");
        assert!(error.advice().unwrap().contains(&format!("{word}=skip; *=keep")));
        assert!(words(&["3", "4", "5", word], &LabelOptions::default()).is_err(), "{word}");
    }
    let error = words(&["1", "0", "nan"], &LabelOptions::default()).unwrap_err();
    assert!(error.to_string().contains("row 3: unknown label \"nan\""), "{error}");
    assert!(error.advice().unwrap().contains("no label"));
    let error = words(&["ham", "spam", ""], &LabelOptions::default()).unwrap_err();
    let advice = error.advice().unwrap();
    assert!(advice.contains("--labels '\"\"=skip; *=keep'"), "{advice}");
    let nan = Column::new("label".into(), [1.0, f64::NAN]);
    assert!(message(nan).contains("row 2: unknown label \"NaN\""));
    // Half stars among them make no regression target of a missing value.
    assert!(outline(words(&["1", "2.5", "nan"], &LabelOptions::default())).contains("such as 2.5"));
}

#[test]
fn likely_typing_errors_are_named() {
    let with_rare = |frequent: &[&'static str], rare: &'static str| {
        let mut values: Vec<&str> = frequent.repeat(100);
        values.push(rare);
        values
    };
    let options = LabelOptions::default();
    let topics = &["sports", "money", "class 1"];
    assert_eq!(
        outline(words(&with_rare(topics, "sprots"), &options)),
        "reviews.csv, row 301: unknown label \"sprots\"; expected a more frequent label (did you mean \
         \"sports\"?); the column holds \"class 1\" (100 times), \"money\" (100 times), \"sports\" (100 \
         times), \"sprots\" (once)"
    );
    let error = words(&with_rare(topics, "sprots"), &options).unwrap_err();
    assert!(error.advice().unwrap().contains("sprots=sports; *=keep"));
    let taken = words(&with_rare(topics, "sprots"), &task(TaskKind::OneOf)).unwrap();
    assert_eq!(taken.0.classes.len(), 4);
    for rare in ["weather", "class 2", "x"] {
        assert!(words(&with_rare(topics, rare), &options).is_ok(), "{rare}");
    }
    assert!(words(&with_rare(&["101", "5"], "102"), &options).is_ok());
    assert!(words(&with_rare(&["1", "0"], "2"), &options).is_ok());
    let usual = outline(words(&with_rare(&["1", "0"], "postive"), &options));
    assert!(
        usual.contains("expected negative or positive (did you mean \"positive\"?)"),
        "{usual}"
    );
    // Both are rare.
    assert!(words(&["sports", "sprots"], &options).is_ok());
}

#[test]
fn columns_that_are_no_labels_are_named() {
    let ids: Vec<String> = (0..30).map(|id| (id * 7).to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let error = words(&ids, &LabelOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "reviews.csv: column \"label\" does not look like labels: it has 30 different values in 30 \
         rows, such as \"0\", \"7\", \"14\""
    );
    assert!(error.advice().unwrap().contains("--label-column"));
    assert_eq!(words(&ids, &task(TaskKind::OneOf)).unwrap().0.classes.len(), 30);
    assert!(words(&ids[..20], &LabelOptions::default()).is_ok());
    assert!(words(&ids.repeat(2), &LabelOptions::default()).is_ok());

    let ids: Vec<String> = (0..30_003).map(|id| (id % 10_001).to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let error = words(&ids, &LabelOptions::default()).unwrap_err().to_string();
    assert!(error.contains("it has 10001 different values in 30003 rows"), "{error}");

    let scores = Column::new("label".into(), [1.0f64, 0.37, 0.5]);
    assert_eq!(
        message(scores.clone()),
        "reviews.csv, row 2: column \"label\" holds numbers such as 0.37, not classes"
    );
    assert!(message(Column::new("label".into(), [0.37f32])).contains("such as 0.37,"));
    let taken = found(vec![scores], Cells::Typed, &task(TaskKind::OneOf));
    assert_eq!(outline(taken), "one-of 0.37,0.5,1: 1 0.37 0.5");
    assert_eq!(
        outline(words(&["spam", "Spam"], &LabelOptions::default())),
        "all 2 rows are labelled spam; a classifier needs at least two classes"
    );
    assert_eq!(
        outline(words(&["1", "1"], &LabelOptions::default())),
        "binary negative,positive: positive positive"
    );
    let none = Column::full_null("label".into(), 2, &DataType::Null);
    let none = found(vec![none], Cells::Typed, &task(TaskKind::AnyOf));
    assert_eq!(outline(none), "none of the 2 rows has a label");
    assert!(
        outline(words(&[&"long ".repeat(100), "none", "x"], &LabelOptions::default())).len() < 250
    );
}

#[test]
fn options_survive_being_kept() {
    let options = LabelOptions {
        task: Some(TaskKind::AnyOf),
        map: Some("1=a; *=keep".parse().unwrap()),
        separator: Some(';'),
        known: Some(Classes::binary()),
        known_of: options::ClassesOf::TrainingFile,
    };
    let json = serde_json::to_string(&options).unwrap();
    assert_eq!(serde_json::from_str::<LabelOptions>(&json).unwrap(), options);
    assert_eq!(serde_json::from_str::<LabelOptions>("{}").unwrap(), LabelOptions::default());
}

proptest! {
    #[test]
    fn the_order_of_rows_does_not_change_names(
        rows in prop::collection::vec(prop::sample::select(
            vec!["a", "b|a", "a|b", "c|a|b", "4", "4.0", "-1", "yes", "no", "x,y", "nan", "0.5", ""]
        ), 1..40),
        seed: u64,
    ) {
        let mut shuffled = rows.clone();
        let generator = &mut crate::shuffle::generator(seed, crate::shuffle::Purpose::Split);
        crate::shuffle::shuffle(&mut shuffled, generator);
        let names = |rows: &[&str]| {
            let result = words(rows, &LabelOptions::default());
            result.map(|(found, _)| found.classes).map_err(|error| std::mem::discriminant(&error))
        };
        prop_assert_eq!(names(&rows), names(&shuffled));
    }
}

fn of_file(name: &str, content: &str, options: &LabelOptions) -> Result<(Found, Vec<String>)> {
    use crate::columns::ColumnChoice;
    use crate::labelled::LabelledTexts;
    use crate::tables::{DataFile, ReadOptions};

    let file = DataFile::from_bytes(name, content);
    let columns = ColumnChoice::default();
    let table = LabelledTexts::read(&file, &columns, options, &ReadOptions::default())?;
    let found =
        Found { targets: table.targets().clone(), classes: table.classes().clone(), kept: None };
    Ok((found, table.notes().iter().map(ToString::to_string).collect()))
}

#[test]
fn labels_in_fasttext_format_are_as_many_as_are_written() {
    let open = LabelOptions::default();
    let one = of_file("a.txt", "__label__a|b x y\n__label__a|c x\n__label__b|c z\n", &open);
    assert_eq!(one.unwrap().0.classes.names, ["a|b", "a|c", "b|c"]);
    let (several, notes) =
        of_file("a.txt", "__label__a|b __label__c x\n__label__c y\nz\n", &open).unwrap();
    assert_eq!(several.classes.task, TaskKind::AnyOf);
    assert_eq!(
        (several.classes.names, several.classes.separator),
        (vec!["a|b".into(), "c".into()], None)
    );
    assert_eq!(several.targets, Targets::any_of([&[0, 1][..], &[1], &[]]));
    assert_eq!(notes[0], "1 row without a label counts as a text that has none");
    // A separator that another file had is none here.
    let known = LabelOptions {
        known: Some(Classes {
            separator: Some('|'),
            ..Classes::new(TaskKind::AnyOf, vec!["a|b".into(), "c".into()])
        }),
        ..LabelOptions::default()
    };
    let (same, _) = of_file("a.txt", "__label__a|b x\n", &known).unwrap();
    assert_eq!(same.targets, Targets::any_of([[0]]));
    let one_of = LabelOptions { task: Some(TaskKind::OneOf), ..LabelOptions::default() };
    let message = of_file("a.txt", "__label__a x\n__label__b __label__a y\n", &one_of);
    assert_eq!(
        message.unwrap_err().to_string(),
        "a.txt, row 2 (line 2): column \"label\" holds several labels where a label is expected: b a"
    );
}
