"""Compares models for one of several classes with scikit-learn's linear models and with fastText.

    cargo xtask class-data && cargo build -p cli
    python benches/peers/compare_classes.py --data data/bbc-news.csv --recipe quick
    python benches/peers/compare_classes.py --data data/opinions.csv --class-weights balanced --json figures.json

Needs pandas, pyarrow, scikit-learn and fasttext. Texts that occur twice are used once. For each seed, a tenth of
the texts of each class is kept for testing. `sentiment train` gets the others, of which it learns from 80 %,
selects the model on 10 % and holds back 10 % for a test of its own (recipes with `refit = true` learn from 90 % in
the end). The peers choose their settings on as many texts, and are then fitted twice: to as many texts as
`sentiment` learns from, and to all texts outside the test. They choose by accuracy, with class weights by macro F1.
Seconds are those of one training with the chosen settings; other work on the machine lengthens them.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, stdev

from sklearn.metrics import accuracy_score, f1_score, recall_score

import class_peers
import class_tables

FEW = "as many as sentiment"
ALL = "all outside the test"
FIGURES = ["accuracy", "macro_f1", "rarest_recall"]


def scores(labels, predicted, rarest):
    """The figures of one model."""
    return {
        "accuracy": accuracy_score(labels, predicted),
        "macro_f1": f1_score(labels, predicted, average="macro", labels=sorted(set(labels))),
        "rarest_recall": recall_score(labels, predicted, average=None, labels=[rarest])[0],
    }


def choose(peer, parts, weights, rarest):
    """The settings that do best on the validation texts, and how well."""
    goal = "accuracy" if weights is None else "macro_f1"
    grid = peer.settings(len(parts.few))
    tried = [
        (scores(parts.validation.label, predict(parts.validation.text), rarest)[goal], settings)
        for settings, predict in peer.fits(grid, parts.few, weights)
    ]
    # Of equals, the first.
    return max(tried, key=lambda score_and_settings: score_and_settings[0])


def peer_runs(peer, parts, weights, rarest):
    """One run on few texts, one on all."""
    reached, settings = choose(peer, parts, weights, rarest)
    for texts, rows in [(FEW, parts.few), (ALL, parts.rest)]:
        start = time.perf_counter()
        _, predict = next(peer.fits([settings], rows, weights))
        seconds = time.perf_counter() - start
        yield {
            "model": peer.name,
            "texts": texts,
            "n_texts": len(rows),
            "settings": settings,
            "validation": reached,
            **scores(parts.test.label, predict(parts.test.text), rarest),
            "seconds": seconds,
        }


def sentiment_run(args, parts, seed, rarest):
    """The run of a model that this workspace's program trains."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(Path(folder) / f"{name}.csv") for name in ("train", "test")}
        for name, rows in [("train", parts.rest), ("test", parts.test)]:
            # All cells are quoted, because Python leaves carriage returns outside quotation marks.
            rows.to_csv(paths[name], index=False, quoting=csv.QUOTE_ALL)
        model = str(Path(folder) / "model")
        command = [args.program, "train", "--recipe", args.recipe, "--data", paths["train"]]
        command += ["--output", model, "--no-cache", "--seed", str(seed)]
        if args.class_weights:
            command += ["--class-weights", args.class_weights]
        start = time.perf_counter()
        output_of(command)
        seconds = time.perf_counter() - start
        command = [args.program, "evaluate", "--model", model, "--data", paths["test"], "--json"]
        figures = json.loads(output_of(command))
    recalls = {of["name"]: of["recall"] for of in figures["classes"]}
    return {
        "model": name_of_ours(args),
        "texts": FEW,
        "n_texts": len(parts.few),
        "accuracy": figures["accuracy"],
        "macro_f1": figures["macro_f1"],
        "rarest_recall": recalls[rarest],
        "seconds": seconds,
    }


def name_of_ours(args):
    return f"sentiment, recipe {args.recipe}"


def output_of(command):
    """Standard output of a command that must succeed."""
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {result.returncode}:\n{result.stderr}")
    return result.stdout


class Figures:
    """All runs so far; with a path, also those of earlier calls, and saved after each."""

    def __init__(self, path, common):
        self.path = path
        self.common = common
        self.runs = json.loads(path.read_text()) if path and path.exists() else []

    def of(self, **keys):
        keys = self.common | keys
        return [run for run in self.runs if all(run.get(key) == of for key, of in keys.items())]

    def add(self, seed, runs):
        """Adds the runs of one model, all or none."""
        self.runs += [self.common | {"seed": seed} | run for run in runs]
        if self.path:
            unfinished = self.path.with_name(f".{self.path.name}.unfinished")
            unfinished.write_text(json.dumps(self.runs, indent=1) + "\n")
            os.replace(unfinished, self.path)
        for run in runs:
            figures = ", ".join(f"{run[key]:.4f}" for key in FIGURES)
            print(f"seed {seed}, {run['model']}, {run['texts']}: {figures}, {run['seconds']:.1f} s")


def report(figures, rarest):
    """A Markdown table of means and standard deviations."""
    print(f"\n| model | learns from | n | accuracy | macro F1 | recall of {rarest} | seconds |")
    print("|---|---|---|---|---|---|---|")
    runs = figures.of()
    for model, texts in dict.fromkeys((run["model"], run["texts"]) for run in runs):
        of = figures.of(model=model, texts=texts)
        cells = [spread([run[key] for run in of]) for key in FIGURES]
        cells.append(f"{mean(run['seconds'] for run in of):.1f}")
        print(f"| {model} | {texts} ({of[0]['n_texts']:,}) | {len(of)} | {' | '.join(cells)} |")


def spread(values):
    return f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def peers_of(only):
    """The peers that run; all if nothing is chosen."""
    chosen = {"sentiment": [], "sklearn": class_peers.SKLEARN, "fasttext": class_peers.FASTTEXT}
    return chosen[only] if only else class_peers.SKLEARN + class_peers.FASTTEXT


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="table with the columns text and label")
    parser.add_argument("--program", default="target/debug/sentiment", help="default: %(default)s")
    parser.add_argument("--recipe", default="default", help="default: %(default)s")
    parser.add_argument("--class-weights", choices=["balanced"], help="default: none")
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to N - 1 (default: %(default)s)")
    parser.add_argument("--only", choices=["sentiment", "sklearn", "fasttext"], help="default: all")
    parser.add_argument("--json", type=Path, help="adds the runs to this file, and skips those in it")
    args = parser.parse_args()
    # Runs take minutes; a pipe would show nothing for long.
    sys.stdout.reconfigure(line_buffering=True)

    table = class_tables.read(args.data)
    print(table)
    print("sentiment learns from 80 % of the texts outside the test; peers from as many, then from all")
    common = {"data": table.name, "sha256": table.sha256, "class_weights": args.class_weights}
    figures = Figures(args.json, common | {"rarest": table.rarest})
    for seed in range(args.seeds):
        parts = class_tables.split(table.rows, seed)
        for peer in peers_of(args.only):
            if args.class_weights and not peer.has_weights:
                print(f"seed {seed}, {peer.name}: left out, as it has no class weights")
            elif not figures.of(seed=seed, model=peer.name):
                figures.add(seed, list(peer_runs(peer, parts, args.class_weights, table.rarest)))
        if args.only in (None, "sentiment") and not figures.of(seed=seed, model=name_of_ours(args)):
            figures.add(seed, [sentiment_run(args, parts, seed, table.rarest)])
    report(figures, table.rarest)


if __name__ == "__main__":
    main()
