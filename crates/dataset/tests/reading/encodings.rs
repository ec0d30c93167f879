//! Encodings other than UTF-8, and byte order marks.

use dataset::{Encoding, ReadOptions};

use super::{check, file, message, notes, read_as, refusal};

fn in_encoding(name: &str) -> ReadOptions {
    ReadOptions { encoding: Some(Encoding::named(name).unwrap()), ..ReadOptions::default() }
}

fn utf_16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

#[test]
fn byte_order_marks_are_no_part_of_any_format() {
    for (name, content) in [
        ("a.csv", "text,label\r\ngood,1\r\nbad,0\r\n"),
        ("a.csv", "\"text\",\"label\"\n\"good\",1\n\"bad\",0\n"),
        ("a.tsv", "label\ttext\n1\tgood\n0\tbad"),
        ("a.jsonl", "{\"text\": \"good\", \"label\": 1}\n{\"text\": \"bad\", \"label\": 0}\n"),
        ("a.json", "[{\"text\": \"good\", \"label\": 1},{\"text\": \"bad\", \"label\": 0}]"),
    ] {
        check(name, format!("\u{feff}{content}"), &["good", "bad"], &[1, 0]);
        assert!(
            notes(name, format!("\u{feff}{content}")).iter().all(|note| note.contains("array"))
        );
        let marked = format!("\u{feff}{content}");
        for bytes in [utf_16(&marked, u16::to_le_bytes), utf_16(&marked, u16::to_be_bytes)] {
            check(name, &bytes, &["good", "bad"], &[1, 0]);
            assert!(notes(name, &bytes)[0].starts_with("read it as UTF-16"), "{name}");
        }
    }
}

#[test]
fn a_wrong_byte_is_named_with_its_line_and_the_way_out() {
    for (name, content, place) in [
        ("a.csv", &b"text,label\ngood,1\nna\xefve,0\n"[..], "a.csv, line 3"),
        ("a.csv", b"text,label,who\ngood,1,x\n\"two\nlines\",0,Jos\xe9\n", "a.csv, line 4"),
        ("a.tsv", b"te\xffxt\tlabel\ngood\t1\n", "a.tsv, line 1"),
        ("a.jsonl", b"{\"text\": \"a\", \"label\": 1}\n{\"text\": \"\xff\"}\n", "a.jsonl, line 2"),
    ] {
        let refusal = refusal(name, content, &ReadOptions::default());
        assert!(refusal.starts_with(&format!("{place}: not valid UTF-8: byte 0x")), "{refusal}");
        assert!(refusal.contains("--encoding windows-1252"), "{refusal}");
    }
    assert_eq!(
        message("a.csv", b"text,label\ngood,1\nna\xc3"),
        "a.csv, line 3: the file ends in the middle of a character; it is not complete"
    );
}

#[test]
fn a_named_encoding_is_read_and_nothing_is_replaced() {
    let cases: [(&str, &[u8], &str); 5] = [
        ("windows-1252", b"text,label\nna\xefve \x80 \x93x\x94,1\n", "naïve € “x”"),
        ("latin1", b"text,label\nna\xefve,1\n", "naïve"),
        ("windows-1251", b"text,label\n\xef\xeb\xee\xf5\xee,1\n", "плохо"),
        ("shift_jis", b"text,label\n\x8d\xc5\x92\xe1,1\n", "最低"),
        ("utf-16le", b"t\0e\0x\0t\0,\0l\0a\0b\0e\0l\0\n\0\xe9\0,\x001\0\n\0", "é"),
    ];
    for (name, content, expected) in cases {
        let (_folder, path) = file("a.csv", content);
        let table = read_as(&path, &in_encoding(name)).unwrap();
        assert_eq!(table.texts().collect::<Vec<_>>(), [expected], "{name}");
    }
    // A mark takes precedence over a named encoding, and a note says so.
    let (_folder, path) = file("a.csv", "\u{feff}text,label\né,1\n");
    let table = read_as(&path, &in_encoding("windows-1252")).unwrap();
    assert_eq!(table.texts().collect::<Vec<_>>(), ["é"]);
    assert_eq!(table.notes().iter().len(), 1);

    let wrong = |name: &str, content: &[u8]| refusal("a.csv", content, &in_encoding(name));
    let shift_jis = wrong("shift_jis", b"text,label\ngood,1\n\x8d\xff,1\n");
    assert!(shift_jis.starts_with("a.csv, line 3: not valid Shift_JIS"), "{shift_jis}");
    let surrogate = wrong("utf-16le", b"a\0,\0b\0\n\0\x00\xd8,\0");
    assert!(surrogate.starts_with("a.csv, line 2: not valid UTF-16LE"), "{surrogate}");
    let cut = wrong("utf-16le", b"a\0,\0b\0\n\0c");
    assert!(cut.contains("ends in the middle of a character"), "{cut}");
}

#[test]
fn long_files_in_other_encodings_come_in_whole() {
    let mut content = b"text,label\n".to_vec();
    for row in 0..200_000 {
        content.extend_from_slice(
            format!("caf\u{0} {row},{}\n", row % 2).replace('\0', "").as_bytes(),
        );
        let at = content.len() - 4;
        content.insert(at, 0xe9);
    }
    let (_folder, path) = file("a.csv", &content);
    let table = read_as(&path, &in_encoding("latin1")).unwrap();
    assert_eq!(table.len(), 200_000);
    assert!(table.texts().all(|text| text.contains('é')));
    // The line of an invalid byte is known, however far into the file it is.
    let bad_line = content.iter().filter(|&&byte| byte == b'\n').count() + 1;
    content.extend_from_slice(b"\x8d\xff,1\n");
    let (_folder, path) = file("a.csv", &content);
    let error = read_as(&path, &in_encoding("euc-kr"));
    assert!(error.is_err());
    let plain: Vec<u8> =
        content.iter().map(|&byte| if byte == 0xe9 { b'e' } else { byte }).collect();
    let (_folder, path) = file("a.csv", plain);
    let message = read_as(&path, &in_encoding("shift_jis")).unwrap_err().to_string();
    assert!(message.contains(&format!("line {bad_line}: not valid Shift_JIS")), "{message}");
}

#[test]
fn zeros_are_refused_wherever_they_stand_and_other_controls_kept() {
    let long = format!("text,label\n{}", "fine,1\n".repeat(5000));
    let message_of = |content: String| message("a.csv", content);
    assert_eq!(
        message_of(format!("{long}a\0b,0\n")),
        "a.csv, line 5002: found a NUL character, which a text table cannot contain"
    );
    check(
        "a.csv",
        "text,label\na\u{7}\u{1b}[2J\u{1}\u{7f}\u{85}\u{2028}b,1\n",
        &["a\u{7}\u{1b}[2J\u{1}\u{7f}\u{85}\u{2028}b"],
        &[1],
    );
    let unmarked = utf_16("text,label\ngood,1\nbad,0\n", u16::to_le_bytes);
    let refusal = refusal("a.csv", unmarked, &ReadOptions::default());
    assert!(refusal.contains("--encoding utf-16le"), "{refusal}");
}
