//! Dates and times in ISO 8601.
//!
//! Polars' own formatting panics on dates beyond the year 262142, which damaged Parquet files may
//! contain. Years with more than four digits, or before the year 0, have a sign.

use std::fmt::Write as _;

use polars::prelude::{
    Column, DataType, Int64Chunked, IntoColumn, NewChunkedArray, PolarsResult, StringChunked,
    TimeUnit,
};

const SECONDS_A_DAY: i64 = 86_400;

/// A column of dates or of times without a zone as strings; `None` if it holds something else.
pub(super) fn to_strings(column: &Column) -> PolarsResult<Option<Column>> {
    let format: fn(i64) -> String = match column.dtype() {
        DataType::Date => date,
        DataType::Datetime(TimeUnit::Milliseconds, None) => |time| date_time(time, 3),
        DataType::Datetime(TimeUnit::Microseconds, None) => |time| date_time(time, 6),
        DataType::Datetime(TimeUnit::Nanoseconds, None) => |time| date_time(time, 9),
        _ => return Ok(None),
    };
    let numbers = column.to_physical_repr().cast(&DataType::Int64)?;
    let numbers: &Int64Chunked = numbers.i64()?;
    let strings = numbers.iter().map(|number| number.map(format));
    Ok(Some(StringChunked::from_iter_options(column.name().clone(), strings).into_column()))
}

/// The date that is `days` after 1970-01-01.
fn date(days: i64) -> String {
    let (year, month, day) = civil(days);
    let mut text = String::with_capacity(10);
    // Writing to a string cannot fail.
    let _ = match year {
        0..=9999 => write!(text, "{year:04}-{month:02}-{day:02}"),
        _ => write!(text, "{year:+05}-{month:02}-{day:02}"),
    };
    text
}

/// The time `units` after 1970-01-01T00:00:00, where a unit is 10 to the -`digits` seconds.
fn date_time(units: i64, digits: usize) -> String {
    let a_second = 10i64.pow(digits as u32);
    let (seconds, fraction) = (units.div_euclid(a_second), units.rem_euclid(a_second));
    let (days, second) = (seconds.div_euclid(SECONDS_A_DAY), seconds.rem_euclid(SECONDS_A_DAY));
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = date(days);
    let _ = write!(text, "T{hour:02}:{minute:02}:{second:02}.{fraction:0digits$}");
    text
}

/// Year, month and day in the proleptic Gregorian calendar.
///
/// Counts years from March, so that the leap day comes last; then every five months have 153 days,
/// up to rounding.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_IN_400_YEARS: i64 = 146_097;
    // Days from 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (era, day_of_era) =
        (days.div_euclid(DAYS_IN_400_YEARS), days.rem_euclid(DAYS_IN_400_YEARS));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_from_march + 2) / 5 + 1;
    let month = if months_from_march < 10 { months_from_march + 3 } else { months_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_have_their_dates() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (19_782, "2024-02-29"),
            (11_016, "2000-02-29"),
            (-25_509, "1900-02-28"),
            (-25_508, "1900-03-01"),
            (-719_528, "0000-01-01"),
            (-719_529, "-0001-12-31"),
            (2_932_897, "+10000-01-01"),
            (i64::from(i32::MAX), "+5881580-07-11"),
            (i64::from(i32::MIN), "-5877641-06-23"),
        ] {
            assert_eq!(date(days), expected);
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1900, 1, 1);
        for days in -25_567..-25_567 + 146_097 {
            assert_eq!(civil(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let n_days = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > n_days {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn times_have_all_their_digits() {
        assert_eq!(date_time(1_500, 3), "1970-01-01T00:00:01.500");
        assert_eq!(date_time(-1, 6), "1969-12-31T23:59:59.999999");
        assert_eq!(date_time(i64::MAX, 9), "2262-04-11T23:47:16.854775807");
        assert!(date_time(i64::MIN, 3).starts_with("-292275055-"));
    }
}
