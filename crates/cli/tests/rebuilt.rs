//! A training of another build of the program.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot start its process has failed")]

mod common;

use std::fs;
use std::process::Command;

use common::{Outcome, Workplace};

#[test]
fn another_build_of_the_program_is_refused_or_accepted_with_a_word() {
    let place = Workplace::with_reviews();
    let stops = ["--output", "m", "--stop-after", "100ms", "--set", "training.epochs=300"];
    assert_eq!(place.train(&stops).code, Some(130));

    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("sentiment");
    let resume = place.command(&["train", "--resume", "runs/m"]);
    fs::copy(resume.get_program(), &program).unwrap();
    // What stands after the end of the program is not run.
    let mut bytes = fs::read(&program).unwrap();
    bytes.push(0);
    fs::write(&program, bytes).unwrap();
    let rebuilt = |more: &[&str]| {
        let mut command = Command::new(&program);
        command.args(resume.get_args()).args(more);
        command.envs(resume.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(resume.get_current_dir().unwrap());
        Outcome::from(command.output().unwrap())
    };
    rebuilt(&[]).failed(1, &["the build of the program was ", "--anyway"]);
    rebuilt(&["--anyway"]).succeeded();
}
