"""Builds, starts and controls the programs that time a pass."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"

# Packages that each Python program imports beyond the standard library.
MODULES = {
    "PyTorch": ["torch", "numpy"],
    "ONNX Runtime": ["torch", "numpy", "onnx", "onnxscript", "onnxruntime"],
}
LAYER_SCRIPTS = {"PyTorch": "torch_layers.py", "ONNX Runtime": "onnxruntime_layers.py"}
NOTEBOOK_SCRIPTS = {"PyTorch": "torch_notebook.py", "ONNX Runtime": "onnxruntime_notebook.py"}

# The settings of crates/recurrent/src/allocator.rs as glibc environment variables.
KEEP_FREED_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(64 << 20),
    "MALLOC_ARENA_MAX": "1",
}


class ChildError(Exception):
    """A program that did not start, ended early, or answered with an error."""


def build_ours(program, profile, device="cpu"):
    """Builds one of our programs and returns its path."""
    command = ["cargo", "build", "--package", "benches", "--bin", program, "--profile", profile]
    # Everything around the layers takes ten times as long to build as the layers.
    command += ["--no-default-features"] if program == "layer-times" else []
    command += ["--features", "cuda"] if device == "cuda" else []
    command += ["--message-format", "json-render-diagnostics"]
    try:
        built = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True, check=True)
    except FileNotFoundError:
        raise ChildError("cargo is not on the PATH; install Rust, or name a built program with --ours") from None
    except subprocess.CalledProcessError as error:
        raise ChildError(f"{' '.join(command)} ended with {error.returncode}") from None
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and message["target"]["name"] == program:
            if message.get("executable"):
                return message["executable"]
    raise ChildError(f"cargo did not build {program}")


def missing_modules(program):
    return [module for module in MODULES.get(program, []) if importlib.util.find_spec(module) is None]


def command(program, ours, threads, scripts=LAYER_SCRIPTS):
    """The command line that starts a program, without the flags of a pass."""
    if program in scripts:
        return [sys.executable, str(HERE / scripts[program]), "--threads", str(threads)]
    return [ours]


def environment(threads, keep_freed_memory):
    """Environment variables that set the number of threads for rayon, OpenMP and MKL."""
    count = str(threads)
    variables = {"RAYON_NUM_THREADS": count, "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count}
    return os.environ | variables | (KEEP_FREED_MEMORY if keep_freed_memory else {})


class Child:
    """A running program, prepared for one pass; as a context manager, ends the program."""

    def __init__(self, command, flags, environment):
        self.command = command
        self.stderr = tempfile.TemporaryFile(mode="w+")
        try:
            self.process = subprocess.Popen(
                command + flags + ["--serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.stderr,
                text=True,
                env=environment,
            )
        except OSError as error:
            raise ChildError(f"cannot start {command[0]}: {error}") from None
        try:
            self.ready = self._answer("ready")
        except ChildError:
            self.close()
            raise

    def use(self, flags):
        """Prepares another pass with `flags` in addition to those of the command line."""
        self._say("use " + " ".join(self.command[2:] + flags))
        self.ready = self._answer("ready")

    def times_s(self, n_runs):
        """Seconds of each of `n_runs` consecutive runs."""
        self._say(f"go {n_runs}")
        return self._answer("seconds")

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _say(self, line):
        try:
            print(line, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            raise ChildError(self._last_words()) from None

    def _answer(self, field):
        line = self.process.stdout.readline()
        if not line:
            raise ChildError(self._last_words())
        answer = json.loads(line)
        if field not in answer:
            raise ChildError(answer.get("error", f"unexpected answer {line!r}"))
        return answer[field]

    def _last_words(self):
        self.process.wait()
        self.stderr.seek(0)
        words = self.stderr.read().strip().splitlines()[-3:]
        return f"{' '.join(self.command)} ended early: " + " | ".join(words)
