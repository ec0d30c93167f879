//! An optimiser's state: saved, what follows is not changed; restored, every later step is bit for bit the same.
//!
//! | name | holds |
//! |---|---|
//! | `NAME.m`, `NAME.v` | the moments, in the parameter's shape |
//! | `NAME.seen` | of a table whose rows lag: the last step applied to each row |
//! | `NAME.past` | the factors of the steps that some rows lack, three numbers a step |
//! | `n_steps`, `kind` | steps taken, and the kind of optimiser: Adam and SparseAdam have the same moments |

use std::path::Path;

use crate::error::Result;
use crate::optimizer::Optimizer;
use crate::optimizer::moments::Moments;
use crate::state::{self, Kind, Restored, Snapshot};

impl Optimizer {
    /// Writes the moments, the number of steps and what lagging rows have missed to a safetensors file, atomically
    /// and durably. Nothing is brought up to date for it, so the training goes on as if nothing had been saved.
    ///
    /// The parameters are not part of it: save them as they are, with their lagging rows, and set them before
    /// [`load`](Self::load).
    ///
    /// # Errors
    /// [`Error::Unwritten`](crate::Error::Unwritten) if the file cannot be written; if a device fails.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut snapshot = Snapshot::default();
        self.snapshot("", &mut snapshot)?;
        state::write(path, Kind::Optimizer, &snapshot)
    }

    /// Reads what [`save`](Self::save) wrote for the same parameters and the same kind of optimiser; every later
    /// step is then bit for bit the same.
    ///
    /// # Errors
    /// [`Error::Checkpoint`](crate::Error::Checkpoint) if the file cannot be read, or belongs to other parameters
    /// or another optimiser. Nothing is changed then.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let mut restored = state::read(path, Kind::Optimizer)?;
        let loaded = self.read("", &mut restored)?;
        restored.finish()?;
        self.take(loaded);
        Ok(())
    }

    /// Adds the state under names that begin with `prefix`.
    pub(crate) fn snapshot<'a>(&'a self, prefix: &str, to: &mut Snapshot<'a>) -> Result<()> {
        for parameter in &self.parameters {
            let name = format!("{prefix}{}", parameter.name);
            save_moments(&name, parameter.var.dims(), &parameter.moments, to)?;
        }
        for (name, table) in &self.tables {
            let name = format!("{prefix}{name}");
            save_moments(&name, table.var.dims(), &table.moments, to)?;
            if let Some((seen, past)) = table.lag() {
                to.integers(format!("{name}.seen"), seen);
                to.doubles(format!("{name}.past"), &past);
            }
        }
        to.fact(format!("{prefix}n_steps"), &self.n_steps)?;
        to.fact(format!("{prefix}kind"), &self.config.kind)
    }

    /// Takes over a state that [`snapshot`](Self::snapshot) made.
    pub(crate) fn restore(&mut self, prefix: &str, from: &mut Restored) -> Result<()> {
        let loaded = self.read(prefix, from)?;
        self.take(loaded);
        Ok(())
    }

    fn read(&self, prefix: &str, from: &mut Restored) -> Result<Loaded> {
        let kind = from.fact(&format!("{prefix}kind"))?;
        if self.config.kind != kind {
            let expected = self.config.kind;
            return Err(from.unfit(format!("it was saved by {kind:?}, expected {expected:?}")));
        }
        let n_steps = from.fact(&format!("{prefix}n_steps"))?;
        let mut loaded = Loaded { n_steps, moments: Vec::new(), tables: Vec::new() };
        for parameter in &self.parameters {
            let name = format!("{prefix}{}", parameter.name);
            loaded.moments.push(read_moments(
                &name,
                parameter.var.dims(),
                &parameter.moments,
                from,
            )?);
        }
        for (name, table) in &self.tables {
            let name = format!("{prefix}{name}");
            let moments = read_moments(&name, table.var.dims(), &table.moments, from)?;
            let lag = match table.lag() {
                Some(_) => {
                    let seen = from.integers(&format!("{name}.seen"))?;
                    let past = from.doubles(&format!("{name}.past"))?;
                    if !table.could_lag(&seen, &past, n_steps) {
                        return Err(from.unfit(format!("the steps of {name} do not fit together")));
                    }
                    Some((seen, past))
                }
                None => None,
            };
            loaded.tables.push((moments, lag));
        }
        Ok(loaded)
    }

    fn take(&mut self, loaded: Loaded) {
        for (parameter, moments) in self.parameters.iter_mut().zip(loaded.moments) {
            parameter.moments = moments;
        }
        for (table, (moments, lag)) in self.tables.values_mut().zip(loaded.tables) {
            table.moments = moments;
            table.restart_at(loaded.n_steps);
            if let Some((seen, past)) = lag {
                table.set_lag(seen, &past);
            }
        }
        self.n_steps = loaded.n_steps;
    }
}

/// A state that fits its optimiser.
struct Loaded {
    n_steps: u64,
    moments: Vec<Moments>,
    tables: Vec<(Moments, Option<(Vec<u64>, Vec<f64>)>)>,
}

fn save_moments<'a>(
    name: &str,
    shape: &[usize],
    moments: &'a Moments,
    to: &mut Snapshot<'a>,
) -> Result<()> {
    match moments {
        Moments::Cpu { m, v } => {
            to.numbers(format!("{name}.m"), m, shape);
            if !v.is_empty() {
                to.numbers(format!("{name}.v"), v, shape);
            }
        }
        Moments::Device { m, v } => {
            to.tensor(format!("{name}.m"), m)?;
            if let Some(v) = v {
                to.tensor(format!("{name}.v"), v)?;
            }
        }
    }
    Ok(())
}

fn read_moments(
    name: &str,
    shape: &[usize],
    like: &Moments,
    from: &mut Restored,
) -> Result<Moments> {
    let (m_name, v_name) = (format!("{name}.m"), format!("{name}.v"));
    Ok(match like {
        Moments::Cpu { v, .. } => Moments::Cpu {
            m: from.numbers(&m_name, shape)?,
            v: if v.is_empty() { Vec::new() } else { from.numbers(&v_name, shape)? },
        },
        Moments::Device { m, v } => Moments::Device {
            m: from.tensor_like(&m_name, m)?,
            v: v.as_ref().map(|old| from.tensor_like(&v_name, old)).transpose()?,
        },
    })
}
