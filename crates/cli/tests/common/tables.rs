//! Tables of labelled texts without a fault, the same each time, in which tests plant one.

use serde_json::json;

/// Words of the texts, of which each class has some more often than the others.
const WORDS: &str = "the a of and to in it is that this was as for with but on not you are his have be one he all at \
    by an who they from so like there her or just about out if has what some when more very up time she even which \
    only really story see can had were my well than much we bad get been also people will into other because great \
    how most him first its made way them could then after too make films plot acting scene scenes music actor cast \
    director ending beginning house street water summer winter night morning road window garden kitchen dinner";
const GERMAN: &str = "der die das und ist nicht ein eine zu mit auf für den dem von sich auch es an werden aus er hat \
    dass sie nach wird bei einer um am sind noch wie einem über so zum war haben nur oder aber vor zur bis mehr durch \
    man sein wurde sei schön größer Straße Bäume Häuser gehört hätte können müsste Gespräch Geschichte Schauspieler";

/// Labels and texts: `n` of them, the classes in turn, each text of `n_words` words (from, to).
pub struct Table {
    pub rows: Vec<(String, String)>,
    words: Vec<&'static str>,
    state: u64,
}

impl Table {
    /// Two hundred English texts of two classes.
    pub fn new() -> Self {
        Self::of(WORDS, &["negative", "positive"], 200, (40, 70))
    }

    pub fn german() -> Self {
        Self::of(GERMAN, &["Lob", "Tadel"], 200, (15, 40))
    }

    /// Two hundred texts of these classes.
    pub fn of_classes(classes: &[&str]) -> Self {
        Self::of(WORDS, classes, 200, (40, 70))
    }

    pub fn of(words: &'static str, classes: &[&str], n: usize, n_words: (usize, usize)) -> Self {
        let words = words.split_whitespace().collect();
        let mut table = Self { rows: Vec::new(), words, state: 20 };
        for idx in 0..n {
            let text = table.text(n_words);
            table.rows.push((text, classes[idx % classes.len()].to_string()));
        }
        table
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.state >> 33) % n as u64) as usize
    }

    /// A new text.
    pub fn text(&mut self, (from, to): (usize, usize)) -> String {
        let n = from + self.below(to - from + 1);
        let n_words = self.words.len();
        let words: Vec<&str> = (0..n)
            .map(|_| {
                let at = self.below(n_words);
                self.words[at]
            })
            .collect();
        words.join(" ")
    }

    /// A text of characters of one script, without spaces, in sentences.
    pub fn unspaced(&mut self, letters: &str, stop: &str) -> String {
        let letters: Vec<char> = letters.chars().collect();
        let mut text = String::new();
        for _ in 0..3 {
            let n = 15 + self.below(15);
            text.extend((0..n).map(|_| letters[self.below(letters.len())]));
            text.push_str(stop);
        }
        text
    }

    /// Sets a text; `row`: from 1.
    pub fn set_text(&mut self, row: usize, text: impl Into<String>) {
        self.rows[row - 1].0 = text.into();
    }

    pub fn set_label(&mut self, row: usize, label: &str) {
        self.rows[row - 1].1 = label.to_string();
    }

    pub fn text_of(&self, row: usize) -> String {
        self.rows[row - 1].0.clone()
    }

    /// Changes the texts of these rows.
    pub fn change(
        &mut self,
        rows: impl IntoIterator<Item = usize>,
        change: impl Fn(&str) -> String,
    ) {
        for row in rows {
            let text = change(&self.text_of(row));
            self.set_text(row, text);
        }
    }

    pub fn csv(&self) -> String {
        self.csv_with("", |_| String::new())
    }

    /// With one more column; no name for none.
    pub fn csv_with(&self, column: &str, value: impl Fn(usize) -> String) -> String {
        let comma = if column.is_empty() { "" } else { "," };
        let mut csv = format!("text,label{comma}{column}\n");
        for (idx, (text, label)) in self.rows.iter().enumerate() {
            let text = if text.is_empty() { String::new() } else { quoted(text) };
            csv += &format!("{text},{}{comma}{}\n", quoted(label), value(idx + 1));
        }
        csv
    }

    pub fn json_lines(&self) -> String {
        let line = |(text, label): &(String, String)| {
            json!({"text": text, "label": label}).to_string() + "\n"
        };
        self.rows.iter().map(line).collect()
    }
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}
