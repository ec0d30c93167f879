//! Reads the reviews from the original archive: one text file per review, in a gzipped tar.
//!
//! Members are read as a stream and never unpacked to disk, so their names cannot cause harm.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use polars::prelude::{Column, DataFrame};

use super::catalogue::{Archive, Counts, Part};
use super::error::{FetchError, io_error};
use super::event::{Event, OnEvent};

/// Size limit for a review; the longest known one has 14 kB.
const MAX_REVIEW_BYTES: u64 = 1 << 20;

/// Compressed bytes between two progress events.
const PROGRESS_BYTES: u64 = 256 * 1024;

/// One table for each of `parts`: column `text`, and `label` if the part is labelled.
///
/// Negative reviews come first, and each label is sorted by id, so that the rows do not depend on how
/// the archive was packed.
pub(super) fn read(
    path: &Path,
    archive: &Archive,
    parts: &[&Part],
    on_event: OnEvent<'_>,
) -> Result<Vec<DataFrame>, FetchError> {
    on_event(Event::Stage(format!("reading {}", path.display())));
    let damaged = |source: io::Error| FetchError::Damaged {
        path: path.to_owned(),
        format: "gzipped tar archive",
        source: source.into(),
    };
    let file = File::open(path).map_err(io_error("open", path))?;
    let total = file.metadata().map_err(io_error("read", path))?.len();
    let n_read = Rc::new(Cell::new(0));
    let counting = CountingReader { inner: file, n_read: Rc::clone(&n_read) };
    let mut tar = tar::Archive::new(MultiGzDecoder::new(BufReader::new(counting)));

    let mut reviews: Vec<Vec<Review>> = parts.iter().map(|_| Vec::new()).collect();
    let mut n_reported = 0;
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if n_read.get() >= n_reported + PROGRESS_BYTES {
            n_reported = n_read.get();
            on_event(Event::Bytes { done: n_reported, total: Some(total) });
        }
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(place) = place_of(&name, archive, parts) else {
            continue;
        };
        if entry.size() > MAX_REVIEW_BYTES {
            return Err(FetchError::MemberTooLarge {
                path: path.to_owned(),
                member: name,
                limit: MAX_REVIEW_BYTES,
            });
        }
        let mut bytes = Vec::with_capacity(entry.size() as usize);
        entry.read_to_end(&mut bytes).map_err(damaged)?;
        let text = String::from_utf8(bytes).map_err(|error| FetchError::BadRow {
            path: path.to_owned(),
            place: name,
            problem: error.to_string(),
        })?;
        reviews[place.part_idx].push(Review { label: place.label, id: place.id, text });
    }
    parts.iter().zip(reviews).map(|(part, reviews)| table(path, archive, part, reviews)).collect()
}

struct Review {
    label: u8,
    id: u32,
    text: String,
}

/// The information in a member's name.
#[derive(Debug, PartialEq)]
struct Place {
    part_idx: usize,
    label: u8,
    id: u32,
}

/// `aclImdb/train/pos/127_9.txt` → the part of `train`, 1, 127; `None` for all other members.
fn place_of(name: &str, archive: &Archive, parts: &[&Part]) -> Option<Place> {
    let name = name.strip_prefix("./").unwrap_or(name);
    let (folder, file) = name.strip_prefix(&archive.root)?.strip_prefix('/')?.rsplit_once('/')?;
    let id = file.strip_suffix(".txt")?.split_once('_')?.0.parse().ok()?;
    parts.iter().enumerate().find_map(|(part_idx, part)| {
        let below = folder.strip_prefix(&part.from)?;
        let label = match (part.counts, below) {
            (Counts::Labelled { .. }, "/neg") | (Counts::Unlabelled { .. }, "") => 0,
            (Counts::Labelled { .. }, "/pos") => 1,
            _ => return None,
        };
        Some(Place { part_idx, label, id })
    })
}

fn table(
    path: &Path,
    archive: &Archive,
    part: &Part,
    mut reviews: Vec<Review>,
) -> Result<DataFrame, FetchError> {
    if reviews.is_empty() {
        return Err(FetchError::MissingMember {
            path: path.to_owned(),
            member: format!("the folder {}/{}", archive.root, part.from),
        });
    }
    reviews.sort_by_key(|review| (review.label, review.id));
    let labels: Vec<u8> = reviews.iter().map(|review| review.label).collect();
    let texts: Vec<String> = reviews.into_iter().map(|review| review.text).collect();
    let mut columns = vec![Column::new("text".into(), texts)];
    if let Counts::Labelled { .. } = part.counts {
        columns.push(Column::new("label".into(), labels));
    }
    DataFrame::new_infer_height(columns)
        .map_err(|source| FetchError::Parquet { path: part.file.clone().into(), source })
}

/// Counts the compressed bytes read, for progress; the decoder hides the position in the file.
struct CountingReader {
    inner: File,
    n_read: Rc<Cell<u64>>,
}

impl Read for CountingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.n_read.set(self.n_read.get() + n as u64);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_names_tell_part_label_and_id_or_nothing() {
        let archive = Archive::default();
        let parts: Vec<&Part> = archive.parts.iter().collect();
        let place = |part_idx, label, id| Some(Place { part_idx, label, id });
        for (name, expected) in [
            ("aclImdb/train/neg/0_3.txt", place(0, 0, 0)),
            ("./aclImdb/train/pos/127_9.txt", place(0, 1, 127)),
            ("aclImdb/test/pos/12499_7.txt", place(1, 1, 12499)),
            ("aclImdb/train/unsup/49999_0.txt", place(2, 0, 49999)),
            ("aclImdb/test/unsup/1_0.txt", None),
            ("aclImdb/train/urls_pos.txt", None),
            ("aclImdb/train/pos/._127_9.txt", None),
            ("aclImdb/train/pos/127_9.txt.bak", None),
            ("aclImdb/training/pos/127_9.txt", None),
            ("aclImdb/../train/pos/127_9.txt", None),
            ("other/train/pos/127_9.txt", None),
            ("aclImdb/README", None),
        ] {
            assert_eq!(place_of(name, &archive, &parts), expected, "{name}");
        }
    }
}
