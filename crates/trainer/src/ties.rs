//! Pulls pairs of numbers of a fit towards each other, where the texts do not tell them apart.

use crate::newton::Convex;

/// Two columns of a fit whose scales are pulled towards each other: by `weight / 2` times the square of their
/// difference, beside the mean loss of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tie {
    pub(crate) columns: [usize; 2],
    pub(crate) weight: f64,
}

/// Whether any scale fits a column: its logits are all 0, and those of the columns tied to it, directly or by way of
/// others, too.
pub(crate) fn says_nothing(columns: &[&[f32]], column: usize, ties: &[Tie]) -> bool {
    let is_zero = |column: &usize| columns[*column].iter().all(|logit| *logit == 0.0);
    let mut tied = vec![column];
    let mut next = 0;
    while let Some(&column) = tied.get(next) {
        next += 1;
        for tie in ties.iter().filter(|tie| tie.columns.contains(&column)) {
            tied.extend(
                tie.columns.iter().filter(|other| !tied.contains(other)).collect::<Vec<_>>(),
            );
        }
    }
    tied.iter().all(is_zero)
}

/// A function of some columns' scales, with ties.
pub(crate) struct Tied<F> {
    function: F,
    /// Where the two scales are among the numbers, and the weight; a scale that is not there is 0.
    ties: Vec<([Option<usize>; 2], f64)>,
}

impl<F> Tied<F> {
    /// `place`: where the scale of a column is among the numbers, if it is there.
    pub(crate) fn new(function: F, ties: &[Tie], place: impl Fn(usize) -> Option<usize>) -> Self {
        let placed = ties.iter().map(|tie| (tie.columns.map(&place), tie.weight));
        Self { function, ties: placed.collect() }
    }
}

fn difference(x: &[f64], [a, b]: [Option<usize>; 2]) -> f64 {
    let of = |place: Option<usize>| place.map_or(0.0, |place| x[place]);
    of(a) - of(b)
}

impl<F: Convex> Convex for Tied<F> {
    fn loss(&self, x: &[f64]) -> f64 {
        let of_tie = |(places, weight): &([Option<usize>; 2], f64)| {
            0.5 * weight * difference(x, *places).powi(2)
        };
        self.function.loss(x) + self.ties.iter().map(of_tie).sum::<f64>()
    }

    fn derivatives(&self, x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let (mut gradient, mut hessian) = self.function.derivatives(x);
        for &(places, weight) in &self.ties {
            let pull = weight * difference(x, places);
            for (place, sign) in places.into_iter().zip([1.0, -1.0]) {
                let Some(place) = place else { continue };
                gradient[place] += sign * pull;
                for (other, of_other) in places.into_iter().zip([1.0, -1.0]) {
                    if let Some(other) = other {
                        hessian[place][other] += weight * sign * of_other;
                    }
                }
            }
        }
        (gradient, hessian)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::newton::minimum;

    /// Half the squared distance of the sum of two numbers from 4.
    struct OfSum;

    impl Convex for OfSum {
        fn loss(&self, x: &[f64]) -> f64 {
            0.5 * (x[0] + x[1] - 4.0).powi(2)
        }

        fn derivatives(&self, x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
            (vec![x[0] + x[1] - 4.0; 2], vec![vec![1.0; 2]; 2])
        }
    }

    #[test]
    fn numbers_that_nothing_tells_apart_become_equal() {
        let tie = Tie { columns: [3, 5], weight: 1e-3 };
        let place = |column: usize| [3, 5].iter().position(|&other| other == column);
        let found = minimum(&Tied::new(OfSum, &[tie], place), vec![0.0; 2]);
        assert!(found.iter().all(|x| (x - 2.0).abs() < 1e-4), "{found:?}");
        let one_is_left_out = Tied::new(OfSum, &[tie], |column| (column == 3).then_some(0));
        let (gradient, hessian) = one_is_left_out.derivatives(&[2.0, 1.0]);
        assert!((gradient[0] - (-1.0 + 2e-3)).abs() < 1e-12 && gradient[1] == -1.0);
        assert!((hessian[0][0] - 1.001).abs() < 1e-12);
    }

    #[test]
    fn a_column_says_nothing_only_if_those_tied_to_it_do_not_either() {
        let columns: [&[f32]; 4] = [&[0.0], &[1.0], &[0.0], &[0.0]];
        let ties = [Tie { columns: [0, 1], weight: 1.0 }, Tie { columns: [2, 3], weight: 1.0 }];
        assert!(!says_nothing(&columns, 0, &ties) && !says_nothing(&columns, 1, &ties));
        assert!(says_nothing(&columns, 2, &ties) && says_nothing(&columns, 0, &[]));
    }
}
