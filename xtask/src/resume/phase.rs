//! What a training is doing, as its run folder says.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::settings::{Setting, phase};
use crate::json::Json;
use crate::run_folder::{LOG, STATUS};

/// Before a training that was started or resumed has begun its session.
pub(super) const STARTING: &str = "starting";
/// After the test.
const TESTED: &str = "tested";
/// After the session has ended, so its status says, and before its process has.
pub(super) const ENDED: &str = "ended";
/// Lines of the log are shorter.
const LONGEST_LINE: u64 = 1 << 14;

/// What a training has written at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    n_sessions: usize,
    has_ended: bool,
    last_line: Option<String>,
}

impl Trace {
    /// Of the run in `folder`, which need not exist yet, and may be written at this moment.
    pub(super) fn of(folder: &Path) -> Self {
        let status = fs::read_to_string(folder.join(STATUS)).ok();
        let status = status.and_then(|text| Json::parse(&text).ok());
        let field = |key: &str| status.as_ref().and_then(|status| status.get(key));
        let n_sessions = match field("sessions") {
            Some(Json::Array(sessions)) => sessions.len(),
            _ => 0,
        };
        let has_ended =
            field("ended").and_then(Json::as_string).is_some_and(|ended| ended != "running");
        Self { n_sessions, has_ended, last_line: last_line(&folder.join(LOG)) }
    }

    /// What the training is doing; `before`: what there was when it was started. A phase begins with its first line in
    /// the log, except that the first phase has none at its beginning, and the linear path has one at its end.
    pub(super) fn phase(&self, before: &Self, setting: &Setting) -> String {
        if self.n_sessions <= before.n_sessions {
            return STARTING.to_string();
        }
        if self.has_ended {
            return ENDED.to_string();
        }
        let line = self.last_line.as_deref().and_then(|line| Json::parse(line).ok());
        let field = |key: &str| line.as_ref()?.get(key)?.as_string();
        let of_setting = |idx: usize| setting.phases.get(idx).copied().unwrap_or(ENDED).to_string();
        match field("kind").as_deref() {
            None => of_setting(0),
            Some(phase::LINEAR_PATH) => of_setting(1),
            Some("test") => TESTED.to_string(),
            Some(kind) => field("phase").unwrap_or_else(|| kind.to_string()),
        }
    }
}

/// The last line of a log that ends.
fn last_line(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let n_bytes = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(n_bytes.saturating_sub(LONGEST_LINE))).ok()?;
    let mut end = Vec::new();
    file.take(LONGEST_LINE).read_to_end(&mut end).ok()?;
    let end = String::from_utf8_lossy(&end);
    let (whole, _) = end.rsplit_once('\n')?;
    whole.rsplit('\n').next().map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::super::settings::SETTINGS;
    use super::*;

    #[test]
    fn a_training_starts_goes_through_its_phases_and_ends() {
        let folder = tempfile::tempdir().unwrap();
        let status = |ended: &str, sessions: &str| {
            let text = format!("{{\"ended\": \"{ended}\", \"sessions\": [{sessions}]}}");
            fs::write(folder.path().join(STATUS), text).unwrap();
        };
        let log = |lines: &str| fs::write(folder.path().join(LOG), lines).unwrap();
        let nothing = Trace::of(&folder.path().join("not there"));
        let phase = |before: &Trace| Trace::of(folder.path()).phase(before, &SETTINGS[0]);

        assert_eq!(phase(&nothing), "starting");
        status("running", "");
        assert_eq!(phase(&nothing), "starting");
        status("running", "{}");
        log("");
        assert_eq!(phase(&nothing), "linear-path");
        log("{\"kind\": \"linear-path\", \"phase\": \"linear-path\"}\n");
        assert_eq!(phase(&nothing), "pretraining");
        let step = "{\"kind\": \"step\", \"phase\": \"epochs\"}\n";
        log(&format!("{step}{{\"kind\": \"te"));
        assert_eq!(phase(&nothing), "epochs");

        let killed = Trace::of(folder.path());
        assert_eq!(phase(&killed), "starting");
        status("running", "{}, {}");
        assert_eq!(phase(&killed), "epochs");
        log(&format!("{step}{{\"kind\": \"test\", \"phase\": \"epochs\"}}\n"));
        assert_eq!(phase(&killed), "tested");
        status("complete", "{}, {}");
        assert_eq!(phase(&killed), "ended");
    }
}
