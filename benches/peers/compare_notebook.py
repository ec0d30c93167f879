"""Compares the speed of the course notebook's whole network with PyTorch and ONNX Runtime.

On the real reviews: a training step of 50 (forward, backward, clipping, Adam over every weight), and an
evaluation of the test split. All programs of a row run in turn; the ratio is the peer's median divided by
ours: above 1, ours is faster.
"""

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import machine
from children import (
    NOTEBOOK_SCRIPTS,
    REQUIREMENTS,
    Child,
    ChildError,
    build_ours,
    command,
    environment,
    missing_modules,
)
from turns import Limits, as_time, quartiles, take_turns

EXAMPLES = """\
examples:
  compare_notebook.py                            build ours, compare all rows (about 5 minutes on 2 cores)
  compare_notebook.py --write README.md          put the table between the README's marks, too
  compare_notebook.py --only train --cell gru    the training step with GRU layers

The reviews are read from data/imdb.parquet (`cargo xtask fetch-data`).
"""

ROOT = Path(__file__).resolve().parents[2]
MARKS = ("<!-- compare_notebook -->", "<!-- /compare_notebook -->")


@dataclass
class Row:
    key: str
    title: str
    work: str
    # Only for ours: the peers compute padding in every row.
    padding: str
    peers: list


ROWS = [
    Row("train", "training step of 50 reviews, padded to 200 words", "train", "compute", ["PyTorch"]),
    Row("train-real", "the same, ours without the padding", "train", "skip", ["PyTorch"]),
    Row("evaluate", "evaluation of 2,490 reviews, padded to 200 words", "evaluate", "compute", ["PyTorch", "ONNX Runtime"]),
    Row("evaluate-real", "the same, ours without the padding", "evaluate", "skip", ["PyTorch", "ONNX Runtime"]),
]


def parse_args():
    keys = [row.key for row in ROWS]
    flags = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("--only", nargs="+", choices=keys, metavar="ROW", help=f"compare these rows: {', '.join(keys)}")
    flags.add_argument("--cell", choices=["lstm", "gru", "rnn"], default="lstm", help="kind of recurrent layer (default lstm)")
    flags.add_argument("--threads", type=int, default=2, help="threads of every program (default 2)")
    flags.add_argument("--data", default=str(ROOT / "data/imdb.parquet"), metavar="FILE", help="the labelled reviews")
    flags.add_argument("--ours", metavar="PATH", help="a notebook-times that is already built")
    flags.add_argument("--profile", default="release", help="cargo profile to build notebook-times with (default release)")
    flags.add_argument("--row-seconds", type=float, default=40, metavar="S", help="time after which a row starts no new round, in seconds (default 40)")
    flags.add_argument("--min-rounds", type=int, default=5, help="minimum number of rounds per row (default 5)")
    flags.add_argument("--max-rounds", type=int, default=31, help="maximum number of rounds per row (default 31)")
    flags.add_argument("--write", metavar="FILE", help=f"put the report into a Markdown file between {MARKS[0]} and {MARKS[1]}")
    return flags.parse_args()


class Comparison:
    def __init__(self, args, ours, reviews):
        self.args, self.ours, self.reviews = args, ours, reviews
        self.environment = environment(args.threads, False)
        self.limits = Limits(args.row_seconds, args.min_rounds, args.max_rounds)
        self.programs = {}
        self.notes = []

    def start(self, program, row):
        flags = ["--work", row.work, "--cell", self.args.cell]
        if program == "ours":
            flags += ["--padding", row.padding, "--data", self.args.data]
        else:
            flags += ["--reviews", self.reviews]
        line = command(program, self.ours, self.args.threads, NOTEBOOK_SCRIPTS)
        child = Child(line, flags, self.environment)
        self.programs[child.ready["program"]] = None
        return child

    def can_run(self, program):
        missing = missing_modules(program)
        if missing:
            note = f"{program} left out: {', '.join(missing)} missing; to install: {sys.executable} -m pip install -r {REQUIREMENTS}"
            if note not in self.notes:
                self.notes.append(note)
                tell(note)
        return not missing

    def table(self, rows):
        lines = [
            "| what | ours | peer | its time | ratio (peer / ours) | quartiles: ours | peer | rounds |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for row in rows:
            peers = [peer for peer in row.peers if self.can_run(peer)]
            if peers:
                tell(f"{row.key} ...")
                lines += self.row(row, peers)
        return lines

    def row(self, row, peers):
        with contextlib.ExitStack() as stack:
            children = [stack.enter_context(self.start(program, row)) for program in ["ours", *peers]]
            tokens = {child.ready["tokens"] for child in children}
            if len(tokens) > 1:
                raise ChildError(f"the programs of {row.key} disagree on the number of tokens: {tokens}")
            times_s, others = take_turns(children, self.limits)
        if others is not None and others > 0.1:
            self.notes.append(f"{row.key}: other work used {others:.1f} cores meanwhile, do not quote")
        lines = []
        ours = quartiles(times_s[0])
        for peer, peer_times_s in zip(peers, times_s[1:]):
            theirs = quartiles(peer_times_s)
            ratio = theirs[1] / ours[1]
            tell(f"  {peer}: ratio {ratio:.2f}")
            cells = [row.title, as_time(ours[1]), peer, as_time(theirs[1]), f"{ratio:.2f}"]
            cells += [f"{as_time(of[0])} to {as_time(of[2])}" for of in (ours, theirs)]
            lines.append(f"| {' | '.join([*cells, str(len(peer_times_s))])} |")
        return lines


def tell(message):
    print(message, file=sys.stderr, flush=True)


def write(path, report):
    """Writes the report between the marks in a file."""
    text = Path(path).read_text(encoding="utf-8")
    pattern = re.compile(f"({re.escape(MARKS[0])}\n).*?({re.escape(MARKS[1])})", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"error: {path} has no lines {MARKS[0]} and {MARKS[1]}")
    Path(path).write_text(pattern.sub(lambda match: f"{match[1]}{report}\n{match[2]}", text), encoding="utf-8")


def main():
    args = parse_args()
    rows = [row for row in ROWS if not args.only or row.key in args.only]
    try:
        ours = args.ours or build_ours("notebook-times", args.profile)
        with tempfile.TemporaryDirectory() as reviews:
            exported = subprocess.run([ours, "--data", args.data, "--export", reviews])
            if exported.returncode != 0:
                sys.exit(exported.returncode)
            comparison = Comparison(args, ours, reviews)
            lines = comparison.table(rows)
    except ChildError as error:
        sys.exit(f"error: {error}")
    head = "; ".join([machine.describe(args.threads), *comparison.programs, f"cell {args.cell}"])
    report = "\n".join([head, "", *lines, *([""] + comparison.notes if comparison.notes else [])])
    print(report)
    if not comparison.programs:
        sys.exit(1)
    if args.write:
        write(args.write, report)


if __name__ == "__main__":
    main()
