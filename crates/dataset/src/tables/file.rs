//! A file or pipe that contains a table, or a folder of texts that is read as one.
//!
//! Returns the bytes as stored; of their content it only knows how to recognise the format.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::fasttext::is_fasttext;
use super::folder::TextFolder;
use super::format::Format;
use super::notes::ReadNotes;
use super::options::ReadOptions;
use super::source::Source;
use super::{plan, text_file};
use crate::columns::ColumnChoice;
use crate::digest::{add_all, hex};
use crate::error::{Error, Result};
use crate::labels::{LabelOptions, Writing};

/// A file or pipe that contains a table; `-` is standard input. Or a folder that has a folder of `.txt` files for each
/// class.
///
/// A pipe can be read only once, so it is read when opened and kept in a temporary file without a name, in
/// the system's folder for such files (`TMPDIR` on Unix). So are the texts of a folder, as JSON lines. A regular file is
/// read on demand.
#[derive(Clone, Debug)]
pub struct DataFile {
    path: PathBuf,
    /// The bytes of a pipe or of a folder's texts, or of a file in memory.
    kept: Option<Source>,
    /// If it is a folder, what is known about it.
    folder: Option<Arc<TextFolder>>,
}

impl DataFile {
    /// Opens a file; reads it if it is a pipe, standard input or a folder.
    ///
    /// # Errors
    /// `Missing`, `Read`; of a folder `NoClassFolder`, `EmptyClassFolder`, `SplitFolders`, `FolderName` and `NotText`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        if path.as_os_str() == "-" {
            let file = Self { path, kept: None, folder: None };
            return match Source::spooled(io::stdin().lock()) {
                Ok(kept) => Ok(Self { kept: Some(kept), ..file }),
                Err(source) => Err(file.refused(source)),
            };
        }
        let file = Self { path, kept: None, folder: None };
        let metadata = file.path.metadata().map_err(|source| file.refused(source))?;
        if metadata.is_dir() {
            let (folder, kept) = TextFolder::read(&file.path)?;
            return Ok(Self { kept: Some(kept), folder: Some(Arc::new(folder)), ..file });
        }
        if metadata.is_file() {
            // Better to fail now than after minutes of other work.
            File::open(&file.path).map_err(|source| file.refused(source))?;
            return Ok(file);
        }
        let kept = File::open(&file.path).and_then(Source::spooled);
        let kept = kept.map_err(|source| file.refused(source))?;
        Ok(Self { kept: Some(kept), ..file })
    }

    /// A file that is already in memory; its name gives the format and appears in messages.
    pub fn from_bytes(name: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        let kept = Some(Source::Memory(Arc::new(bytes.into())));
        Self { path: name.into(), kept, folder: None }
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name in messages.
    pub fn name(&self) -> PathBuf {
        if self.path.as_os_str() == "-" { "standard input".into() } else { self.path.clone() }
    }

    /// The bytes as stored, still compressed if they are; of a folder, the JSON lines as which its texts are kept.
    ///
    /// # Errors
    /// `Missing`, `Read`.
    pub fn contents(&self) -> Result<Cow<'_, [u8]>> {
        match &self.kept {
            Some(Source::Memory(bytes)) => Ok(Cow::Borrowed(bytes)),
            _ => {
                let mut bytes = Vec::new();
                let result = self.source()?.reader().read_to_end(&mut bytes);
                result.map(|_| Cow::Owned(bytes)).map_err(|source| self.refused(source))
            }
        }
    }

    /// The file with its bytes in memory, so that later reads see the same bytes even if the file
    /// changes.
    ///
    /// # Errors
    /// `Missing`, `Read`.
    pub fn in_memory(&self) -> Result<Self> {
        let bytes = match &self.kept {
            Some(Source::Memory(bytes)) => Arc::clone(bytes),
            _ => Arc::new(self.contents()?.into_owned()),
        };
        Ok(Self { kept: Some(Source::Memory(bytes)), ..self.clone() })
    }

    /// The bytes as they are read: a regular file as it is now.
    ///
    /// # Errors
    /// `Missing`, `Read`.
    pub(crate) fn source(&self) -> Result<Source> {
        match &self.kept {
            Some(kept) => Ok(kept.clone()),
            None => Source::of_path(&self.path).map_err(|source| self.refused(source)),
        }
    }

    /// The format as the user says, or as the name implies; without both, fastText's if the first line is in it.
    ///
    /// # Errors
    /// `UnknownExtension`, `OptionOfFolder`; `Read`, `Unpack`.
    pub(crate) fn format(&self, options: &ReadOptions) -> Result<Format> {
        if let Some(folder) = &self.folder {
            folder.check(&self.path, options)?;
            return Ok(Format::JsonLines);
        }
        let implied = options.format.map_or_else(|| Format::of_input(&self.name()), Ok);
        match implied {
            Err(Error::UnknownExtension { .. }) if self.is_fasttext()? => Ok(Format::FastText),
            implied => implied,
        }
    }

    fn is_fasttext(&self) -> Result<bool> {
        let (path, source) = (self.name(), self.source()?);
        // What is damaged is in no format.
        let head = plan::compression(&path, &source)
            .and_then(|compression| text_file::head(&path, &source, compression));
        match head {
            Ok(head) => Ok(is_fasttext(&head)),
            Err(Error::Unpack { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How the labels of a row are written.
    ///
    /// # Errors
    /// As [`Self::format`].
    pub(crate) fn writing(&self, options: &ReadOptions) -> Result<Writing> {
        Ok(match self.format(options)? {
            _ if self.folder.is_some() => Writing::One,
            Format::FastText => Writing::Words,
            _ => Writing::Open,
        })
    }

    /// The columns that are asked for: of a file in a format that has no names for them, those that it is read into.
    ///
    /// # Errors
    /// As [`Self::format`].
    pub(crate) fn choice(
        &self,
        choice: &ColumnChoice,
        options: &ReadOptions,
    ) -> Result<ColumnChoice> {
        let choice = choice.clone();
        if self.writing(options)? == Writing::Open {
            return Ok(choice);
        }
        let (known_text, known_label) = (Some("text".to_owned()), vec!["label".to_owned()]);
        Ok(ColumnChoice { known_text, known_label, ..choice })
    }

    /// Checks that a folder has several classes, unless the classes are known.
    ///
    /// # Errors
    /// `OneClassFolder`.
    pub(crate) fn check_classes(&self, labels: &LabelOptions) -> Result<()> {
        match &self.folder {
            Some(folder) if labels.known.is_none() => folder.check_classes(&self.path),
            _ => Ok(()),
        }
    }

    /// Says what was left out of a folder.
    pub(super) fn tell(&self, notes: &mut ReadNotes) {
        if let Some(folder) = &self.folder {
            folder.tell(notes);
        }
    }

    /// An error about a row in the words of a folder, if it is one: with the file instead of the row.
    pub(crate) fn worded(&self, error: Error) -> Error {
        match &self.folder {
            Some(folder) => folder.worded(&self.path, error),
            None => error,
        }
    }

    /// SHA-256 over `settings` and the bytes as stored, in hexadecimal: identifies a file's contents
    /// together with how they are processed.
    ///
    /// # Errors
    /// `Missing`, `Read`.
    pub fn digest(&self, settings: &[u8]) -> Result<String> {
        let mut hasher = Sha256::new();
        // With the length, the end of the settings cannot be mistaken for the start of the file.
        hasher.update((settings.len() as u64).to_le_bytes());
        hasher.update(settings);
        if let Some(folder) = &self.folder {
            // What was left out is part of what is said about it.
            let folder = serde_json::to_vec(&**folder).unwrap_or_default();
            hasher.update((folder.len() as u64).to_le_bytes());
            hasher.update(folder);
        }
        let mut reader = self.source()?.reader();
        add_all(&mut hasher, &mut reader).map_err(|source| self.refused(source))?;
        Ok(hex(hasher))
    }

    fn refused(&self, source: io::Error) -> Error {
        if source.kind() == io::ErrorKind::NotFound {
            return Error::Missing { path: self.path.clone() };
        }
        Error::Read { path: self.name(), source }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_digest_tells_settings_and_contents_and_their_border() {
        let folder = tempfile::tempdir().unwrap();
        let digest = |content: &str, settings: &str| {
            let path = folder.path().join("file");
            fs::write(&path, content).unwrap();
            DataFile::open(&path).unwrap().digest(settings.as_bytes()).unwrap()
        };
        let one = digest("ab", "c");
        assert_eq!(one, digest("ab", "c"));
        assert_eq!(one.len(), 64);
        for (content, settings) in [("a", "bc"), ("b", "ac"), ("ab", "d"), ("", "cab")] {
            assert_ne!(one, digest(content, settings), "{content} {settings}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_is_read_once_and_asked_as_often_as_one_likes() {
        use std::io::Write as _;
        use std::os::fd::AsRawFd as _;

        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"text,label\n").unwrap();
        drop(writer);
        let file = DataFile::open(format!("/dev/fd/{}", reader.as_raw_fd())).unwrap();
        assert_eq!(&*file.contents().unwrap(), b"text,label\n");
        assert_eq!(&*file.contents().unwrap(), b"text,label\n");
        assert_eq!(file.digest(b"x").unwrap(), file.digest(b"x").unwrap());
    }
}
