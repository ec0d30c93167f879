//! Range checks of settings, for this crate's configuration and for those built on it.

/// A setting is outside its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {got}; expected {expected}")]
pub struct OutOfRange {
    /// The setting.
    pub field: &'static str,
    /// The values allowed.
    pub expected: &'static str,
    /// The value found.
    pub got: String,
}

/// Checks for at least 1.
///
/// # Errors
/// [`OutOfRange`] for 0.
pub fn at_least_1(field: &'static str, value: usize) -> Result<(), OutOfRange> {
    check(field, value >= 1, "at least 1", value)
}

/// Checks for a probability below 1.
///
/// # Errors
/// [`OutOfRange`] if it is below 0, or at least 1.
pub fn rate(field: &'static str, value: f64) -> Result<(), OutOfRange> {
    check(field, (0.0..1.0).contains(&value), "at least 0 and below 1", value)
}

/// Checks for a finite number above 0.
///
/// # Errors
/// [`OutOfRange`] for any other.
pub fn above_0(field: &'static str, value: f64) -> Result<(), OutOfRange> {
    check(field, value > 0.0 && value.is_finite(), "a number above 0", value)
}

/// Checks for a finite number of at least 0.
///
/// # Errors
/// [`OutOfRange`] for any other.
pub fn not_negative(field: &'static str, value: f64) -> Result<(), OutOfRange> {
    check(field, value >= 0.0 && value.is_finite(), "a number of at least 0", value)
}

/// Checks the largest norm of a gradient, where 0 stands for no limit.
///
/// # Errors
/// [`OutOfRange`] unless it is a finite number of at least 0.
pub fn clip_norm(field: &'static str, value: f64) -> Result<(), OutOfRange> {
    let is_fine = value >= 0.0 && value.is_finite();
    check(field, is_fine, "0 (off) or a finite number above it", value)
}

/// Passes if `is_fine`.
///
/// # Errors
/// [`OutOfRange`] otherwise.
pub fn check(
    field: &'static str,
    is_fine: bool,
    expected: &'static str,
    got: impl ToString,
) -> Result<(), OutOfRange> {
    if is_fine { Ok(()) } else { Err(OutOfRange { field, expected, got: got.to_string() }) }
}
