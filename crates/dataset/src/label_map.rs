//! Maps the values of a label column to classes: `1,2=negative; 3=skip; 4,5=positive`.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::label_key::Key;
use crate::quoted::{KEEP, Quoted, REST, SKIP};

/// What the values of a label column stand for.
///
/// Written as values, `=` and the name of a class, separated by semicolons. Several values are separated
/// by commas. The name `skip` leaves out the rows with these values; `*=skip` and `*=keep` say what
/// happens to all other values. Names and values with `,`, `;`, `=` or quotation marks are written in
/// quotation marks, which are doubled inside them.
///
/// ```
/// use dataset::LabelMap;
///
/// let map: LabelMap = "1,2 = negative; 3 = skip; 4,5 = positive".parse()?;
/// assert_eq!(map.to_string(), "1,2=negative; 3=skip; 4,5=positive");
/// assert!("1,2".parse::<LabelMap>().is_err());
/// # Ok::<(), dataset::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabelMap {
    rules: Vec<Rule>,
    rest: Option<Rest>,
}

/// Values, and what they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    values: Vec<String>,
    /// `None`: rows with these values are left out.
    name: Option<String>,
}

/// What happens to all values that are not named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Skip,
    Keep,
}

/// What a map says about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mapped<'a> {
    /// It stands for the class with this name.
    Name(&'a str),
    /// Its rows are left out.
    Skip,
    /// It stays as it is.
    Keep,
    /// The map does not say.
    Unknown,
}

impl LabelMap {
    /// The names of the classes, in the order in which they are first mentioned.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.rules.iter().filter_map(|rule| rule.name.as_deref()) {
            if !names.iter().any(|known| Key::of(known) == Key::of(name)) {
                names.push(name);
            }
        }
        names
    }

    /// The values that the map names.
    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().flat_map(|rule| &rule.values).map(String::as_str)
    }

    /// Prepares looking up values.
    pub(crate) fn lookup(&self) -> Lookup<'_> {
        let mut of = HashMap::new();
        let names = self.names();
        for rule in &self.rules {
            let mapped = match &rule.name {
                Some(name) => Mapped::Name(first_spelling(&names, name)),
                None => Mapped::Skip,
            };
            of.extend(rule.values.iter().map(|value| (Key::of(value), mapped)));
        }
        // The left side decides about a value that is also a name.
        for name in names {
            of.entry(Key::of(name)).or_insert(Mapped::Name(name));
        }
        let rest = match self.rest {
            Some(Rest::Skip) => Mapped::Skip,
            Some(Rest::Keep) => Mapped::Keep,
            None => Mapped::Unknown,
        };
        Lookup { of, rest }
    }
}

fn first_spelling<'a>(names: &[&'a str], name: &'a str) -> &'a str {
    names.iter().copied().find(|known| Key::of(known) == Key::of(name)).unwrap_or(name)
}

/// A map, ready for many values.
pub(crate) struct Lookup<'a> {
    of: HashMap<Key, Mapped<'a>>,
    rest: Mapped<'a>,
}

impl<'a> Lookup<'a> {
    /// What the map says about a value.
    pub(crate) fn of(&self, value: &str) -> Mapped<'a> {
        self.named(value).unwrap_or(self.rest)
    }

    /// What the map says about a value that it names.
    pub(crate) fn named(&self, value: &str) -> Option<Mapped<'a>> {
        self.of.get(&Key::of(value)).copied()
    }
}

impl fmt::Display for LabelMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for Rule { values, name } in &self.rules {
            f.write_str(between)?;
            between = "; ";
            for (idx, value) in values.iter().enumerate() {
                write!(f, "{}{}", if idx == 0 { "" } else { "," }, Quoted(value))?;
            }
            match name {
                Some(name) => write!(f, "={}", Quoted(name))?,
                None => write!(f, "={SKIP}")?,
            }
        }
        match self.rest {
            Some(Rest::Skip) => write!(f, "{between}{REST}={SKIP}"),
            Some(Rest::Keep) => write!(f, "{between}{REST}={KEEP}"),
            None => Ok(()),
        }
    }
}

/// A part of a map as written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Comma,
    Semicolon,
    Equals,
    Word(String),
    /// Written in quotation marks, so never a special word.
    Quoted(String),
}

/// Cuts a map into its parts; the message says which part is wrong.
fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, n_bytes) = match first {
            ',' => (Token::Comma, 1),
            ';' => (Token::Semicolon, 1),
            '=' => (Token::Equals, 1),
            '"' => {
                let n_bytes = quoted_len(rest)
                    .ok_or_else(|| format!("the quotation mark before {rest} is never closed"))?;
                let inner = rest.get(1..n_bytes - 1).unwrap_or_default();
                (Token::Quoted(inner.replace("\"\"", "\"")), n_bytes)
            }
            _ => {
                let n_bytes = rest.find([',', ';', '=', '"']).unwrap_or(rest.len());
                let word = rest.get(..n_bytes).unwrap_or_default().trim();
                (Token::Word(word.to_owned()), n_bytes)
            }
        };
        tokens.push(token);
        rest = rest.get(n_bytes..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

/// The length in bytes of the quoted word that a text begins with.
fn quoted_len(text: &str) -> Option<usize> {
    let mut from = 1;
    loop {
        let mark = from + text.get(from..)?.find('"')?;
        if text.get(mark + 1..)?.starts_with('"') {
            from = mark + 2;
        } else {
            return Some(mark + 1);
        }
    }
}

impl FromStr for LabelMap {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parsed(text).map_err(|detail| Error::LabelMap { map: text.to_owned(), detail })
    }
}

fn parsed(text: &str) -> Result<LabelMap, String> {
    let tokens = tokens(text)?;
    let mut map = LabelMap { rules: Vec::new(), rest: None };
    let mut seen = HashMap::new();
    for part in tokens.split(|token| *token == Token::Semicolon) {
        if part.is_empty() {
            continue;
        }
        let shown = shown(part);
        let mut sides = part.split(|token| *token == Token::Equals);
        let (Some(left), Some(right), None) = (sides.next(), sides.next(), sides.next()) else {
            return Err(format!("\"{shown}\" is not of the form values=name"));
        };
        let target = match right {
            [word @ (Token::Word(_) | Token::Quoted(_))] => word,
            [] => return Err(format!("\"{shown}\" has no name after \"=\"")),
            _ => return Err(format!("\"{shown}\" has several names after \"=\"")),
        };
        if left == [Token::Word(REST.to_owned())] {
            let rest = match target {
                Token::Word(word) if word.eq_ignore_ascii_case(SKIP) => Rest::Skip,
                Token::Word(word) if word.eq_ignore_ascii_case(KEEP) => Rest::Keep,
                _ => return Err(format!("\"{shown}\": \"*\" can only be skip or keep")),
            };
            if map.rest.replace(rest).is_some() {
                return Err("\"*\" is named twice".to_owned());
            }
            continue;
        }
        let name = match target {
            Token::Word(word) if word.eq_ignore_ascii_case(SKIP) => None,
            Token::Word(word) if word.eq_ignore_ascii_case(KEEP) => {
                return Err(format!("\"{shown}\": only \"*\" can be keep; write a name"));
            }
            Token::Word(word) if word == REST => {
                return Err(format!("\"{shown}\": \"*\" is not a name"));
            }
            Token::Word(word) | Token::Quoted(word) if word.trim().is_empty() => {
                return Err(format!("\"{shown}\" has no name after \"=\""));
            }
            Token::Word(word) | Token::Quoted(word) => Some(word.trim().to_owned()),
            _ => return Err(format!("\"{shown}\" is not of the form values=name")),
        };
        let mut values = Vec::new();
        for value in left.split(|token| *token == Token::Comma) {
            let value = match value {
                [Token::Word(word)] if word == REST => {
                    return Err(format!("\"{shown}\": \"*\" must stand alone"));
                }
                [Token::Word(word) | Token::Quoted(word)] => word.trim().to_owned(),
                [] => return Err(format!("\"{shown}\" has no value between its commas")),
                _ => return Err(format!("\"{shown}\" needs a comma between its values")),
            };
            if seen.insert(Key::of(&value), ()).is_some() {
                return Err(format!("the value \"{value}\" is named twice"));
            }
            values.push(value);
        }
        map.rules.push(Rule { values, name });
    }
    if map.rules.is_empty() && map.rest != Some(Rest::Keep) {
        return Err("it names no value".to_owned());
    }
    Ok(map)
}

/// A part of a map as the user may have written it.
fn shown(part: &[Token]) -> String {
    let one = |token: &Token| match token {
        Token::Comma => ",".to_owned(),
        Token::Semicolon => ";".to_owned(),
        Token::Equals => "=".to_owned(),
        Token::Word(word) => word.clone(),
        Token::Quoted(word) => format!("\"{word}\""),
    };
    part.iter().map(one).collect()
}

impl TryFrom<String> for LabelMap {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<LabelMap> for String {
    fn from(map: LabelMap) -> Self {
        map.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map(text: &str) -> LabelMap {
        text.parse().unwrap()
    }

    #[test]
    fn values_are_compared_without_case_and_numbers_by_value() {
        let map = map("1,2=negative; 3=skip; 4.0, Five = Positive; positive=negative");
        let lookup = map.lookup();
        for (value, expected) in [
            ("1.0", Mapped::Name("negative")),
            ("02", Mapped::Name("negative")),
            ("3", Mapped::Skip),
            ("4", Mapped::Name("Positive")),
            ("fIVE", Mapped::Name("Positive")),
            ("NEGATIVE", Mapped::Name("negative")),
            ("positive", Mapped::Name("negative")),
            ("6", Mapped::Unknown),
        ] {
            assert_eq!(lookup.of(value), expected, "{value}");
        }
        assert_eq!(map.names(), ["negative", "Positive"]);
    }

    #[test]
    fn all_other_values_can_be_kept_or_skipped() {
        assert_eq!(map("3=skip; *=keep").lookup().of("x"), Mapped::Keep);
        assert_eq!(map("3=x; *=skip").lookup().of("y"), Mapped::Skip);
        assert_eq!(map("3=x; *=skip").lookup().of("X"), Mapped::Name("x"));
        assert_eq!(map("\"*\"=\"skip\"; *=keep").lookup().of("*"), Mapped::Name("skip"));
    }

    #[test]
    fn names_may_hold_any_character() {
        let map = map("\"a,b\"=\"x;\"\"y\"\"\";\"=\" = z;");
        assert_eq!(map.lookup().of("A,B"), Mapped::Name("x;\"y\""));
        assert_eq!(map.lookup().of("="), Mapped::Name("z"));
        assert_eq!(map.to_string(), "\"a,b\"=\"x;\"\"y\"\"\"; \"=\"=z");
    }

    #[test]
    fn what_is_wrong_is_said_with_the_part() {
        for (text, expected) in [
            ("1,2", "\"1,2\" is not of the form values=name"),
            ("1=a=b", "\"1=a=b\" is not of the form values=name"),
            ("1=", "\"1=\" has no name after \"=\""),
            ("1=a,b", "\"1=a,b\" has several names after \"=\""),
            ("=a", "\"=a\" has no value between its commas"),
            ("1,,2=a", "\"1,,2=a\" has no value between its commas"),
            ("1=a; 1.0=b", "the value \"1.0\" is named twice"),
            ("*=x", "\"*=x\": \"*\" can only be skip or keep"),
            ("*=skip; *=keep", "\"*\" is named twice"),
            ("1,*=a", "\"1,*=a\": \"*\" must stand alone"),
            ("1=keep", "\"1=keep\": only \"*\" can be keep; write a name"),
            ("1=*", "\"1=*\": \"*\" is not a name"),
            ("\"1=a", "the quotation mark before \"1=a is never closed"),
            ("\"1\"2=a", "\"\"1\"2=a\" needs a comma between its values"),
            ("", "it names no value"),
            ("*=skip", "it names no value"),
            (" ; ", "it names no value"),
        ] {
            let message = text.parse::<LabelMap>().unwrap_err().to_string();
            assert!(message.ends_with(expected), "{text}: {message}");
        }
    }

    #[test]
    fn a_map_is_kept_as_its_text() {
        let json = serde_json::to_string(&map("1=a;2=b")).unwrap();
        assert_eq!(json, "\"1=a; 2=b\"");
        assert_eq!(serde_json::from_str::<LabelMap>(&json).unwrap(), map("1=a;2=b"));
        assert!(serde_json::from_str::<LabelMap>("\"1\"").is_err());
    }

    /// Words of letters, marks with a meaning, and spaces inside.
    fn word() -> impl Strategy<Value = String> {
        let words = ["skip", "keep", "*", "Skip", "a", "é", "1.0"].map(str::to_owned).to_vec();
        prop_oneof![prop::sample::select(words), "[a-c,;=\"* ]{1,6}"]
            .prop_map(|word| word.trim().to_owned())
            .prop_filter("a name", |word| !word.is_empty())
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(
            rules in prop::collection::vec((prop::collection::vec(word(), 1..4), prop::option::of(word())), 1..5),
            rest in prop_oneof![Just(None), Just(Some(Rest::Skip)), Just(Some(Rest::Keep))],
        ) {
            let mut seen = std::collections::HashSet::new();
            let rules: Vec<Rule> = rules
                .into_iter()
                .map(|(values, name)| {
                    let fresh = values.into_iter().filter(|value| seen.insert(Key::of(value)));
                    Rule { values: fresh.collect(), name }
                })
                .filter(|rule| !rule.values.is_empty())
                .collect();
            let map = LabelMap { rules, rest };
            prop_assert_eq!(map.to_string().parse::<LabelMap>().unwrap(), map);
        }

        #[test]
        fn no_text_makes_the_reader_fail(text in "[a1,;=\"* é]{0,20}") {
            if let Ok(map) = text.parse::<LabelMap>() {
                prop_assert_eq!(map.to_string().parse::<LabelMap>().unwrap(), map);
            }
        }
    }
}
