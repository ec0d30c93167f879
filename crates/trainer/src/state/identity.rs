//! What a saved training belongs to: anything of it that were another would give other numbers.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use candle_core::Device;
use dataset::EncodedSplit;
use recurrent::InstructionSet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::Xxh3Default;

use crate::error::{Error, Result};
use crate::job::TrainingJob;

/// Everything that the numbers of a training depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The version of this program.
    pub program: String,
    /// The texts: a digest of their contents, and how they are divided and encoded.
    pub data: Value,
    /// All settings.
    pub settings: Value,
    /// What decides the order of additions, and so the rounding.
    pub machine: Value,
}

/// Something in which two trainings differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name, such as `training.epochs`.
    pub name: String,
    /// What it was when the training was saved.
    pub was: String,
    /// What it is now.
    pub is: String,
    /// Whether it changes nothing but the rounding of numbers.
    pub is_rounding: bool,
}

impl fmt::Display for Difference {
    /// `training.epochs was 4 and is 9`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was {} and is {}", self.name, self.was, self.is)
    }
}

impl Identity {
    /// The identity of a training.
    ///
    /// # Errors
    /// If a setting cannot be written down.
    pub fn of(job: &TrainingJob<'_>) -> Result<Self> {
        let &TrainingJob { model, regularization, training, pretraining, data, ref origin, .. } =
            job;
        let settings = json!({
            "preprocessing": data.encoder.config(),
            "model": model.for_task(&data.task)?,
            "regularization": regularization,
            "pretraining": pretraining,
            "training": training,
        });
        let data = json!({
            "contents": origin.fingerprint,
            "task": data.task,
            "split": origin.split,
            "text column": origin.text_column,
            "label columns": origin.label_columns,
            "group column": origin.group_column,
            "weight column": origin.weight_column,
            "training texts": digest(&data.train),
            "validation texts": digest(&data.validation),
            "test texts": digest(&data.test),
            "word vectors": training.word_vectors.as_deref().map(digest_of_file).transpose()?,
        });
        Ok(Self {
            program: env!("CARGO_PKG_VERSION").to_string(),
            data,
            settings,
            machine: machine(job.device),
        })
    }

    /// In what a training with this identity differs from one that was saved with `saved`.
    pub fn differences(&self, saved: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        let program = |identity: &Self| Value::String(identity.program.clone());
        compare("the program's version", &program(saved), &program(self), false, &mut found);
        compare("data", &saved.data, &self.data, false, &mut found);
        compare("", &saved.settings, &self.settings, false, &mut found);
        compare("", &saved.machine, &self.machine, true, &mut found);
        found
    }
}

/// A digest of encoded texts with their labels and weights.
fn digest(split: &EncodedSplit) -> String {
    let mut digest = Xxh3Default::new();
    let mut part = |bytes: &[u8]| {
        digest.update(&(bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    part(bytemuck::cast_slice(split.ids()));
    for row in 0..split.len() {
        part(&(split.row(row).len() as u64).to_le_bytes());
        if let Some(targets) = split.targets() {
            part(bytemuck::cast_slice(targets.of_row(row)));
        }
    }
    part(bytemuck::cast_slice(split.weights().unwrap_or_default()));
    format!("{:016x}", digest.digest())
}

/// A digest of a file's contents.
fn digest_of_file(path: &Path) -> Result<String> {
    let failed = |source| Error::Unread { path: path.to_path_buf(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut digest = Xxh3Default::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(format!("{:016x}", digest.digest())),
            Ok(n) => digest.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Everything about the machine that numbers depend on.
pub(crate) fn machine(device: &Device) -> Value {
    let name = match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    };
    json!({
        "device": name,
        "threads": rayon::current_num_threads(),
        "instruction_set": InstructionSet::best().to_string(),
        "architecture": std::env::consts::ARCH,
        "system": std::env::consts::OS,
    })
}

/// Adds the differences of two values; maps are compared entry by entry.
fn compare(name: &str, was: &Value, is: &Value, is_rounding: bool, found: &mut Vec<Difference>) {
    if let (Value::Object(was), Value::Object(is)) = (was, is) {
        let none = Value::Null;
        let of = |map: &'_ Map<String, Value>, key: &str| map.get(key).unwrap_or(&none).clone();
        let added = is.keys().filter(|key| !was.contains_key(*key));
        for key in was.keys().chain(added) {
            let inner = match name {
                "" => key.clone(),
                "data" => format!("{name}: {key}"),
                _ => format!("{name}.{key}"),
            };
            compare(&inner, &of(was, key), &of(is, key), is_rounding, found);
        }
    } else if was != is {
        let name = match name {
            "threads" => "the number of threads",
            "instruction_set" => "the instruction set",
            "device" => "the device",
            name => name,
        };
        let [was, is] = [was, is].map(|value| match value {
            Value::Null => "none".to_string(),
            Value::String(text) => text.clone(),
            value => value.to_string(),
        });
        found.push(Difference { name: name.to_string(), was, is, is_rounding });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(program: &str, epochs: usize, threads: usize, contents: &str) -> Identity {
        Identity {
            program: program.to_string(),
            data: json!({ "contents": contents }),
            settings: json!({ "training": { "epochs": epochs, "seed": 0 }, "model": { "cell": "lstm" } }),
            machine: json!({ "threads": threads }),
        }
    }

    #[test]
    fn every_difference_is_named_with_both_values() {
        let saved = identity("0.1.0", 4, 2, "abc");
        assert_eq!(saved.differences(&saved), []);
        let now = identity("0.2.0", 9, 1, "abd");
        let found = now.differences(&saved);
        let words: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            words,
            [
                "the program's version was 0.1.0 and is 0.2.0",
                "data: contents was abc and is abd",
                "training.epochs was 4 and is 9",
                "the number of threads was 2 and is 1",
            ]
        );
        assert_eq!(found.iter().filter(|difference| difference.is_rounding).count(), 1);
    }

    #[test]
    fn a_setting_that_one_of_them_lacks_is_a_difference() {
        let mut saved = identity("0.1.0", 4, 2, "abc");
        let now = saved.clone();
        saved.settings["training"].as_object_mut().unwrap().remove("seed");
        assert_eq!(now.differences(&saved)[0].to_string(), "training.seed was none and is 0");
        assert_eq!(saved.differences(&now)[0].to_string(), "training.seed was 0 and is none");
    }
}
