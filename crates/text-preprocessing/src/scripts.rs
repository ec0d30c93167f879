//! Which scripts texts are written in: a model knows little about texts in another script than those that it learned
//! from.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;
use unicode_script::{Script, UnicodeScript as _};

/// Number of letters of each script, by its Unicode name: `Latin`, `Cyrillic`, `Han`.
///
/// Letters that several scripts share do not count (Unicode's `Common` and `Inherited`).
///
/// ```
/// let counts = text_preprocessing::script_counts(&["Zwei Bäume!", "два"]);
/// assert_eq!(counts["Latin"], 9);
/// assert_eq!(counts["Cyrillic"], 3);
/// ```
#[must_use]
pub fn script_counts<S: AsRef<str> + Sync>(texts: &[S]) -> BTreeMap<String, usize> {
    let add = |mut counts: HashMap<Script, usize>, text: &S| {
        count(text.as_ref(), &mut counts);
        counts
    };
    let counts = texts.par_iter().fold(HashMap::new, add).reduce(HashMap::new, |mut all, more| {
        more.into_iter().for_each(|(script, n)| *all.entry(script).or_default() += n);
        all
    });
    counts.into_iter().map(|(script, n)| (script.full_name().to_string(), n)).collect()
}

fn count(text: &str, counts: &mut HashMap<Script, usize>) {
    let n_latin = text.bytes().filter(u8::is_ascii_alphabetic).count();
    if n_latin > 0 {
        *counts.entry(Script::Latin).or_default() += n_latin;
    }
    if text.is_ascii() {
        return;
    }
    for letter in text.chars().filter(|c| !c.is_ascii() && c.is_alphabetic()) {
        match letter.script() {
            Script::Common | Script::Inherited | Script::Unknown => {}
            script => *counts.entry(script).or_default() += 1,
        }
    }
}
