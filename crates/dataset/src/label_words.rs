//! The words and numbers that stand for one of the two usual classes, `negative` and `positive`.

/// The longest word that may stand for a class.
const LONGEST_WORD: usize = 8;

/// The usual class that a word or number stands for, ignoring case and surrounding spaces: 0 for `negative`, 1 for
/// `positive`. Other classes are known only by their names ([`Classes`](crate::Classes)).
///
/// Numbers must be exactly 0 or 1, in any notation (`1.0`, `01`, `+1`, `1.0e+00`).
///
/// ```
/// assert_eq!(dataset::parse_label(" Pos "), Some(1));
/// assert_eq!(dataset::parse_label("0.0"), Some(0));
/// assert_eq!(dataset::parse_label("no"), Some(0));
/// assert_eq!(dataset::parse_label("neutral"), None);
/// assert_eq!(dataset::parse_label("1e-400"), None);
/// ```
pub fn parse_label(word: &str) -> Option<u8> {
    match Written::word(word) {
        Written::Label(label) => Some(label),
        Written::MinusOne | Written::Unknown => None,
    }
}

/// What a word in a label column stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Label(u8),
    /// -1: negative if the column has no 0, otherwise unknown.
    MinusOne,
    Unknown,
}

impl Written {
    pub(crate) fn word(word: &str) -> Self {
        match word {
            "0" | "negative" => return Self::Label(0),
            "1" | "positive" => return Self::Label(1),
            _ => {}
        }
        let word = word.trim();
        let number = Self::number(word);
        if number != Self::Unknown || word.len() > LONGEST_WORD {
            return number;
        }
        match word.to_ascii_lowercase().as_str() {
            "neg" | "negative" | "false" | "f" | "no" | "n" => Self::Label(0),
            "pos" | "positive" | "true" | "t" | "yes" | "y" => Self::Label(1),
            _ => Self::Unknown,
        }
    }

    /// Reads a number digit by digit, so that nothing is rounded to 0 or 1.
    fn number(digits: &str) -> Self {
        let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent),
            None => (digits, "0"),
        };
        let is_zero = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte == b'0');
        let magnitude = unsigned(mantissa);
        let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, "0"));
        if !is_zero(unsigned(exponent)) || !(fraction.is_empty() || is_zero(fraction)) {
            return Self::Unknown;
        }
        let is_one =
            || whole.strip_suffix('1').is_some_and(|rest| rest.is_empty() || is_zero(rest));
        match mantissa.starts_with('-') {
            _ if is_zero(whole) => Self::Label(0),
            false if is_one() => Self::Label(1),
            true if is_one() => Self::MinusOne,
            _ => Self::Unknown,
        }
    }
}

/// A number without its sign.
fn unsigned(digits: &str) -> &str {
    digits.strip_prefix(['+', '-']).unwrap_or(digits)
}
