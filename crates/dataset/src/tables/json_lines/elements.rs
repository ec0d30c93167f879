//! Finds the objects of a JSON file in a window that moves over it: the lines of JSON lines, or the elements
//! of an array.

use std::ops::Range;

use serde::Deserialize as _;
use serde_json::value::RawValue;

use super::explain::{explained, plain_at};
use crate::error::Result;
use crate::tables::fault::Fault;
use crate::tables::format::Format;
use crate::tables::window::Window;

/// The longest object that is read, in bytes: so much may be in memory at a time.
const LONGEST: usize = 1 << 26;
/// The bytes after a bad line that are looked at for an explanation.
const LOOK_AHEAD: usize = 1 << 20;
/// The characters of a long object that a message shows.
const SHOWN: usize = 48;

/// The objects of a file, one after another.
pub(super) struct Elements {
    window: Window,
    /// The byte of the window's text after the last object, and its line.
    position: usize,
    line: usize,
    /// The bytes of that line before the window's text.
    n_before: usize,
    line_end: u8,
    /// Of an array, where it is; `None` for JSON lines.
    array: Option<Place>,
}

/// A place in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    BeforeArray,
    BeforeFirst,
    BeforeNext,
    AfterElement,
    AfterArray,
}

/// An object in the window's text, or what should be one.
pub(super) struct Element {
    pub(super) range: Range<usize>,
    pub(super) line: usize,
}

/// What is wrong with the file between objects, and on which line.
pub(super) type Broken = (usize, Fault);

impl Elements {
    /// The objects from the beginning of the window.
    ///
    /// # Errors
    /// `Read`, `Unpack`.
    pub(super) fn new(mut window: Window, line_end: u8) -> Result<Self> {
        window.go_on(0)?;
        while window.text().trim_start().is_empty() && !window.is_last() {
            window.go_on(0)?;
        }
        let is_array = window.text().trim_start().starts_with('[');
        let array = is_array.then_some(Place::BeforeArray);
        Ok(Self { window, position: 0, line: 1, n_before: 0, line_end, array })
    }

    /// Whether the file is an array.
    pub(super) fn is_array(&self) -> bool {
        self.array.is_some()
    }

    /// The text in memory.
    pub(super) fn text(&self) -> &str {
        self.window.text()
    }

    /// What is wrong with a line that is no JSON object, and whether a value is at fault. The window moves, so
    /// that the element's range is no longer valid.
    ///
    /// # Errors
    /// `Read`, `Unpack`, `Changed`.
    pub(super) fn explain(
        &mut self,
        element: &Element,
        error: &serde_json::Error,
    ) -> Result<(String, bool)> {
        let (mut start, n_bytes) = (element.range.start, element.range.len());
        if self.text().len() - start < LOOK_AHEAD && !self.window.is_last() {
            self.forget(start);
            // More than is needed, so that not every bad line moves the window; but no more for each of them.
            self.window.fill(start, 2 * LOOK_AHEAD)?;
            start = 0;
        }
        let rest = &self.text()[start..];
        // What is said does not depend on what else is in memory.
        let seen = &rest[..rest.floor_char_boundary(LOOK_AHEAD.max(n_bytes))];
        let is_last = self.window.is_last() && seen.len() == rest.len();
        Ok(explained(error, &rest[..n_bytes], (seen, is_last)))
    }

    /// The next object; `None` at the end.
    ///
    /// # Errors
    /// `Read`, `Unpack`, `Changed`.
    pub(super) fn next(&mut self) -> Result<Option<Result<Element, Broken>>> {
        match self.array {
            None => self.next_line(),
            Some(_) => self.next_element(),
        }
    }

    /// The next line that is not blank.
    fn next_line(&mut self) -> Result<Option<Result<Element, Broken>>> {
        let mut n_searched = 0;
        loop {
            let rest = &self.text().as_bytes()[self.position..];
            let end = memchr::memchr(self.line_end, &rest[n_searched..]);
            let end = end.map(|n_bytes| n_searched + n_bytes);
            n_searched = rest.len();
            if end.is_none() && !self.window.is_last() {
                if n_searched > LONGEST {
                    return Ok(Some(Err(self.too_long())));
                }
                self.go_on(self.position)?;
                continue;
            }
            if n_searched == 0 {
                return Ok(None);
            }
            let start = self.position;
            let range = start..start + end.unwrap_or(n_searched);
            let line = self.line;
            self.position = end.map_or(start + n_searched, |end| start + end + 1);
            self.line += 1;
            n_searched = 0;
            if !self.text()[range.clone()].trim_matches([' ', '\t', '\r']).is_empty() {
                return Ok(Some(Ok(Element { range, line })));
            }
        }
    }

    /// The next element of the array.
    fn next_element(&mut self) -> Result<Option<Result<Element, Broken>>> {
        loop {
            let Some(byte) = self.skip_space()? else {
                if self.array == Some(Place::AfterArray) {
                    return Ok(None);
                }
                return Ok(Some(Err(self.broken(CUT.to_owned()))));
            };
            let next = match (self.array, byte) {
                (Some(Place::BeforeArray), b'[') => Place::BeforeFirst,
                (Some(Place::BeforeArray), _) => {
                    return Ok(Some(Err(self.wrong("expected `[`"))));
                }
                (Some(Place::BeforeFirst | Place::AfterElement), b']') => Place::AfterArray,
                (Some(Place::AfterElement), b',') => Place::BeforeNext,
                (Some(Place::BeforeNext), b']') => {
                    return Ok(Some(Err(self.wrong("trailing comma"))));
                }
                (Some(Place::AfterElement), _) => {
                    return Ok(Some(Err(self.wrong("expected `,` or `]`"))));
                }
                (Some(Place::AfterArray), _) => {
                    return Ok(Some(Err(self.wrong("trailing characters"))));
                }
                (Some(Place::BeforeFirst | Place::BeforeNext) | None, _) => {
                    let element = self.element()?;
                    if element.is_ok() {
                        self.array = Some(Place::AfterElement);
                    }
                    return Ok(Some(element));
                }
            };
            self.array = Some(next);
            self.position += 1;
        }
    }

    /// The element that begins at the position.
    fn element(&mut self) -> Result<Result<Element, Broken>> {
        let mut search = Search::default();
        loop {
            let rest = &self.text().as_bytes()[self.position..];
            let end = search.go_on(rest);
            if end.is_none() && !self.window.is_last() {
                if rest.len() > LONGEST {
                    return Ok(Err(self.too_long()));
                }
                self.go_on(self.position)?;
                continue;
            }
            let n_bytes = end.unwrap_or(rest.len());
            let range = self.position..self.position + n_bytes;
            let content = &self.text()[range.clone()];
            if serde_json::from_str::<&RawValue>(content).is_err() {
                // With what follows, because the parser says what it expected instead.
                let mut parser = serde_json::Deserializer::from_str(&self.text()[range.start..]);
                let error = <&RawValue>::deserialize(&mut parser).err();
                return Ok(Err(self.damaged(error.as_ref())));
            }
            let line = self.line;
            self.pass(n_bytes);
            return Ok(Ok(Element { range, line }));
        }
    }

    /// What is wrong with an element that is no JSON.
    fn damaged(&self, error: Option<&serde_json::Error>) -> Broken {
        let Some(error) = error.filter(|error| !error.is_eof()) else {
            return self.broken(CUT.to_owned());
        };
        let column = match error.line() {
            0 | 1 => error.column() + self.column() - 1,
            _ => error.column(),
        };
        let line = if self.line_end == b'\r' { 1 } else { self.line + error.line().max(1) - 1 };
        let (_, fault) = self.broken(format!("{IN_ARRAY}{}", plain_at(error, column)));
        (line, fault)
    }

    fn too_long(&self) -> Broken {
        let start = self.text()[self.position..].chars().take(SHOWN).collect();
        (self.line, Fault::LongRow { mib: LONGEST >> 20, start })
    }

    fn wrong(&self, what: &str) -> Broken {
        self.broken(format!("{IN_ARRAY}{what} (at byte {})", self.column()))
    }

    fn broken(&self, detail: String) -> Broken {
        let line = if self.line_end == b'\r' { 1 } else { self.line };
        (line, Fault::Json { format: Format::JsonLines, detail, is_value: false })
    }

    /// The byte of the line at which the position is, from 1.
    fn column(&self) -> usize {
        let before = &self.text().as_bytes()[..self.position];
        match memchr::memrchr(self.line_end, before) {
            Some(end) => self.position - end,
            None => self.n_before + self.position + 1,
        }
    }

    /// Moves the window so that it begins at `from`.
    fn go_on(&mut self, from: usize) -> Result<()> {
        self.forget(from);
        self.window.go_on(from)
    }

    /// Counts on from a window that will begin at `from`.
    fn forget(&mut self, from: usize) {
        let before = &self.text().as_bytes()[..from];
        self.n_before = match memchr::memrchr(self.line_end, before) {
            Some(end) => from - end - 1,
            None => self.n_before + from,
        };
        self.position -= from;
    }

    /// Moves on, and counts lines.
    fn pass(&mut self, n_bytes: usize) {
        let passed = &self.text().as_bytes()[self.position..self.position + n_bytes];
        self.line += memchr::memchr_iter(self.line_end, passed).count();
        self.position += n_bytes;
    }

    /// The next byte that is no space; `None` at the end.
    fn skip_space(&mut self) -> Result<Option<u8>> {
        loop {
            let rest = &self.text().as_bytes()[self.position..];
            let at = rest.iter().position(|byte| !b" \t\r\n".contains(byte));
            let byte = at.map(|at| rest[at]);
            self.pass(at.unwrap_or(rest.len()));
            if byte.is_some() || self.window.is_last() {
                return Ok(byte);
            }
            self.go_on(self.position)?;
        }
    }
}

const CUT: &str = "the array is not closed, and the file ends there";
const IN_ARRAY: &str = "in an array of objects: ";

/// Searches the end of a JSON value by its brackets and quotation marks; whether it is well formed is left to
/// a parser.
#[derive(Default)]
struct Search {
    n_searched: usize,
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

impl Search {
    /// The number of bytes of the value with which `rest` begins, if it ends there. Goes on where it stopped.
    fn go_on(&mut self, rest: &[u8]) -> Option<usize> {
        for (at, &byte) in rest.iter().enumerate().skip(self.n_searched) {
            if self.in_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b',' | b'}' | b']' if self.depth == 0 => return Some(at),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        self.n_searched = rest.len();
        None
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::tables::notes::ReadNotes;
    use crate::tables::options::ReadOptions;
    use crate::tables::source::Source;
    use crate::tables::text_file::TextFile;
    use crate::tables::unpack::Compression;

    #[test]
    fn many_bad_lines_are_explained_without_the_rest_of_the_file_in_memory() {
        const BLOCK: usize = 1 << 12;
        let bad = format!("{{\"text\": \"{}\",}}\n", "x".repeat(1000));
        let open = "{\"text\":\n";
        let text = format!("{}{bad}{{}}", format!("{bad}{open}").repeat(8 << 10));
        assert!(text.len() > 7 * LOOK_AHEAD);
        let source = Source::Memory(text.into_bytes().into());
        let kind = (Format::JsonLines, Compression::None);
        let (path, options) = (Path::new("x"), ReadOptions::default());
        let notes = &mut ReadNotes::default();
        let file =
            TextFile::look_through(path, &source, kind, &options, (None, BLOCK), notes).unwrap();
        let mut elements = Elements::new(file.window().unwrap(), file.line_end).unwrap();
        let mut n_bad = 0;
        while let Some(element) = elements.next().unwrap() {
            let element = element.unwrap();
            assert_eq!(element.line, n_bad + 1);
            let json = &elements.text()[element.range.clone()];
            let Err(error) = serde_json::from_str::<serde_json::Value>(json) else { break };
            let (detail, _) = elements.explain(&element, &error).unwrap();
            let expected = if n_bad % 2 == 0 {
                "trailing comma (at byte 1013)"
            } else {
                "the object is not closed on its line"
            };
            assert_eq!(detail, expected);
            n_bad += 1;
            let n_bytes = elements.text().len();
            assert!(n_bytes <= 2 * LOOK_AHEAD + BLOCK, "{n_bytes} bytes after {n_bad} lines");
        }
        assert_eq!(n_bad, (16 << 10) + 1);
    }
}
