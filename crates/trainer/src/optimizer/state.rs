//! Saves and loads an optimiser's state, so that training can resume where it stopped.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::optimizer::Optimizer;
use crate::optimizer::moments::Moments;

/// The number of steps, as a tensor of its own.
const STEPS: &str = "n_steps";
/// The kind of optimiser, as the bytes of its name: Adam and SparseAdam have the same moments.
const KIND: &str = "optimizer";

impl Optimizer {
    /// Writes the moments and the number of steps as safetensors, atomically: tensors `NAME.m` and
    /// `NAME.v` in the parameters' shapes, `n_steps` and `optimizer`.
    ///
    /// All rows of all tables are brought up to date first, as
    /// [`catch_up_all`](Self::catch_up_all) does.
    ///
    /// # Errors
    /// [`Error::State`] if the file cannot be written; if a device fails.
    pub fn save(&mut self, path: &Path) -> Result<()> {
        self.catch_up_all()?;
        let mut tensors = HashMap::new();
        for (name, shape, moments) in self.all_moments() {
            let (m, v) = match moments {
                Moments::Cpu { m, v } => {
                    let tensor = |numbers: &[f32]| Tensor::from_slice(numbers, shape, &Device::Cpu);
                    (tensor(m)?, (!v.is_empty()).then(|| tensor(v)).transpose()?)
                }
                Moments::Device { m, v } => (m.clone(), v.clone()),
            };
            tensors.insert(format!("{name}.m"), m);
            if let Some(v) = v {
                tensors.insert(format!("{name}.v"), v);
            }
        }
        tensors.insert(STEPS.to_string(), Tensor::new(self.n_steps as i64, &Device::Cpu)?);
        tensors.insert(KIND.to_string(), Tensor::new(self.kind_name().as_bytes(), &Device::Cpu)?);
        // The library writes a temporary file and renames it.
        let saved = candle_core::safetensors::save(&tensors, path).map_err(|e| e.to_string());
        let synced = saved.and_then(|()| {
            File::open(path).and_then(|file| file.sync_all()).map_err(|e| e.to_string())
        });
        synced.map_err(|reason| Error::State { path: path.to_path_buf(), reason })
    }

    fn kind_name(&self) -> String {
        format!("{:?}", self.config.kind)
    }

    /// Reads what [`save`](Self::save) wrote for the same parameters and the same kind of optimiser;
    /// every later step is then bit for bit the same.
    ///
    /// # Errors
    /// [`Error::State`] if the file cannot be read, or belongs to other parameters or another
    /// optimiser; nothing is changed then.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let failed = |reason: String| Error::State { path: path.to_path_buf(), reason };
        let mut tensors = candle_core::safetensors::load(path, &Device::Cpu)
            .map_err(|error| failed(error.to_string()))?;
        let n_steps = match tensors.remove(STEPS).map(|steps| steps.to_scalar::<i64>()) {
            Some(Ok(n_steps)) if n_steps >= 0 => n_steps as u64,
            _ => return Err(failed(format!("it has no {STEPS}"))),
        };
        let kind = tensors.remove(KIND).and_then(|kind| kind.to_vec1::<u8>().ok());
        if kind.as_deref() != Some(self.kind_name().as_bytes()) {
            let kind = kind.map_or("another optimiser".into(), |kind| {
                String::from_utf8_lossy(&kind).into_owned()
            });
            return Err(failed(format!("it was saved by {kind}, expected {}", self.kind_name())));
        }
        let mut loaded = Vec::new();
        for (name, shape, moments) in self.all_moments() {
            let mut take = |suffix: &str| {
                let name = format!("{name}.{suffix}");
                match tensors.remove(&name) {
                    Some(tensor) if tensor.dims() == shape => Ok(tensor),
                    Some(tensor) => Err(failed(format!(
                        "{name} has shape {:?}, expected {shape:?}",
                        tensor.dims()
                    ))),
                    None => Err(failed(format!("it lacks {name}"))),
                }
            };
            loaded.push(match moments {
                Moments::Cpu { v, .. } => Moments::Cpu {
                    m: take("m")?.flatten_all()?.to_vec1()?,
                    v: if v.is_empty() {
                        Vec::new()
                    } else {
                        take("v")?.flatten_all()?.to_vec1()?
                    },
                },
                Moments::Device { m, v } => {
                    let like = |tensor: Tensor, old: &Tensor| -> Result<Tensor> {
                        Ok(tensor.to_dtype(old.dtype())?.to_device(old.device())?)
                    };
                    Moments::Device {
                        m: like(take("m")?, m)?,
                        v: v.as_ref().map(|old| like(take("v")?, old)).transpose()?,
                    }
                }
            });
        }
        if let Some(name) = tensors.keys().min() {
            return Err(failed(format!("it holds {name}, which this optimiser does not have")));
        }
        let mut loaded = loaded.into_iter();
        for (parameter, moments) in self.parameters.iter_mut().zip(&mut loaded) {
            parameter.moments = moments;
        }
        for (table, moments) in self.tables.values_mut().zip(loaded) {
            table.moments = moments;
            table.restart_at(n_steps);
        }
        self.n_steps = n_steps;
        Ok(())
    }

    /// Name, shape and moments of every parameter, tables last.
    fn all_moments(&self) -> impl Iterator<Item = (&str, &[usize], &Moments)> {
        let ordinary = self
            .parameters
            .iter()
            .map(|parameter| (parameter.name.as_str(), parameter.var.dims(), &parameter.moments));
        let tables = self.tables.iter();
        let tables = tables.map(|(name, table)| (name.as_str(), table.var.dims(), &table.moments));
        ordinary.chain(tables)
    }
}
