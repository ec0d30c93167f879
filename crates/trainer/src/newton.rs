//! Newton's method for the small convex fits of the calibration.

/// Newton's method doubles the correct digits in each step; a dozen steps are plenty.
const MAX_STEPS: usize = 50;
/// Maximum number of times to halve a Newton step until the loss falls.
const MAX_HALVINGS: usize = 30;
/// The fit is done when a step is expected to lower the mean loss by less than this.
const TOLERANCE: f64 = 1e-14;

/// A smooth convex function of a few numbers.
pub(crate) trait Convex {
    /// Its value.
    fn loss(&self, x: &[f64]) -> f64;

    /// Its gradient and its Hessian.
    fn derivatives(&self, x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>);
}

/// Where the function is lowest, by Newton's method from `start` on.
pub(crate) fn minimum(function: &impl Convex, start: Vec<f64>) -> Vec<f64> {
    let mut x = start;
    let mut loss = function.loss(&x);
    for _ in 0..MAX_STEPS {
        let (gradient, hessian) = function.derivatives(&x);
        let step = solve(hessian, gradient.clone());
        let expected: f64 = gradient.iter().zip(&step).map(|(g, s)| g * s).sum();
        // Also where a column says nothing, or a number is not finite.
        if expected.is_nan() || expected <= TOLERANCE {
            break;
        }
        let mut factor = 1.0;
        let next = (0..MAX_HALVINGS).find_map(|_| {
            let moved: Vec<f64> = x.iter().zip(&step).map(|(x, step)| x - factor * step).collect();
            let moved_loss = function.loss(&moved);
            factor /= 2.0;
            (moved_loss < loss).then_some((moved, moved_loss))
        });
        let Some(next) = next else { break };
        (x, loss) = next;
    }
    x
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Solves `a x = b` for a symmetric positive semidefinite `a` by elimination; 0 where a column depends
/// on those before it.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    let smallest = 1e-12 * (0..n).map(|i| a[i][i]).fold(f64::MIN_POSITIVE, f64::max);
    for k in 0..n {
        if a[k][k] <= smallest {
            continue;
        }
        let pivot = a[k].clone();
        for i in k + 1..n {
            let factor = a[i][k] / pivot[k];
            (k..n).for_each(|j| a[i][j] -= factor * pivot[j]);
            b[i] -= factor * b[k];
        }
    }
    let mut x = vec![0.0; n];
    for k in (0..n).rev() {
        if a[k][k] > smallest {
            let rest = dot(&a[k][k + 1..], &x[k + 1..]);
            x[k] = (b[k] - rest) / a[k][k];
        }
    }
    x
}
