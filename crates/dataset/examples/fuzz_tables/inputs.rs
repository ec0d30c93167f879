//! Tables in one format, damaged in many ways; each depends only on the seed and its number.

use std::path::Path;

use dataset::{Format, Quoting, ReadOptions, Separator};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The text column.
pub(crate) const TEXT: &str = "text";

/// One input.
pub(crate) struct Input {
    pub(crate) bytes: Vec<u8>,
    pub(crate) options: ReadOptions,
}

/// Generates inputs by number.
pub(crate) struct Inputs {
    format: Format,
    seed: u64,
    /// Files to start from: the smaller golden ones.
    files: Vec<Vec<u8>>,
}

/// Tokens that are inserted into tables, or that damage them.
const TOKENS: [&[u8]; 56] = [
    b"\"",
    b"\"\"",
    b"\"\"\"",
    b",",
    b";",
    b"|",
    b"\t",
    b"\n",
    b"\r",
    b"\r\n",
    b"\r\r\n",
    b"\n\n",
    b"\0",
    b"\\",
    b"\\\"",
    b"\\n",
    b"\\u0000",
    b"\\ud800",
    b"\\ud83d\\ude00",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"'",
    b"#",
    b"# c\n",
    b"sep=;\n",
    b" ",
    b"  ",
    b"a",
    b"text",
    b"text,label\n",
    b"\"text\"",
    b"1",
    b"-0",
    b"1e5",
    b"1.50",
    b"123456789012345678901234567890",
    b"null",
    b"true",
    b"NaN",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xc3",
    b"\xc3\xa9",
    b"\xf0\x9f\x98\x80",
    b"e\xcc\x81",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"\xc2\xa0",
    b"\xff",
    b"{\"text\": \"x\"}\n",
    b"\",\n\"",
    b",\"",
    b"\x1b",
];

/// Pieces of texts.
const PIECES: [&str; 24] = [
    "a", "film", "good", " ", "é", "😀", "e\u{301}", "\"", "\"\"", ",", ";", "|", "\t", "\n",
    "\r\n", "\r", "\\", "\\\"", "#", "'", "1", "\u{2028}", "\u{a0}", "{",
];

const BIGGEST_FILE: usize = 6000;

impl Inputs {
    pub(crate) fn new(format: Format, seed: u64) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let name = path.to_string_lossy();
                let is_packed = name.ends_with(".gz") || name.ends_with(".zst");
                !is_packed && Format::of(path).ok() == Some(format)
            })
            .collect();
        // The system lists them in arbitrary order.
        paths.sort();
        let files: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
        Self { format, seed, files: files.into_iter().filter(|f| f.len() < BIGGEST_FILE).collect() }
    }

    pub(crate) fn make(&self, number: u64) -> Input {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(number);
        let mut random = Random(rng);
        let mut options = ReadOptions::default();
        let takes_file = self.format == Format::Parquet || random.one_in(16);
        let mut bytes = if takes_file {
            random.pick(&self.files).clone()
        } else if self.format == Format::JsonLines {
            random.json()
        } else {
            let is_tsv = self.format == Format::Tsv;
            let separator = if random.one_in(8) {
                *random.pick(b",;\t|")
            } else if is_tsv {
                b'\t'
            } else {
                b','
            };
            if random.one_in(8) {
                options.separator = Separator::named(&char::from(separator).to_string()).ok();
            }
            if random.one_in(8) {
                options.quoting = *random.pick(&[Quoting::Standard, Quoting::Literal]);
            }
            random.csv(separator)
        };
        for _ in 0..random.below(5) {
            random.damage(&mut bytes, self.format);
        }
        Input { bytes, options }
    }
}

struct Random(ChaCha8Rng);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % n.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }

    fn text(&mut self) -> String {
        (0..self.below(6)).map(|_| *self.pick(&PIECES)).collect()
    }

    /// A table that is well formed or nearly so: fields that need quotation marks mostly have them.
    fn csv(&mut self, separator: u8) -> Vec<u8> {
        let (n_columns, n_rows) = (1 + self.below(4), 1 + self.below(6));
        let text_idx = self.below(n_columns);
        let end: &[u8] = self.pick::<&[u8]>(&[b"\n", b"\n", b"\r\n", b"\r\n", b"\r"]);
        let quotes_all = self.one_in(4);
        let mut bytes = Vec::new();
        if self.one_in(20) {
            bytes.extend_from_slice(self.pick::<&[u8]>(&TOKENS));
        }
        for row in 0..=n_rows {
            for column in 0..n_columns {
                if column > 0 {
                    bytes.push(separator);
                }
                let value = match (row, column == text_idx) {
                    (0, true) => TEXT.to_owned(),
                    (0, false) => format!("c{column}"),
                    _ => self.text(),
                };
                let needs = value.bytes().any(|b| b == separator || b"\"\r\n".contains(&b));
                if quotes_all || (needs && !self.one_in(30)) || self.one_in(20) {
                    bytes.push(b'"');
                    bytes.extend_from_slice(value.replace('"', "\"\"").as_bytes());
                    bytes.push(b'"');
                } else {
                    bytes.extend_from_slice(value.as_bytes());
                }
            }
            if row < n_rows || !self.one_in(8) {
                bytes.extend_from_slice(end);
            }
        }
        bytes
    }

    fn json(&mut self) -> Vec<u8> {
        let (n_columns, n_rows) = (1 + self.below(4), 1 + self.below(5));
        let is_array = self.one_in(6);
        let mut rows = Vec::new();
        for _ in 0..n_rows {
            let mut members = Vec::new();
            for column in 0..n_columns {
                let (name, value) = match column {
                    0 => (TEXT.to_owned(), self.text().into()),
                    _ if self.one_in(8) => continue,
                    _ => (format!("c{column}"), self.json_value(2)),
                };
                let value = serde_json::to_string(&value).unwrap();
                let space = *self.pick(&["", "", " ", "\t"]);
                members.push(format!("\"{name}\"{space}:{space}{value}"));
            }
            rows.push(format!("{{{}}}", members.join(*self.pick(&[",", ", "]))));
        }
        let text = if is_array {
            format!("[{}]", rows.join(*self.pick(&[",", ",\n", " , "])))
        } else {
            rows.join(*self.pick(&["\n", "\r\n", "\n\n"])) + "\n"
        };
        text.into_bytes()
    }

    fn json_value(&mut self, depth: usize) -> serde_json::Value {
        match self.below(if depth > 0 { 9 } else { 6 }) {
            0 => serde_json::Value::Null,
            1 => self.one_in(2).into(),
            2 => (self.0.next_u64() as i64 >> self.below(64)).into(),
            3 => f64::from_bits(self.0.next_u64()).into(),
            4 | 5 => self.text().into(),
            6 | 7 => (0..self.below(3)).map(|_| self.json_value(depth - 1)).collect(),
            _ => serde_json::json!({ self.text(): self.json_value(depth - 1) }),
        }
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, format: Format) {
        // Readers trust the footer at the end of a Parquet file.
        let at = if format == Format::Parquet && self.one_in(2) {
            bytes.len().saturating_sub(1 + self.below(800))
        } else {
            self.below(bytes.len() + 1)
        };
        match self.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.0.next_u64() as u8,
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => {
                let end = (at + 1 + self.below(20)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 if self.one_in(3) => bytes.truncate(at),
            5 if self.one_in(3) => {
                let run = vec![bytes.get(at).copied().unwrap_or(b'"'); 1 + self.below(300)];
                bytes.splice(at..at, run);
            }
            6 => {
                let end = (at + 1 + self.below(40)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = self.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            _ if format == Format::Parquet => {
                let n = 1 + self.below(4);
                for byte in bytes.iter_mut().skip(at).take(n) {
                    *byte = *self.pick(&[0, 1, 0x7f, 0x80, 0xff]);
                }
            }
            _ => {
                let token = *self.pick(&TOKENS);
                bytes.splice(at..at, token.iter().copied());
            }
        }
    }
}
