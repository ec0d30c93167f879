//! The tables that the command line names: files, patterns, or standard input.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use dataset::DataFile;

/// Opens the files, those of a pattern in the order of their names.
///
/// A shell expands patterns itself; one in quotation marks arrives here, which also works where a shell would find too
/// many files.
pub(super) fn open(inputs: &[PathBuf]) -> anyhow::Result<Vec<DataFile>> {
    let mut paths = Vec::new();
    for input in inputs {
        match pattern(input) {
            Some(pattern) => paths.extend(matches(pattern)?),
            None => paths.push(input.clone()),
        }
    }
    if paths.len() > 1 && paths.iter().any(|path| path.as_os_str() == "-") {
        bail!("standard input (-) cannot be combined with other tables");
    }
    Ok(paths.iter().map(DataFile::open).collect::<dataset::Result<_>>()?)
}

/// A path that is a pattern, and not the name of a file.
fn pattern(path: &Path) -> Option<&str> {
    path.to_str().filter(|name| name.contains(['*', '?', '[']) && !path.exists())
}

fn matches(pattern: &str) -> anyhow::Result<Vec<PathBuf>> {
    let found = glob::glob(pattern).with_context(|| format!("--input {pattern}"))?;
    let mut files = Vec::new();
    for path in found {
        let path = path.with_context(|| format!("--input {pattern}"))?;
        if path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("--input {pattern}: no file matches this pattern");
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_the_files_in_the_order_of_their_names() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        for name in ["b.csv", "a.csv", "c.tsv", "[1].csv"] {
            std::fs::write(folder.path().join(name), "text\nx\n")?;
        }
        std::fs::create_dir(folder.path().join("d.csv"))?;
        let names = |pattern: &str| -> anyhow::Result<Vec<String>> {
            let files = open(&[folder.path().join(pattern)])?;
            let name =
                |file: &DataFile| file.path().file_name().map(|n| n.to_string_lossy().into());
            Ok(files.iter().filter_map(name).collect())
        };
        assert_eq!(names("[ab].csv")?, ["a.csv", "b.csv"]);
        assert_eq!(names("*.csv")?, ["[1].csv", "a.csv", "b.csv"]);
        // What exists is a name.
        assert_eq!(names("[1].csv")?, ["[1].csv"]);
        let error = names("*.parquet").expect_err("nothing matches");
        assert!(
            format!("{error:#}").ends_with("*.parquet: no file matches this pattern"),
            "{error:#}"
        );
        let both = open(&[folder.path().join("a.csv"), "-".into()]).expect_err("both");
        assert!(both.to_string().starts_with("standard input (-) cannot"), "{both}");
        Ok(())
    }
}
