//! States as files: safetensors, which other programs open, too, with the facts as JSON in the header and a digest
//! of everything. A file appears whole or not at all.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorInfo};
use serde_json::Value;
use whole_file::Staged;
use xxhash_rust::xxh3::Xxh3Default;

use super::restored::{Place, Restored};
use super::snapshot::Snapshot;
use crate::error::{Error, Result};

/// What a file is the state of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole training.
    Training,
    /// An optimiser.
    Optimizer,
}

/// The version of the file format and of what is stored in it.
const VERSION: &str = "1";

const KIND: &str = "sentiment-rnn state of";
const VERSION_KEY: &str = "version";
const FACTS: &str = "facts";
const DIGEST: &str = "digest";

/// Bytes of the file's length field.
const LEN_BYTES: usize = size_of::<u64>();

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Training => "a training",
            Self::Optimizer => "an optimiser",
        }
    }
}

/// Writes a state to a file, in place of an older one; flushed to disk.
///
/// # Errors
/// [`Error::Unwritten`] if it cannot be written; an older file is then as it was.
pub(crate) fn write(path: &Path, kind: Kind, snapshot: &Snapshot<'_>) -> Result<()> {
    let failed = |source| Error::Unwritten { path: path.to_path_buf(), source };
    write_whole(path, kind, snapshot).map_err(failed)
}

fn write_whole(path: &Path, kind: Kind, snapshot: &Snapshot<'_>) -> io::Result<()> {
    let facts = serde_json::to_string(&snapshot.facts)?;
    let mut digest = Digest::of(kind, &facts);
    for (name, piece) in &snapshot.pieces {
        piece.with_bytes(|bytes| digest.tensor(name, (piece.dtype, &piece.shape), bytes));
    }
    // The widest numbers first, so that all are aligned.
    let mut in_order: Vec<_> = snapshot.pieces.iter().collect();
    in_order.sort_by_key(|(_, piece)| Reverse(piece.dtype.bitsize()));
    let (mut infos, mut end) = (Vec::new(), 0);
    for (name, piece) in &in_order {
        let (dtype, shape, start) = (piece.dtype, piece.shape.clone(), end);
        end += piece.len();
        let info = TensorInfo { dtype, shape, data_offsets: (start, end) };
        infos.push(((*name).clone(), info));
    }
    let metadata = HashMap::from([
        (KIND.to_string(), kind.name().to_string()),
        (VERSION_KEY.to_string(), VERSION.to_string()),
        (FACTS.to_string(), facts),
        (DIGEST.to_string(), digest.hex()),
    ]);
    let metadata = Metadata::new(Some(metadata), infos).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&metadata)?;
    // Spaces may follow the header.
    header.resize(header.len().next_multiple_of(LEN_BYTES), b' ');

    let mut staged = Staged::beside(path)?;
    let file = staged.file();
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    for (_, piece) in in_order {
        piece.with_bytes(|bytes| file.write_all(bytes))?;
    }
    staged.replace(path)
}

/// Reads and checks a file.
///
/// # Errors
/// [`Error::Checkpoint`] if it cannot be read, is no such file, is of another kind or version, or is damaged.
pub(crate) fn read(path: &Path, kind: Kind) -> Result<Restored> {
    let failed = |reason: String| Error::Checkpoint { path: path.to_path_buf(), reason };
    let bytes = fs::read(path).map_err(|error| failed(error.to_string()))?;
    // Checks that the header and the file are complete, and that the tensors lie one behind the other.
    let (header_len, metadata) = SafeTensors::read_metadata(&bytes)
        .and_then(|read| SafeTensors::deserialize(&bytes).map(|_| read))
        .map_err(|error| failed(format!("it is damaged or no checkpoint ({error})")))?;
    let about = metadata.metadata().clone().unwrap_or_default();
    let about = |key: &str| about.get(key).map(String::as_str);
    match about(KIND) {
        Some(found) if found == kind.name() => {}
        Some(found) => {
            let expected = kind.name();
            return Err(failed(format!("it holds the state of {found}, expected {expected}")));
        }
        None => return Err(failed("it is no checkpoint of this program".to_string())),
    }
    match about(VERSION_KEY) {
        Some(VERSION) => {}
        version => {
            let version = version.unwrap_or("unknown");
            return Err(failed(format!("it has version {version}, expected {VERSION}")));
        }
    }
    let facts = about(FACTS).unwrap_or_default();
    let start = LEN_BYTES + header_len;
    let mut digest = Digest::of(kind, facts);
    let mut places = BTreeMap::new();
    for (name, info) in metadata.tensors().into_iter().collect::<BTreeMap<_, _>>() {
        let range = start + info.data_offsets.0..start + info.data_offsets.1;
        digest.tensor(&name, (info.dtype, &info.shape), &bytes[range.clone()]);
        places.insert(name, Place { dtype: info.dtype, shape: info.shape.clone(), range });
    }
    if about(DIGEST) != Some(&digest.hex()) {
        return Err(failed("it is damaged: its contents do not match its digest".to_string()));
    }
    let facts: BTreeMap<String, Value> =
        serde_json::from_str(facts).map_err(|error| failed(error.to_string()))?;
    Ok(Restored { path: path.to_path_buf(), bytes, places, facts })
}

/// A digest of everything that a state consists of.
struct Digest(Xxh3Default);

impl Digest {
    fn of(kind: Kind, facts: &str) -> Self {
        let mut digest = Self(Xxh3Default::new());
        digest.part(kind.name().as_bytes());
        digest.part(VERSION.as_bytes());
        digest.part(facts.as_bytes());
        digest
    }

    fn tensor(&mut self, name: &str, (dtype, shape): (Dtype, &[usize]), bytes: &[u8]) {
        self.part(name.as_bytes());
        self.part(format!("{dtype}{shape:?}").as_bytes());
        self.part(bytes);
    }

    /// With its length, so that parts cannot be divided otherwise.
    fn part(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn hex(&self) -> String {
        format!("{:016x}", self.0.digest())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    fn saved(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("state.safetensors");
        let numbers = [1.5f32, -0.0, f32::MIN_POSITIVE / 2.0, f32::NAN, 3e38, 7.0];
        let wide = Tensor::new(&[0.1f64, -1e-300], &Device::Cpu).unwrap();
        let mut snapshot = Snapshot::default();
        snapshot.numbers("numbers", &numbers, &[2, 3]);
        snapshot.integers("integers", &[u64::MAX >> 1, 0]);
        snapshot.doubles("doubles", &[0.1, 1.0 / 3.0]);
        snapshot.tensor("wide", &wide).unwrap();
        snapshot.fact("fact", &(0.1f64, u64::MAX, "text")).unwrap();
        write(&path, Kind::Training, &snapshot).unwrap();
        path
    }

    #[test]
    fn every_bit_comes_back_and_nothing_may_be_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = saved(folder.path());
        let mut restored = read(&path, Kind::Training).unwrap();
        let bits: Vec<u32> =
            restored.numbers("numbers", &[2, 3]).unwrap().iter().map(|x| x.to_bits()).collect();
        let expected = [1.5f32, -0.0, f32::MIN_POSITIVE / 2.0, f32::NAN, 3e38, 7.0];
        assert_eq!(bits, expected.map(f32::to_bits));
        assert_eq!(restored.integers("integers").unwrap(), [u64::MAX >> 1, 0]);
        assert_eq!(restored.doubles("doubles").unwrap(), [0.1, 1.0 / 3.0]);
        let wide: Vec<f64> = restored.tensor("wide", &Device::Cpu).unwrap().to_vec1().unwrap();
        assert_eq!(wide, [0.1, -1e-300]);
        let fact: (f64, u64, String) = restored.fact("fact").unwrap();
        assert_eq!(fact, (0.1, u64::MAX, "text".to_string()));
        restored.finish().unwrap();
        // Other programs of the field read the file, too.
        candle_core::safetensors::load(&path, &Device::Cpu).unwrap();

        let mut restored = read(&path, Kind::Training).unwrap();
        let message = |error: Error| error.to_string();
        let wrong = restored.numbers("numbers", &[3, 2]).map_err(message).unwrap_err();
        assert!(wrong.ends_with("numbers has shape [2, 3], expected [3, 2]"), "{wrong}");
        let missing = restored.doubles("other").map_err(message).unwrap_err();
        assert!(missing.ends_with("it lacks other"), "{missing}");
        let wrong = restored.fact::<usize>("fact").map_err(message).unwrap_err();
        assert!(wrong.contains("its fact cannot be read"), "{wrong}");
        let left = restored.finish().map_err(message).unwrap_err();
        assert!(left.contains("which has no place in this training"), "{left}");
    }

    #[test]
    fn every_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = saved(folder.path());
        let whole = fs::read(&path).unwrap();
        let refused = |bytes: &[u8], what: &str| {
            fs::write(&path, bytes).unwrap();
            let error = read(&path, Kind::Training).map(|_| ()).expect_err(what).to_string();
            assert!(error.starts_with(&format!("cannot go on from {}", path.display())), "{error}");
        };
        for len in 0..whole.len() {
            refused(&whole[..len], &format!("{len} of {} bytes", whole.len()));
        }
        refused(&[&whole[..], b"\0"].concat(), "a byte too many");
        for place in 0..whole.len() {
            for bit in [0, 3, 7] {
                let mut damaged = whole.clone();
                damaged[place] ^= 1 << bit;
                // A space in the header may as well be another one.
                if whole[place] != b' ' || damaged[place].is_ascii_graphic() {
                    refused(&damaged, &format!("bit {bit} of byte {place}"));
                }
            }
        }
        fs::write(&path, &whole).unwrap();
        assert!(read(&path, Kind::Training).is_ok());
    }

    #[test]
    fn other_files_are_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = saved(folder.path());
        let reason = |path: &Path| read(path, Kind::Optimizer).map(|_| ()).unwrap_err().to_string();
        let told = reason(&path);
        assert!(told.contains("it holds the state of a training, expected an optimiser"), "{told}");
        assert!(reason(&folder.path().join("none")).contains("No such file"));
        let foreign = folder.path().join("foreign.safetensors");
        let tensor = Tensor::new(&[1f32], &Device::Cpu).unwrap();
        candle_core::safetensors::save(&HashMap::from([("a", tensor)]), &foreign).unwrap();
        assert!(reason(&foreign).contains("it is no checkpoint of this program"));
        fs::write(&foreign, "not a checkpoint at all").unwrap();
        assert!(reason(&foreign).contains("it is damaged or no checkpoint"));
    }
}
