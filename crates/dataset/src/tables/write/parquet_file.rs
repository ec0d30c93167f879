//! Columns from memory as a Parquet file, written in groups of rows, so that nothing needs a second copy of them all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use polars::prelude::{Column, DataFrame, PolarsError};
use whole_file::Staged;

use super::encode::{failed, guarded};
use super::parquet::Groups;
use super::parquet_columns::{ParquetKind, ParquetValues};
use crate::error::{Error, Result};
use crate::tables::Format;

/// Bytes encoded before the system is asked to write them.
const BUFFER_BYTES: usize = 1 << 18;

/// A Parquet file that is written group by group. It appears under its name when it is complete and on disk; dropped
/// before, it leaves nothing, and an older file stays as it was.
///
/// Every bit of a number is kept, also of NaN and -0. Equal calls write equal bytes.
///
/// ```
/// use dataset::{ParquetFile, ParquetKind, ParquetValues};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("points.parquet");
/// let columns = [("name", ParquetKind::Words), ("point", ParquetKind::NumberLists)];
/// let mut file = ParquetFile::create(&path, &columns, &[("made by", "hand")])?;
/// let points = ParquetValues::NumberLists { numbers: &[0.5, 1.0, 2.0, 3.0], width: 2 };
/// file.write(2, &[ParquetValues::Words(&["a", "b"]), points])?;
/// file.finish()?;
/// # Ok(())
/// # }
/// ```
pub struct ParquetFile {
    path: PathBuf,
    columns: Vec<(String, ParquetKind)>,
    staged: Staged,
    groups: Groups<Sink>,
    failure: Failure,
    /// Whether some rows may be written in part.
    is_broken: bool,
}

/// The system's error in writing, of which polars passes on only the words.
type Failure = Arc<Mutex<Option<io::Error>>>;

impl ParquetFile {
    /// Begins a file in a folder that exists, which will replace an older one. `columns`: their names, and what they
    /// hold; `metadata`: keys and values to be kept in the file beside its schema.
    ///
    /// # Errors
    /// `Write` if the system refuses; `Encode` if two columns have one name.
    pub fn create(
        path: impl AsRef<Path>,
        columns: &[(&str, ParquetKind)],
        metadata: &[(&str, &str)],
    ) -> Result<Self> {
        let path = path.as_ref();
        let failed = |source| Error::Write { path: path.to_owned(), source };
        let mut staged = Staged::beside(path).map_err(failed)?;
        let file = staged.file().try_clone().map_err(failed)?;
        Self::through((path, staged), file, columns, metadata)
    }

    /// The same, with the open file that takes the bytes.
    fn through(
        (path, staged): (&Path, Staged),
        file: File,
        columns: &[(&str, ParquetKind)],
        metadata: &[(&str, &str)],
    ) -> Result<Self> {
        let failure = Failure::default();
        let sink = BufWriter::with_capacity(BUFFER_BYTES, file);
        let sink = Sink { sink, failure: Arc::clone(&failure) };
        let empty = columns.iter().map(|(name, kind)| kind.no_values().column(name, 0));
        let groups = guarded(|| {
            let frame = DataFrame::new(0, empty.collect())?;
            Groups::with_metadata(&frame, sink, metadata)
        });
        let groups = groups.map_err(|error| worded(path, &failure, error))?;
        let columns = columns.iter().map(|&(name, kind)| (name.to_owned(), kind)).collect();
        let path = path.to_owned();
        Ok(Self { path, columns, staged, groups, failure, is_broken: false })
    }

    /// Adds rows, as a row group: `n_rows` values for each of the declared columns, in their order.
    ///
    /// # Errors
    /// `ColumnKinds` if the columns are not those that were declared; `ColumnLength` if one has another number of
    /// values; `Write` if the system refuses; `Encode`. After one of these two, the file cannot be completed.
    pub fn write(&mut self, n_rows: usize, values: &[ParquetValues<'_>]) -> Result<()> {
        let declared = self.columns.iter().map(|&(_, kind)| kind);
        if !declared.eq(values.iter().map(ParquetValues::kind)) {
            return Err(Error::ColumnKinds);
        }
        for ((name, _), values) in self.columns.iter().zip(values) {
            let (expected, got) = values.n_values(n_rows);
            if got != expected {
                return Err(Error::ColumnLength { column: name.clone(), expected, got });
            }
        }
        if n_rows == 0 {
            return Ok(());
        }
        let columns = &self.columns;
        let groups = &mut self.groups;
        let add = || {
            let columns = columns.iter().zip(values);
            let columns = columns.map(|((name, _), values)| values.column(name, n_rows));
            groups.add(DataFrame::new(n_rows, columns.collect::<Vec<Column>>())?)
        };
        let added = guarded(add);
        self.is_broken |= added.is_err();
        added.map_err(|error| worded(&self.path, &self.failure, error))
    }

    /// Completes the file, flushes it to disk and gives it its name, in place of an older one.
    ///
    /// # Errors
    /// `Write`, `Encode`, also if rows could not be written before.
    pub fn finish(self) -> Result<()> {
        let Self { path, staged, mut groups, failure, is_broken, .. } = self;
        let broken = || PolarsError::ComputeError("some of its rows could not be written".into());
        let finish = || if is_broken { Err(broken()) } else { groups.finish() };
        guarded(finish).map_err(|error| worded(&path, &failure, error))?;
        drop(groups);
        staged.replace(&path).map_err(|source| Error::Write { path, source })
    }
}

impl std::fmt::Debug for ParquetFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, columns, .. } = self;
        f.debug_struct("ParquetFile").field("path", path).field("columns", columns).finish()
    }
}

/// The error for a failure to write, as the system gave it.
fn worded(path: &Path, failure: &Failure, error: PolarsError) -> Error {
    let failure = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    match failure {
        Some(source) => Error::Write { path: path.to_owned(), source },
        None => failed(path, Format::Parquet, error),
    }
}

/// A file that keeps the error of a failed write.
struct Sink {
    sink: BufWriter<File>,
    failure: Failure,
}

impl Sink {
    fn kept<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let words = io::Error::new(error.kind(), error.to_string());
            // The writer tries again an interrupted write.
            if error.kind() != io::ErrorKind::Interrupted {
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
            }
            words
        })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.sink.write(bytes);
        self.kept(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.sink.flush();
        self.kept(result)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error_of_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let file = || {
            let full = File::options().write(true).open("/dev/full").unwrap();
            let staged = Staged::beside(&path).unwrap();
            let columns = [("number", ParquetKind::Numbers)];
            ParquetFile::through((&path, staged), full, &columns, &[]).unwrap()
        };
        let is_full = |error: &Error| {
            matches!(error, Error::Write { path: named, source }
                if *named == path && source.kind() == io::ErrorKind::StorageFull)
        };
        // More than the buffer, and less.
        let numbers: Vec<f32> = (0..BUFFER_BYTES).map(|idx| idx as f32).collect();
        let mut broken = file();
        let error = broken.write(numbers.len(), &[ParquetValues::Numbers(&numbers)]).unwrap_err();
        assert!(is_full(&error), "{error:?}");
        let error = broken.finish().unwrap_err();
        assert!(matches!(error, Error::Encode { .. }), "{error:?}");
        let mut file = file();
        file.write(1, &[ParquetValues::Numbers(&[0.5])]).unwrap();
        let error = file.finish().unwrap_err();
        assert!(is_full(&error), "{error:?}");
        assert!(!path.exists());
    }
}
