//! Reads a file of any format into a table in memory.
//!
//! bytes → unpacked → decoded → table. All columns are read and checked, wanted or not, so that the
//! result depends only on the file. `columns` and `labels` decide what the texts and labels are.

mod chunk;
mod decode;
mod delimited;
mod fasttext;
mod fault;
mod file;
mod folder;
pub(crate) mod format;
mod head;
mod json_lines;
mod naming;
mod notes;
mod options;
mod parquet;
mod plan;
mod separator;
mod source;
mod table;
mod text_column;
mod text_file;
mod texts;
mod unpack;
mod window;
pub(crate) mod write;

pub use self::chunk::BadRows;
pub(crate) use self::fault::looks_missing;
pub use self::fault::{Fault, Place, QuoteCause};
pub use self::file::DataFile;
pub use self::format::Format;
pub use self::notes::{Note, ReadNotes};
pub use self::options::{Encoding, Header, Missing, Quoting, ReadOptions};
pub use self::separator::Separator;
pub use self::write::Change;

pub(crate) use self::chunk::{BadRow, Sizes};
pub(crate) use self::delimited::looks_like_data;
pub(crate) use self::fasttext::SEPARATOR as FASTTEXT_SEPARATOR;
pub(crate) use self::parquet::one_line;
pub(crate) use self::plan::{Plan, Reader};
pub(crate) use self::source::{Source, State};
pub(crate) use self::table::{Cells, JsonValue, Table};
pub(crate) use self::text_column::TextColumn;
pub(crate) use self::texts::Texts;

use crate::error::{Error, Result};

/// Reads a file as a table.
///
/// # Errors
/// An error that says what is wrong with the file, and where.
pub(crate) fn read(file: &DataFile, options: &ReadOptions, notes: &mut ReadNotes) -> Result<Table> {
    read_sized(file, options, &Sizes::WHOLE, notes)
}

/// The same, with the number of bytes that are read at a time.
fn read_sized(
    file: &DataFile,
    options: &ReadOptions,
    sizes: &Sizes,
    notes: &mut ReadNotes,
) -> Result<Table> {
    let path = &file.name();
    let format = file.format(options)?;
    let source = file.source()?;
    let compression = plan::compression(path, &source)?;
    if format == Format::Parquet {
        return parquet::read(path, &source, compression, notes);
    }
    let plan = Plan::of(file, &source, options, BadRows::Stop, (None, sizes), notes)?;
    let mut reader = plan.reader(BadRows::Stop, true)?;
    let table = reader.next_chunk(sizes)?;
    reader.finish(notes)?;
    table.ok_or_else(|| Error::NoRows { path: path.clone() })
}
