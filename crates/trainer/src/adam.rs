//! Adam in one pass over the parameters.

use std::sync::{Mutex, PoisonError};

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, InplaceOp2, Layout, Tensor, Var};
use rayon::prelude::*;

use crate::error::Result;
use crate::numbers::{TASK_LEN, slice};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Adam (Kingma and Ba 2015) with the defaults of
/// [torch.optim.Adam](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html): β₁ 0.9,
/// β₂ 0.999, ε 1e-8, no weight decay.
///
/// ```text
/// m = β₁ m + (1 - β₁) g            θ = θ - lr · m̂ / (√v̂ + ε)
/// v = β₂ v + (1 - β₂) g²           m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ)
/// ```
#[derive(Debug)]
pub struct Adam {
    parameters: Vec<Parameter>,
    n_steps: i32,
}

#[derive(Debug)]
struct Parameter {
    var: Var,
    moments: Moments,
}

/// First and second moment, in the parameter's order.
#[derive(Debug)]
enum Moments {
    /// On the CPU: plain numbers, updated in place by all cores.
    Cpu { m: Vec<f32>, v: Vec<f32> },
    /// Elsewhere: tensors on the parameter's device.
    Device { m: Tensor, v: Tensor },
}

impl Adam {
    /// An optimiser of these parameters, with zero moments.
    ///
    /// # Errors
    /// If a device fails.
    pub fn new(parameters: impl IntoIterator<Item = Var>) -> Result<Self> {
        let parameters = parameters
            .into_iter()
            .map(|var| {
                let moments = if var.device().is_cpu() && var.dtype() == DType::F32 {
                    let len = var.elem_count();
                    Moments::Cpu { m: vec![0.0; len], v: vec![0.0; len] }
                } else {
                    Moments::Device { m: var.zeros_like()?, v: var.zeros_like()? }
                };
                Ok(Parameter { var, moments })
            })
            .collect::<Result<_>>()?;
        Ok(Self { parameters, n_steps: 0 })
    }

    /// The gradients of this optimiser's parameters, in its order; none where a parameter took no
    /// part in the loss.
    pub fn gradients<'a>(&'a self, gradients: &'a GradStore) -> impl Iterator<Item = &'a Tensor> {
        self.parameters.iter().filter_map(|parameter| gradients.get(&parameter.var))
    }

    /// Updates every parameter that has a gradient; each gradient is multiplied by `scale` first.
    ///
    /// # Errors
    /// If a device fails.
    pub fn step(&mut self, gradients: &GradStore, learning_rate: f64, scale: f64) -> Result<()> {
        self.n_steps += 1;
        let factors = Factors {
            scale,
            step_size: learning_rate / (1.0 - BETA1.powi(self.n_steps)),
            v_correction: 1.0 / (1.0 - BETA2.powi(self.n_steps)).sqrt(),
        };
        for Parameter { var, moments } in &mut self.parameters {
            let Some(gradient) = gradients.get(var) else { continue };
            match moments {
                Moments::Cpu { m, v } => {
                    let op = CpuStep { factors, moments: Mutex::new((m, v)) };
                    var.as_tensor().inplace_op2(&gradient.contiguous()?, &op)?;
                }
                Moments::Device { m, v } => {
                    let g = (gradient * factors.scale)?;
                    *m = ((&*m * BETA1)? + (&g * (1.0 - BETA1))?)?;
                    *v = ((&*v * BETA2)? + (g.sqr()? * (1.0 - BETA2))?)?;
                    let denominator = ((v.sqrt()? * factors.v_correction)? + EPSILON)?;
                    var.set(&(var.as_tensor() - ((&*m / denominator)? * factors.step_size)?)?)?;
                }
            }
        }
        Ok(())
    }
}

/// The numbers of one step that are the same for all parameters.
#[derive(Debug, Clone, Copy)]
struct Factors {
    scale: f64,
    /// lr / (1 - β₁ᵗ)
    step_size: f64,
    /// 1 / √(1 - β₂ᵗ)
    v_correction: f64,
}

/// One parameter's step on the CPU.
struct CpuStep<'a> {
    factors: Factors,
    /// Candle hands operations out by shared reference, so the moments go behind a lock.
    moments: Mutex<(&'a mut Vec<f32>, &'a mut Vec<f32>)>,
}

impl InplaceOp2 for CpuStep<'_> {
    fn name(&self) -> &'static str {
        "adam-step"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        parameter_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> candle_core::Result<()> {
        let CpuStorage::F32(parameter) = parameter else {
            candle_core::bail!("{} on the CPU takes f32 parameters", self.name());
        };
        let (Some((start, end)), Some(gradient)) =
            (parameter_layout.contiguous_offsets(), slice(gradient, gradient_layout)?)
        else {
            candle_core::bail!("{} takes contiguous tensors", self.name());
        };
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let (m, v) = &mut *moments;
        (
            parameter[start..end].par_chunks_mut(TASK_LEN),
            m.par_chunks_mut(TASK_LEN),
            v.par_chunks_mut(TASK_LEN),
            gradient.par_chunks(TASK_LEN),
        )
            .into_par_iter()
            .for_each(|(parameter, m, v, gradient)| {
                self.factors.update(parameter, m, v, gradient);
            });
        Ok(())
    }
}

impl Factors {
    fn update(self, parameter: &mut [f32], m: &mut [f32], v: &mut [f32], gradient: &[f32]) {
        let (scale, step_size) = (self.scale as f32, self.step_size as f32);
        let v_correction = self.v_correction as f32;
        let (beta1, beta2, epsilon) = (BETA1 as f32, BETA2 as f32, EPSILON as f32);
        let (rest1, rest2) = ((1.0 - BETA1) as f32, (1.0 - BETA2) as f32);
        for (((parameter, m), v), gradient) in parameter.iter_mut().zip(m).zip(v).zip(gradient) {
            let g = gradient * scale;
            *m = beta1 * *m + rest1 * g;
            *v = beta2 * *v + rest2 * g * g;
            *parameter -= step_size * *m / (v.sqrt() * v_correction + epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// The definition, in f64.
    fn reference(steps: &[[f64; 3]], learning_rate: f64) -> [f64; 3] {
        let (mut theta, mut m, mut v) = ([0.5, -1.0, 2.0], [0.0; 3], [0.0; 3]);
        for (t, gradient) in steps.iter().enumerate() {
            for i in 0..3 {
                m[i] = BETA1 * m[i] + (1.0 - BETA1) * gradient[i];
                v[i] = BETA2 * v[i] + (1.0 - BETA2) * gradient[i] * gradient[i];
                let m_hat = m[i] / (1.0 - BETA1.powi(t as i32 + 1));
                let v_hat: f64 = v[i] / (1.0 - BETA2.powi(t as i32 + 1));
                theta[i] -= learning_rate * m_hat / (v_hat.sqrt() + EPSILON);
            }
        }
        theta
    }

    #[test]
    fn fifty_steps_equal_the_definition() -> Result<()> {
        let var = Var::new(&[0.5f32, -1.0, 2.0], &Device::Cpu)?;
        let mut adam = Adam::new([var.clone()])?;
        let mut steps = Vec::new();
        for t in 0..50 {
            let g = [0, 1, 2].map(|i| (f64::from(t) * 0.7 + f64::from(i)).sin());
            steps.push(g);
            // The gradient of Σ g θ is g.
            let loss = (var.as_tensor() * Tensor::new(&g.map(|g| g as f32), &Device::Cpu)?)?;
            adam.step(&loss.sum_all()?.backward()?, 0.01, 1.0)?;
        }
        for (got, expected) in var.to_vec1::<f32>()?.into_iter().zip(reference(&steps, 0.01)) {
            assert!((f64::from(got) - expected).abs() < 2e-6, "{got} {expected}");
        }
        Ok(())
    }

    #[test]
    fn f32_and_other_dtypes_take_the_same_step() -> Result<()> {
        let step = |dtype| -> Result<Vec<f32>> {
            let var =
                Var::from_tensor(&Tensor::new(&[0.3f32, -0.7], &Device::Cpu)?.to_dtype(dtype)?)?;
            let mut adam = Adam::new([var.clone()])?;
            for _ in 0..3 {
                let gradients = var.as_tensor().sqr()?.sum_all()?.backward()?;
                adam.step(&gradients, 0.1, 0.5)?;
            }
            Ok(var.as_tensor().to_dtype(DType::F32)?.to_vec1()?)
        };
        for (a, b) in step(DType::F32)?.into_iter().zip(step(DType::F64)?) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
        Ok(())
    }
}
