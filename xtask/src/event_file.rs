//! The scalars of TensorBoard's event files, without their times.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use crc::{CRC_32_ISCSI, Crc};

/// A number that TensorBoard shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) tag: String,
    pub(crate) step: i64,
    /// The bits of its f32.
    pub(crate) bits: u32,
}

/// Reads all scalars of a file, in order.
///
/// # Errors
/// If the file cannot be read, if a record is cut off or damaged, or if it has anything but a version and
/// scalars.
pub(crate) fn read_scalars(path: &Path) -> anyhow::Result<Vec<Scalar>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (mut rest, mut scalars) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let event = next_record(&mut rest)
            .with_context(|| format!("{}: the record at byte {at} is damaged", path.display()))?;
        match (at, decode(event)) {
            (0, Some(Event::Version(version))) if version == VERSION => {}
            (1.., Some(Event::Scalars(of_event))) => scalars.extend(of_event),
            _ => bail!("{}: the event at byte {at} is not as expected", path.display()),
        }
    }
    Ok(scalars)
}

const VERSION: &[u8] = b"brain.Event:2";

static CRC_32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

fn masked_crc(bytes: &[u8]) -> u32 {
    CRC_32C.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Cuts off a record and returns its event; `None` if it is damaged.
fn next_record<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (of_length, rest) = rest.split_first_chunk::<4>()?;
    let n_bytes = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (event, rest) = rest.split_at_checked(n_bytes)?;
    let (of_event, rest) = rest.split_first_chunk::<4>()?;
    let is_whole = u32::from_le_bytes(*of_length) == masked_crc(length)
        && u32::from_le_bytes(*of_event) == masked_crc(event);
    *bytes = rest;
    is_whole.then_some(event)
}

enum Event<'a> {
    Version(&'a [u8]),
    Scalars(Vec<Scalar>),
}

/// Reads an event: 1 is its time, 2 its step, 3 a version, 5 a summary.
fn decode(bytes: &[u8]) -> Option<Event<'_>> {
    let (mut step, mut version, mut values) = (0, None, Vec::new());
    for field in fields(bytes)? {
        match field {
            (1, Contents::Fixed(time)) if time.len() == 8 => {}
            (2, Contents::Varint(value)) => step = value.cast_signed(),
            (3, Contents::Bytes(bytes)) => version = Some(bytes),
            (5, Contents::Bytes(summary)) => {
                for value in fields(summary)? {
                    let (1, Contents::Bytes(value)) = value else { return None };
                    values.push(tag_and_bits(value)?);
                }
            }
            _ => return None,
        }
    }
    match version {
        Some(version) => values.is_empty().then_some(Event::Version(version)),
        None => {
            let scalars = values.into_iter().map(|(tag, bits)| Scalar { tag, step, bits });
            Some(Event::Scalars(scalars.collect()))
        }
    }
}

/// Reads a value: 1 is its tag, 2 an f32.
fn tag_and_bits(bytes: &[u8]) -> Option<(String, u32)> {
    match fields(bytes)?.as_slice() {
        [(1, Contents::Bytes(tag)), (2, Contents::Fixed(value))] => {
            let tag = str::from_utf8(tag).ok()?.to_string();
            Some((tag, u32::from_le_bytes((*value).try_into().ok()?)))
        }
        _ => None,
    }
}

/// The contents of a protocol buffer's field.
enum Contents<'a> {
    Varint(u64),
    /// 4 or 8 bytes.
    Fixed(&'a [u8]),
    Bytes(&'a [u8]),
}

/// The numbers and contents of a protocol buffer's fields.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Contents<'_>)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let contents = match key & 7 {
            0 => Contents::Varint(varint(&mut bytes)?),
            1 => Contents::Fixed(take(&mut bytes, 8)?),
            2 => {
                let n_bytes = usize::try_from(varint(&mut bytes)?).ok()?;
                Contents::Bytes(take(&mut bytes, n_bytes)?)
            }
            5 => Contents::Fixed(take(&mut bytes, 4)?),
            _ => return None,
        };
        fields.push((key >> 3, contents));
    }
    Some(fields)
}

fn take<'a>(bytes: &mut &'a [u8], n_bytes: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(n_bytes)?;
    *bytes = rest;
    Some(taken)
}

/// A number of 7 bits a byte, the lowest first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by TensorBoard.
    const GOLDEN: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/trainer/tests/tensorboard/golden.tfevents");

    #[test]
    fn a_file_of_tensorboards_own_writer_is_read() {
        let scalars = read_scalars(Path::new(GOLDEN)).unwrap();
        assert_eq!(scalars.len(), 13);
        let scalar = |tag: &str, step, value: f32| Scalar {
            tag: tag.to_string(),
            step,
            bits: value.to_bits(),
        };
        assert_eq!(scalars[0], scalar("t", 0, 0.0));
        assert_eq!(scalars[1], scalar("train/loss", 1, 0.1));
        assert_eq!(scalars[3], scalar("v", 127, -0.0));
        assert_eq!(scalars[7], scalar("v", 128, 1e-45));
        assert_eq!(scalars[9], scalar("größe/λ", 300, 1.0));
        assert_eq!(scalars[11], scalar("b", 1 << 40, 7.0));
        assert_eq!(scalars[12], scalar("t", -1, 0.5));
    }

    #[test]
    fn a_damaged_or_cut_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let golden = fs::read(GOLDEN).unwrap();
        for at in 0..golden.len() {
            let mut damaged = golden.clone();
            damaged[at] ^= 0x10;
            fs::write(&path, &damaged).unwrap();
            assert!(read_scalars(&path).is_err(), "byte {at}");
        }
        fs::write(&path, &golden[..golden.len() - 1]).unwrap();
        let error = read_scalars(&path).unwrap_err().to_string();
        assert!(error.contains("the record at byte 517 is damaged"), "{error}");
    }
}
