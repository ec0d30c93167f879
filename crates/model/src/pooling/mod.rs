//! From the outputs of all steps to one vector per text.

mod vectors;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub(crate) use self::vectors::{attention, last, max_and_mean};

/// How the outputs of all steps are pooled into one vector: by one or more [`PoolingPart`]s, whose
/// vectors are concatenated.
///
/// As a string, the parts' names joined by hyphens:
///
/// ```
/// use model::{Pooling, PoolingPart};
///
/// let pooling: Pooling = "last-max-mean".parse()?;
/// assert!(pooling.has(PoolingPart::Max) && !pooling.has(PoolingPart::Attention));
/// assert_eq!(pooling.len(), 3);
/// assert!("max-median".parse::<Pooling>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pooling {
    /// `[part]`, in the order of [`PoolingPart::ALL`]; at least one is present.
    parts: [bool; PoolingPart::ALL.len()],
}

/// One way to pool the outputs of all steps into one vector. Padding is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolingPart {
    /// The state after the last step (of each direction).
    Last,
    /// The largest value over the steps, feature by feature.
    Max,
    /// The mean over the steps.
    Mean,
    /// Attention: a mean weighted by the softmax over the steps of `a · output`, where a is learned
    /// (after Yang et al. 2016, [Hierarchical attention networks](https://aclanthology.org/N16-1174/),
    /// without their hidden layer).
    Attention,
}

impl PoolingPart {
    /// All parts, in the order in which they are concatenated.
    pub const ALL: [Self; 4] = [Self::Last, Self::Max, Self::Mean, Self::Attention];

    fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Attention => "attention",
        }
    }
}

impl From<PoolingPart> for Pooling {
    fn from(part: PoolingPart) -> Self {
        Self { parts: PoolingPart::ALL.map(|other| other == part) }
    }
}

impl Pooling {
    /// The parts, in order.
    pub fn parts(self) -> impl Iterator<Item = PoolingPart> {
        PoolingPart::ALL.into_iter().zip(self.parts).filter_map(|(part, is)| is.then_some(part))
    }

    /// Whether the pooling includes a part.
    #[must_use]
    pub fn has(self, part: PoolingPart) -> bool {
        self.parts().any(|own| own == part)
    }

    /// What the recurrent layers can pool themselves, if that is all that is made of their outputs: max and
    /// mean.
    pub(crate) fn of_layers(self) -> Option<recurrent::Pooling> {
        let [max, mean] = [PoolingPart::Max, PoolingPart::Mean].map(|part| self.has(part));
        let needs_outputs = self.has(PoolingPart::Attention);
        ((max || mean) && !needs_outputs).then_some(recurrent::Pooling { max, mean })
    }

    /// Number of parts: at least one.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // Never empty.
    pub fn len(self) -> usize {
        self.parts().count()
    }
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.parts().map(PoolingPart::name).collect();
        f.write_str(&names.join("-"))
    }
}

impl From<Pooling> for String {
    fn from(pooling: Pooling) -> Self {
        pooling.to_string()
    }
}

impl FromStr for Pooling {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut pooling = Self { parts: [false; PoolingPart::ALL.len()] };
        for name in text.split('-') {
            match PoolingPart::ALL.iter().position(|part| part.name() == name) {
                Some(index) => pooling.parts[index] = true,
                None => {
                    return Err(format!(
                        "pooling {text:?} is not known: expected one or several of last, max, mean \
                         and attention, joined by hyphens, such as max-mean"
                    ));
                }
            }
        }
        Ok(pooling)
    }
}

impl TryFrom<String> for Pooling {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_order_and_written_in_one() -> std::result::Result<(), String> {
        let pooling: Pooling = "mean-last".parse()?;
        assert_eq!(pooling.to_string(), "last-mean");
        assert!("".parse::<Pooling>().is_err());
        Ok(())
    }
}
