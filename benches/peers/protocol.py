"""The flags of a pass, and the line protocol with which a script makes a program run it.

Both match the Rust program `layer-times` (benches/src/config.rs, serve.rs), so that the same flags
mean the same computation to all programs.
"""

import argparse
import json
import statistics
import sys
import time


class FlagError(Exception):
    """Flags that do not parse or that the program does not support."""


class Parser(argparse.ArgumentParser):
    """argparse, except that bad flags received from a script must not end the program."""

    def error(self, message):
        raise FlagError(message)


def bare_parser(description):
    """The flags of every program."""
    flags = Parser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    flags.add_argument("--threads", type=int, default=2, help="threads of the library")
    flags.add_argument("--warmup", type=int, default=2, help="untimed runs before the first timed one")
    flags.add_argument("--runs", type=int, default=9, help="timed runs")
    flags.add_argument("--serve", action="store_true", help="read lines `go RUNS` from standard input and time that many runs; a line `use FLAGS` prepares another pass")
    return flags


def parser(description):
    """The flags of a pass of recurrent layers."""
    flags = bare_parser(description)
    flags.add_argument("--cell", choices=["lstm", "gru", "rnn"], default="lstm", help="kind of layer; rnn uses tanh")
    flags.add_argument("--batch", type=int, default=50, help="rows per batch")
    flags.add_argument("--steps", type=int, default=200, help="steps of each row")
    flags.add_argument("--input", type=int, default=400, help="features of each step of the input")
    flags.add_argument("--hidden", type=int, default=256, help="features of the hidden state")
    flags.add_argument("--layers", type=int, default=2, help="number of stacked layers")
    flags.add_argument("--bidirectional", action="store_true", help="also read each row from its end")
    flags.add_argument("--mode", choices=["training", "forward", "step"], default="training", help="the pass to time")
    flags.add_argument("--lengths", choices=["full", "mixed"], default="full", help="how many of a row's steps are real")
    flags.add_argument("--loss", choices=["last", "all"], default="last", help="the outputs of the top layer whose sum is the loss of a training pass")
    flags.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="device of the tensors")
    return flags


def lengths(args):
    """Real steps of each row: the formula of benches/src/lengths.rs, in the same integers.

    Evenly spaced from 20 % to 120 % of the steps, cut to the steps; short and long rows alternating.
    """
    if args.lengths == "full":
        return [args.steps] * args.batch
    spaces = max(args.batch - 1, 1)
    ranks = [row // 2 if row % 2 == 0 else args.batch - 1 - row // 2 for row in range(args.batch)]
    return [min(max(args.steps * (spaces + 5 * rank) // (5 * spaces), 1), args.steps) for rank in ranks]


def time_s(args, run):
    """Seconds per run; in mode step, and with several steps in a run, per step."""
    started = time.perf_counter()
    run()
    elapsed_s = time.perf_counter() - started
    return elapsed_s / (args.steps if is_step(args) else getattr(args, "steps_per_run", 1))


def is_step(args):
    return getattr(args, "mode", None) == "step"


def n_tokens(args):
    """Real steps of all rows together; in mode step, of one step."""
    return args.batch if is_step(args) else sum(lengths(args))


def main(description, program, prepare, parser=parser, n_tokens=n_tokens):
    """Runs a program: `prepare(args)` returns the function that runs one pass of `n_tokens(args)`."""
    flags = parser(description)
    try:
        args = flags.parse_args()
        run = prepare_warm(args, prepare)
    except FlagError as error:
        sys.exit(f"error: {error}")
    if args.serve:
        serve(flags, args, run, prepare, lambda args: ready(program, args, n_tokens))
        return
    times_ms = [1e3 * time_s(args, run) for _ in range(args.runs)]
    print(
        f"{program}, {args.threads} threads, {n_tokens(args)} tokens, {args.runs} runs: "
        f"median {statistics.median(times_ms):.3f} ms, range {min(times_ms):.3f} to {max(times_ms):.3f}"
    )


def prepare_warm(args, prepare):
    run = prepare(args)
    for _ in range(args.warmup):
        run()
    return run


def serve(flags, args, run, prepare, ready):
    """Answers line by line until the input ends; see benches/src/serve.rs for the lines."""
    answer(ready=ready(args))
    for line in sys.stdin:
        words = line.split()
        try:
            if words[:1] == ["go"] and len(words) <= 2:
                answer(seconds=time_runs_s(args, run, words[1:]))
            elif words[:1] == ["use"]:
                # Drop the old pass first: two of them may not fit into memory.
                run = None
                args = flags.parse_args(words[1:])
                run = prepare_warm(args, prepare)
                answer(ready=ready(args))
            else:
                raise FlagError(f"unknown command {line!r}; expected go RUNS or use FLAGS")
        except FlagError as error:
            answer(error=str(error))


def time_runs_s(args, run, words):
    """Seconds of each run; `words` follow `go`, and none means one run."""
    if run is None:
        raise FlagError("no pass is prepared")
    if words and not words[0].isdecimal():
        raise FlagError(f"{words[0]!r} is not a number of runs")
    return [time_s(args, run) for _ in range(int(words[0]) if words else 1)]


def ready(program, args, n_tokens):
    return {"program": program, "threads": args.threads, "tokens": n_tokens(args)}


def answer(**fields):
    print(json.dumps(fields), flush=True)
