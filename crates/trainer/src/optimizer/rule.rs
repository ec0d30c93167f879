//! The formulas: what one step does to one value, with and without a gradient.
//!
//! A value without a gradient is *idle*: its gradient is 0, but momentum still moves it.

/// The kind of optimiser and its constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rule {
    /// Adam, or AdamW where `weight_decay` is not 0.
    Adam { weight_decay: f64, kind: AdamKind },
    /// Gradient descent with momentum.
    Sgd { momentum: f64 },
}

/// How the bias corrections and ε are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdamKind {
    /// `lr / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + ε)`, as in `torch.optim.Adam`.
    Dense,
    /// `lr √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε)`, as in `torch.optim.SparseAdam`.
    Sparse,
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Idle steps after which momentum is treated as 0: 0.9¹²⁸ is 1.4e-6, so that all further steps
/// together move a weight by a few 1e-5 of the learning rate.
const MAX_IDLE_STEPS: usize = 128;

/// The factors of one step, the same for all parameters.
#[derive(Debug, Clone, Copy)]
pub(super) enum Factors {
    Adam {
        /// lr / (1 - β₁ᵗ), or SparseAdam's.
        step_size: f64,
        /// 1 / √(1 - β₂ᵗ), or 1.
        v_correction: f64,
        /// 1 - lr · `weight_decay`
        keep: f64,
    },
    Sgd {
        learning_rate: f64,
        momentum: f64,
    },
}

impl Factors {
    /// How many numbers they are saved as.
    pub(super) const N_NUMBERS: usize = 3;

    /// All that they consist of.
    pub(super) fn numbers(self) -> [f64; Self::N_NUMBERS] {
        match self {
            Self::Adam { step_size, v_correction, keep } => [step_size, v_correction, keep],
            Self::Sgd { learning_rate, momentum } => [learning_rate, momentum, 0.0],
        }
    }
}

impl Rule {
    /// The factors of step `t`, from 1.
    pub(super) fn factors(self, t: u64, learning_rate: f64) -> Factors {
        match self {
            Rule::Adam { weight_decay, kind } => {
                let t = t as f64;
                let (correction1, correction2) = (1.0 - BETA1.powf(t), 1.0 - BETA2.powf(t));
                let keep = 1.0 - learning_rate * weight_decay;
                let step_size = learning_rate / correction1;
                match kind {
                    AdamKind::Dense => {
                        Factors::Adam { step_size, v_correction: correction2.sqrt().recip(), keep }
                    }
                    AdamKind::Sparse => {
                        let step_size = step_size * correction2.sqrt();
                        Factors::Adam { step_size, v_correction: 1.0, keep }
                    }
                }
            }
            Rule::Sgd { momentum } => Factors::Sgd { learning_rate, momentum },
        }
    }

    /// The factors that these [`numbers`](Factors::numbers) are of.
    pub(super) fn factors_of(self, [a, b, c]: [f64; Factors::N_NUMBERS]) -> Factors {
        match self {
            Rule::Adam { .. } => Factors::Adam { step_size: a, v_correction: b, keep: c },
            Rule::Sgd { .. } => Factors::Sgd { learning_rate: a, momentum: b },
        }
    }

    /// Whether there is a second moment.
    pub(super) fn has_second(self) -> bool {
        matches!(self, Rule::Adam { .. })
    }
}

/// Some values of a parameter with their moments; `v` is empty if the rule has no second moment.
pub(super) struct Numbers<'a> {
    pub(super) theta: &'a mut [f32],
    pub(super) m: &'a mut [f32],
    pub(super) v: &'a mut [f32],
}

/// Values processed together, so that the compiler uses SIMD registers.
const LANES: usize = 16;

impl Numbers<'_> {
    /// One step; each gradient is multiplied by `scale` first.
    pub(super) fn step(&mut self, gradient: &[f32], factors: Factors, scale: f64) {
        let scale = scale as f32;
        match factors {
            Factors::Adam { step_size, v_correction, keep } => {
                let adam = Adam::new(step_size, v_correction, keep);
                let moments = self.m.iter_mut().zip(self.v.iter_mut());
                for ((theta, (m, v)), g) in self.theta.iter_mut().zip(moments).zip(gradient) {
                    let g = g * scale;
                    *m = adam.beta1 * *m + adam.rest1 * g;
                    *v = adam.beta2 * *v + adam.rest2 * (g * g);
                    *theta = adam.moved(*theta, *m, *v);
                }
            }
            Factors::Sgd { learning_rate, momentum } => {
                let (learning_rate, momentum) = (learning_rate as f32, momentum as f32);
                for ((theta, m), g) in self.theta.iter_mut().zip(self.m.iter_mut()).zip(gradient) {
                    *m = momentum * *m + g * scale;
                    *theta -= learning_rate * *m;
                }
            }
        }
    }

    /// Idle steps.
    pub(super) fn idle(&mut self, missed: Missed<'_>) {
        let Some(&first) = missed.factors.first() else { return };
        let len = self.theta.len();
        for start in (0..len).step_by(LANES) {
            let end = len.min(start + LANES);
            let (theta, m) = (&mut self.theta[start..end], &mut self.m[start..end]);
            match first {
                Factors::Adam { .. } => idle_adam(theta, m, &mut self.v[start..end], missed),
                Factors::Sgd { momentum, .. } => idle_sgd(theta, m, momentum, missed.factors),
            }
        }
    }
}

/// Steps in which a row was idle, oldest first.
#[derive(Clone, Copy)]
pub(super) struct Missed<'a> {
    pub(super) factors: &'a [Factors],
    /// The sum of ln(`keep`) up to each step; one more than factors.
    pub(super) ln_keep: &'a [f64],
    /// Fractions of the moments left after n steps, by n from 0.
    pub(super) left: &'a [(f32, f32)],
}

/// The fractions of Adam's moments left after `n` idle steps.
pub(super) fn left_of_moments(n: usize) -> (f32, f32) {
    (BETA1.powf(n as f64) as f32, BETA2.powf(n as f64) as f32)
}

fn idle_adam(theta: &mut [f32], m: &mut [f32], v: &mut [f32], missed: Missed<'_>) {
    let Missed { factors, ln_keep, left } = missed;
    let mut n_done = 0;
    if m.iter().any(|&m| m != 0.0) {
        for step in factors.iter().take(MAX_IDLE_STEPS) {
            let &Factors::Adam { step_size, v_correction, keep } = step else { continue };
            let adam = Adam::new(step_size, v_correction, keep);
            let mut has_moved = false;
            for ((theta, m), v) in theta.iter_mut().zip(m.iter_mut()).zip(v.iter_mut()) {
                *m *= adam.beta1;
                *v *= adam.beta2;
                let moved = adam.moved(*theta, *m, *v);
                has_moved |= moved != *theta;
                *theta = moved;
            }
            n_done += 1;
            // Momentum shrinks by a tenth per step. Once a move is lost in rounding, so are all that
            // follow, except where the rate rises faster, at the very start of a warm-up.
            if !has_moved {
                break;
            }
        }
    }
    let (n_rest, ln_keep) = (factors.len() - n_done, ln_keep[factors.len()] - ln_keep[n_done]);
    if n_rest > 0 {
        let (of_m, of_v) = left[n_rest];
        m.iter_mut().for_each(|m| *m *= of_m);
        v.iter_mut().for_each(|v| *v *= of_v);
        if ln_keep != 0.0 {
            let keep = ln_keep.exp() as f32;
            theta.iter_mut().for_each(|theta| *theta *= keep);
        }
    }
}

/// θ loses lr₁ μ m + lr₂ μ² m + ..., so all steps combine into one factor.
fn idle_sgd(theta: &mut [f32], m: &mut [f32], momentum: f64, steps: &[Factors]) {
    let (mut power, mut sum) = (1.0, 0.0);
    for step in steps {
        power *= momentum;
        if let Factors::Sgd { learning_rate, .. } = step {
            sum += learning_rate * power;
        }
    }
    let (sum, power) = (sum as f32, power as f32);
    for (theta, m) in theta.iter_mut().zip(m) {
        *theta -= sum * *m;
        *m *= power;
    }
}

impl Factors {
    pub(super) fn ln_keep(self) -> f64 {
        match self {
            // Without decay a weight loses nothing, and no logarithm is needed.
            Factors::Adam { keep: 1.0, .. } => 0.0,
            Factors::Adam { keep, .. } => keep.ln(),
            Factors::Sgd { .. } => 0.0,
        }
    }
}

/// Adam's constants in the type of the values.
#[derive(Clone, Copy)]
pub(super) struct Adam {
    beta1: f32,
    beta2: f32,
    rest1: f32,
    rest2: f32,
    step_size: f32,
    v_correction: f32,
    keep: f32,
}

impl Adam {
    pub(super) fn new(step_size: f64, v_correction: f64, keep: f64) -> Self {
        Self {
            beta1: BETA1 as f32,
            beta2: BETA2 as f32,
            rest1: (1.0 - BETA1) as f32,
            rest2: (1.0 - BETA2) as f32,
            step_size: step_size as f32,
            v_correction: v_correction as f32,
            keep: keep as f32,
        }
    }

    /// All of them, in the order in which the GPU's kernels take them.
    #[cfg(feature = "cuda")]
    pub(super) fn numbers(self) -> [f32; 8] {
        let Self { beta1, beta2, rest1, rest2, step_size, v_correction, keep } = self;
        [beta1, rest1, beta2, rest2, step_size, v_correction, keep, EPSILON as f32]
    }

    fn moved(self, theta: f32, m: f32, v: f32) -> f32 {
        theta * self.keep - self.step_size * m / (v.sqrt() * self.v_correction + EPSILON as f32)
    }
}

/// The same formulas in candle's operations, for other devices and dtypes.
pub(super) mod tensors {
    use candle_core::Tensor;

    use super::{BETA1, BETA2, EPSILON, Factors};
    use crate::scalar::Scalar;

    /// θ, m and v after a step; `v` is `None` if the rule has none.
    pub(in super::super) struct Stepped {
        pub(in super::super) theta: Tensor,
        pub(in super::super) m: Tensor,
        pub(in super::super) v: Option<Tensor>,
    }

    pub(in super::super) fn step(
        (theta, m, v): (&Tensor, &Tensor, Option<&Tensor>),
        gradient: &Tensor,
        factors: Factors,
        scale: &Scalar,
    ) -> candle_core::Result<Stepped> {
        let g = match scale {
            Scalar::Number(scale) => (gradient * *scale)?,
            Scalar::OnDevice(scale) => {
                gradient.broadcast_mul(&scale.to_dtype(gradient.dtype())?)?
            }
        };
        match (factors, v) {
            (Factors::Adam { step_size, v_correction, keep }, Some(v)) => {
                let m = ((m * BETA1)? + (&g * (1.0 - BETA1))?)?;
                let v = ((v * BETA2)? + (g.sqr()? * (1.0 - BETA2))?)?;
                let denominator = ((v.sqrt()? * v_correction)? + EPSILON)?;
                let theta = ((theta * keep)? - ((&m / denominator)? * step_size)?)?;
                Ok(Stepped { theta, m, v: Some(v) })
            }
            (Factors::Sgd { learning_rate, momentum }, None) => {
                let m = ((m * momentum)? + g)?;
                Ok(Stepped { theta: (theta - (&m * learning_rate)?)?, m, v: None })
            }
            _ => candle_core::bail!("the moments do not belong to this optimiser"),
        }
    }
}
