//! Columns, labels, groups, and rows with missing values.

use dataset::{
    ColumnChoice, DataFile, Error, LabelOptions, LabelledTexts, Missing, ReadOptions, Result,
    Targets, TaskKind,
};

use super::{TextTable, all_refused, check, file, message, read_as, refusal, text_table};

fn read_choice(content: &str, choice: &ColumnChoice) -> Result<LabelledTexts> {
    read_labels(content, choice, &LabelOptions::default())
}

fn read_labels(
    content: &str,
    choice: &ColumnChoice,
    labels: &LabelOptions,
) -> Result<LabelledTexts> {
    let (_folder, path) = file("a.csv", content);
    LabelledTexts::read(&DataFile::open(path)?, choice, labels, &ReadOptions::default())
}

fn texts_in(name: &str) -> ColumnChoice {
    ColumnChoice { text: Some(name.to_owned()), ..ColumnChoice::default() }
}

#[test]
fn columns_can_be_named_and_guesses_are_told_with_all_candidates() {
    let table = read_choice("text,body,label,y\na,b,1,0\nc,d,0,1\n", &texts_in("body")).unwrap();
    assert_eq!(table.texts().collect::<Vec<_>>(), ["b", "d"]);
    let columns = table.columns();
    assert_eq!((columns.text.name.as_str(), columns.text.guessed), ("body", false));
    let label = &columns.labels[0];
    assert_eq!((label.name.as_str(), label.guessed), ("label", true));
    assert_eq!(label.candidates, ["y"]);
}

#[test]
fn columns_that_cannot_be_guessed_are_listed() {
    assert_eq!(
        message("reviews.csv", "reveiw,label\na,1\n"),
        "cannot guess the text column of reviews.csv; its columns are \"reveiw\", \
         \"label\" (did you mean \"reveiw\"?)"
    );
    assert_eq!(
        message("reviews.jsonl", "{\"text\": \"a\", \"stars\": 5}\n"),
        "cannot guess the label column of reviews.jsonl; its columns are \"text\", \
         \"stars\""
    );
    all_refused(&[(
        "a.csv",
        "Clothing ID,Review Text,Recommended IND\n1,a,1\n",
        &["Recommended IND", "--label-column"],
    )]);
}

#[test]
fn names_are_found_as_one_sees_them() {
    for header in [
        "Review ,Sentiment",
        "Review Text,LABEL",
        "\u{feff}\u{feff}text,label",
        "te\u{200b}xt,label\u{a0}",
        "Unnamed: 0,text,label",
        ",text,label",
        "\"review\ntext\",label",
    ] {
        let row = if header.matches(',').count() == 2 { "7,fine,1" } else { "fine,1" };
        check("a.csv", format!("{header}\n{row}\n"), &["fine"], &[1]);
    }
    all_refused(&[
        (
            "a.csv",
            "text,text,label\na,b,1\n",
            &["line 1", "two columns are called \"text\" (columns 1 and 2)", "Rename"],
        ),
        (
            "a.csv",
            "text,label,,\na,1,,\n",
            &["two columns are called \"\" (columns 3 and 4)", "Give each column a name"],
        ),
        ("a.csv", "te\u{200b}xts,label\na,1\n", &["\"te\\u{200b}xts\""]),
    ]);
}

#[test]
fn answers_of_this_program_are_never_labels() {
    all_refused(&[
        (
            "a.csv",
            "text,label,probability\na,positive,0.9\n",
            &["looks like predictions", "--label-column"],
        ),
        (
            "a.csv",
            "text,predicted_label,probability\na,positive,0.9\n",
            &["cannot guess the label column"],
        ),
        (
            "a.csv",
            "text,predicted_label_2,probability_2\na,positive,0.9\n",
            &["cannot guess the label column"],
        ),
    ]);
    let own = "text,label,predicted_label,probability\na,1,negative,0.1\n";
    check("a.csv", own, &["a"], &[1]);
}

#[test]
fn a_column_of_numbers_or_words_is_no_text_beside_one() {
    let mut csv = String::from("comment,id,text,label\n");
    for row in 0..50 {
        csv += &format!("word{row},{row},this is what someone wrote {row},{}\n", row % 2);
    }
    let named = read_choice(&csv, &texts_in("id")).unwrap();
    let notes: Vec<String> = named.notes().iter().map(ToString::to_string).collect();
    assert_eq!(notes, ["column \"id\" holds only numbers; column \"text\" holds longer texts"]);
    let guessed = csv.replacen("text", "prose", 1);
    let message = refusal("a.csv", guessed, &ReadOptions::default());
    assert!(
        message.contains(
            "column \"comment\" holds only single words, but column \"prose\" holds longer"
        ),
        "{message}"
    );
    assert!(read_choice(&csv, &ColumnChoice::default()).unwrap().notes().is_empty());

    let swapped = ColumnChoice { label: vec!["text".to_owned()], ..texts_in("label") };
    let error = read_choice(&csv, &swapped).unwrap_err().to_string();
    assert!(error.contains("does not look like labels: it has 50 different values"), "{error}");
    let error = read_choice(&csv, &texts_in("")).unwrap_err();
    assert!(matches!(error, Error::UnknownColumn { .. }), "{error}");
    // Texts without spaces are texts.
    let chinese: String =
        (0..50).map(|row| format!("这部电影太好看了{row},a long note about it here,1\n")).collect();
    assert!(read_choice(&format!("text,note,label\n{chinese}"), &ColumnChoice::default()).is_ok());
}

#[test]
fn a_wrong_label_is_named_with_its_row_and_line_and_all_values() {
    let mut csv = String::from("text,label\n");
    for _ in 0..811 {
        csv += "\"two\nlines\",1\n";
    }
    csv += "x,postive\n";
    assert_eq!(
        message("reviews.csv", csv),
        "reviews.csv, row 812 (line 1624): unknown label \"postive\"; expected negative or positive \
         (did you mean \"positive\"?); the column holds \"1\" (811 times), \"postive\" (once)"
    );
    all_refused(&[
        ("a.csv", "text,label\na,1\nb,nan\n", &["row 2 (line 3)", "unknown label \"nan\""]),
        (
            "a.csv",
            "text,label\na,ham\nb,spam\nc,n/a\n",
            &["row 3 (line 4)", "\"n/a\" looks like a missing label", "n/a=skip"],
        ),
        ("a.csv", "text,label\na,0.5\nb,1\n", &["row 1 (line 2)", "such as 0.5, not classes"]),
        (
            "a.jsonl",
            "{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\", \"label\": {}}\n",
            &["row 2 (line 2)", "an object where a label is expected"],
        ),
    ]);
    check(
        "a.csv",
        "text,label\na,True\nb,FALSE\nc,yes\nd,n\ne,1.00\nf,-0\ng,+1\n",
        &["a", "b", "c", "d", "e", "f", "g"],
        &[1, 0, 1, 0, 1, 0, 1],
    );
}

#[test]
fn a_missing_text_or_label_is_named_with_its_row_and_the_way_out() {
    all_refused(&[
        (
            "a.csv",
            "text,label\na,1\n,0\n",
            &["a.csv, row 2 (line 3): column \"text\" has no value", "--missing skip"],
        ),
        (
            "a.csv",
            "text,label\na,1\nb,\n",
            &["a.csv, row 2 (line 3): column \"label\" has no value", "*=keep"],
        ),
        ("a.csv", "text,label\n\"a\nb\",1\n\nbad,0\n", &["row 2 (line 4): column \"text\""]),
        ("a.csv", "text,label\na,1\n  \nbad,0\n", &["row 2 (line 3): column \"text\""]),
        ("a.csv", "id,text,label\n1,good,1\n2,,\n", &["row 2 (line 3): column \"text\""]),
    ]);
    check("a.csv", "text,label\n\"\",1\n \t,0\n", &["", " \t"], &[1, 0]);
}

#[test]
fn rows_without_text_can_be_left_out_or_count_as_empty() {
    let csv = "id,text,label\n1,good,1\n2,,0\n\n3,\"\",0\n4,,bogus\n5,bad,0\n\n";
    let (_folder, path) = file("a.csv", csv);
    let with = |missing| read_as(&path, &ReadOptions { missing, ..ReadOptions::default() });
    let skipped = with(Missing::Skip).unwrap();
    assert_eq!(skipped.texts().collect::<Vec<_>>(), ["good", "", "bad"]);
    assert_eq!(skipped.targets(), &Targets::OneOf(vec![1, 0, 0]));
    assert_eq!((skipped.notes().n_skipped(), skipped.file_row(2)), (3, 6));
    assert_eq!(
        skipped.notes().iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["left out 3 rows without text"]
    );
    // A row that counts as a text needs a label.
    let message = with(Missing::Empty).unwrap_err().to_string();
    assert!(message.contains("row 3 (line 4): column \"label\" has no value"), "{message}");

    let text_table_with = |missing| {
        let options = ReadOptions { missing, ..ReadOptions::default() };
        TextTable::read(&DataFile::open(&path).unwrap(), &ColumnChoice::default(), &options)
            .unwrap()
    };
    let skipped = text_table_with(Missing::Skip);
    assert_eq!(skipped.text_rows(), Some(&[0, 3, 5][..]));
    assert_eq!((skipped.len(), skipped.n_rows()), (3, 6));
    let empty = text_table_with(Missing::Empty);
    assert_eq!(empty.texts().collect::<Vec<_>>(), ["good", "", "", "", "", "bad"]);
    assert_eq!((empty.text_rows(), empty.notes().n_empty()), (None, 3));
    let whole = super::file("b.csv", "text\na\n");
    assert_eq!(text_table(&whole.1).unwrap().text_rows(), None);
}

#[test]
fn a_missing_label_is_only_forgiven_where_the_text_is_missing_too() {
    let (_folder, path) = file("a.csv", "text,label\ngood,1\nbad,\n");
    let options = ReadOptions { missing: Missing::Skip, ..ReadOptions::default() };
    let message = read_as(&path, &options).unwrap_err().to_string();
    assert!(message.contains("row 2 (line 3): column \"label\" has no value"), "{message}");
}

#[test]
fn groups_are_read_beside_the_labels() {
    let choice = ColumnChoice { group: Some("author".to_owned()), ..ColumnChoice::default() };
    let csv = "text,label,Author\na,1,x\nb,0,y\nc,1,x\n";
    assert_eq!(read_choice(csv, &choice).unwrap().groups(), Some(&[0, 1, 0][..]));
    assert_eq!(read_choice(csv, &ColumnChoice::default()).unwrap().groups(), None);
    let message = read_choice(&csv.replace("y\n", "\n"), &choice).unwrap_err().to_string();
    assert!(
        message.ends_with("row 2 (line 3): column \"author\" has no value")
            || message.ends_with("row 2 (line 3): column \"Author\" has no value"),
        "{message}"
    );
}

#[test]
fn rows_that_the_label_map_skips_are_left_out_with_everything_about_them() {
    let csv = "text,stars,who,w\nbad,1,x,1\nso,3,y,0.5\n,,z,9\ngood,5.0,y,0\nfine,4,x,2\n";
    let choice = ColumnChoice {
        label: vec!["stars".to_owned()],
        group: Some("who".to_owned()),
        weight: Some("w".to_owned()),
        ..ColumnChoice::default()
    };
    let labels = LabelOptions {
        map: Some("1,2=negative; 3=skip; 4,5=positive".parse().unwrap()),
        ..LabelOptions::default()
    };
    let (_folder, path) = file("a.csv", csv);
    let options = ReadOptions { missing: Missing::Skip, ..ReadOptions::default() };
    let table =
        LabelledTexts::read(&DataFile::open(path).unwrap(), &choice, &labels, &options).unwrap();
    assert_eq!(table.texts().collect::<Vec<_>>(), ["bad", "good", "fine"]);
    assert_eq!(table.targets(), &Targets::OneOf(vec![0, 1, 1]));
    assert_eq!(table.groups(), Some(&[0, 1, 0][..]));
    assert_eq!(table.weights(), Some(&[1.0, 0.0, 2.0][..]));
    assert_eq!([0, 1, 2].map(|row| table.file_row(row)), [1, 4, 5]);
    assert!(table.classes().is_default());
    let notes: Vec<String> = table.notes().iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "left out 1 row without text",
            "no row has the label \"2\" of the label map",
            "left out 1 row, as the label map says"
        ]
    );
}

#[test]
fn labels_of_every_task_are_read() {
    let default = (ColumnChoice::default(), LabelOptions::default());
    let table = read_choice("text,label\na,ham\nb,spam\n", &default.0).unwrap();
    assert_eq!((table.classes().task, table.class_counts()), (TaskKind::Binary, vec![1, 1]));
    let table = read_choice("text,label\na,5\nb,1\nc,5\nd,3\n", &default.0).unwrap();
    assert_eq!(table.classes().names, ["1", "3", "5"]);
    assert_eq!(table.targets_of(&[2, 1]), Targets::OneOf(vec![2, 0]));
    let csv = "text,label\na,x|y\nb,\nc,y|x|z\nd,z|x\ne,z|y\n";
    let table = read_choice(csv, &default.0).unwrap();
    assert_eq!((table.classes().task, table.class_counts()), (TaskKind::AnyOf, vec![3, 3, 3]));
    let several = ColumnChoice {
        label: vec!["sport".to_owned(), "money".to_owned()],
        ..ColumnChoice::default()
    };
    let csv = "text,sport,money\na,1,0\nb,1,1\nc,0,0\n";
    let table = read_choice(csv, &several).unwrap();
    assert_eq!(table.targets(), &Targets::any_of([&[0][..], &[0, 1], &[]]));
    assert_eq!(table.columns().labels.len(), 2);
    // The model says what labels mean.
    let known = LabelOptions { known: Some(table.classes().clone()), ..default.1 };
    let table = read_labels("text,label\na,Money\nb,\n", &default.0, &known).unwrap();
    assert_eq!(table.targets(), &Targets::any_of([&[1][..], &[]]));
}

#[test]
fn texts_without_labels_keep_their_other_columns() {
    let (_folder, path) = file("input.csv", "id,Comment\n007,good\n008,\"\"\n");
    let table = text_table(&path).unwrap();
    assert_eq!(table.texts().collect::<Vec<_>>(), ["good", ""]);
    assert_eq!(table.text_column().name, "Comment");
    assert!(table.text_column().guessed);
    let ids = table.frame().column("id").unwrap().str().unwrap().clone();
    assert_eq!(ids.get(0), Some("007"));

    let file = DataFile::open(&path).unwrap();
    let error = TextTable::read(&file, &texts_in("coment"), &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().ends_with("(did you mean \"Comment\"?)"), "{error}");
}
