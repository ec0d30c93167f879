//! Converts cells of JSON text for other formats.

use std::borrow::Cow;

use polars::prelude::{
    BooleanChunked, Column, DataType, Float64Chunked, Int64Chunked, IntoColumn, NewChunkedArray,
    PolarsResult, StringChunked,
};

use super::strings;

const NULL: &str = "null";

/// Strings without quotes and escapes, `null` as null, everything else as JSON text.
pub(super) fn to_strings(column: &Column) -> PolarsResult<Column> {
    let texts = strings(column)?;
    let cells = texts.iter().map(|cell| cell.and_then(plain));
    Ok(StringChunked::from_iter_options(column.name().clone(), cells).into_column())
}

/// The column as integers, booleans, floats or strings if all its values are of such a kind, so that no
/// digit is lost; otherwise as strings of JSON. Absent values and `null` become null.
pub(super) fn to_typed(column: &Column, kind: Option<Kind>) -> PolarsResult<Column> {
    let texts = strings(column)?;
    let values = || texts.iter().map(|cell| cell.filter(|&json| json != NULL));
    let name = column.name().clone();
    let typed = match kind {
        None => Column::full_null(name, column.len(), &DataType::String),
        Some(Kind::Integer { .. }) => {
            let numbers = values().map(|cell| cell.and_then(|json| json.parse().ok()));
            Int64Chunked::from_iter_options(name, numbers).into_column()
        }
        Some(Kind::Float) => {
            let numbers = values().map(|cell| cell.and_then(exact_float));
            Float64Chunked::from_iter_options(name, numbers).into_column()
        }
        Some(Kind::Flag) => {
            let flags = values().map(|cell| cell.map(|json| json == "true"));
            BooleanChunked::from_iter_options(name, flags).into_column()
        }
        Some(Kind::String) => to_strings(column)?,
        Some(Kind::Other) => StringChunked::from_iter_options(name, values()).into_column(),
    };
    Ok(typed)
}

/// The value of a JSON text in a format of plain strings.
pub(crate) fn plain(json: &str) -> Option<Cow<'_, str>> {
    let Some(rest) = json.strip_prefix('"') else {
        return (json != NULL).then_some(Cow::Borrowed(json));
    };
    match rest.strip_suffix('"') {
        Some(content) if memchr::memchr(b'\\', content.as_bytes()).is_none() => {
            Some(Cow::Borrowed(content))
        }
        // The reader accepted only complete JSON values.
        _ => Some(serde_json::from_str(json).map_or(Cow::Borrowed(json), Cow::Owned)),
    }
}

/// The type of a column of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Fits `i64`.
    Integer {
        /// Whether `f64` can also hold it exactly.
        as_float: bool,
    },
    /// A number whose digits survive a round trip through `f64`.
    Float,
    Flag,
    String,
    /// Lists, objects, numbers with too many digits; mixed kinds.
    Other,
}

impl Kind {
    /// The kind of all values of a column, of which `before` is that of those before; `null` has none.
    pub(crate) fn with(before: Option<Self>, json: &str) -> Option<Self> {
        match before {
            _ if json == NULL => before,
            Some(Self::Other) => before,
            Some(before) => Some(before.joined(Self::of(json))),
            None => Some(Self::of(json)),
        }
    }

    fn of(json: &str) -> Self {
        match json.as_bytes().first() {
            Some(b'"') => Self::String,
            Some(b't' | b'f') => Self::Flag,
            Some(b'-' | b'0'..=b'9') => {
                // `-0` has a sign, which an integer zero lacks.
                if json != "-0"
                    && let Ok(number) = json.parse::<i64>()
                {
                    const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
                    return Self::Integer { as_float: number.unsigned_abs() <= EXACT };
                }
                if exact_float(json).is_some() { Self::Float } else { Self::Other }
            }
            _ => Self::Other,
        }
    }

    pub(crate) fn joined(self, other: Self) -> Self {
        use Kind::{Float, Integer, Other};
        match (self, other) {
            (Integer { as_float: a }, Integer { as_float: b }) => Integer { as_float: a && b },
            (Integer { as_float: true }, Float) | (Float, Integer { as_float: true }) => Float,
            (a, b) if a == b => a,
            _ => Other,
        }
    }
}

/// The number, if its shortest `f64` representation has the same value as the text.
fn exact_float(json: &str) -> Option<f64> {
    let number: f64 = json.parse().ok()?;
    let same = number.is_finite() && Decimal::of(json)? == Decimal::of(&format!("{number:e}"))?;
    same.then_some(number)
}

/// A decimal number, independent of notation: `0.` followed by `digits`, times 10 to the exponent.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    /// Without zeros at either end.
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// `None` if the exponent does not fit an `i32`.
    fn of(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, mantissa) =
            mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let n_leading = all.iter().take_while(|&&digit| digit == b'0').count();
        let n_trailing = all[n_leading..].iter().rev().take_while(|&&d| d == b'0').count();
        let digits = all[n_leading..all.len() - n_trailing].to_vec();
        let exponent = if digits.is_empty() {
            0
        } else {
            i64::from(exponent) + whole.len() as i64 - n_leading as i64
        };
        Some(Self { negative, digits, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(cells: &[Option<&str>]) -> (Column, bool) {
        let kind = cells.iter().flatten().fold(None, |kind, json| Kind::with(kind, json));
        (to_typed(&Column::new("c".into(), cells), kind).unwrap(), kind == Some(Kind::Other))
    }

    #[test]
    fn floats_are_taken_only_with_all_their_digits() {
        for exact in ["0", "-0", "-0.0", "1.50", "1e3", "1E+3", "0.1", "1200e-2", "5e-324"] {
            let number = exact_float(exact);
            assert_eq!(number, exact.parse().ok(), "{exact}");
            assert_eq!(number.map(f64::is_sign_negative), Some(exact.starts_with('-')), "{exact}");
        }
        for lossy in ["0.1000000000000000055", "9007199254740993", "1e400", "1e-400"] {
            assert_eq!(exact_float(lossy), None, "{lossy}");
        }
        assert_eq!(exact_float(&format!("1e-{}", "9".repeat(30))), None);
    }

    #[test]
    fn a_column_of_one_kind_gets_its_type() {
        let cases: [(&[Option<&str>], DataType); 7] = [
            (&[Some("1"), None, Some("null"), Some("-9223372036854775808")], DataType::Int64),
            (&[Some("1"), Some("2.5")], DataType::Float64),
            (&[Some("-0")], DataType::Float64),
            (&[Some("true"), Some("false")], DataType::Boolean),
            (&[Some("\"a\\u0301\\n\""), Some("\"\"")], DataType::String),
            (&[None, Some("null")], DataType::String),
            (&[], DataType::String),
        ];
        for (cells, expected) in cases {
            let (column, as_json) = typed(cells);
            assert_eq!(*column.dtype(), expected, "{cells:?}");
            assert!(!as_json, "{cells:?}");
        }
        let (column, _) = typed(&[Some("\"a\\u0301\\n\""), Some("null"), Some("\"\"")]);
        let texts: Vec<Option<&str>> = column.str().unwrap().iter().collect();
        assert_eq!(texts, [Some("a\u{301}\n"), None, Some("")]);
    }

    #[test]
    fn everything_else_keeps_its_json_text() {
        let cases: [&[&str]; 6] = [
            &["1", "\"1\""],
            &["true", "0"],
            &["[1, 2]", "{\"a\": 1}"],
            &["9223372036854775808"],
            &["9007199254740993", "0.5"],
            &["0.1000000000000000055"],
        ];
        for cells in cases {
            let all: Vec<Option<&str>> = cells.iter().copied().map(Some).chain([None]).collect();
            let (column, as_json) = typed(&all);
            assert!(as_json, "{cells:?}");
            assert_eq!(column.str().unwrap().iter().collect::<Vec<_>>(), all);
        }
    }
}
