//! Transposes matrices, square by square in registers.

use crate::machine::{Isa, Job, Number, Vector};

/// `to[c, r] = from[r, c]` for `n_rows × n_columns` numbers; strides are the row strides of `from`
/// and `to`. Writes all these numbers and no others.
pub(crate) struct Transpose<'a, E> {
    pub(crate) from: &'a [E],
    pub(crate) from_stride: usize,
    pub(crate) n_rows: usize,
    pub(crate) n_columns: usize,
    pub(crate) to: &'a mut [E],
    pub(crate) to_stride: usize,
}

impl<E: Number> Job<E> for Transpose<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = E>>(self, isa: Isa<V>) {
        let Self { from, from_stride, n_rows, n_columns, to, to_stride } = self;
        let (whole_rows, whole_columns) =
            (n_rows - n_rows % V::LANES, n_columns - n_columns % V::LANES);
        for row in (0..whole_rows).step_by(V::LANES) {
            for column in (0..whole_columns).step_by(V::LANES) {
                isa.transpose(
                    &from[row * from_stride + column..],
                    from_stride,
                    &mut to[column * to_stride + row..],
                    to_stride,
                );
            }
        }
        for row in 0..n_rows {
            let first = if row < whole_rows { whole_columns } else { 0 };
            let from = &from[row * from_stride..][..n_columns];
            for (column, number) in from.iter().enumerate().skip(first) {
                to[column * to_stride + row] = *number;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Element, InstructionSet};

    #[test]
    fn every_number_changes_its_place_and_nothing_else_does() {
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            for (n_rows, n_columns) in [(0, 3), (1, 1), (16, 16), (16, 37), (40, 8), (33, 50)] {
                let (from_stride, to_stride) = (n_columns + 3, n_rows + 2);
                let from: Vec<f32> = (0..n_rows * from_stride).map(|i| i as f32).collect();
                let mut to = vec![-1.0; n_columns * to_stride];
                let to = &mut to[..];
                let job = Transpose { from: &from, from_stride, n_rows, n_columns, to, to_stride };
                f32::dispatch(set, job);
                for (index, &got) in to.iter().enumerate() {
                    let (column, row) = (index / to_stride, index % to_stride);
                    let expected =
                        if row < n_rows { (row * from_stride + column) as f32 } else { -1.0 };
                    assert_eq!(got, expected, "{set}, {n_rows} x {n_columns}: {column}, {row}");
                }
            }
        }
    }
}
