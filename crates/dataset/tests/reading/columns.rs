//! Columns, labels, groups, and rows with missing values.

use dataset::{
    ColumnChoice, DataFile, Error, LabelledTexts, Missing, ReadOptions, Result, TextTable,
};

use super::{all_refused, check, file, message, read_as, refusal, text_table};

fn read_choice(content: &str, choice: &ColumnChoice) -> Result<LabelledTexts> {
    let (_folder, path) = file("a.csv", content);
    LabelledTexts::read(&DataFile::open(path)?, choice, &ReadOptions::default())
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
    assert_eq!((columns.label.name.as_str(), columns.label.guessed), ("label", true));
    assert_eq!(columns.label.candidates, ["y"]);
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

    let swapped = ColumnChoice { label: Some("text".to_owned()), ..texts_in("label") };
    let error = read_choice(&csv, &swapped).unwrap_err().to_string();
    assert!(error.contains("unknown label \"this is what"), "{error}");
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
        (
            "a.csv",
            "text,label\na,1\nb,2\n",
            &["row 2 (line 3)", "\"1\" (once), \"2\" (once)", "0 instead of 1"],
        ),
        (
            "a.csv",
            "text,label\na,4\nb,2\nc,4\n",
            &["row 1 (line 2)", "\"4\" (twice)", "expected 0 or 1", "these two"],
        ),
        (
            "a.csv",
            "text,label\na,pos\nb,neutral\nc,neg\n",
            &["row 2 (line 3)", "\"neutral\"", "only two classes"],
        ),
        ("a.csv", "text,label\na,spam\nb,ham\n", &["\"spam\"", "\"ham\"", "Write 0 (negative)"]),
        ("a.csv", "text,label\na,1\nb,-1\nc,0\n", &["row 2 (line 3)", "unknown label \"-1\""]),
        ("a.csv", "text,label\na,1\nb,nan\n", &["row 2 (line 3)", "unknown label \"nan\""]),
        ("a.csv", "text,label\ntype,0 or 1\nb,1\n", &["row 1 (line 2)", "\"0 or 1\""]),
        (
            "a.jsonl",
            "{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\", \"label\": 2}\n",
            &["row 2 (line 2)", "\"2\""],
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
            &["a.csv, row 2 (line 3): column \"label\" has no value", "remove the row"],
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
    assert_eq!(skipped.labels(), [1, 0, 0]);
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
