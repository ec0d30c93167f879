"""Compares how fast a table of reviews is answered: whole processes, in turn with fastText and scikit-learn.

    cargo build -p cli && cargo xtask fetch-data
    sentiment train --recipe quick --output models/quick && sentiment train --output models/default
    python benches/peers/compare_answers.py --table reviews.csv --models models/quick models/default

Needs scikit-learn and fasttext; the peers are trained once, on the table itself, and kept in --cache (only the speed
of their answers counts). Every run starts a process, loads the model, reads the CSV, answers each text and writes a
CSV. Rates are texts per second of the whole process; for fastText also of its `predict` call alone.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from answer_peers import rows
from machine import describe

HERE = Path(__file__).parent


def ours(program, model, table, output, threads):
    command = [program, "predict", "--model", model, "--input", table, "--output", output, "--force", "--profile"]
    limits = {"RAYON_NUM_THREADS": str(threads), "CANDLE_NUM_THREADS": str(threads)}
    name = f"sentiment, {Path(model).name}"
    return (name, threads, command, limits)


def peer(name, title, cache, table, output):
    command = [sys.executable, str(HERE / "answer_peers.py"), "answer", name, table, str(cache / f"{name}.model"), output]
    return (title, 1, command, {})


def run(entry):
    """Seconds of the process, of its `predict` call if it says so, and the most memory it had, in MB."""
    _, threads, command, limits = entry
    environment = os.environ | limits
    # One thread means one core.
    prefix = ["taskset", "-c", "0"] if threads == 1 and limits else []
    before = time.perf_counter()
    child = subprocess.Popen(prefix + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
    out, err = child.communicate()
    seconds = time.perf_counter() - before
    if child.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}:\n{err}")
    parts = json.loads(out) if out.startswith("{") else {}
    return seconds, parts.get("predict"), err


def tokens_per_s(err):
    """The whole rate of our `--profile`."""
    for line in err.splitlines():
        if line.startswith("in all") and "tokens/s" in line:
            return float(line.split("tokens/s")[0].split()[-1])
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", required=True, help="CSV with the columns text and label")
    parser.add_argument("--models", nargs="+", required=True, help="model folders")
    parser.add_argument("--program", default="target/debug/sentiment", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--cache", type=Path, default=Path("target/answer-peers"), help="default: %(default)s")
    args = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    args.cache.mkdir(parents=True, exist_ok=True)
    output = str(args.cache / "answers.csv")
    n_texts = len(rows(args.table))

    peers = [("fasttext", "fastText (Python)"), ("sklearn", "TF-IDF + linear SVM (scikit-learn)")]
    for name, _ in peers:
        path = args.cache / f"{name}.model"
        if not path.exists():
            print(f"training {name} once")
            subprocess.run([sys.executable, str(HERE / "answer_peers.py"), "train", name, args.table, str(path)], check=True)
    entries = [ours(args.program, model, args.table, output, threads) for model in args.models for threads in (2, 1)]
    entries += [peer(name, title, args.cache, args.table, output) for name, title in peers]

    print(f"{n_texts:,} texts; {describe(2)}")
    seconds, calls, tokens = [[[] for _ in entries] for _ in range(3)]
    for n_round in range(args.rounds):
        order = range(len(entries)) if n_round % 2 == 0 else reversed(range(len(entries)))
        for at in order:
            of_run, call, err = run(entries[at])
            seconds[at].append(of_run)
            if call:
                calls[at].append(call)
            if rate := tokens_per_s(err):
                tokens[at].append(rate)

    fasttext = next(at for at, entry in enumerate(entries) if entry[0].startswith("fastText"))
    reference = statistics.median(seconds[fasttext])
    print("\n| program | threads | seconds | texts/s | tokens/s | of fastText's whole process | of its `predict` call |")
    print("|---|---|---|---|---|---|---|")
    for at, (name, threads, *_) in enumerate(entries):
        median = statistics.median(seconds[at])
        call = statistics.median(calls[fasttext])
        rate = f"{statistics.median(tokens[at]) / 1e6:.2f} M" if tokens[at] else ""
        print(
            f"| {name} | {threads} | {median:.2f} | {n_texts / median:,.0f} | {rate} "
            f"| {reference / median:.2f} | {call / median:.2f} |"
        )


if __name__ == "__main__":
    main()
