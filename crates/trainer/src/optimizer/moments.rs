//! An optimiser's moments of one parameter, and one step of a whole parameter.

use candle_core::{Tensor, Var};
use rayon::prelude::*;

#[cfg(feature = "cuda")]
use super::on_device;
use crate::error::{Error, Result};
use crate::numbers::{TASK_LEN, is_f32_on_cpu, with_f32, with_f32_mut};
use crate::optimizer::rule::{Factors, Numbers, Rule, tensors};
use crate::scalar::Scalar;

/// First and second moment, in the parameter's order; the second is empty or `None` if there is none.
#[derive(Debug)]
pub(super) enum Moments {
    /// On the CPU: plain numbers, updated in place by all cores.
    Cpu { m: Vec<f32>, v: Vec<f32> },
    /// Elsewhere: tensors on the parameter's device.
    Device { m: Tensor, v: Option<Tensor> },
}

impl Moments {
    pub(super) fn zeros(var: &Var, rule: Rule) -> Result<Self> {
        Ok(if is_f32_on_cpu(var) {
            let len = var.elem_count();
            Self::Cpu { m: vec![0.0; len], v: vec![0.0; if rule.has_second() { len } else { 0 }] }
        } else {
            let v = rule.has_second().then(|| var.zeros_like()).transpose()?;
            Self::Device { m: var.zeros_like()?, v }
        })
    }
}

/// One step of every value of a parameter.
pub(super) fn step(
    var: &Var,
    moments: &mut Moments,
    gradient: &Tensor,
    factors: Factors,
    scale: &Scalar,
) -> Result<()> {
    match moments {
        Moments::Cpu { m, v } => {
            let (scale, gradient) = (scale.read()?, gradient.contiguous()?);
            let done = with_f32(&gradient, |gradient| {
                with_f32_mut(var, |theta| {
                    tasks(theta, m, v, TASK_LEN)
                        .into_par_iter()
                        .zip(gradient.par_chunks(TASK_LEN))
                        .for_each(|(mut numbers, g)| numbers.step(g, factors, scale));
                    Ok(())
                })
            })?;
            done.unwrap_or_else(|| Err(Error::other_dtype()))
        }
        Moments::Device { m, v } => {
            #[cfg(feature = "cuda")]
            {
                let parameter = (&var.as_detached_tensor(), &*m, v.as_ref());
                let gradient = on_device::Gradient::Whole(gradient);
                if on_device::step(parameter, &gradient, factors, scale)? {
                    return Ok(());
                }
            }
            let stepped = tensors::step(
                (&var.as_detached_tensor(), m, v.as_ref()),
                gradient,
                factors,
                scale,
            )?;
            var.set(&stepped.theta)?;
            (*m, *v) = (stepped.m, stepped.v);
            Ok(())
        }
    }
}

/// A parameter with its moments, cut into pieces of `len` numbers.
pub(super) fn tasks<'a>(
    theta: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    len: usize,
) -> Vec<Numbers<'a>> {
    let mut seconds = v.chunks_mut(len);
    theta
        .chunks_mut(len)
        .zip(m.chunks_mut(len))
        .map(|(theta, m)| Numbers { theta, m, v: seconds.next().unwrap_or_default() })
        .collect()
}
