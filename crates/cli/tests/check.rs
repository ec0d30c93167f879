//! `sentiment check`: finds the one fault of a file, and nothing in files without a fault.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its files has failed")]

mod common;

use common::Workplace;
use common::tables::Table;
use dataset::{ParquetFile, ParquetKind, ParquetValues};
use serde_json::{Value, json};

/// A file with one fault.
struct Case {
    name: &'static str,
    file: &'static str,
    content: Vec<u8>,
    kind: &'static str,
    severity: &'static str,
    /// The first rows, and how many there are.
    rows: Vec<usize>,
    n_rows: usize,
    args: Vec<&'static str>,
    /// What the message or the advice says.
    says: &'static str,
}

impl Case {
    fn new(name: &'static str, content: impl Into<Vec<u8>>, kind: &'static str) -> Self {
        Self {
            name,
            file: "mine.csv",
            content: content.into(),
            kind,
            severity: "warning",
            rows: Vec::new(),
            n_rows: 0,
            args: Vec::new(),
            says: "",
        }
    }

    fn rows(mut self, rows: impl IntoIterator<Item = usize>) -> Self {
        let rows: Vec<usize> = rows.into_iter().collect();
        self.n_rows = rows.len();
        self.rows = rows.into_iter().take(5).collect();
        self
    }

    fn note(self) -> Self {
        Self { severity: "note", ..self }
    }

    fn unusable(self) -> Self {
        Self { severity: "unusable", ..self }
    }

    fn json_lines(self) -> Self {
        Self { file: "mine.jsonl", ..self }
    }

    fn says(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    fn args(self, args: &[&'static str]) -> Self {
        Self { args: args.to_vec(), ..self }
    }

    /// Checks what is found; what differs, in words.
    fn problem(&self) -> Option<String> {
        let place = Workplace::new();
        place.write(self.file, &self.content);
        let mut args = vec!["check", self.file, "--json"];
        args.extend(&self.args);
        let outcome = place.run(&args);
        let code = match self.severity {
            "note" => 0,
            "warning" => 1,
            _ => 2,
        };
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        if outcome.code != Some(code) {
            return Some(format!("{}: exit code {:?}\n{said}", self.name, outcome.code));
        }
        let report: Value = serde_json::from_str(&outcome.stdout).ok()?;
        let findings = report["findings"].as_array()?;
        // Of a note, there must be no other note either.
        let [found] = &findings[..] else {
            return Some(format!("{}: {} findings\n{said}", self.name, findings.len()));
        };
        let expected = json!([self.kind, self.severity, self.n_rows, self.rows]);
        let got = json!([found["kind"], found["severity"], found["n_rows"], found["rows"]]);
        let words = format!("{} {}", found["message"], found["advice"]);
        (expected != got || !words.contains(self.says))
            .then(|| format!("{}: expected {expected}, got {got}: {words}", self.name))
    }
}

/// A table with a change.
fn changed(change: impl FnOnce(&mut Table)) -> String {
    let mut table = Table::new();
    change(&mut table);
    table.csv()
}

fn texts() -> Vec<Case> {
    let blank = |text: &'static str| {
        changed(|table| [5, 90].into_iter().for_each(|row| table.set_text(row, text)))
    };
    let mut null = Table::new().json_lines();
    null += "{\"text\": null, \"label\": \"positive\"}\n";
    vec![
        Case::new("an empty cell", changed(|t| t.set_text(17, "")), "empty-texts")
            .rows([17])
            .says("--missing skip"),
        Case::new("only spaces", blank("   "), "empty-texts").rows([5, 90]),
        Case::new("only invisible characters", blank("\u{200b}\u{a0}\u{feff}"), "empty-texts")
            .rows([5, 90]),
        Case::new("only control characters", blank("\u{7f}\u{80}"), "empty-texts").rows([5, 90]),
        Case::new("only markup", blank("<br /><br />"), "empty-texts").rows([5, 90]),
        Case::new("null", null, "empty-texts").json_lines().rows([201]),
    ]
}

fn repeated() -> Vec<Case> {
    let copied = |pairs: &[(usize, usize)], change: fn(&str) -> String| {
        changed(|table| {
            for &(from, to) in pairs {
                let text = change(&table.text_of(from));
                table.set_text(to, text);
            }
        })
    };
    let same = |text: &str| text.to_string();
    let other_marks = |text: &str| format!("{}!!!", text.to_uppercase());
    let more: fn(&str) -> String = |text| format!("{text} indeed");
    let one_changed: fn(&str) -> String = |text| {
        let (first, rest) = text.split_once(' ').unwrap();
        let last = rest.rsplit_once(' ').unwrap().0;
        format!("{first} {last} whatever")
    };
    let many: Vec<(usize, usize)> = (1..=20).map(|row| (row, row + 180)).collect();
    let few = [(1, 101), (2, 102), (3, 103), (4, 104)];
    vec![
        Case::new("a row twice", copied(&[(4, 50)], same), "duplicates")
            .note()
            .rows([50])
            .says("rows 4 and 50"),
        Case::new("twice but for case and marks", copied(&[(4, 50)], other_marks), "duplicates")
            .note()
            .rows([50])
            .says("but for case"),
        Case::new("a tenth twice", copied(&many, same), "duplicates").rows(181..=200),
        Case::new("another label", copied(&[(4, 51)], same), "contradictions")
            .rows([51])
            .says("rows 4 and 51"),
        Case::new("another label, other case", copied(&[(4, 51)], other_marks), "contradictions")
            .rows([51]),
        Case::new("other labels", copied(&[(1, 60), (2, 71), (3, 80)], same), "contradictions")
            .rows([60, 71, 80]),
        Case::new("a word more", copied(&[(4, 50)], more), "near-duplicates").note().rows([50]),
        Case::new("words more", copied(&few, more), "near-duplicates")
            .rows(101..=104)
            .says("rows 1 and 101"),
        Case::new("a word changed", copied(&few, one_changed), "near-duplicates").rows(101..=104),
        Case::new(
            "nearly the same, other label",
            copied(&[(4, 51), (6, 61), (8, 71)], more),
            "near-duplicates",
        )
        .rows([51, 61, 71])
        .says("3 pairs have different labels"),
    ]
}

fn classes() -> Vec<Case> {
    let labelled = |label: fn(usize) -> String| {
        changed(|table| (1..=200).for_each(|row| table.set_label(row, &label(row))))
    };
    let respelled = |rows: &'static [usize], label: &'static str| {
        changed(|table| rows.iter().for_each(|&row| table.set_label(row, label)))
    };
    let mut spam = Table::of_classes(&["ham", "spam"]);
    [2, 4, 150].into_iter().for_each(|row| spam.set_label(row, "Spam"));
    vec![
        Case::new("only positive", labelled(|_| "positive".into()), "one-class")
            .unusable()
            .says("positive"),
        Case::new("only spam", labelled(|_| "spam".into()), "one-class").unusable(),
        Case::new(
            "a rare third class",
            labelled(|row| {
                ["praise", "blame", "doubt"][if row > 195 { 2 } else { row % 2 }].into()
            }),
            "rare-classes",
        )
        .says("\\\"doubt\\\" (5)"),
        Case::new(
            "a rare class of two",
            labelled(|row| u8::from(row <= 6).to_string()),
            "rare-classes",
        ),
        Case::new("12 to 1", labelled(|row| u8::from(row <= 15).to_string()), "imbalance")
            .says("185"),
        Case::new(
            "12 to 1 of three",
            labelled(|row| {
                match row {
                    1..=12 => "a",
                    13..=50 => "b",
                    _ => "c",
                }
                .into()
            }),
            "imbalance",
        ),
        Case::new("capitals", respelled(&[2, 4, 6], "Positive"), "spellings").rows([2, 4, 6]),
        Case::new("a space", respelled(&[2, 4], "positive "), "spellings")
            .rows([2, 4])
            .says("(98)"),
        Case::new("a synonym", respelled(&[2, 8], "pos"), "spellings").rows([2, 8]),
        Case::new("capitals of another name", spam.csv(), "spellings").rows([2, 4, 150]),
        Case::new("a typing error", respelled(&[8], "postive"), "spellings")
            .unusable()
            .rows([8])
            .says("did you mean"),
        Case::new("no label", respelled(&[8], "nan"), "spellings").unusable().rows([8]),
        Case::new("scores", labelled(|row| format!("0.{}", row % 97 + 1)), "scale")
            .unusable()
            .rows([1]),
        Case::new("points", labelled(|row| (row * 7 % 61).to_string()), "scale")
            .says("61 values from 0 to 60"),
        Case::new("names of rows", labelled(|row| format!("review {row}")), "not-labels")
            .unusable(),
    ]
}

fn lengths_and_words() -> Vec<Case> {
    let mut short = Table::new();
    for row in 1..=200 {
        let words: Vec<String> =
            ["the", "a", "of", "and", "to", "in", "it", "is"].map(str::to_string).to_vec();
        let (a, b) = (row % 15, row / 15);
        short.set_text(row, format!("{}{a} {}{b}", words[a % 8], words[b % 8]));
    }
    let mut long = Table::new();
    for row in 1..=6 {
        let text = long.text((3000, 3000));
        long.set_text(row, text);
    }
    let mut unknown = Table::new();
    for row in 1..=200 {
        let mut word = || {
            let letters: Vec<char> = "bcdfgaeiou".chars().collect();
            (0..9).map(|_| letters[unknown.below(10)]).collect::<String>()
        };
        let words: Vec<String> = (0..20).map(|_| word()).collect();
        let text = format!("{} {}", unknown.text_of(row), words.join(" "));
        unknown.set_text(row, text);
    }
    vec![
        Case::new("two words", short.csv(), "short-texts"),
        Case::new("a recipe that cuts", Table::new().csv(), "cut")
            .rows(1..=200)
            .args(&["--set", "preprocessing.seq_len=20"])
            .says("20 tokens"),
        Case::new("very long texts", long.csv(), "cut").rows(1..=6).says("800 tokens"),
        Case::new("rare words", unknown.csv(), "unknown-words"),
    ]
}

fn damage() -> Vec<Case> {
    let ten: Vec<usize> = (1..=10).map(|n| n * 11).collect();
    let with = |rows: &[usize], what: &'static str| {
        let mut table = Table::new();
        table.change(rows.iter().copied(), |text| {
            text.replacen(" the ", &format!(" {what} "), 1) + " " + what
        });
        table
    };
    let forty: Vec<usize> = (1..=40).map(|n| n * 5).collect();
    vec![
        Case::new("é as Latin-1", with(&ten, "cafÃ©").csv(), "mojibake")
            .rows(ten.clone())
            .says("cafÃ©"),
        Case::new("an apostrophe", with(&ten, "itâ€™s").csv(), "mojibake").rows(ten.clone()),
        Case::new("the character for unknown ones", with(&ten, "na\u{fffd}ve").csv(), "mojibake")
            .rows(ten.clone()),
        Case::new("a byte order mark within", with(&[3], "ï»¿first").csv(), "mojibake")
            .note()
            .rows([3]),
        Case::new("HTML tags", with(&forty, "<br />").csv(), "markup").note().rows(forty.clone()),
        Case::new("HTML entities", with(&forty, "it&#39;s &amp; so").csv(), "markup")
            .note()
            .rows(forty),
        Case::new("a bell", with(&ten, "bell\u{7}").json_lines(), "control-characters")
            .json_lines()
            .rows(ten.clone())
            .says("U+0007"),
        Case::new("NUL", with(&ten, "nul\0").json_lines(), "control-characters")
            .json_lines()
            .rows(ten)
            .says("U+0000"),
    ]
}

fn scripts() -> Vec<Case> {
    let of = |letters: &str, stop: &str| {
        changed(|table| {
            for row in 1..=200 {
                let text = table.unspaced(letters, stop);
                table.set_text(row, text);
            }
        })
    };
    let case = |name, letters, stop, script| {
        let case = Case::new(name, of(letters, stop), "no-spaces").rows(1..=200);
        case.says("scheme=bpe").says(script)
    };
    vec![
        case("Chinese", "这部电影非常好看我很喜欢但是太长了不过演员都行音乐也美", "。", "Han"),
        case(
            "Japanese",
            "このえいがはとてもおもしろかったですまたみたいとおもいます",
            "。",
            "Hiragana",
        ),
        case("Thai", "กขคงจฉชซญดตถทนบปผพฟมยรลวสหอ", " ", "Thai"),
        case("Khmer", "កខគឃងចឆជឈញដឋឌឍណតថទធនបផពភម", " ", "Khmer"),
        case("Burmese", "ကခဂဃငစဆဇဈညဋဌဍဎဏတထဒဓနပဖဗဘမ", " ", "Myanmar"),
    ]
}

fn leaks() -> Vec<Case> {
    let table = Table::new();
    let is_positive = |row: usize| row.is_multiple_of(2);
    let stars = table
        .csv_with("stars", |row| (1 + row % 2 + 3 * usize::from(is_positive(row))).to_string());
    let kind =
        table.csv_with("kind", |row| ["against", "for"][usize::from(is_positive(row))].into());
    let nearly = table.csv_with("kind", |row| {
        ["against", "for"][usize::from(is_positive(row) != (row % 50 == 0))].into()
    });
    let named = changed(|table| {
        table.change((1..=100).map(|n| 2 * n), |text| format!("{text} label: positive"));
        table.change((1..=100).map(|n| 2 * n - 1), |text| format!("{text} label: negative"));
    });
    let mut tagged = Table::of_classes(&["ham", "spam"]);
    tagged.change((1..=100).map(|n| 2 * n), |text| format!("__label__spam {text}"));
    let numbered = changed(|table| {
        for row in 1..=200 {
            table.set_label(row, &u8::from(is_positive(row)).to_string());
            if is_positive(row) {
                table.change([row], |text| format!("1: {text}"));
            }
        }
    });
    vec![
        Case::new("stars beside the label", stars, "column-tells-label").note().says("stars"),
        Case::new("the label in other words", kind, "column-tells-label")
            .note()
            .says("all of the rows"),
        Case::new("nearly the label", nearly, "column-tells-label").note().says("98.0 %"),
        Case::new("the label's tag", tagged.csv(), "label-in-texts")
            .rows((1..=100).map(|n| 2 * n))
            .says("spam"),
        Case::new("the label's number", numbered, "label-in-texts").rows((1..=100).map(|n| 2 * n)),
        // Both classes are given away; the first finding is checked below.
        Case { kind: "two", ..Case::new("the labels in the texts", named, "label-in-texts") },
    ]
}

fn refused() -> Vec<Case> {
    vec![
        Case::new("no text column", Table::new().csv().replacen("text", "words", 1), "no-column")
            .unusable()
            .says("--text-column"),
        Case::new("no label column", Table::new().csv().replacen("label", "stars", 1), "no-column")
            .unusable()
            .says("--label-column"),
        Case::new("no rows", "text,label\n", "no-rows").unusable(),
        Case::new("no bytes", "", "no-rows").unusable(),
        Case::new("Latin-1", b"text,label\ncaf\xe9,1\n".to_vec(), "unreadable")
            .unusable()
            .says("--encoding"),
        Case::new("few texts", "text,label\na b c d,1\ne f g h,0\n", "few-texts").unusable(),
    ]
}

#[test]
fn the_one_fault_of_a_file_is_found_with_its_rows_and_nothing_else() {
    let mut cases = texts();
    cases.extend(repeated());
    cases.extend(classes());
    cases.extend(lengths_and_words());
    cases.extend(damage());
    cases.extend(scripts());
    cases.extend(leaks().into_iter().filter(|case| case.kind != "two"));
    cases.extend(refused());
    assert!(cases.len() >= 40, "{}", cases.len());
    let problems: Vec<String> = cases.iter().filter_map(Case::problem).collect();
    assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), cases.len(), problems.join("\n"));
}

#[test]
fn files_without_a_fault_have_no_findings() {
    let place = Workplace::new();
    place.write("two.csv", Table::new().csv());
    place.write("three.csv", Table::of_classes(&["art", "sport", "travel"]).csv());
    place.write("german.csv", Table::german().csv());
    place.write("lines.jsonl", Table::new().json_lines());
    // Names of rows, and a column that says nothing.
    place.write("more.csv", Table::new().csv_with("id", |row| format!("r{row}")));
    place.write("random.csv", Table::new().csv_with("shop", |row| (row * row % 7).to_string()));
    let table = Table::new();
    let columns = [("text", ParquetKind::Words), ("label", ParquetKind::Words)];
    let mut file = ParquetFile::create(place.path("two.parquet"), &columns, &[]).unwrap();
    let (texts, labels): (Vec<&str>, Vec<&str>) =
        table.rows.iter().map(|(text, label)| (text.as_str(), label.as_str())).unzip();
    file.write(200, &[ParquetValues::Words(&texts), ParquetValues::Words(&labels)]).unwrap();
    file.finish().unwrap();
    for name in [
        "two.csv",
        "three.csv",
        "german.csv",
        "lines.jsonl",
        "more.csv",
        "random.csv",
        "two.parquet",
    ] {
        let outcome = place.run(&["check", name, "--json"]);
        assert_eq!(outcome.json()["findings"], json!([]), "{name}: {}", outcome.stdout);
        let outcome = outcome.succeeded();
        assert_eq!(outcome.json()["n_rows"], 200, "{name}");
        assert!(
            place.run(&["check", name]).succeeded().stdout.contains("nothing was found"),
            "{name}"
        );
    }
}

#[test]
fn labels_of_both_classes_in_the_texts_are_two_findings() {
    let place = Workplace::new();
    let case = leaks().pop().unwrap();
    place.write("mine.csv", &case.content);
    let outcome = place.run(&["check", "mine.csv", "--json"]);
    assert_eq!(outcome.code, Some(1));
    let report = outcome.json();
    let kinds: Vec<&Value> =
        report["findings"].as_array().unwrap().iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["label-in-texts", "label-in-texts"]);
    assert_eq!(report["findings"][0]["figures"]["share"], 1.0);
    assert_eq!(report["findings"][1]["figures"]["class"], "positive");
}

#[test]
fn texts_of_the_test_file_are_found_the_same_and_nearly_the_same() {
    let place = Workplace::new();
    let table = Table::new();
    place.write("train.csv", table.csv());
    let mut other =
        Table::of("one two three four five six seven eight nine ten", &["x"], 30, (20, 30));
    place.write("apart.csv", other.csv());
    let apart = place.run(&["check", "train.csv", "--test", "apart.csv", "--json"]).succeeded();
    assert_eq!(apart.json()["findings"], json!([]), "{}", apart.stdout);

    other.set_text(3, table.text_of(12).to_uppercase());
    other.set_text(8, table.text_of(40) + " again");
    // Labels of the other file are not read, and it need not have any.
    let csv: String = other.rows.iter().map(|(text, _)| format!("{text}\n")).collect();
    place.write("test.csv", format!("text\n{csv}"));
    let outcome = place.run(&["check", "train.csv", "--test", "test.csv", "--json"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let report = outcome.json();
    let found = &report["findings"][0];
    assert_eq!((&found["kind"], &found["rows"]), (&json!("shared-texts"), &json!([12, 40])));
    let expected = json!({"other": "test.csv", "n_texts": 30, "n_same": 1, "n_near": 1, "pairs": [[12, 3], [40, 8]]});
    assert_eq!(found["figures"], expected);
    assert_eq!(report["findings"].as_array().unwrap().len(), 1);
}

#[test]
fn findings_are_printed_worst_first_each_with_what_to_do() {
    let place = Workplace::new();
    let mut table = Table::new();
    table.set_text(9, table.text_of(3));
    table.set_text(14, table.text_of(5));
    table.change((1..=40).map(|n| 5 * n), |text| format!("{text} &amp;"));
    place.write("mine.csv", table.csv());
    let outcome = place.run(&["check", "mine.csv"]);
    assert_eq!(outcome.code, Some(1));
    let out = &outcome.stdout;
    assert!(
        out.starts_with("mine.csv: 200 texts\nclasses: negative 100, positive 100\nwords a text: "),
        "{out}"
    );
    let at = |part: &str| out.find(part).unwrap_or_else(|| panic!("no {part:?} in:\n{out}"));
    assert!(
        at("\nwarning: 1 text has different labels (rows 5 and 14)\n  Correct")
            < at("\nnote: 1 row repeats")
    );
    at("note: 40 texts hold HTML");
}

#[test]
fn what_cannot_be_checked_ends_with_code_2() {
    let place = Workplace::new();
    let outcome = place.run(&["check", "mine.csv"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stdout.contains("unusable: mine.csv does not exist"), "{}", outcome.stdout);
    place.write("mine.csv", Table::new().csv());
    let outcome = place.run(&["check", "mine.csv", "--test", "nothing.csv"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stdout.contains("nothing.csv does not exist"), "{}", outcome.stdout);
    place.run(&["check", "mine.csv", "--recipe", "acurate"]).failed(2, &["acurate"]);
    place.run(&["check"]).failed(2, &["<FILE>"]);
}

#[test]
fn a_recipe_of_pieces_reads_texts_without_spaces() {
    let place = Workplace::new();
    let mut table = Table::new();
    for row in 1..=200 {
        let text = table.unspaced("这部电影非常好看我很喜欢但是太长了不过演员都行音乐也美", "。");
        table.set_text(row, text);
    }
    place.write("mine.csv", table.csv());
    let args = ["check", "mine.csv", "--json", "--set", "preprocessing.scheme=bpe"];
    let outcome = place.run(&args);
    assert!(!outcome.stdout.contains("no-spaces"), "{}", outcome.stdout);
}

#[test]
fn a_deep_check_finds_labels_that_were_turned_round() {
    let place = Workplace::new();
    let turned = [17, 60, 101, 102, 166, 239];
    let mut csv = String::new();
    for (row, line) in common::reviews(common::N_REVIEWS).lines().enumerate() {
        // Line 0 is the header, so data rows count from 1.
        let line = match turned.contains(&row) {
            true if line.ends_with("positive") => line.replace("positive", "negative"),
            true => line.replace("negative", "positive"),
            false => line.to_string(),
        };
        csv.push_str(&line);
        csv.push('\n');
    }
    place.write("mine.csv", csv);
    let mut args = vec!["check", "mine.csv", "--deep", "--folds", "3", "--json"];
    args.extend(common::train_args(&[]).into_iter().skip(3));
    let outcome = place.run(&args);
    let deep = &outcome.json()["doubtful_labels"];
    let rows: Vec<usize> = deep["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| label["row"].as_u64().unwrap() as usize)
        .collect();
    // The smallest network may be unsure of one of them.
    assert!(rows.len() >= 5 && rows.iter().all(|row| turned.contains(row)), "{rows:?}");
    assert_eq!(deep["n_judged"], 240);
    let first = &deep["labels"][0];
    assert_ne!(first["given"], first["suggested"]);
    let words = ["good", "great", "bad", "awful"];
    let text = first["text"].as_str().unwrap();
    assert!(words.iter().any(|word| text.contains(word)), "{text}");

    let shown = place.run(&[&args[..5], &args[6..], &["--top", "2"]].concat());
    let n = rows.len();
    let line = format!("labels that are likely wrong: {n} of 240");
    assert!(shown.stdout.contains(&line), "{}", shown.stdout);
    assert_eq!(shown.stdout.matches("\nrow ").count(), 2);
    assert!(shown.stdout.contains(&format!("and {} more", n - 2)), "{}", shown.stdout);
    place.run(&["check", "mine.csv", "--top", "3"]).failed(2, &["--deep"]);
}

#[test]
fn a_deep_check_that_fails_has_the_report_and_a_code_of_its_own() {
    let place = Workplace::with_reviews();
    let args = ["check", "reviews.csv", "--deep", "--folds", "100"];
    let outcome = place.run(&args);
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("240 texts"), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("too few for 100 folds"), "{}", outcome.stderr);
    let outcome = place.run(&[&args[..], &["--json"]].concat());
    let error = &outcome.json()["doubtful_labels"]["error"];
    assert!(error.as_str().unwrap().contains("too few for 100 folds"), "{error}");
}
