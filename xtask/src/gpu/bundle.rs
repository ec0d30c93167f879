//! The bundle: its files, and the archive that they are packed into.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::cargo::{Program, check};

/// The largest archive that is kept, in bytes.
const MOST_BYTES: u64 = 60_000_000;
/// Folders whose files are the scripts; the bundle has them under the same names.
const SCRIPTS: [&str; 2] = ["benches/gpu", "benches/peers"];
/// The script that runs the bundle, which also is beside its programs.
const RUN: &str = "benches/gpu/run.sh";
/// Programs that build and pack, and what has them.
const TOOLS: [(&str, &str); 3] = [
    ("cc", "a C compiler, such as gcc (Debian: apt-get install gcc)"),
    ("tar", "GNU tar (Debian: apt-get install tar)"),
    ("xz", "XZ Utils (Debian: apt-get install xz-utils)"),
];

/// Fails if a program is missing that builds or packs.
pub(crate) fn check_tools() -> anyhow::Result<()> {
    for (tool, package) in TOOLS {
        ensure!(runs(tool), "cannot run {tool}; install {package}");
    }
    Ok(())
}

fn runs(tool: &str) -> bool {
    let mut command = Command::new(tool);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Fills a folder with the stripped programs, the reviews, the scripts, and the library that traces, if there is one.
pub(crate) fn assemble(
    folder: &Path,
    programs: &[Program],
    trace: Option<&Path>,
    reviews: &Path,
) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for program in programs {
        copy(&program.path, &folder.join(&program.name))?;
    }
    if let Some(trace) = trace {
        copy(trace, &folder.join("libtrace.so"))?;
    }
    if runs("strip") {
        check(Command::new("strip").args(files(folder)?))?;
    } else {
        println!("gpu: there is no `strip` (of GNU Binutils); the programs keep their symbols");
    }
    copy(reviews, &folder.join("reviews.parquet"))?;
    for scripts in SCRIPTS {
        let to = folder.join(scripts);
        fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
        for script in files(Path::new(scripts))? {
            let name = script.file_name().unwrap_or_default();
            copy(&script, &to.join(name))?;
        }
    }
    copy(Path::new(RUN), &folder.join("run.sh"))
}

/// The files in a folder, sorted, without those of folders in it.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Packs a folder's contents and returns the size of the archive, in bytes.
///
/// The programs are mostly the same text, and 400 MB become 35 MB if the dictionary spans them all.
pub(crate) fn pack(folder: &Path, archive: &Path) -> anyhow::Result<u64> {
    println!("gpu: packing {}, which takes about 2 minutes", archive.display());
    let part = archive.with_extension("part");
    let output = File::create(&part).with_context(|| format!("cannot make {}", part.display()))?;
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.arg("-C").arg(folder).args(["-cf", "-", "."]);
    let mut tar = tar.stdout(Stdio::piped()).spawn().context("cannot run tar")?;
    let input = tar.stdout.take().context("tar gives no output")?;
    let mut xz = Command::new("xz");
    xz.args(["-T1", "--lzma2=preset=4,dict=320MiB"]).stdin(input).stdout(output);
    let xz = xz.status().context("cannot run xz");
    let tar = tar.wait().context("cannot wait for tar")?;
    let xz = xz?;
    ensure!(xz.success(), "xz ended with {xz}; it needs 3 GB of memory");
    ensure!(tar.success(), "tar ended with {tar}");
    let bytes =
        fs::metadata(&part).with_context(|| format!("cannot read {}", part.display()))?.len();
    check_size(bytes, &part)?;
    fs::rename(&part, archive).with_context(|| format!("cannot make {}", archive.display()))?;
    Ok(bytes)
}

fn check_size(bytes: u64, file: &Path) -> anyhow::Result<()> {
    if bytes > MOST_BYTES {
        bail!(
            "{} has {:.1} MB, expected at most {} MB, which is what a bundle may weigh; see what has grown, or whether \
             the programs are stripped",
            file.display(),
            bytes as f64 / 1e6,
            MOST_BYTES / 1_000_000
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::gpu::build::TARGETS;

    #[test]
    fn what_run_sh_asks_of_a_bundle_is_in_it_and_every_program_is_run() {
        // Tests run in the folder of the crate.
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let text = fs::read_to_string(root.join(RUN)).expect("a script");
        let programs = TARGETS.map(|target| target.packed);
        let asked = text.split("$bundle/").skip(1).map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.$".contains(c));
            rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest)
        });
        let asked: BTreeSet<&str> = asked.collect();
        for name in &asked {
            let others = ["reviews.parquet", "libtrace.so", "$program"];
            assert!(programs.contains(name) || others.contains(name), "a bundle has no {name}");
        }
        for program in programs {
            assert!(asked.contains(program), "{RUN} does not run {program}");
        }
        let scripts = files(&root.join(SCRIPTS[1])).expect("a folder");
        assert!(scripts.iter().any(|script| script.ends_with("torch_notebook.py")));
    }

    #[test]
    fn an_archive_that_is_too_large_is_refused_in_words() {
        let file = Path::new("bundle.tar.part");
        assert!(check_size(MOST_BYTES, file).is_ok());
        let error = check_size(71_250_000, file).expect_err("too large").to_string();
        assert!(
            error.starts_with("bundle.tar.part has 71.2 MB, expected at most 60 MB"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_program_does_not_run() {
        assert!(runs("tar") && !runs("no-such-program-anywhere"));
    }

    #[test]
    fn what_is_packed_comes_out_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let (contents, out) = (folder.path().join("contents"), folder.path().join("out"));
        fs::create_dir_all(contents.join("benches")).expect("a folder");
        fs::create_dir_all(&out).expect("a folder");
        fs::write(contents.join("benches/a.txt"), "text").expect("a file");
        let archive = folder.path().join("bundle.tar.xz");
        let bytes = pack(&contents, &archive).expect("an archive");
        assert_eq!(bytes, fs::metadata(&archive).expect("an archive").len());
        check(Command::new("tar").arg("-C").arg(&out).arg("-xJf").arg(&archive)).expect("unpacked");
        assert_eq!(fs::read_to_string(out.join("benches/a.txt")).expect("a file"), "text");
    }
}
