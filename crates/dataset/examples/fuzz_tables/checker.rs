//! Runs the Python program that parses what we accepted, in its own process and thread.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use dataset::Format;

/// An accepted input, and what we found in it, as JSON.
pub(crate) struct Accepted {
    pub(crate) bytes: Vec<u8>,
    pub(crate) told: Vec<u8>,
}

/// The results of the checks.
#[derive(Default)]
pub(crate) struct Checked {
    /// Inputs that Python could also read.
    pub(crate) n_compared: u64,
    pub(crate) differences: Vec<String>,
}

/// Checks inputs while the next ones are read.
pub(crate) struct Checker {
    sender: SyncSender<Accepted>,
    thread: JoinHandle<Checked>,
    failed: Arc<AtomicBool>,
}

/// The last reply to an input.
const READY: &str = "ready";
/// Python read the input with the same result.
const SAME: &str = "same";
/// Python could not read the input, and that is not our fault.
const UNREADABLE: &str = "unreadable";

/// Enough differences to see what is wrong.
const MAX_DIFFERENCES: usize = 5;

impl Checker {
    pub(crate) fn start(python: &str, format: Format) -> Self {
        let (sender, receiver) = sync_channel::<Accepted>(256);
        let failed = Arc::new(AtomicBool::new(false));
        let (python, seen) = (python.to_owned(), failed.clone());
        let thread = std::thread::spawn(move || {
            let mut checked = Checked::default();
            let mut process = Process::start(&python, format);
            for accepted in receiver {
                match process.check(&accepted) {
                    Some(answers) => {
                        for answer in answers {
                            match answer.as_str() {
                                SAME => checked.n_compared += 1,
                                UNREADABLE => {}
                                _ => checked.differences.push(answer),
                            }
                        }
                    }
                    // Damaged Parquet may crash Python's Parquet library.
                    None if format == Format::Parquet => process = Process::start(&python, format),
                    None => checked.differences.push("the checker ended".to_owned()),
                }
                if checked.differences.len() >= MAX_DIFFERENCES {
                    seen.store(true, Ordering::Relaxed);
                    break;
                }
            }
            process.end();
            checked
        });
        Self { sender, thread, failed }
    }

    pub(crate) fn check(&self, accepted: Accepted) {
        // The receiver is gone only after a failure, which the caller checks next.
        let _ = self.sender.send(accepted);
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn finish(self) -> Checked {
        drop(self.sender);
        self.thread.join().unwrap()
    }
}

struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start(python: &str, format: Format) -> Self {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fuzz_tables/check_rows.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(format.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    /// Its replies to one input; `None` if the process has ended.
    fn check(&mut self, Accepted { bytes, told }: &Accepted) -> Option<Vec<String>> {
        let mut frame = Vec::with_capacity(bytes.len() + told.len() + 8);
        for part in [bytes, told] {
            frame.extend_from_slice(&(part.len() as u32).to_le_bytes());
            frame.extend_from_slice(part);
        }
        self.stdin.write_all(&frame).and_then(|()| self.stdin.flush()).ok()?;
        let mut answers = Vec::new();
        loop {
            let mut line = String::new();
            if self.stdout.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end() {
                READY => return Some(answers),
                answer => answers.push(answer.to_owned()),
            }
        }
    }

    fn end(mut self) {
        drop(self.stdin);
        let _ = self.child.wait();
    }
}
