//! Tab-separated tables, where quotation marks may quote or be literal.

use dataset::{Quoting, ReadOptions};

use super::{all_refused, check, file, message, notes, read, read_as};

#[test]
fn commas_and_quotation_marks_inside_are_ordinary() {
    check("a.tsv", "text\tlabel\ngood, really\t1\nbad\t0\n", &["good, really", "bad"], &[1, 0]);
    check(
        "a.tab",
        "text\tlabel\nsay \"a\"\t1\nit is 5\"\t0\n",
        &["say \"a\"", "it is 5\""],
        &[1, 0],
    );
    assert!(notes("a.tsv", "text\tlabel\nsay \"a\"\t1\n").is_empty());
}

#[test]
fn texts_that_begin_with_a_quotation_mark_never_swallow_rows() {
    let mut rows: Vec<String> =
        (0..200).map(|row| format!("these are words {row}\t{}", row % 2)).collect();
    for row in [20, 70, 120] {
        rows[row].insert_str(0, "\" ");
    }
    for row in [26, 74, 131] {
        rows[row] = rows[row].replace('\t', " \"\t");
    }
    let tsv = format!("text\tlabel\n{}\n", rows.join("\n"));
    let (_folder, path) = file("a.tsv", &tsv);
    let table = read(&path).unwrap();
    assert_eq!(table.len(), 200);
    assert_eq!(table.texts().nth(20), Some("\" these are words 20"));
    let notes = notes("a.tsv", &tsv);
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].starts_with("3 fields begin with a quotation mark (the first on line 22)"),
        "{notes:?}"
    );

    let phrase = "subject\ttext\tlabel\ns\t\"Quite a show\" is what they said\t0\nt\tfine\t1\n";
    check("a.tsv", phrase, &["\"Quite a show\" is what they said", "fine"], &[0, 1]);
    check("a.tsv", "text\tlabel\n\"\t1\nbad\t0\n", &["\"", "bad"], &[1, 0]);
}

#[test]
fn what_programs_write_is_read_as_they_meant_it() {
    for (tsv, texts) in [
        ("text\tlabel\n\"a\tb\"\t1\nplain\t0\n", ["a\tb", "plain"]),
        ("text\tlabel\n\"a\nb\"\t1\nplain\t0\n", ["a\nb", "plain"]),
        ("text\tlabel\r\n\"a \"\"b\"\"\"\t1\r\nplain\t0\r\n", ["a \"b\"", "plain"]),
        ("\"text\"\t\"label\"\n\"a b\"\t\"1\"\n\"plain\"\t\"0\"\n", ["a b", "plain"]),
        ("text\tlabel\n\"\"\t1\nplain\t0\n", ["", "plain"]),
        ("text\tlabel\n\"\"\"\"\t1\nplain\t0\n", ["\"", "plain"]),
        ("text\tlabel\n\"well, yes\"\t1\nplain\t0\n", ["well, yes", "plain"]),
    ] {
        check("a.tsv", tsv, &texts, &[1, 0]);
        assert!(notes("a.tsv", tsv).is_empty(), "{tsv:?}");
    }
}

#[test]
fn what_can_be_meant_in_two_ways_is_refused_until_it_is_said() {
    let tsv = "text\tlabel\nplain\t0\n\"all of it\"\t1\n";
    all_refused(&[(
        "a.tsv",
        tsv,
        &["row 2 (line 3)", "\"all of it\"", "--quoting standard", "--quoting literal"],
    )]);
    let (_folder, path) = file("a.tsv", tsv);
    let with = |quoting| {
        let table = read_as(&path, &ReadOptions { quoting, ..ReadOptions::default() }).unwrap();
        table.texts().last().map(str::to_owned)
    };
    assert_eq!(with(Quoting::Standard).as_deref(), Some("all of it"));
    assert_eq!(with(Quoting::Literal).as_deref(), Some("\"all of it\""));
    // With one column, every line looks like a row.
    let (_folder, path) = file("a.tsv", "text\n\"one\ntwo\"\n");
    assert!(super::text_table(&path).is_err());
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    all_refused(&[
        ("a.tsv", "text\tlabel\na\t1\nb\tc\t0\n", &["row 2 (line 3): expected 2 fields", "a tab"]),
        ("a.tsv", "text\tlabel\na\t1\nb\n", &["row 2 (line 3): expected 2 fields", "got 1"]),
        (
            "a.tsv",
            "\"text\"\t\"label\"\n\"he said \\\"a\\\"\"\t\"1\"\n",
            &["row 1 (line 2)", "backslash"],
        ),
    ]);
    // A broken row among those that a quotation mark would join does not make it a quoted field.
    let plain = "words\t1\nmore\t0\n".repeat(10);
    let tsv = format!("text\tlabel\n{plain}\" a\t1\nb\nd\t1\nc \"\t0\n");
    let message_of = message("a.tsv", tsv);
    assert!(message_of.contains("row 21 (line 22): a quoted field starts here"), "{message_of}");
    assert!(message("a.tsv", "text\tlabel\na\rb\t1\n").contains("carriage return"));
}
