//! The names of measures, for intervals.

use std::fmt;

use crate::counts::ClassMetrics;

/// Classes up to which each has intervals of its areas.
const MOST_CLASSES_WITH_AREAS: usize = 50;

/// Where a measure stands among the serialised metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// A field.
    Field(&'static str),
    /// The accuracy within the k likeliest classes.
    TopK(usize),
    /// A field of a class.
    OfClass(usize, &'static str),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(name),
            Self::TopK(k) => write!(f, "top_k.{k}"),
            Self::OfClass(class, name) => write!(f, "classes.{class}.{name}"),
        }
    }
}

/// Measures by name, each absent where it is not defined.
pub(crate) type Scalars = Vec<(Name, Option<f64>)>;

/// Fields of metrics that are always defined, under their own names.
macro_rules! fields {
    ($metrics:expr; $($field:ident),+ $(,)?) => {
        vec![$(($crate::scalars::Name::Field(stringify!($field)), Some($metrics.$field))),+]
    };
}
pub(crate) use fields;

/// The measures of each class. Precision is not defined without predictions, recall not without texts:
/// the 0 that stands for them is not drawn into an interval.
pub(crate) fn of_classes(classes: &[ClassMetrics]) -> Scalars {
    let mut scalars = Vec::new();
    for (index, class) in classes.iter().enumerate() {
        let ClassMetrics { n_texts, n_predicted, precision, recall, f1, .. } = *class;
        let mut add = |name, value| scalars.push((Name::OfClass(index, name), value));
        add("precision", (n_predicted > 0).then_some(precision));
        add("recall", (n_texts > 0).then_some(recall));
        add("f1", (n_texts + n_predicted > 0).then_some(f1));
        if classes.len() <= MOST_CLASSES_WITH_AREAS {
            add("roc_auc", class.roc_auc);
            add("average_precision", class.average_precision);
        }
    }
    scalars
}
