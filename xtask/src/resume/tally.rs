//! What all kills hit, and where the resumed sessions began: without that, nothing would be proved.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

use super::phase::STARTING;
use super::settings::SETTINGS;
use crate::json::Json;
use crate::run_folder::STATUS;

#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Numbers of kills.
    by_phase: BTreeMap<String, usize>,
    /// Sessions after the first of each run.
    n_resumed: usize,
    /// Those that began from a checkpoint and not from the beginning.
    n_from_checkpoint: usize,
}

impl Tally {
    /// How often a phase was hit.
    pub(super) fn hits(&self, phase: &str) -> usize {
        self.by_phase.get(phase).copied().unwrap_or_default()
    }

    /// Counts the phases that were hit in a run, and its sessions.
    pub(super) fn add(&mut self, hit: Vec<String>, records: &Path) -> anyhow::Result<()> {
        for phase in hit {
            *self.by_phase.entry(phase).or_default() += 1;
        }
        let path = records.join(STATUS);
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let status =
            Json::parse(&text).with_context(|| format!("{} is not JSON", path.display()))?;
        let Some(Json::Array(sessions)) = status.get("sessions") else {
            bail!("{} lists no sessions", path.display());
        };
        let resumed = sessions.iter().skip(1);
        self.n_resumed += resumed.clone().count();
        let is_object = |session: &&Json| matches!(session.get("from"), Some(Json::Object(_)));
        self.n_from_checkpoint += resumed.filter(is_object).count();
        Ok(())
    }

    /// Prints the counts.
    ///
    /// # Errors
    /// If a phase was not hit, or if too few sessions began from a checkpoint.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let &Self { ref by_phase, n_resumed, n_from_checkpoint } = self;
        let counts: Vec<String> =
            by_phase.iter().map(|(phase, n_kills)| format!("{phase} {n_kills}")).collect();
        println!("resume: kills by phase: {}", counts.join(", "));
        println!(
            "resume: {n_from_checkpoint} of {n_resumed} resumed sessions began from a checkpoint, the others from \
             the beginning"
        );
        let phases = SETTINGS.iter().flat_map(|setting| setting.phases).chain(&[STARTING]);
        let missed: BTreeSet<&str> =
            phases.copied().filter(|phase| self.hits(phase) == 0).collect();
        ensure!(
            missed.is_empty(),
            "no kill hit {}, so nothing is known of it; raise --kills",
            missed.into_iter().collect::<Vec<_>>().join(" or ")
        );
        // Only what was killed before its first checkpoint has none.
        ensure!(2 * n_from_checkpoint >= n_resumed, "too few sessions began from a checkpoint");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One hit of each phase, and a run of three sessions.
    fn tally(sessions: &str) -> Tally {
        let folder = tempfile::tempdir().unwrap();
        let status = format!("{{\"sessions\": [{sessions}]}}");
        fs::write(folder.path().join(STATUS), status).unwrap();
        let phases = ["starting", "linear-path", "pretraining", "epochs", "refit"];
        let mut tally = Tally::default();
        tally.add(phases.map(String::from).to_vec(), folder.path()).unwrap();
        tally
    }

    const FRESH: &str = "{\"from\": null}";
    const SAVED: &str = "{\"from\": {\"phase\": \"epochs\"}}";

    #[test]
    fn a_phase_that_no_kill_hit_is_a_failure() {
        let mut tally = tally(&format!("{FRESH}, {SAVED}, {FRESH}"));
        tally.check().unwrap();
        tally.by_phase.remove("refit");
        tally.by_phase.remove("starting");
        let error = tally.check().unwrap_err().to_string();
        assert_eq!(
            error,
            "no kill hit refit or starting, so nothing is known of it; raise --kills"
        );
    }

    #[test]
    fn sessions_that_all_begin_again_are_a_failure() {
        let error = tally(&[FRESH; 3].join(", ")).check().unwrap_err().to_string();
        assert_eq!(error, "too few sessions began from a checkpoint");
    }
}
