//! A folder of libraries under the names that a linker asks for, with a stand-in for the driver's.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
#[cfg(unix)]
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::toolkit::Toolkit;
use crate::cargo::{cargo_command, check};

/// What our programs link with, besides the driver's library.
const LIBRARIES: [&str; 6] = ["cublas", "cublasLt", "cudart", "curand", "nvrtc", "cudnn"];

/// The libraries for linking, and for starting programs without a GPU.
#[derive(Debug)]
pub(crate) struct Links {
    /// Holds `libNAME.so` for each library, and the stand-in as `libcuda.so` and `libcuda.so.1`.
    pub(crate) folder: PathBuf,
    /// Folders of the libraries themselves.
    libraries: Vec<PathBuf>,
}

impl Links {
    /// Makes the folder anew.
    pub(crate) fn make(toolkit: &Toolkit, folder: &Path) -> anyhow::Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for library in LIBRARIES {
            let file = find(library, &toolkit.libraries)?;
            let link = folder.join(format!("lib{library}.so"));
            symlink(&file, &link).with_context(|| format!("cannot make {}", link.display()))?;
        }
        make_stand_in(folder)?;
        Ok(Self { folder: folder.to_path_buf(), libraries: toolkit.libraries.clone() })
    }

    /// `LD_LIBRARY_PATH` with which programs start without a GPU.
    pub(crate) fn library_path(&self) -> anyhow::Result<OsString> {
        let folders = [&self.folder].into_iter().chain(&self.libraries);
        std::env::join_paths(folders).context("cannot write a path of libraries")
    }
}

fn find(library: &str, folders: &[PathBuf]) -> anyhow::Result<PathBuf> {
    for folder in folders {
        let entries =
            fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        if let Some(name) = best(library, names) {
            return Ok(folder.join(name));
        }
    }
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    bail!(
        "there is no lib{library}.so in {}; install it, name its folder in CUDNN_LIB if it is cuDNN's, or take \
         `--toolkit pypi`, which has all",
        folders.join(", ")
    )
}

/// The file that is a library: the name for linking if it is there, else the one with the highest version.
fn best(library: &str, names: impl Iterator<Item = String>) -> Option<String> {
    let stem = format!("lib{library}.so");
    let version = |name: &str| -> Option<Vec<u32>> {
        let rest = name.strip_prefix(&stem)?;
        if rest.is_empty() {
            return Some(vec![u32::MAX]);
        }
        rest.strip_prefix('.')?.split('.').map(|part| part.parse().ok()).collect()
    };
    names.filter_map(|name| Some((version(&name)?, name))).max().map(|(_, name)| name)
}

/// Builds a library that has every function of the driver, each of which says that there is no GPU.
fn make_stand_in(folder: &Path) -> anyhow::Result<()> {
    let source = folder.join("cuda.c");
    let bindings = bindings()?;
    let text = fs::read_to_string(&bindings)
        .with_context(|| format!("cannot read {}", bindings.display()))?;
    let functions = driver_functions(&text);
    ensure!(!functions.is_empty(), "{} names no function of CUDA's driver", bindings.display());
    fs::write(&source, stand_in(&functions))
        .with_context(|| format!("cannot write {}", source.display()))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-w", "-Wl,-soname,libcuda.so.1", "-o"]);
    compiler.arg(folder.join("libcuda.so")).arg(&source);
    check(&mut compiler).context("cannot build a stand-in for CUDA's driver")?;
    let link = folder.join("libcuda.so.1");
    symlink(Path::new("libcuda.so"), &link)
        .with_context(|| format!("cannot make {}", link.display()))
}

/// Linux builds for Linux; elsewhere this file need only compile.
#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// The file in which the package cudarc declares the functions of CUDA's driver.
fn bindings() -> anyhow::Result<PathBuf> {
    let arguments = ["metadata", "--format-version", "1", "--locked", "--features", "cli/cuda"];
    let output = cargo_command(&arguments).output().context("cannot run cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .context("cannot parse the output of cargo metadata")?;
    let packages = metadata["packages"].as_array();
    let package = packages.into_iter().flatten().find(|package| package["name"] == "cudarc");
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.context("cargo metadata does not name the package cudarc")?;
    Ok(Path::new(manifest).with_file_name("src/driver/sys/mod.rs"))
}

/// The names of the driver's functions in cudarc's declarations.
fn driver_functions(declarations: &str) -> BTreeSet<&str> {
    let names = declarations.split("fn ").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest)
    });
    let is_driver = |name: &&str| {
        name.strip_prefix("cu")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    names.filter(is_driver).collect()
}

/// C code of a driver that finds no GPU.
fn stand_in(functions: &BTreeSet<&str>) -> String {
    let mut code = String::from("/* Made by `cargo xtask gpu`: a driver that finds no GPU. */\n");
    for function in functions {
        // What is said goes to the second parameter; 100 is CUDA_ERROR_NO_DEVICE.
        let says = match *function {
            "cuGetErrorName" => "CUDA_ERROR_NO_DEVICE",
            "cuGetErrorString" => "no CUDA-capable device is detected",
            _ => {
                let _ = writeln!(code, "int {function}(void) {{ return 100; }}");
                continue;
            }
        };
        let _ = writeln!(
            code,
            "int {function}(int error, const char **text) {{ *text = \"{says}\"; return 0; }}"
        );
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best_of(library: &str, names: &[&str]) -> Option<String> {
        best(library, names.iter().map(ToString::to_string))
    }

    #[test]
    fn a_library_is_found_under_the_name_for_linking_or_its_highest_version() {
        let names = ["libcudnn.so.8", "libcudnn.so.9", "libcudnn.so.9.10.2", "libcudnn_ops.so.10"];
        assert_eq!(best_of("cudnn", &names).as_deref(), Some("libcudnn.so.9.10.2"));
        let names = ["libcudart.so.13", "libcudart.so", "libcudart_static.a"];
        assert_eq!(best_of("cudart", &names).as_deref(), Some("libcudart.so"));
    }

    #[test]
    fn a_library_is_not_mistaken_for_another_whose_name_begins_alike() {
        assert_eq!(best_of("cublas", &["libcublasLt.so.13"]), None);
        let names = ["libnvrtc-builtins.so.13.0", "libnvrtc.alt.so.13", "libnvrtc.so.old"];
        assert_eq!(best_of("nvrtc", &names), None);
    }

    #[test]
    fn the_stand_in_has_every_function_of_the_driver_once() {
        let declarations = "pub unsafe fn cuInit(Flags: u32) -> CUresult {\n extern \"C\" {\n fn cuInit(Flags: u32); }\n\
                            fn cuGetErrorName(a: u32);\nfn cublasCreate(); fn culibos(); fn is_culib_present() {}";
        let functions = driver_functions(declarations);
        assert_eq!(functions.iter().copied().collect::<Vec<_>>(), ["cuGetErrorName", "cuInit"]);
        let code = stand_in(&functions);
        assert_eq!(code.matches("cuInit(void) { return 100; }").count(), 1);
        assert!(code.contains("*text = \"CUDA_ERROR_NO_DEVICE\"; return 0;"));
    }
}
