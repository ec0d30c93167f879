//! Finds the fields of a text table, row by row and strictly.
//!
//! RFC 4180 with any separator: a field that begins with a quotation mark ends at the next one that is
//! not doubled, and a separator or a line end must follow. In other fields a quotation mark is an
//! ordinary character. Rows end with LF, with one or more CRs and an LF, or, in a file without LF,
//! with CR. Nothing is repaired: anything a reader would have to guess is an error. Other modules count
//! fields and interpret names and values.

use memchr::{memchr, memchr_iter, memchr2, memchr3};

/// The position of a field, without its quotation marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) form: Form,
}

/// How a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Without enclosing quotation marks.
    Bare,
    /// In quotation marks.
    Quoted,
    /// In quotation marks, with doubled ones inside.
    Doubled,
}

/// The position of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Its first byte.
    pub(super) start: usize,
    /// After its last byte, without the line end.
    pub(super) end: usize,
    /// The line of the file on which it begins, from 1.
    pub(super) line: usize,
    /// The number of line breaks inside it, all in quoted fields.
    pub(super) n_breaks: usize,
    /// Whether it ends with a line end.
    pub(super) is_closed: bool,
}

/// Why a row cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    /// The line of the file, from 1: of the opening quotation mark, where there is one.
    pub(super) line: usize,
    /// The first byte of the field.
    pub(super) start: usize,
    /// The byte at which the failure was noticed.
    pub(super) at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// A quoted field is never closed.
    Unclosed,
    /// Text follows a closing quotation mark.
    ClosedInside,
    /// An unquoted field contains a CR without an LF.
    LoneReturn,
    /// The bytes end before the row does, and the file goes on.
    Cut,
    /// The row is longer than any that is read.
    TooLong,
}

/// The bytes end where more are needed, and the file goes on.
struct Cut;

/// Reads rows one by one.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    position: usize,
    line: usize,
    marks: Marks,
    /// Whether the bytes go to the end of the file.
    is_last: bool,
}

/// The bytes that have a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) separator: u8,
    /// Without, quotation marks are ordinary characters.
    pub(super) has_quotes: bool,
    /// The byte that ends a line: LF, or CR in a file without LF.
    pub(super) line_end: u8,
}

impl<'a> Scanner<'a> {
    /// Reads rows of `bytes` from `position`, which is on `line`. Unless `is_last`, more bytes follow, and
    /// a row that needs them is [`FailureKind::Cut`].
    pub(super) fn new(
        bytes: &'a [u8],
        (position, line): (usize, usize),
        marks: Marks,
        is_last: bool,
    ) -> Self {
        Self { bytes, position, line, marks, is_last }
    }

    /// The byte after the last row read, and its line.
    pub(super) fn position(&self) -> (usize, usize) {
        (self.position, self.line)
    }

    /// Reads the next row into `fields`; `None` at the end of the file.
    pub(super) fn next_row(&mut self, fields: &mut Vec<Field>) -> Option<Result<Row, Failure>> {
        fields.clear();
        if self.position >= self.bytes.len() {
            return (!self.is_last).then(|| self.cut(self.position));
        }
        let (start, line) = (self.position, self.line);
        loop {
            let field = if self.marks.has_quotes && self.bytes.get(self.position) == Some(&b'"') {
                self.quoted()
            } else {
                self.bare()
            };
            match field {
                Ok(field) => fields.push(field),
                Err(failure) => return Some(Err(failure)),
            }
            if self.bytes.get(self.position) == Some(&self.marks.separator) {
                self.position += 1;
                continue;
            }
            let (end, n_breaks) = (self.position, self.line - line);
            let is_closed = end < self.bytes.len();
            let Ok(next) = self.after_line_end(end) else { return Some(self.cut(start)) };
            self.position = next.unwrap_or(self.bytes.len());
            self.line += 1;
            return Some(Ok(Row { start, end, line, n_breaks, is_closed }));
        }
    }

    /// An unquoted field; stops before the separator or line end.
    fn bare(&mut self) -> Result<Field, Failure> {
        let start = self.position;
        let rest = &self.bytes[start..];
        let n_bytes = if self.marks.line_end == b'\n' {
            memchr3(self.marks.separator, b'\n', b'\r', rest)
        } else {
            memchr2(self.marks.separator, b'\r', rest)
        };
        let end = n_bytes.map_or(self.bytes.len(), |n_bytes| start + n_bytes);
        if end == self.bytes.len() && !self.is_last {
            return self.cut(start);
        }
        if self.bytes.get(end) == Some(&b'\r') {
            match self.after_line_end(end) {
                Ok(Some(_)) => {}
                Ok(None) => {
                    let kind = FailureKind::LoneReturn;
                    return Err(Failure { kind, line: self.line, start, at: end });
                }
                Err(Cut) => return self.cut(start),
            }
        }
        self.position = end;
        Ok(Field { start, end, form: Form::Bare })
    }

    /// A quoted field; stops before the separator or line end.
    fn quoted(&mut self) -> Result<Field, Failure> {
        let start = self.position + 1;
        let mut form = Form::Quoted;
        let mut from = start;
        let failure = |kind, at, line| Err(Failure { kind, line, start: start - 1, at });
        loop {
            let Some(n_bytes) = memchr(b'"', &self.bytes[from..]) else {
                if !self.is_last {
                    return self.cut(start);
                }
                return failure(FailureKind::Unclosed, self.bytes.len(), self.line);
            };
            let end = from + n_bytes;
            if self.bytes.get(end + 1) == Some(&b'"') {
                form = Form::Doubled;
                from = end + 2;
                continue;
            }
            let is_end = match self.bytes.get(end + 1) {
                None if !self.is_last => return self.cut(start),
                None => true,
                Some(byte) if *byte == self.marks.separator => true,
                Some(_) => match self.after_line_end(end + 1) {
                    Ok(next) => next.is_some(),
                    Err(Cut) => return self.cut(start),
                },
            };
            if !is_end {
                return failure(FailureKind::ClosedInside, end, self.line);
            }
            self.line += memchr_iter(self.marks.line_end, &self.bytes[start..end]).count();
            self.position = end + 1;
            return Ok(Field { start, end, form });
        }
    }

    /// The byte after the line end at `position`; `None` if there is no line end.
    ///
    /// Some programs write CR CR LF by translating CR LF again; this is a single line end.
    fn after_line_end(&self, position: usize) -> Result<Option<usize>, Cut> {
        if self.marks.line_end == b'\r' {
            return Ok((self.bytes.get(position) == Some(&b'\r')).then_some(position + 1));
        }
        let rest = self.bytes.get(position..).unwrap_or_default();
        let n_returns = rest.iter().take_while(|&&byte| byte == b'\r').count();
        let next = position + n_returns;
        match self.bytes.get(next) {
            Some(b'\n') => Ok(Some(next + 1)),
            None if n_returns > 0 && !self.is_last => Err(Cut),
            None if n_returns > 0 => Ok(Some(next)),
            _ => Ok(None),
        }
    }

    fn cut<T>(&self, start: usize) -> Result<T, Failure> {
        let at = self.bytes.len();
        Err(Failure { kind: FailureKind::Cut, line: self.line, start, at })
    }
}

/// The value of a field; stored in `scratch` if it differs from the bytes in the file.
pub(super) fn value<'a>(text: &'a str, field: Field, scratch: &'a mut String) -> &'a str {
    let inner = &text[field.start..field.end];
    if field.form != Form::Doubled {
        return inner;
    }
    scratch.clear();
    let mut rest = inner;
    // Every quotation mark is followed by its twin.
    while let Some(n_bytes) = memchr(b'"', rest.as_bytes()) {
        scratch.push_str(&rest[..=n_bytes]);
        rest = &rest[n_bytes + 2..];
    }
    scratch.push_str(rest);
    scratch
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, separator: u8, has_quotes: bool) -> Result<Vec<Vec<String>>, Failure> {
        let line_end = if text.contains('\r') && !text.contains('\n') { b'\r' } else { b'\n' };
        let marks = Marks { separator, has_quotes, line_end };
        let mut scanner = Scanner::new(text.as_bytes(), (0, 1), marks, true);
        let (mut fields, mut scratch, mut rows) = (Vec::new(), String::new(), Vec::new());
        while let Some(row) = scanner.next_row(&mut fields) {
            row?;
            rows.push(
                fields.iter().map(|&field| value(text, field, &mut scratch).to_owned()).collect(),
            );
        }
        Ok(rows)
    }

    #[test]
    fn fields_and_rows_end_where_they_should() {
        let cases: [(&str, &[&[&str]]); 15] = [
            ("", &[]),
            ("a", &[&["a"]]),
            ("a,b\nc,d\n", &[&["a", "b"], &["c", "d"]]),
            ("a,b\r\nc,d", &[&["a", "b"], &["c", "d"]]),
            ("a,b\rc,d\r", &[&["a", "b"], &["c", "d"]]),
            ("a,b\r\r\nc,d\r\n", &[&["a", "b"], &["c", "d"]]),
            ("a,b\nc,d\r", &[&["a", "b"], &["c", "d"]]),
            (",\n", &[&["", ""]]),
            ("\n\na\n", &[&[""], &[""], &["a"]]),
            ("\"a,b\",\"c\nd\"\n", &[&["a,b", "c\nd"]]),
            ("\"\",\"\"\"\",\"\"\"\"\"\"\n", &[&["", "\"", "\"\""]]),
            ("\"a\"\"b\"\"\"\n", &[&["a\"b\""]]),
            ("a\"b, \"c\"\n", &[&["a\"b", " \"c\""]]),
            ("\"a\r\nb\",\"c\rd\"\r\n", &[&["a\r\nb", "c\rd"]]),
            ("\"a\rb\",c\rd,e", &[&["a\rb", "c"], &["d", "e"]]),
        ];
        for (text, expected) in cases {
            assert_eq!(rows(text, b',', true).unwrap(), expected, "{text:?}");
        }
        let literal = rows("\"a\tb\"\n\"\"\t\"\n", b'\t', false).unwrap();
        assert_eq!(literal, [["\"a", "b\""], ["\"\"", "\""]]);
    }

    #[test]
    fn what_is_not_well_formed_is_refused_where_it_begins() {
        use FailureKind::{ClosedInside, LoneReturn, Unclosed};
        let cases = [
            ("a,b\n\"c,d\ne,f\n", Unclosed, 2, 4),
            ("\"", Unclosed, 1, 0),
            ("a\n\"b\"c\n", ClosedInside, 2, 2),
            ("a\n\"b\n\nc\"d\n", ClosedInside, 2, 2),
            ("\"a\nb\",\"c\"\"\"d\"\n", ClosedInside, 2, 6),
            ("\"a\" ,b\n", ClosedInside, 1, 0),
            ("\"a\"\rb\n", ClosedInside, 1, 0),
            ("a,b\nc\rd,e\n", LoneReturn, 2, 4),
        ];
        for (text, kind, line, start) in cases {
            let failure = rows(text, b',', true).unwrap_err();
            assert_eq!(
                (failure.kind, failure.line, failure.start),
                (kind, line, start),
                "{text:?}"
            );
        }
    }

    #[test]
    fn rows_know_their_lines() {
        let text = "a,\"b\nc\n\",d\n\"e\",f,g";
        let marks = Marks { separator: b',', has_quotes: true, line_end: b'\n' };
        let mut scanner = Scanner::new(text.as_bytes(), (0, 7), marks, true);
        let mut fields = Vec::new();
        let first = scanner.next_row(&mut fields).unwrap().unwrap();
        assert_eq!((first.line, first.n_breaks, first.is_closed), (7, 2, true));
        assert_eq!(&text[first.start..first.end], "a,\"b\nc\n\",d");
        let second = scanner.next_row(&mut fields).unwrap().unwrap();
        assert_eq!((second.line, second.n_breaks, second.is_closed), (10, 0, false));
        assert!(scanner.next_row(&mut fields).is_none());
    }
}
