//! How much of a text table may be in memory.

/// The longest row that is read, in bytes: so much may be in memory at a time. A quotation mark that is
/// never closed makes a row of the rest of the file.
pub(super) const LONGEST_ROW: usize = 1 << 26;
