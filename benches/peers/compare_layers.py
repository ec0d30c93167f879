"""Compares the speed of our recurrent layers with other programs' and writes a Markdown table.

All programs of a row are started and warmed up, then run in turn, round after round.
The ratio is the peer's median divided by ours: above 1, ours is faster.
"""

import argparse
import contextlib
import sys
from pathlib import Path

import machine
from children import REQUIREMENTS, Child, ChildError, build_ours, command, environment, missing_modules
from rows import ROWS, SWEEP_BATCH, SWEEP_HIDDEN, SWEEP_MODES, SWEEP_STEPS, merge, quick, sweep_flags
from turns import Limits, as_time, quartiles, take_turns

EXAMPLES = """\
examples:
  compare_layers.py                             build ours, compare all rows (about 5 minutes on 2 cores)
  compare_layers.py --only train-lstm step      two rows
  compare_layers.py --sweep                     30 sizes of one LSTM layer against PyTorch (about 8 minutes)
  compare_layers.py --instructions avx2         ours as on a CPU without AVX-512
  compare_layers.py --device cuda               on an NVIDIA GPU, against PyTorch there
  compare_layers.py --quick                     tiny sizes: only shows that everything works

Other work on the machine shows in the quartiles. Quote the ratio, not the times.
"""


def parse_args():
    keys = [row.key for row in ROWS]
    flags = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("--only", nargs="+", choices=keys, metavar="ROW", help=f"compare these rows: {', '.join(keys)}")
    flags.add_argument("--sweep", action="store_true", help="sizes of one LSTM layer against PyTorch instead of the rows")
    flags.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where all programs compute (default cpu); cuda needs an NVIDIA GPU and leaves out programs without GPU code here")
    flags.add_argument("--threads", type=int, default=2, help="threads of every program (default 2)")
    flags.add_argument("--ours", metavar="PATH", help="a layer-times that is already built")
    flags.add_argument("--profile", default="release", help="cargo profile to build layer-times with (default release)")
    flags.add_argument("--instructions", default="auto", help="instruction set of our kernels: auto, avx512, avx2 or portable (PyTorch's is set with ATEN_CPU_CAPABILITY, oneDNN's with ONEDNN_MAX_CPU_ISA)")
    flags.add_argument("--row-seconds", type=float, metavar="S", help="time after which a row starts no new round, in seconds (default 20; in the sweep 2.5)")
    flags.add_argument("--min-rounds", type=int, default=3, help="minimum number of rounds per row (default 3)")
    flags.add_argument("--max-rounds", type=int, default=21, help="maximum number of rounds per row (default 21)")
    flags.add_argument("--memory", choices=["as-run", "kept", "system"], default="as-run", help="whether freed memory stays in the process (glibc). as-run: ours keeps it, with one call, as programs that train with it do, others use their defaults (default); kept: every program keeps it; system: no program does")
    flags.add_argument("--output", metavar="FILE", help="also write the report to a file")
    flags.add_argument("--quick", action="store_true", help="tiny sizes and 3 rounds, to check that everything works")
    args = flags.parse_args()
    if args.sweep and args.only:
        flags.error("--only selects rows, and --sweep has no rows; use one of them")
    if args.ours and not Path(args.ours).is_file():
        flags.error(f"--ours: no {args.ours}; leave --ours out to build the program")
    if args.threads < 1 or args.min_rounds < 1 or args.max_rounds < args.min_rounds:
        flags.error("--threads and --min-rounds must be at least 1, and --max-rounds at least --min-rounds")
    return args


# Other work that uses more of a core than this affects the times.
QUIET_CORES = 0.1


class Comparison:
    """Starts the programs, records which took part, and collects the report."""

    def __init__(self, args, ours):
        self.args = args
        self.ours = ours
        self.environment = environment(args.threads, args.memory == "kept")
        seconds = args.row_seconds or (2.5 if args.sweep else 20)
        self.limits = Limits(seconds, 3, 3) if args.quick else Limits(seconds, args.min_rounds, args.max_rounds)
        self.programs = {}
        self.skipped = []
        self.disturbed = []

    def start(self, program, flags):
        flags = merge(flags, ["--device", self.args.device])
        if program == "ours":
            fused = [] if "--backend" in flags else ["--instructions", self.args.instructions]
            flags = merge(flags, fused)
        command_line = command(program, self.ours, self.args.threads)
        if program == "ours" and self.args.memory == "system":
            command_line.append("--system-malloc")
        child = Child(command_line, flags, self.environment)
        self.programs[child.ready["program"]] = None
        return child

    def can_run(self, program):
        """Whether a program's packages are installed; reports once how to install them."""
        if self.args.device == "cuda" and program == "ONNX Runtime":
            self.skip("ONNX Runtime: timed only on the CPU, so its rows are left out")
            return False
        missing = missing_modules(program)
        if missing:
            self.skip(
                f"{program}: {', '.join(missing)} missing, its rows are left out; "
                f"to install: {sys.executable} -m pip install -r {REQUIREMENTS}"
            )
        return not missing

    def skip(self, reason):
        if reason not in self.skipped:
            self.skipped.append(reason)
            tell(reason)

    def check_quiet(self, what, others):
        """Records rows timed while other work used cores."""
        if others is not None and others > QUIET_CORES:
            self.disturbed.append(what)

    def table(self, rows):
        """Compares row by row; keeps what was measured before Ctrl-C."""
        lines = [
            "| what | ours | peer | its time | ratio (peer / ours) | quartiles: ours | peer | rounds | others took |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        with stopped_by_user():
            for row in rows:
                try:
                    lines += self.row(quick(row) if self.args.quick else row)
                except ChildError as error:
                    self.skip(f"{row.key}: {error}")
        return lines

    def row(self, row):
        peers = [peer for peer in row.peers if self.can_run(peer.program)]
        if not peers:
            return []
        tell(f"{row.key} ...")
        with contextlib.ExitStack() as stack:
            ours = stack.enter_context(self.start("ours", row.flags))
            theirs = [stack.enter_context(self.start(peer.program, merge(row.flags, peer.flags))) for peer in peers]
            shares = [share_of_tokens(ours, child, peer) for child, peer in zip(theirs, peers)]
            times_s, others = take_turns([ours, *theirs], self.limits)
        self.check_quiet(row.key, others)
        lines = []
        for peer, share, peer_times_s in zip(peers, shares, times_s[1:]):
            our_quartiles = quartiles(times_s[0])
            peer_quartiles = [time_s * share for time_s in quartiles(peer_times_s)]
            ratio = peer_quartiles[1] / our_quartiles[1]
            cells = [
                row.title,
                as_time(our_quartiles[1]),
                peer.name,
                as_time(peer_quartiles[1]),
                f"{ratio:.2f}",
                span(our_quartiles),
                span(peer_quartiles),
                str(len(peer_times_s)),
                "unknown" if others is None else f"{others:.1f} cores",
            ]
            tell(f"  {peer.name}: ratio {ratio:.2f}")
            lines.append(f"| {' | '.join(cells)} |")
        return lines

    def sweep(self):
        """Ratio for each size; keeps the programs running, because starting them takes longer than a run."""
        if not self.can_run("PyTorch"):
            return []
        hidden_sizes, batches = (SWEEP_HIDDEN[:2], SWEEP_BATCH[:2]) if self.args.quick else (SWEEP_HIDDEN, SWEEP_BATCH)
        lines = []
        first = sweep_flags(SWEEP_MODES[0], hidden_sizes[0], batches[0])
        with stopped_by_user(), self.start("ours", first) as ours, self.start("PyTorch", first) as peer:
            for mode in SWEEP_MODES:
                lines += [
                    f"{mode}, one LSTM layer, {SWEEP_STEPS} steps, PyTorch / ours (quartiles of the rounds' ratios):",
                    "",
                    f"| hidden | {' | '.join(f'batch {batch}' for batch in batches)} |",
                    "|---|" + "---|" * len(batches),
                ]
                for hidden in hidden_sizes:
                    cells = [self.cell(ours, peer, mode, hidden, batch) for batch in batches]
                    lines.append(f"| {hidden} | {' | '.join(cells)} |")
                lines.append("")
        return lines

    def cell(self, ours, peer, mode, hidden, batch):
        flags = sweep_flags(mode, hidden, batch)
        # One untimed run, since the largest sizes take ten seconds.
        flags = merge(flags, ["--warmup", "1", "--device", self.args.device])
        ours.use(merge(flags, ["--instructions", self.args.instructions]))
        peer.use(flags)
        (our_times_s, peer_times_s), others = take_turns([ours, peer], self.limits)
        self.check_quiet(f"{mode}, hidden {hidden}, batch {batch}", others)
        our_median_s, peer_median_s = quartiles(our_times_s)[1], quartiles(peer_times_s)[1]
        low, _, high = quartiles([theirs / mine for mine, theirs in zip(our_times_s, peer_times_s)])
        cell = f"{peer_median_s / our_median_s:.2f} ({low:.2f} to {high:.2f})"
        tell(f"{mode}, hidden {hidden}, batch {batch}: ours {as_time(our_median_s)}, PyTorch {as_time(peer_median_s)}, {cell}")
        return cell


def share_of_tokens(ours, child, peer):
    """Scale applied to a peer's times: 1, unless it is compared per token."""
    our_tokens, its_tokens = ours.ready["tokens"], child.ready["tokens"]
    if peer.per_token:
        return our_tokens / its_tokens
    if our_tokens != its_tokens:
        raise ChildError(f"we run {our_tokens} tokens and {peer.name} {its_tokens}: the programs disagree")
    return 1


def span(quartiles_s):
    return f"{as_time(quartiles_s[0])} to {as_time(quartiles_s[2])}"


@contextlib.contextmanager
def stopped_by_user():
    try:
        yield
    except KeyboardInterrupt:
        tell("stopped; results so far:")


def tell(message):
    print(message, file=sys.stderr, flush=True)


def main():
    args = parse_args()
    machine_line = machine.describe(args.threads)
    try:
        comparison = Comparison(args, args.ours or build_ours("layer-times", args.profile, args.device))
        if args.sweep:
            lines = comparison.sweep()
        else:
            lines = comparison.table([row for row in ROWS if not args.only or row.key in args.only])
    except ChildError as error:
        sys.exit(f"error: {error}")
    settings = [f"device {args.device}", f"memory {args.memory}"]
    settings += ["quick run, not a speed measurement"] if args.quick else []
    report = [f"{'; '.join([machine_line, *comparison.programs, *settings])}", "", *lines]
    report += [f"left out: {reason}" for reason in comparison.skipped]
    if comparison.disturbed:
        report += ["other work used cores meanwhile, do not quote: " + "; ".join(comparison.disturbed)]
    print("\n".join(report))
    # A comparison that compared nothing has failed, for whatever reason.
    if not comparison.programs:
        sys.exit(1)
    if args.output:
        with open(args.output, "w", encoding="utf-8") as file:
            file.write("\n".join(report) + "\n")


if __name__ == "__main__":
    main()
