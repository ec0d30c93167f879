//! Random matrices with orthonormal columns.

use candle_core::{DType, Device, Tensor};

use crate::error::Result;
use crate::random::SeededRng;

/// A residual shorter than this fraction of its column is rounding error.
const INDEPENDENT: f64 = 1e-6;

/// A random matrix `[rows, columns]` with orthonormal columns, f64 on the CPU; `columns` is at most
/// `rows`.
///
/// It is the Q in the QR decomposition of a Gaussian matrix, with a positive diagonal in R, so that
/// all such matrices are equally likely (Mezzadri 2007, [How to generate random matrices from the
/// classical compact groups](https://arxiv.org/abs/math-ph/0609050)).
pub(crate) fn orthogonal_matrix(
    rows: usize,
    columns: usize,
    rng: &mut SeededRng,
) -> Result<Tensor> {
    debug_assert!(columns <= rows);
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(columns);
    while basis.len() < columns {
        let drawn = rng.standard_normal(rows, DType::F64, &Device::Cpu)?;
        let mut column: Vec<f64> = drawn.to_vec1()?;
        let drawn_norm = norm(&column);
        // Gram-Schmidt; the second round removes the rounding error of the first.
        for _ in 0..2 {
            for unit in &basis {
                let share = dot(unit, &column);
                column.iter_mut().zip(unit).for_each(|(x, u)| *x -= share * u);
            }
        }
        let length = norm(&column);
        // Redraw a column that is zero or in the span of the others.
        if length > INDEPENDENT * drawn_norm {
            column.iter_mut().for_each(|x| *x /= length);
            basis.push(column);
        }
    }
    Ok(Tensor::from_vec(basis.concat(), (columns, rows), &Device::Cpu)?.t()?.contiguous()?)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_orthonormal() -> Result<()> {
        let mut rng = SeededRng::new(5);
        for (rows, columns) in [(1, 1), (2, 2), (5, 3), (64, 64), (90, 31)] {
            let q = orthogonal_matrix(rows, columns, &mut rng)?;
            let identity = Tensor::eye(columns, DType::F64, &Device::Cpu)?;
            let off = (q.t()?.matmul(&q)? - identity)?.abs()?.max_all()?.to_scalar::<f64>()?;
            assert!(off < 1e-14 * rows as f64, "{rows} x {columns}: {off:e}");
        }
        Ok(())
    }

    /// Each entry of a uniformly distributed Q has mean 0 and variance 1 / rows.
    #[test]
    fn no_direction_is_preferred() -> Result<()> {
        const DRAWS: usize = 4000;
        let mut rng = SeededRng::new(6);
        let (mut sum, mut squares) = (vec![0.0; 9], vec![0.0; 9]);
        for _ in 0..DRAWS {
            let q: Vec<f64> = orthogonal_matrix(3, 3, &mut rng)?.flatten_all()?.to_vec1()?;
            for (i, x) in q.into_iter().enumerate() {
                sum[i] += x / DRAWS as f64;
                squares[i] += x * x / DRAWS as f64;
            }
        }
        // Five standard deviations; one is √(1/3) for an entry, √(1/5 - 1/9) for its square.
        let bound = 5.0 / (DRAWS as f64).sqrt();
        assert!(sum.iter().all(|mean| mean.abs() < bound * 0.578), "{sum:?}");
        assert!(squares.iter().all(|s| (s - 1.0 / 3.0).abs() < bound * 0.299), "{squares:?}");
        Ok(())
    }
}
