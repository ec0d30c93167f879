//! Files as they are, or compressed: recognised by their first bytes, and unpacked as they are read.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use whole_file::CountedFile;
use zip::ZipArchive;

use crate::error::{Error, Result};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const ZIP: &[u8] = b"PK\x03\x04";

/// Bytes read at a time, and between two reports of progress.
const BUFFER_BYTES: usize = 1 << 18;

/// Bytes of the file so far, and in all.
pub(crate) type OnBytes<'a> = &'a mut dyn FnMut(u64, u64);

/// A file that is read, and how it is compressed.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    compression: Option<&'static str>,
}

impl Source {
    /// A file that something else unpacks.
    pub(crate) fn unpacked(path: &Path) -> Self {
        Self { path: path.to_path_buf(), compression: None }
    }

    /// The error of a failure to read or to unpack.
    pub(crate) fn failed(&self, source: io::Error) -> Error {
        let path = self.path.clone();
        match self.compression {
            // Only the system's errors have a number.
            Some(compression) if source.raw_os_error().is_none() => {
                Error::Unpack { path, compression, source }
            }
            _ => Error::Read { path, source },
        }
    }
}

/// Opens a file and hands its unpacked bytes to `read`. `member`: which file of a zip file; needed if it has several.
pub(crate) fn with_reader<T>(
    path: &Path,
    member: Option<&str>,
    on_bytes: OnBytes<'_>,
    read: impl FnOnce(&Source, &mut dyn Read) -> Result<T>,
) -> Result<T> {
    let plain = Source::unpacked(path);
    let open = || {
        let mut file = File::open(path)?;
        let mut head = Vec::new();
        Read::by_ref(&mut file).take(4).read_to_end(&mut head)?;
        file.seek(SeekFrom::Start(0))?;
        Ok((head, CountedFile::new(file, BUFFER_BYTES as u64, on_bytes)?))
    };
    let (head, file) = open().map_err(|source| plain.failed(source))?;
    let buffered = BufReader::with_capacity(BUFFER_BYTES, file);
    let compressed =
        |compression| Source { compression: Some(compression), ..Source::unpacked(path) };
    if head == ZIP {
        return with_member(&compressed("zip"), member, buffered, read);
    }
    if let Some(member) = member {
        return Err(Error::NotAZip { path: path.to_path_buf(), member: member.to_string() });
    }
    if head.starts_with(GZIP) {
        let mut unpacked = flate2::bufread::MultiGzDecoder::new(buffered);
        read(&compressed("gzip"), &mut unpacked)
    } else if head == ZSTD {
        let source = compressed("zstd");
        let mut unpacked = zstd::stream::read::Decoder::with_buffer(buffered)
            .map_err(|error| source.failed(error))?;
        read(&source, &mut unpacked)
    } else {
        let mut buffered = buffered;
        read(&plain, &mut buffered)
    }
}

/// Reads one file of a zip file.
fn with_member<T>(
    source: &Source,
    member: Option<&str>,
    file: impl Read + Seek,
    read: impl FnOnce(&Source, &mut dyn Read) -> Result<T>,
) -> Result<T> {
    let failed = |error: zip::result::ZipError| source.failed(error.into());
    let mut zip = ZipArchive::new(file).map_err(failed)?;
    let mut members = Vec::new();
    for name in zip.file_names() {
        let name = name.map_err(failed)?;
        if !name.ends_with('/') {
            members.push(name.into_owned());
        }
    }
    let path = source.path.clone();
    let member = match (member, &*members) {
        (Some(member), _) if members.iter().any(|name| name == member) => member,
        (Some(member), _) => {
            return Err(Error::NoMember { path, member: member.to_string(), members });
        }
        (None, [only]) => only,
        (None, []) => return Err(Error::NoWords { path }),
        (None, _) => return Err(Error::Members { path, members }),
    };
    let mut unpacked = zip.by_name(member).map_err(failed)?;
    read(source, &mut unpacked)
}
