//! What a training is doing, as it says itself.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::json::Json;
use crate::run_folder::{LOG, STATUS};

/// Before a started or resumed training has written anything.
pub(super) const STARTING: &str = "starting";
/// A training that says nothing of what it is doing.
const UNKNOWN: &str = "unknown";
/// Lines of the log are shorter.
const LONGEST_LINE: u64 = 1 << 14;

/// What a training has written at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    status: Option<String>,
    log_bytes: u64,
    last_line: Option<String>,
}

impl Trace {
    /// Of the run in `folder`, which need not exist yet, and may be written at this moment.
    pub(super) fn of(folder: &Path) -> Self {
        let status = fs::read_to_string(folder.join(STATUS)).ok();
        let (log_bytes, last_line) = end_of(&folder.join(LOG)).unwrap_or_default();
        Self { status, log_bytes, last_line }
    }

    /// What the training is doing: the `phase` of its status, else the `kind` of the last line in its log. `before`:
    /// what there was when it was started.
    pub(super) fn phase(&self, before: &Self) -> String {
        if self == before {
            return STARTING.to_string();
        }
        let field = |text: &Option<String>, key: &str| {
            Json::parse(text.as_deref()?).ok()?.get(key).and_then(Json::as_string)
        };
        let phase = field(&self.status, "phase").or_else(|| field(&self.last_line, "kind"));
        phase.unwrap_or_else(|| UNKNOWN.to_string())
    }
}

/// The size of a log, and its last line that ends.
fn end_of(path: &Path) -> Option<(u64, Option<String>)> {
    let mut file = File::open(path).ok()?;
    let n_bytes = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(n_bytes.saturating_sub(LONGEST_LINE))).ok()?;
    let mut end = Vec::new();
    file.take(LONGEST_LINE).read_to_end(&mut end).ok()?;
    let end = String::from_utf8_lossy(&end);
    let whole = end.rsplit_once('\n').map(|(whole, _)| whole);
    let last = whole.and_then(|whole| whole.rsplit('\n').next()).map(str::to_string);
    Some((n_bytes, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_the_phase_or_else_the_last_whole_line_of_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let before = Trace::of(&folder.path().join("not there"));
        let trace = || Trace::of(folder.path());
        assert_eq!(trace().phase(&before), "starting");
        fs::write(folder.path().join(LOG), "{\"kind\": \"a\"}\n{\"kind\": \"b\"}\n{\"ki").unwrap();
        assert_eq!(trace().phase(&before), "b");
        assert_eq!(trace().phase(&trace()), "starting");
        fs::write(folder.path().join(STATUS), "{\"phase\": \"epochs\"}").unwrap();
        assert_eq!(trace().phase(&before), "epochs");
        let now = trace();
        fs::write(folder.path().join(STATUS), "{\"phase\": \"refit\"}").unwrap();
        assert_eq!(trace().phase(&now), "refit");
        fs::write(folder.path().join(STATUS), "{").unwrap();
        fs::write(folder.path().join(LOG), "").unwrap();
        assert_eq!(trace().phase(&before), "unknown");
    }
}
