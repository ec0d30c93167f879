//! Event files: numbers by tag and step, as TensorBoard reads them.
//!
//! A file is a sequence of records, each of one event. All numbers are little-endian:
//!
//! | bytes | contents |
//! |---|---|
//! | 8 | length of the event |
//! | 4 | masked CRC-32C of these 8 bytes |
//! | length | the event |
//! | 4 | masked CRC-32C of the event |
//!
//! An event is a protocol buffer: `Event { double wall_time = 1; int64 step = 2; string file_version = 3;
//! Summary summary = 5; }` with `Summary { repeated Value value = 1; }` and `Value { string tag = 1;
//! float simple_value = 2; }`. The first event has the version of the format. Values without metadata are
//! scalars to TensorBoard.
//!
//! TensorBoard ignores everything after a damaged record, without a word. So a file is only continued where
//! its records are whole.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crc::{CRC_32_ISCSI, Crc};

/// An event file that is being written.
///
/// After an error, what the file holds beyond the last [`sync`](Self::sync) is unknown: write no more, and go
/// on with [`continue_at`](Self::continue_at).
#[derive(Debug)]
pub(crate) struct EventFile {
    file: BufWriter<File>,
    len: u64,
}

impl EventFile {
    /// The name of a new file: TensorBoard looks for `tfevents`. `wall_time` as in [`create`](Self::create).
    pub(crate) fn name(wall_time: f64) -> String {
        format!("events.out.tfevents.{:010}.{}", wall_time as u64, std::process::id())
    }

    /// Creates a file, or empties an existing one, and writes the version. `wall_time`: seconds since 1970.
    ///
    /// # Errors
    /// If the file cannot be created. Writes are buffered, so a full disk may only show later.
    pub(crate) fn create(path: &Path, wall_time: f64) -> io::Result<Self> {
        let mut created = Self { file: BufWriter::new(File::create(path)?), len: 0 };
        let mut event = event(wall_time, 0);
        put_bytes(&mut event, FILE_VERSION, VERSION.as_bytes());
        created.record(&event)?;
        Ok(created)
    }

    /// Opens an existing file and cuts it back to `len` bytes, to go on from there.
    ///
    /// # Errors
    /// If the file is missing or shorter, or if its first `len` bytes are not whole records, at least one; the
    /// file is then unchanged.
    pub(crate) fn continue_at(path: &Path, len: u64) -> io::Result<Self> {
        let mut file = File::options().read(true).write(true).open(path)?;
        check(&file, len)?;
        file.set_len(len)?;
        file.seek(SeekFrom::Start(len))?;
        Ok(Self { file: BufWriter::new(file), len })
    }

    /// Appends an event with a value for each tag; none if there are no values. All bits of a value are kept,
    /// also those of a NaN. `wall_time`: seconds since 1970.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn scalars(
        &mut self,
        wall_time: f64,
        step: i64,
        values: &[(&str, f32)],
    ) -> io::Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        let mut summary = Vec::new();
        for (tag, value) in values {
            let mut scalar = Vec::new();
            put_bytes(&mut scalar, TAG, tag.as_bytes());
            put_key(&mut scalar, SIMPLE_VALUE, Wire::Fixed32);
            scalar.extend(value.to_le_bytes());
            put_bytes(&mut summary, VALUE, &scalar);
        }
        let mut event = event(wall_time, step);
        put_bytes(&mut event, SUMMARY, &summary);
        self.record(&event)
    }

    /// Hands what is buffered to the operating system, so that others can read it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// Has the operating system write everything to the disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.get_ref().sync_all()
    }

    /// Bytes written so far, with those that are still buffered.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    fn record(&mut self, event: &[u8]) -> io::Result<()> {
        let length = (event.len() as u64).to_le_bytes();
        self.file.write_all(&length)?;
        self.file.write_all(&masked_crc(&length).to_le_bytes())?;
        self.file.write_all(event)?;
        self.file.write_all(&masked_crc(event).to_le_bytes())?;
        self.len += HEAD + event.len() as u64 + CHECKSUM;
        Ok(())
    }
}

const VERSION: &str = "brain.Event:2";

// Bytes around an event.
const HEAD: u64 = 12;
const CHECKSUM: u64 = 4;

// Numbers of the fields of an `Event`, ...
const WALL_TIME: u64 = 1;
const STEP: u64 = 2;
const FILE_VERSION: u64 = 3;
const SUMMARY: u64 = 5;
// ... a `Summary` ...
const VALUE: u64 = 1;
// ... and a `Value`.
const TAG: u64 = 1;
const SIMPLE_VALUE: u64 = 2;

/// How a field is encoded.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
    Fixed32 = 5,
}

/// An event's time and step; a step of 0 is left out, as in every protocol buffer.
fn event(wall_time: f64, step: i64) -> Vec<u8> {
    let mut event = Vec::new();
    put_key(&mut event, WALL_TIME, Wire::Fixed64);
    event.extend(wall_time.to_le_bytes());
    if step != 0 {
        put_key(&mut event, STEP, Wire::Varint);
        put_varint(&mut event, step.cast_unsigned());
    }
    event
}

fn put_bytes(to: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_key(to, field, Wire::Bytes);
    put_varint(to, bytes.len() as u64);
    to.extend(bytes);
}

fn put_key(to: &mut Vec<u8>, field: u64, wire: Wire) {
    put_varint(to, (field << 3) | wire as u64);
}

/// 7 bits a byte, the lowest first; all bytes but the last have the highest bit set.
fn put_varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

static CRC_32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// CRC-32C, rotated and shifted as the format asks.
fn masked_crc(bytes: &[u8]) -> u32 {
    CRC_32C.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Fails unless the first `len` bytes are whole records, at least one.
fn check(file: &File, len: u64) -> io::Result<()> {
    let invalid = |reason: String| Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    let there = file.metadata()?.len();
    if there < len {
        return invalid(format!("it has {there} bytes, expected at least {len}"));
    }
    if len == 0 {
        return invalid("it must be continued after its first record, not at byte 0".to_string());
    }
    let mut reader = BufReader::new(file);
    let mut at = 0;
    while at < len {
        match read_record(&mut reader, len - at)? {
            Some(length) => at += length,
            None => {
                return invalid(format!(
                    "the record at byte {at} is damaged, or does not end before byte {len}"
                ));
            }
        }
    }
    Ok(())
}

/// Reads a record. Returns its length in bytes, `None` if it is longer than `max` bytes or its checksums are
/// wrong.
fn read_record(reader: &mut impl Read, max: u64) -> io::Result<Option<u64>> {
    let Some(max) = max.checked_sub(HEAD + CHECKSUM) else { return Ok(None) };
    let length: [u8; 8] = read(reader)?;
    let checksum: [u8; 4] = read(reader)?;
    let n_bytes = u64::from_le_bytes(length);
    if u32::from_le_bytes(checksum) != masked_crc(&length) || n_bytes > max {
        return Ok(None);
    }
    let mut event = Vec::new();
    reader.take(n_bytes).read_to_end(&mut event)?;
    let checksum: [u8; 4] = read(reader)?;
    let is_whole = u32::from_le_bytes(checksum) == masked_crc(&event);
    Ok(is_whole.then_some(HEAD + n_bytes + CHECKSUM))
}

fn read<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    /// Written by TensorBoard: `make_events.py` beside it.
    const GOLDEN: &[u8] = include_bytes!("../../tests/tensorboard/golden.tfevents");

    #[derive(Debug, Clone, Default, PartialEq)]
    struct Decoded {
        wall_time: f64,
        step: i64,
        version: String,
        /// Tags, and the bits of their values.
        values: Vec<(String, u32)>,
    }

    fn decoded(wall_time: f64, step: i64, values: &[(&str, f32)]) -> Decoded {
        let values = values.iter().map(|(tag, value)| ((*tag).to_string(), value.to_bits()));
        Decoded { wall_time, step, values: values.collect(), ..Decoded::default() }
    }

    /// What `make_events.py` writes after the version.
    fn golden_events() -> [Decoded; 7] {
        [
            decoded(1.0, 0, &[("t", 0.0)]),
            decoded(1_700_000_000.25, 1, &[("train/loss", 0.1), ("train/learning_rate", 3e-3)]),
            decoded(
                1_700_000_000.5,
                127,
                &[("v", -0.0), ("v", f32::INFINITY), ("v", f32::NEG_INFINITY)],
            ),
            decoded(1_700_000_001.0, 128, &[("v", f32::NAN), ("v", 1e-45), ("v", f32::MAX)]),
            decoded(1_700_000_002.0, 300, &[("größe/λ", 1.0)]),
            decoded(1_700_000_003.0, 1 << 40, &[(&"a/".repeat(70), -2.5), ("b", 7.0)]),
            decoded(1_700_000_004.0, -1, &[("t", 0.5)]),
        ]
    }

    /// CRC-32C bit by bit.
    fn plain_crc(bytes: &[u8]) -> u32 {
        let mut crc = !0u32;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            }
        }
        !crc
    }

    fn masked(crc: u32) -> u32 {
        crc.rotate_left(17).wrapping_add(0xa282_ead8)
    }

    /// The fields of a protocol buffer: numbers, and contents as bytes.
    fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        fn varint(bytes: &mut &[u8]) -> u64 {
            let end = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
            let (digits, rest) = bytes.split_at(end + 1);
            *bytes = rest;
            digits.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
        }
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let contents = match key & 7 {
                0 => varint(&mut bytes).to_le_bytes().to_vec(),
                wire => {
                    let length = match wire {
                        1 => 8,
                        2 => varint(&mut bytes) as usize,
                        5 => 4,
                        other => panic!("wire type {other}"),
                    };
                    let (contents, rest) = bytes.split_at(length);
                    bytes = rest;
                    contents.to_vec()
                }
            };
            found.push((key >> 3, contents));
        }
        found
    }

    fn decode_event(bytes: &[u8]) -> Decoded {
        let mut decoded = Decoded::default();
        for (field, contents) in fields(bytes) {
            match field {
                1 => decoded.wall_time = f64::from_le_bytes(contents.try_into().unwrap()),
                2 => decoded.step = i64::from_le_bytes(contents.try_into().unwrap()),
                3 => decoded.version = String::from_utf8(contents).unwrap(),
                5 => {
                    for (field, value) in fields(&contents) {
                        assert_eq!(field, 1);
                        let [(1, tag), (2, bits)] = &fields(&value)[..] else {
                            panic!("{value:?}")
                        };
                        let bits = u32::from_le_bytes(bits.as_slice().try_into().unwrap());
                        decoded.values.push((String::from_utf8(tag.clone()).unwrap(), bits));
                    }
                }
                other => panic!("field {other}"),
            }
        }
        decoded
    }

    /// All events of a file; checks every checksum.
    fn decode(mut bytes: &[u8]) -> Vec<Decoded> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            assert_eq!(bytes[8..12], masked(plain_crc(&bytes[..8])).to_le_bytes());
            let event = &bytes[12..12 + length];
            assert_eq!(bytes[12 + length..][..4], masked(plain_crc(event)).to_le_bytes());
            events.push(decode_event(event));
            bytes = &bytes[16 + length..];
        }
        events
    }

    fn place() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(EventFile::name(1.5));
        (folder, path)
    }

    fn read(path: &Path) -> Vec<u8> {
        fs::read(path).unwrap()
    }

    #[test]
    fn the_plain_checksum_of_the_tests_is_that_of_the_standard() {
        assert_eq!(plain_crc(b"123456789"), 0xe306_9283);
        assert_eq!(CRC_32C.checksum(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn the_bytes_are_those_of_tensorboards_own_writer() {
        let (_folder, path) = place();
        let mut file = EventFile::create(&path, 1_699_999_999.5).unwrap();
        for Decoded { wall_time, step, values, .. } in golden_events() {
            let values = values.iter().map(|(tag, bits)| (tag.as_str(), f32::from_bits(*bits)));
            file.scalars(wall_time, step, &values.collect::<Vec<_>>()).unwrap();
        }
        file.sync().unwrap();
        assert!(read(&path) == GOLDEN);
        assert_eq!(file.len(), GOLDEN.len() as u64);
    }

    #[test]
    fn an_independent_decoder_reads_what_was_written() {
        let events = decode(GOLDEN);
        assert_eq!(events[0].wall_time, 1_699_999_999.5);
        assert_eq!(events[0].version, "brain.Event:2");
        assert_eq!(events[1..], golden_events());
    }

    #[test]
    fn all_bits_of_a_value_are_kept() {
        let all = [
            0,
            0x8000_0000,
            1,
            0x8000_0001,
            0x007f_ffff,
            0x7f80_0000,
            0xff80_0000,
            0x7fc0_0000,
            0xffc0_0001,
            0x7f80_0001,
            0x7fbf_ffff,
            0x3f80_0001,
        ];
        let (_folder, path) = place();
        let mut file = EventFile::create(&path, 0.0).unwrap();
        let values = all.map(|bits| ("v", f32::from_bits(bits)));
        file.scalars(0.0, 5, &values).unwrap();
        file.flush().unwrap();
        let events = decode(&read(&path));
        assert_eq!(events[1].values, all.map(|bits| ("v".to_string(), bits)));
        assert_eq!(events[1].step, 5);
    }

    #[test]
    fn an_event_without_values_is_not_written() {
        let (_folder, path) = place();
        let mut file = EventFile::create(&path, 0.0).unwrap();
        let before = file.len();
        file.scalars(1.0, 1, &[]).unwrap();
        assert_eq!(file.len(), before);
    }

    #[test]
    fn the_name_is_one_that_tensorboard_looks_for() {
        let name = EventFile::name(1_700_000_000.75);
        let expected = format!("events.out.tfevents.1700000000.{}", std::process::id());
        assert_eq!(name, expected);
    }

    #[test]
    fn a_file_is_cut_back_and_continued_as_if_nothing_had_followed() {
        let (_folder, path) = place();
        let mut file = EventFile::create(&path, 1.0).unwrap();
        file.scalars(2.0, 1, &[("a", 0.5)]).unwrap();
        let kept = file.len();
        // Larger than a buffer, and cut off in the middle, as by a kill.
        for step in 2..1000 {
            file.scalars(3.0, step, &[("a", 0.25), ("b", 4.0)]).unwrap();
        }
        file.flush().unwrap();
        let end = file.len();
        assert_eq!(end, read(&path).len() as u64);
        drop(file);
        File::options().write(true).open(&path).unwrap().set_len(end - 3).unwrap();

        let mut file = EventFile::continue_at(&path, kept).unwrap();
        assert_eq!(file.len(), kept);
        file.scalars(9.0, 2, &[("a", 0.75)]).unwrap();
        file.sync().unwrap();
        assert_eq!(file.len(), read(&path).len() as u64);
        let (_folder, other) = place();
        let mut undisturbed = EventFile::create(&other, 1.0).unwrap();
        undisturbed.scalars(2.0, 1, &[("a", 0.5)]).unwrap();
        undisturbed.scalars(9.0, 2, &[("a", 0.75)]).unwrap();
        undisturbed.flush().unwrap();
        assert_eq!(read(&path), read(&other));
    }

    #[test]
    fn a_file_may_be_continued_right_at_its_end_or_after_its_first_record() {
        let (_folder, path) = place();
        fs::write(&path, GOLDEN).unwrap();
        EventFile::continue_at(&path, GOLDEN.len() as u64).unwrap();
        assert!(read(&path) == GOLDEN);
        let first = 16 + 24;
        EventFile::continue_at(&path, first).unwrap();
        assert!(read(&path) == GOLDEN[..first as usize]);
    }

    #[test]
    fn a_shorter_file_is_refused_and_left_alone() {
        let (_folder, path) = place();
        fs::write(&path, &GOLDEN[..100]).unwrap();
        let error = EventFile::continue_at(&path, 101).unwrap_err();
        assert_eq!(error.to_string(), "it has 100 bytes, expected at least 101");
        assert!(read(&path) == GOLDEN[..100]);
        fs::remove_file(&path).unwrap();
        let error = EventFile::continue_at(&path, 101).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_is_not_continued_within_a_record_or_before_the_first() {
        let (_folder, path) = place();
        fs::write(&path, GOLDEN).unwrap();
        let ends: Vec<u64> = {
            let (mut at, mut ends) = (0, Vec::new());
            while at < GOLDEN.len() {
                at += 16 + u64::from_le_bytes(GOLDEN[at..][..8].try_into().unwrap()) as usize;
                ends.push(at as u64);
            }
            ends
        };
        for len in (0..=GOLDEN.len() as u64).filter(|len| !ends.contains(len)) {
            assert!(EventFile::continue_at(&path, len).is_err(), "{len}");
            assert!(read(&path) == GOLDEN, "{len}");
        }
    }

    #[test]
    fn any_damaged_byte_before_the_place_is_noticed() {
        let (_folder, path) = place();
        for at in 0..GOLDEN.len() {
            let mut damaged = GOLDEN.to_vec();
            damaged[at] ^= 0x10;
            fs::write(&path, &damaged).unwrap();
            let error = EventFile::continue_at(&path, GOLDEN.len() as u64).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "byte {at}: {error}");
            assert!(read(&path) == damaged);
        }
    }
}
