//! Prints warnings about figures to standard error.

use trainer::Warning;

/// One line each.
pub(crate) fn tell(warnings: &[Warning]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}
