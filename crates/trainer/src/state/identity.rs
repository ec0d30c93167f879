//! What a saved training belongs to: anything of it that were another would, or might, give other numbers.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::OnceLock;

use candle_core::Device;
use dataset::EncodedSplit;
use model::Precision;
use recurrent::InstructionSet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xxhash_rust::xxh3::Xxh3Default;

use crate::error::{Error, Result};
use crate::job::TrainingJob;
use crate::state::Difference;

/// Everything that the numbers of a training depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The version of this program.
    pub program: String,
    /// A digest of the file that is run, if it can be read. In Python, that is the interpreter.
    pub build: Option<String>,
    /// The texts: a digest of their contents, and how they are divided and encoded.
    pub data: Value,
    /// All settings.
    pub settings: Value,
    /// What decides the order of additions, and so the rounding.
    pub machine: Value,
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
        let mut data = json!({
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
        for (part, of) in origin.own_splits.iter() {
            data[format!("contents of the {part} file")] = json!(of.fingerprint);
        }
        if let (Some(start), Some(known)) = (&job.data.start, data.as_object_mut()) {
            known.insert("starting model".to_string(), json!(start.model.id()));
        }
        Ok(Self {
            program: env!("CARGO_PKG_VERSION").to_string(),
            build: build(),
            data,
            settings,
            machine: machine(job.device),
        })
    }

    /// In what a training with this identity differs from one that was saved with `saved`.
    pub fn differences(&self, saved: &Self) -> Vec<Difference> {
        let versions = [saved, self].map(|of| json!({ "the program's version": of.program }));
        let builds = [saved, self].map(|of| json!({ "the build of the program": of.build }));
        let found = |[was, is]: [&Value; 2]| Difference::all(was, is);
        let of_data =
            |found: Difference| Difference { name: format!("data: {}", found.name), ..found };
        let of_machine = |found: Difference| {
            // The precision is asked for; everything else is what the machine has.
            let is_minor = found.name != PRECISION;
            let name = match found.name.as_str() {
                "threads" => "the number of threads".to_string(),
                "instruction_set" => "the instruction set".to_string(),
                "device" => "the device".to_string(),
                "card" => "the graphics card".to_string(),
                PRECISION => "the precision".to_string(),
                _ => found.name,
            };
            Difference { name, is_minor, ..found }
        };
        let mut all = found(versions.each_ref());
        all.extend(found([&saved.data, &self.data]).into_iter().map(of_data));
        all.extend(found([&saved.settings, &self.settings]));
        all.extend(found(builds.each_ref()).into_iter().map(of_machine));
        let machines = [saved, self].map(|of| with_precision(&of.machine));
        all.extend(found(machines.each_ref()).into_iter().map(of_machine));
        all
    }
}

/// A digest of the file that is run, if it can be read; the same in the whole process.
fn build() -> Option<String> {
    static BUILD: OnceLock<Option<String>> = OnceLock::new();
    let read = || {
        // On Linux this is the file that was started, even if another has taken its place.
        let running = Path::new("/proc/self/exe");
        let program = match cfg!(target_os = "linux") {
            true => running.to_path_buf(),
            false => std::env::current_exe().ok()?,
        };
        digest_of_file(&program).ok()
    };
    BUILD.get_or_init(read).clone()
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

/// The error of a file of word vectors that cannot be read.
pub(crate) fn unread_vectors(path: &Path, source: io::Error) -> Error {
    word_vectors::Error::Read { path: path.to_path_buf(), source }.into()
}

/// A digest of a file's contents.
fn digest_of_file(path: &Path) -> Result<String> {
    let failed = |source| unread_vectors(path, source);
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

/// Among what is known of a machine: the precision of its products.
const PRECISION: &str = "precision";

/// What is known of a machine, with its precision, which was f32 before there were others.
fn with_precision(machine: &Value) -> Value {
    let mut machine = machine.clone();
    if let Some(known) = machine.as_object_mut() {
        known.entry(PRECISION).or_insert_with(|| json!(Precision::F32));
    }
    machine
}

/// The precision of a machine that [`machine`] describes. One that this version does not know is the default.
pub(crate) fn precision_of(machine: &Value) -> Precision {
    let named = machine.get(PRECISION).cloned();
    named.and_then(|named| serde_json::from_value(named).ok()).unwrap_or_default()
}

/// Everything about the machine that numbers depend on.
pub(crate) fn machine(device: &Device) -> Value {
    let name = match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    };
    let mut machine = json!({
        "device": name,
        PRECISION: Precision::of(device),
        "threads": rayon::current_num_threads(),
        "instruction_set": InstructionSet::best().to_string(),
        "architecture": std::env::consts::ARCH,
        "system": std::env::consts::OS,
    });
    // TOML, in which runs are described, has no null.
    if let (Some(card), Some(known)) = (model::card_name(device), machine.as_object_mut()) {
        known.insert("card".to_string(), json!(card));
    }
    machine
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(program: &str, epochs: usize, threads: usize, contents: &str) -> Identity {
        Identity {
            program: program.to_string(),
            build: Some("1111".to_string()),
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
        assert_eq!(found.iter().filter(|difference| difference.is_minor).count(), 1);
    }

    #[test]
    fn a_rebuilt_program_of_the_same_version_is_a_difference_that_can_be_accepted() {
        let saved = identity("0.1.0", 4, 2, "abc");
        let now = Identity { build: Some("2222".to_string()), ..saved.clone() };
        let found = now.differences(&saved);
        let words: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["the build of the program was 1111 and is 2222"]);
        assert!(found[0].is_minor);
    }

    #[test]
    fn another_card_can_be_accepted_and_another_precision_cannot() {
        let of = |machine: Value| Identity { machine, ..identity("0.1.0", 4, 2, "abc") };
        let on = |card: &str, precision: &str| {
            of(json!({ "device": "cuda", "card": card, "precision": precision }))
        };
        let compared = |saved: &Identity, now: &Identity| -> Vec<(String, bool)> {
            let found = now.differences(saved).into_iter();
            found.map(|difference| (difference.to_string(), difference.is_minor)).collect()
        };
        let saved = on("NVIDIA H100", "f32");
        let card = "the graphics card was NVIDIA H100 and is NVIDIA H200".to_string();
        assert_eq!(compared(&saved, &on("NVIDIA H200", "f32")), [(card.clone(), true)]);
        let precision = "the precision was f32 and is tf32".to_string();
        let both = [(card, true), (precision.clone(), false)];
        assert_eq!(compared(&saved, &on("NVIDIA H200", "tf32")), both);

        // A checkpoint from before there was a choice.
        let old = of(json!({ "device": "cuda", "card": "NVIDIA H100" }));
        assert_eq!(compared(&old, &saved), []);
        assert_eq!(compared(&old, &on("NVIDIA H100", "tf32")), [(precision, false)]);
    }

    #[test]
    fn a_machine_knows_its_precision() {
        let here = machine(&Device::Cpu);
        assert_eq!((&here["device"], &here["precision"]), (&json!("cpu"), &json!("f32")));
        assert_eq!(here.get("card"), None);
        assert_eq!(precision_of(&json!({ "precision": "tf32" })), Precision::Tf32);
        for other in [here, json!({}), json!({ "precision": "f8" })] {
            assert_eq!(precision_of(&other), Precision::F32, "{other}");
        }
    }

    #[test]
    fn the_build_of_a_program_is_the_digest_of_its_file() {
        let program = std::env::current_exe().unwrap();
        let copy = tempfile::NamedTempFile::new().unwrap();
        std::fs::copy(program, copy.path()).unwrap();
        assert_eq!(build(), Some(digest_of_file(copy.path()).unwrap()));
        assert_eq!(build(), build());
    }
}
