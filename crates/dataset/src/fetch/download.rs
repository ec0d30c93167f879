//! Downloads one file over HTTP, with retries and time-outs, and resumes where it stopped.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use ureq::http::{Response, header};
use ureq::{Agent, Body};

use super::error::{FetchError, io_error};
use super::event::{Event, OnEvent};
use super::figures::size;

const BUFFER_BYTES: usize = 64 * 1024;

/// How long to wait for the network, and how many times to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Longest wait for name resolution and for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for the next bytes.
    pub idle_timeout: Duration,
    /// Total attempts, including the first; at least one is made.
    pub n_attempts: u32,
    /// Wait before the second attempt; doubles with each further attempt.
    pub first_wait: Duration,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(30),
            n_attempts: 6,
            first_wait: Duration::from_secs(1),
        }
    }
}

/// Whether all bytes are from this download, or some are from an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Fresh,
    Resumed,
}

/// Downloads `url` to `part`, resuming after the bytes that are already there.
///
/// `n_bytes` is the expected length of the file; the bytes are not checked here.
pub(super) fn download(
    url: &str,
    part: &Path,
    n_bytes: u64,
    network: &Network,
    on_event: OnEvent<'_>,
) -> Result<Start, FetchError> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_resolve(Some(network.connect_timeout))
        .timeout_connect(Some(network.connect_timeout))
        .timeout_per_read(Some(network.idle_timeout))
        .timeout_per_write(Some(network.idle_timeout))
        .build()
        .into();
    let attempt = Attempt { agent, url, part, n_bytes, network };
    let n_before = attempt.n_on_disk()?;
    let mut wait = network.first_wait;
    let mut n_tried = 1;
    loop {
        match attempt.run(on_event) {
            // Bytes of our earlier attempts are fine; only those of an older call may be of another
            // file.
            Ok(Start::Resumed) if n_before == 0 => return Ok(Start::Fresh),
            Ok(start) => return Ok(start),
            Err(Failure::Lasting(error)) => return Err(error),
            Err(Failure::Passing(error)) if n_tried >= network.n_attempts => return Err(error),
            Err(Failure::Passing(error)) => {
                on_event(Event::Note(format!(
                    "{}; trying again in {:.0} s (attempt {} of {})",
                    with_cause(&error),
                    wait.as_secs_f64(),
                    n_tried + 1,
                    network.n_attempts
                )));
                thread::sleep(wait);
                wait *= 2;
                n_tried += 1;
            }
        }
    }
}

/// Whether trying again may help.
enum Failure {
    Passing(FetchError),
    Lasting(FetchError),
}

struct Attempt<'a> {
    agent: Agent,
    url: &'a str,
    part: &'a Path,
    n_bytes: u64,
    network: &'a Network,
}

impl Attempt<'_> {
    fn run(&self, on_event: OnEvent<'_>) -> Result<Start, Failure> {
        let n_before = self.n_on_disk().map_err(Failure::Lasting)?;
        if n_before == self.n_bytes && n_before > 0 {
            return Ok(Start::Resumed);
        }
        on_event(Event::Stage(format!("downloading {}", self.url)));
        let mut request = self.agent.get(self.url);
        if n_before > 0 {
            request = request.header(header::RANGE, format!("bytes={n_before}-"));
        }
        let response =
            request.call().map_err(|error| self.failure(error, n_before, Phase::Connect))?;
        let start = self.start_of(&response, n_before)?;
        let file = match start {
            Start::Resumed => OpenOptions::new().append(true).open(self.part),
            Start::Fresh => File::create(self.part),
        };
        let file = file.map_err(|error| Failure::Lasting(io_error("write", self.part)(error)))?;
        let n_before = match start {
            Start::Resumed => n_before,
            Start::Fresh => 0,
        };
        if start == Start::Resumed {
            on_event(Event::Note(format!("resuming after {}", size(n_before))));
        }
        self.receive(response, file, n_before, on_event)?;
        Ok(start)
    }

    fn start_of(&self, response: &Response<Body>, n_before: u64) -> Result<Start, Failure> {
        let status = response.status().as_u16();
        let wrong_status = FetchError::Status { url: self.url.to_owned(), status };
        match status {
            200 => Ok(Start::Fresh),
            206 => {
                let range = response.headers().get(header::CONTENT_RANGE);
                let range = range.and_then(|range| range.to_str().ok()).unwrap_or_default();
                if range.starts_with(&format!("bytes {n_before}-")) {
                    return Ok(Start::Resumed);
                }
                self.drop_part()?;
                Err(Failure::Passing(FetchError::WrongRange {
                    url: self.url.to_owned(),
                    expected: n_before,
                    got: range.to_owned(),
                }))
            }
            // The remote file is shorter than the local part, so the part is of another file.
            416 if n_before > 0 => {
                self.drop_part()?;
                Err(Failure::Passing(wrong_status))
            }
            408 | 429 | 500..=599 => Err(Failure::Passing(wrong_status)),
            _ => Err(Failure::Lasting(wrong_status)),
        }
    }

    fn receive(
        &self,
        response: Response<Body>,
        mut file: File,
        n_before: u64,
        on_event: OnEvent<'_>,
    ) -> Result<(), Failure> {
        let body = response.into_body();
        let total = body.content_length().map(|n| n_before + n);
        let mut reader = body.into_reader();
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut done = n_before;
        on_event(Event::Bytes { done, total });
        loop {
            let n = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.failure(error.into(), done, Phase::Body)),
            };
            done += n as u64;
            if done > self.n_bytes {
                self.drop_part()?;
                let url = self.url.to_owned();
                return Err(Failure::Lasting(FetchError::TooLong { url, expected: self.n_bytes }));
            }
            file.write_all(&buffer[..n])
                .map_err(|error| Failure::Lasting(io_error("write", self.part)(error)))?;
            on_event(Event::Bytes { done, total });
        }
        file.sync_all().map_err(|error| Failure::Lasting(io_error("write", self.part)(error)))?;
        match total {
            Some(total) if done < total => {
                let end = io::Error::from(io::ErrorKind::UnexpectedEof);
                Err(self.failure(end.into(), done, Phase::Body))
            }
            _ => Ok(()),
        }
    }

    fn failure(&self, error: ureq::Error, n_bytes: u64, phase: Phase) -> Failure {
        use ureq::Error as Cause;
        let url = self.url.to_owned();
        let part = self.part.to_owned();
        let passing = matches!(
            error,
            Cause::Timeout(_)
                | Cause::Io(_)
                | Cause::HostNotFound
                | Cause::ConnectionFailed
                | Cause::Protocol(_)
        );
        let error = match (error, phase) {
            (Cause::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve), _) => {
                FetchError::TimedOut { url, waited: self.network.connect_timeout, n_bytes, part }
            }
            (Cause::Timeout(_), _) => {
                FetchError::TimedOut { url, waited: self.network.idle_timeout, n_bytes, part }
            }
            (error, Phase::Connect) => FetchError::Unreachable { url, source: error.into() },
            (error, Phase::Body) => {
                FetchError::Interrupted { url, n_bytes, part, source: error.into() }
            }
        };
        if passing { Failure::Passing(error) } else { Failure::Lasting(error) }
    }

    /// The number of bytes from earlier attempts. A part longer than the file is of another file and is
    /// removed.
    fn n_on_disk(&self) -> Result<u64, FetchError> {
        match fs::metadata(self.part) {
            Ok(metadata) if metadata.len() <= self.n_bytes => Ok(metadata.len()),
            Ok(_) => {
                fs::remove_file(self.part).map_err(io_error("remove", self.part))?;
                Ok(0)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(io_error("read", self.part)(error)),
        }
    }

    fn drop_part(&self) -> Result<(), Failure> {
        fs::remove_file(self.part)
            .map_err(|error| Failure::Lasting(io_error("remove", self.part)(error)))
    }
}

/// The error and its cause, on one line.
fn with_cause(error: &FetchError) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[derive(Clone, Copy)]
enum Phase {
    Connect,
    Body,
}
