//! CSV and similar formats: what is read, and what is rejected with its row and line.

use std::fmt::Write as _;

use dataset::{
    ColumnChoice, DataFile, Header, LabelOptions, LabelledTexts, Quoting, ReadOptions, Separator,
};

use super::{all_refused, check, file, message, notes, read, read_as, refusal};

#[test]
fn quotes_line_breaks_and_other_columns() {
    let csv = "id,Review,Sentiment\n1,\"good, \"\"very\"\"\ngood\",positive\n2,bad, NEG\n";
    check("reviews.csv", csv, &["good, \"very\"\ngood", "bad"], &[1, 0]);
    check("reviews.csv", "text,label\r\ngood,1\r\nbad,0\r\n", &["good", "bad"], &[1, 0]);
    check("reviews.csv", "label,text\r\n1,good\r\n0,bad", &["good", "bad"], &[1, 0]);
    check("reviews.csv", "label,text\r1,good\r0,bad\r", &["good", "bad"], &[1, 0]);
    check("reviews.csv", "label,text\r\r\n1,good\r\r\n0,bad\r\r\n", &["good", "bad"], &[1, 0]);
    check(
        "reviews.CSV",
        "text,label\nsehr schön,true\n最低,false",
        &["sehr schön", "最低"],
        &[1, 0],
    );
    check(
        "a.csv",
        "text,label\n5\" disk,1\n it's \"fine\",0\n",
        &["5\" disk", " it's \"fine\""],
        &[1, 0],
    );
    check("a.csv", "text,label\n\"a\rb\r\nc\",1\n", &["a\rb\r\nc"], &[1]);
}

#[test]
fn blank_lines_at_the_end_are_no_rows_and_others_are_incomplete_ones() {
    for end in ["", "\n", "\n\n\n", "\r\n\r\n", "\n  \n", "\n\t"] {
        check("a.csv", format!("text,label\ngood,1\nbad,0{end}"), &["good", "bad"], &[1, 0]);
    }
    assert_eq!(
        message("a.csv", "text,label\ngood,1\n\nbad,0\n"),
        "a.csv, row 2 (line 3): column \"text\" has no value"
    );
    // In a table with one column, spaces are a text, and every row is a text.
    let (_folder, path) = file("a.csv", "text\ngood\n  \n\n\n");
    assert_eq!(super::text_table(&path).unwrap().texts().collect::<Vec<_>>(), ["good", "  "]);
}

#[test]
fn rows_with_too_many_or_too_few_fields_are_refused_whichever_columns_are_wanted() {
    let mut late = String::from("label,id,text\n");
    for row in 0..3000 {
        writeln!(late, "{},{row},\"seen on Monday, and fine\"", row % 2).unwrap();
    }
    late += "1,3000,seen on Monday, and fine\n";
    all_refused(&[
        (
            "a.csv",
            "label,text\n1,fine\n0,seen on Monday, and bad\n",
            &[
                "row 2 (line 3): expected 2 fields, as in the first line, got 3: \"0,seen on Monday, and bad\"",
                "quotation marks",
            ],
        ),
        ("a.csv", &late, &["row 3001 (line 3002): expected 3 fields", "got 4"]),
        (
            "a.csv",
            "text,label,stars\na,1,5\nb,0\nc,1,2\n",
            &["row 2 (line 3): expected 3 fields", "got 2", "line break"],
        ),
        (
            "a.csv",
            "id,text,label\n1,\"a\n\nb\",1\n2,one half of a text\nthe other half,1\n",
            &["row 2 (line 5)", "got 2: \"2,one half of a text"],
        ),
        (
            "a.csv",
            "id,text,label\n1,a,1\n2,b",
            &["row 2 (line 3)", "got 2, and the file ends there"],
        ),
        ("a.csv", "text\na\nb, c\n", &["row 2 (line 3): expected 1 field, as", "got 2"]),
        (
            "a.csv",
            "text;label\na;1\nb; c;0\n",
            &["row 2 (line 3): expected 2 fields separated by semicolons", "\";\""],
        ),
        ("a.csv", "id,text,label\n1, \"a, b\",1\n", &["got 4", "directly after the separator"]),
    ]);
}

#[test]
fn quotations_that_are_no_quotations_are_refused_where_they_open() {
    all_refused(&[
        (
            "a.csv",
            "text,label\na,1\n\"b,0\nc,1\n",
            &[
                "row 2 (line 3): a quoted field starts here and is never closed: \"\"b,0",
                "--quoting literal",
            ],
        ),
        (
            "a.csv",
            "text,label\n\"a\"b,1\n",
            &[
                "row 1 (line 2): a quoted field starts here, but text follows its closing quotation mark: ",
            ],
        ),
        (
            "a.csv",
            "text,label\n\"a,1\nb,0\n\"c\",1\n",
            &["row 1 (line 2)", "text follows its closing quotation mark 2 lines below"],
        ),
        ("a.csv", "text,label\n\"a\" ,1\n", &["row 1 (line 2)", "text follows its closing"]),
        (
            "a.csv",
            "\"text,label\na,1\n",
            &["a.csv, line 1: a quoted field starts here and is never closed"],
        ),
        (
            "a.csv",
            "text,label\na\rb,1\n",
            &["row 1 (line 2): an unquoted field contains a carriage return", "in quotation marks"],
        ),
    ]);
}

#[test]
fn backslashes_before_quotation_marks_are_named() {
    for text in [
        "he said \\\"yes\\\" to it",
        "he said \\\" once",
        "\\\"so\\\" it begins",
        "so it ends \\\"there\\\"",
        "\\\"all of it\\\"",
        "a \\\",\\\" in it",
    ] {
        let csv = format!(
            "id,text,label\n1,\"fine\",1\n2,\"{text}\",0\n3,\"more\",1\n4,\"and more\",0\n"
        );
        let refusal = refusal("a.csv", csv, &ReadOptions::default());
        assert!(refusal.contains("a.csv, row 2 (line 3): "), "{text}: {refusal}");
        assert!(refusal.contains("backslash"), "{text}: {refusal}");
    }
    check("a.csv", "text,label\n\"C:\\\",1\n\"C:\\dos\",0\n", &["C:\\", "C:\\dos"], &[1, 0]);
}

#[test]
fn a_quotation_that_swallows_rows_is_refused_and_a_text_of_lines_is_not() {
    let rows = |from: usize, to: usize| -> String {
        (from..to).map(|row| format!("plain words {row},{}\n", row % 2)).collect()
    };
    for n_between in [0, 1, 5, 60] {
        let csv = format!(
            "text,label\n{}\" he began,0\n{}he ended \",1\n{}",
            rows(0, 40),
            rows(50, 50 + n_between),
            rows(200, 240)
        );
        let refusal = refusal("a.csv", &csv, &ReadOptions::default());
        assert!(
            refusal.contains("row 41 (line 42): a quoted field starts here"),
            "{n_between}: {refusal}"
        );
        assert!(refusal.contains("look like rows") && refusal.contains("--quoting"), "{refusal}");
        let (_folder, path) = file("a.csv", &csv);
        let with = |quoting| {
            read_as(&path, &ReadOptions { quoting, ..ReadOptions::default() }).unwrap().len()
        };
        assert_eq!(with(Quoting::Standard), 81);
        assert_eq!(with(Quoting::Literal), 82 + n_between);
    }
    // The text column is last, and the others are narrow.
    let csv = "label,id,text\n".to_owned()
        + &(0..30).map(|row| format!("1,{row},words {row}\n")).collect::<String>()
        + "0,30,\"it began\n1,31,between\n1,32,it ended\"\n"
        + &(33..60).map(|row| format!("0,{row},words {row}\n")).collect::<String>();
    assert!(message("a.csv", csv).contains("row 31 (line 32): a quoted field starts here"));

    // Poems, lists and code are texts, even with as many commas per line as a row.
    let poem = "roses are red, dear\nviolets are blue, dear\nand so, so on\n".repeat(20);
    let list = "1,apples\n2,pears\n3,plums";
    let mut csv = rows(0, 30);
    writeln!(csv, "\"{poem}\",1").unwrap();
    writeln!(csv, "\"{list}\",0").unwrap();
    let (_folder, path) = file("a.csv", format!("text,label\n{csv}"));
    let table = read(&path).unwrap();
    assert_eq!(table.texts().skip(30).collect::<Vec<_>>(), [poem.as_str(), list]);
}

#[test]
fn very_long_quotations_are_told() {
    let long = "words\n".repeat(400);
    let csv = format!("text,label\nfine,1\n\"{long}\",0\n");
    let notes = notes("a.csv", csv);
    assert_eq!(notes.len(), 1);
    assert!(notes[0].starts_with("row 2 (line 3) has a quoted text of 401 lines"), "{notes:?}");
}

#[test]
fn separators_are_found_and_told() {
    for (name, content, told) in [
        (
            "a.csv",
            "text;label\nso, so;1\nbad, too;0\n",
            "its columns are separated by semicolons, which is unusual for CSV",
        ),
        (
            "a.csv",
            "\"text\";\"label\"\r\n\"so, so\";\"1\"\r\n\"bad, too\";\"0\"\r\n",
            "its columns are separated by semicolons, which is unusual for CSV",
        ),
        (
            "a.csv",
            "sep=;\r\ntext;label\r\nso, so;1\r\nbad, too;0\r\n",
            "its columns are separated by semicolons, as its first line says",
        ),
        (
            "a.csv",
            "text|label\nso, so|1\nbad, too|0\n",
            "its columns are separated by vertical bars, which is unusual for CSV",
        ),
        (
            "a.csv",
            "text\tlabel\nso, so\t1\nbad, too\t0\n",
            "its columns are separated by tabs, which is unusual for CSV",
        ),
        (
            "a.tsv",
            "text,label\n\"so, so\",1\n\"bad, too\",0\n",
            "its columns are separated by commas, which is unusual for TSV",
        ),
    ] {
        check(name, content, &["so, so", "bad, too"], &[1, 0]);
        assert_eq!(notes(name, content), [told]);
    }
    let (_folder, path) = file("a.csv", "text:label\nso, so:1\n");
    let options =
        ReadOptions { separator: Some(Separator::named(":").unwrap()), ..ReadOptions::default() };
    assert_eq!(read_as(&path, &options).unwrap().texts().collect::<Vec<_>>(), ["so, so"]);
    all_refused(&[(
        "a.csv",
        "text;x|label\na;b|1\n",
        &["semicolons or by vertical bars", "--separator"],
    )]);
}

#[test]
fn lines_before_the_header_are_passed_over_and_told() {
    for (content, told) in [
        ("\n\r\ntext,label\ngood,1\n", "skipped 2 blank lines before the header"),
        ("# exported\ntext,label\ngood,1\n", "skipped 1 line beginning with # before the header"),
        (
            "# a\n# b, c\n# d\ntext,label\ngood,1\n",
            "skipped 3 lines beginning with # before the header",
        ),
    ] {
        check("a.csv", content, &["good"], &[1]);
        assert_eq!(notes("a.csv", content), [told]);
    }
    check("a.csv", "#,text,label\n1,#fine,1\n", &["#fine"], &[1]);
    all_refused(&[
        ("a.csv", "text,label\ngood,1\n# the end\n", &["row 2 (line 3): expected 2 fields"]),
        (
            "a.csv",
            "Reviews of Monday\n\ntext,label\ngood,1\n",
            &["expected 1 field, as in the first line"],
        ),
    ]);
}

#[test]
fn a_missing_header_is_recognised_and_can_be_said() {
    let long = "what a charming film this was, I thought";
    all_refused(&[
        (
            "a.csv",
            &format!("1,\"{long}\"\n0,bad\n"),
            &["is the header missing?", "--no-header", "--text-column 2"],
        ),
        (
            "a.csv",
            &format!("\"4\",\"1\",\"x\",\"x\",\"{long}\"\n"),
            &["line 1: the first line looks like data"],
        ),
        ("a.tsv", &format!("positive\t{long}\nnegative\tbad\n"), &["is the header missing?"]),
    ]);
    let (_folder, path) = file("a.csv", format!("1,\"{long}\"\n0,bad\n"));
    let choice = ColumnChoice {
        text: Some("2".to_owned()),
        label: vec!["1".to_owned()],
        ..ColumnChoice::default()
    };
    let options = ReadOptions { header: Header::Absent, ..ReadOptions::default() };
    let labels = LabelOptions::default();
    let file = DataFile::open(&path).unwrap();
    let table = LabelledTexts::read(&file, &choice, &labels, &options).unwrap();
    assert_eq!(table.texts().collect::<Vec<_>>(), [long, "bad"]);
    let message = read_as(&path, &options).unwrap_err().to_string();
    assert!(message.ends_with("its columns are \"1\", \"2\""), "{message}");
}

#[test]
fn many_rows_keep_their_order_and_long_texts_their_length() {
    let mut csv = String::from("text,label\n");
    for row in 0..20_000 {
        writeln!(csv, "\"text number {row},\n\",{}", row % 2).unwrap();
    }
    let long = "wonderful, ".repeat(300_000);
    writeln!(csv, "\"{long}\",1").unwrap();
    let (_folder, path) = file("reviews.csv", csv);
    let table = read(&path).unwrap();
    assert_eq!(table.len(), 20_001);
    for (row, text) in table.texts().take(20_000).enumerate() {
        assert_eq!(text, format!("text number {row},\n"));
        assert_eq!(table.targets().of_row(row), [row as u32 % 2]);
    }
    assert_eq!(table.texts().last(), Some(long.as_str()));
}
