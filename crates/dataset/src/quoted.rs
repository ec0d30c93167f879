//! The words of a label map, in quotation marks where they would mean something else.

use std::fmt;

/// The words with a meaning of their own; as names they are written in quotation marks.
pub(crate) const SKIP: &str = "skip";
pub(crate) const KEEP: &str = "keep";
pub(crate) const REST: &str = "*";

/// A value or name, in quotation marks if it needs them.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.0;
        let is_special =
            [SKIP, KEEP, REST].iter().any(|special| word.eq_ignore_ascii_case(special));
        if word.is_empty()
            || is_special
            || word != word.trim()
            || word.contains([',', ';', '=', '"'])
        {
            write!(f, "\"{}\"", word.replace('"', "\"\""))
        } else {
            f.write_str(word)
        }
    }
}
