"""Threads, forks, and Ctrl-C: each in a process of its own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., "subprocess.CompletedProcess[str]"]

FORKED = """
import os, sys
from sentiment_rnn import Classifier

def in_child(run):
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            run()
            message = "fine"
        except BaseException as error:
            message = f"{type(error).__name__}: {error}"
        os.write(writing, message.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        print(pipe.read())
    os.wait()
"""


def test_a_child_of_a_process_that_computed_is_refused(run_python: Run, model_folder: Path) -> None:
    script = FORKED + """
classifier = Classifier.load(sys.argv[1])
classifier.predict(["a text"])
in_child(lambda: classifier.predict(["a text"]))
in_child(lambda: Classifier.load(sys.argv[1]).predict(["a text"]))
print(classifier.predict(["wonderful"]))
"""
    result = run_python(script, model_folder)
    assert result.returncode == 0, result.stderr
    first, second, last = result.stdout.splitlines()
    assert re.sub(r"\d+", "", first) == re.sub(r"\d+", "", second) and first.startswith("RuntimeError: this process (")
    assert 'start processes with the method "spawn"' in first
    assert last == "['positive']"


def test_a_child_may_be_the_first_to_compute(run_python: Run, model_folder: Path) -> None:
    script = FORKED + """
in_child(lambda: Classifier.load(sys.argv[1]).predict(["a text"]))
in_child(lambda: Classifier.load(sys.argv[1]).predict(["a text"]))
print(Classifier.load(sys.argv[1]).predict(["wonderful"]))
"""
    result = run_python(script, model_folder)
    assert result.stdout.splitlines() == ["fine", "fine", "['positive']"], result.stderr


def test_a_model_may_be_loaded_before_a_fork_and_asked_after_it(run_python: Run, model_folder: Path) -> None:
    script = FORKED + """
classifier = Classifier.load(sys.argv[1])
for _ in range(3):
    in_child(lambda: classifier.predict(["a wonderful film"] * 500))
"""
    assert run_python(script, model_folder).stdout.splitlines() == ["fine"] * 3


def test_processes_that_are_spawned_get_the_model_by_pickle(run_python: Run, model_folder: Path) -> None:
    script = """
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from sentiment_rnn import Classifier

if __name__ == "__main__":
    classifier = Classifier.load(sys.argv[1])
    classifier.predict(["a text"])
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        print(list(pool.map(classifier.predict, [["wonderful"], ["dreadful"]])))
"""
    result = run_python(script, model_folder)
    assert result.stdout.strip() == "[['positive'], ['negative']]", result.stderr


def test_the_number_of_threads_is_set_before_the_first_use(run_python: Run, model_folder: Path) -> None:
    script = """
import os, sys
import sentiment_rnn

def n_threads():
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1

for wrong in (0, -1):
    try:
        sentiment_rnn.set_num_threads(wrong)
    except ValueError as error:
        print(error)
sentiment_rnn.set_num_threads(1)
before = n_threads()
classifier = sentiment_rnn.Classifier.load(sys.argv[1])
classifier.predict(["a wonderful film"] * 500)
# One thread of the pool, and the caller.
print(n_threads() - before <= 1)
try:
    sentiment_rnn.set_num_threads(2)
except RuntimeError as error:
    print(error)
"""
    result = run_python(script, model_folder)
    assert result.returncode == 0, result.stderr
    *wrong, few, late = result.stdout.splitlines()
    assert wrong == ["n is 0, expected at least 1", "n is -1, expected at least 1"]
    assert few == "True"
    assert late.startswith("the threads have been started already; call set_num_threads before")


def test_ctrl_c_ends_a_long_prediction(run_python: Run, model_folder: Path) -> None:
    script = """
import os, signal, sys, threading, time
from sentiment_rnn import Classifier

classifier = Classifier.load(sys.argv[1])
texts = [f"a wonderful film number {number} of many " * 20 for number in range(200_000)]
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    classifier.predict(texts)
    print("answered")
except KeyboardInterrupt:
    print("interrupted")
print(classifier.predict(["wonderful"]))
"""
    result = run_python(script, model_folder)
    assert result.stdout.splitlines() == ["interrupted", "['positive']"], result.stderr


def test_other_threads_run_while_it_computes(run_python: Run, model_folder: Path) -> None:
    script = """
import sys, threading, time
from sentiment_rnn import Classifier

classifier = Classifier.load(sys.argv[1])
texts = [f"a wonderful film number {number} of many " * 20 for number in range(20_000)]
thread = threading.Thread(target=classifier.predict, args=(texts,))
thread.start()
turns = 0
while thread.is_alive():
    turns += 1
    time.sleep(0.001)
print(turns > 5)
"""
    assert run_python(script, model_folder).stdout.strip() == "True"


def test_importing_the_package_imports_no_other_library(run_python: Run) -> None:
    script = """
import sys
import sentiment_rnn
heavy = {"numpy", "pandas", "polars", "pyarrow", "sklearn", "pyspark"}
print(sorted(heavy & sys.modules.keys()), sentiment_rnn._native.threads_started())
"""
    assert run_python(script).stdout.strip() == "[] False"


def test_what_computes_nothing_starts_no_threads(run_python: Run, model_folder: Path) -> None:
    script = FORKED + """
import sentiment_rnn
classifier = Classifier.load(sys.argv[1])
classifier.predict([])
several = ["a", "b"] * 50
for recipe, labels, output in (("quik", several, None), ("quick", ["a"] * 100, None), ("quick", several, sys.argv[1])):
    try:
        sentiment_rnn.train([f"text {n}" for n in range(100)], labels, recipe=recipe, output=output)
    except (OSError, ValueError) as error:
        print(type(error).__name__)
print(sentiment_rnn._native.threads_started())
sentiment_rnn.set_num_threads(1)
in_child(lambda: classifier.predict(["a text"]))
"""
    result = run_python(script, model_folder)
    assert result.stdout.splitlines() == [
        "FileNotFoundError", "ValueError", "FileExistsError", "False", "fine"
    ], result.stderr
