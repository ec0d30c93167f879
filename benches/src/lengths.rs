//! Mixed lengths from a formula that `benches/peers/protocol.py` duplicates, so that every program
//! times the same rows.

/// Lengths for `batch` rows of at most `steps` steps.
///
/// Evenly spaced from 20 % to 120 % of the steps and cut to the steps, as reviews are: for 200
/// steps, 40 to 200 with a mean of 135, a fifth of the rows full. Rows alternate between the short
/// and the long end, because real batches are not sorted.
pub(crate) fn mixed(batch: usize, steps: usize) -> Vec<usize> {
    let spaces = (batch - 1).max(1);
    let length = |rank: usize| {
        // steps / 5 + steps * rank / spaces, rounded down once.
        (steps * (spaces + 5 * rank) / (5 * spaces)).clamp(1, steps)
    };
    let rank = |row: usize| if row.is_multiple_of(2) { row / 2 } else { batch - 1 - row / 2 };
    (0..batch).map(|row| length(rank(row))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_lengths_are_the_documented_ones() {
        assert_eq!(mixed(5, 10), [2, 10, 4, 9, 7]);
        assert_eq!(mixed(1, 10), [2]);
        assert_eq!(mixed(3, 1), [1, 1, 1]);
        let lengths = mixed(50, 200);
        assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&40), Some(&200)));
        assert_eq!(lengths.iter().sum::<usize>(), 6765);
    }
}
