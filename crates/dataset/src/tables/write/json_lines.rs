//! Writes JSON lines: one object per row, on one line.
//!
//! A value that was read as JSON is written unchanged, including its digits and escapes, and a key that
//! an object lacked stays absent. Numbers of other tables get the fewest digits that round-trip; NaN and
//! infinities, which JSON lacks, become `null`.

use std::io::Write;

use polars::prelude::{
    BooleanChunked, Column, DataType, Float32Chunked, Float64Chunked, Int64Chunked, PolarsResult,
    StringChunked, UInt64Chunked,
};

use super::{Change, OutColumn, strings, times};
use crate::tables::Cells;

/// Bytes encoded before they are written.
const BUFFER_BYTES: usize = 1 << 16;

pub(super) fn write(columns: &[OutColumn], sink: &mut dyn Write) -> PolarsResult<Vec<Change>> {
    let n_rows = columns.first().map_or(0, |column| column.column.len());
    let mut members = columns.iter().map(Member::new).collect::<PolarsResult<Vec<_>>>()?;
    let mut buffer = Vec::with_capacity(2 * BUFFER_BYTES);
    for row in 0..n_rows {
        buffer.push(b'{');
        let mut is_first = true;
        for member in &mut members {
            if matches!(&member.values, Values::Json(texts) if texts.get(row).is_none()) {
                continue;
            }
            if !is_first {
                buffer.push(b',');
            }
            is_first = false;
            buffer.extend_from_slice(&member.key);
            member.push_value(row, &mut buffer)?;
        }
        buffer.extend_from_slice(b"}\n");
        if buffer.len() >= BUFFER_BYTES {
            sink.write_all(&buffer)?;
            buffer.clear();
        }
    }
    sink.write_all(&buffer)?;
    let changed = members.into_iter().zip(columns).filter(|(member, _)| member.n_not_finite > 0);
    Ok(changed
        .map(|(member, column)| Change::NotFinite {
            column: column.name().to_owned(),
            n_cells: member.n_not_finite,
        })
        .collect())
}

/// A column, ready for look-up by row.
struct Member {
    /// `"name":`
    key: Vec<u8>,
    values: Values,
    n_not_finite: usize,
}

enum Values {
    Json(StringChunked),
    Strings(StringChunked),
    Flags(BooleanChunked),
    Integers(Int64Chunked),
    BigIntegers(UInt64Chunked),
    Floats(Float32Chunked),
    Doubles(Float64Chunked),
}

impl Member {
    fn new(out: &OutColumn) -> PolarsResult<Self> {
        let mut key = Vec::new();
        push_json(&mut key, out.name())?;
        key.push(b':');
        let values = match out.cells {
            Cells::Json => Values::Json(strings(&out.column)?),
            Cells::Text => Values::Strings(strings(&out.column)?),
            Cells::Typed => Values::of(&out.column)?,
        };
        Ok(Self { key, values, n_not_finite: 0 })
    }

    fn push_value(&mut self, row: usize, buffer: &mut Vec<u8>) -> PolarsResult<()> {
        match &self.values {
            Values::Json(texts) => {
                let json = texts.get(row).unwrap_or("null");
                let start = buffer.len();
                buffer.extend_from_slice(json.as_bytes());
                // A list or object may have spanned several lines; JSON strings contain no raw line
                // ends.
                for byte in &mut buffer[start..] {
                    if matches!(byte, b'\n' | b'\r') {
                        *byte = b' ';
                    }
                }
                Ok(())
            }
            Values::Strings(texts) => push_json(buffer, &texts.get(row)),
            Values::Flags(flags) => push_json(buffer, &flags.get(row)),
            Values::Integers(numbers) => push_json(buffer, &numbers.get(row)),
            Values::BigIntegers(numbers) => push_json(buffer, &numbers.get(row)),
            Values::Floats(numbers) => {
                let number = numbers.get(row);
                self.n_not_finite += usize::from(number.is_some_and(|x| !x.is_finite()));
                push_json(buffer, &number)
            }
            Values::Doubles(numbers) => {
                let number = numbers.get(row);
                self.n_not_finite += usize::from(number.is_some_and(|x| !x.is_finite()));
                push_json(buffer, &number)
            }
        }
    }
}

impl Values {
    fn of(column: &Column) -> PolarsResult<Self> {
        Ok(match column.dtype() {
            DataType::Boolean => Self::Flags(column.bool()?.clone()),
            DataType::UInt64 => Self::BigIntegers(column.u64()?.clone()),
            DataType::Float32 => Self::Floats(column.f32()?.clone()),
            DataType::Float64 => Self::Doubles(column.f64()?.clone()),
            dtype if dtype.is_integer() => {
                Self::Integers(column.strict_cast(&DataType::Int64)?.i64()?.clone())
            }
            _ => match times::to_strings(column)? {
                Some(times) => Self::Strings(strings(&times)?),
                None => Self::Strings(strings(column)?),
            },
        })
    }
}

fn push_json(buffer: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) -> PolarsResult<()> {
    serde_json::to_writer(buffer, value).map_err(|error| std::io::Error::from(error).into())
}
