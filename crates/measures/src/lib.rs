#![doc = include_str!("../README.md")]

mod any_of;
mod binary;
mod bootstrap;
mod calibration;
mod counts;
mod error;
mod label_issues;
mod label_sets;
mod losses;
mod metrics;
mod one_of;
mod ranking;
mod scalars;
mod softmax;
mod spread;
mod thresholds;

pub use any_of::AnyOf;
pub use binary::{Binary, Confusion};
pub use bootstrap::{Bootstrap, Intervals, intervals_any_of, intervals_binary, intervals_one_of};
pub use counts::{ClassMetrics, mean_absolute_error};
pub use error::{Error, Result};
pub use label_issues::{LabelIssue, LabelIssues, label_issues};
pub use label_sets::LabelSets;
pub use losses::{any_of_loss, binary_loss, softmax_loss};
pub use metrics::Metrics;
pub use one_of::OneOf;
pub use spread::Spread;
