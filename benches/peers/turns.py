"""Takes turns: each program has one turn per round, so that other load on the machine affects all alike."""

import statistics
import time
from dataclasses import dataclass

from machine import OthersLoad

# A library's threads keep spinning for a while after a run, waiting for more work (ONNX Runtime's: 40 ms).
# The next program starts after they have gone to sleep.
SETTLE_S = 0.06

# Minimum length of a turn, roughly: a single run of microseconds would time the threads' wake-up.
TURN_S = 0.1
MAX_RUNS = 1000


@dataclass
class Limits:
    """Rounds continue until the time is up, within these bounds on their number."""

    time_s: float
    min_rounds: int
    max_rounds: int


def take_turns(children, limits):
    """Times of each child, in seconds: one per round, the median of the runs in its turn.

    Also returns how many cores other work used meanwhile, if known.
    """
    others = OthersLoad([child.process.pid for child in children])
    times_s = [[] for _ in children]
    turns = list(zip(children, map(runs_of_a_turn, children), times_s))
    started = time.monotonic()
    for n_rounds in range(limits.max_rounds):
        if n_rounds >= limits.min_rounds and time.monotonic() - started >= limits.time_s:
            break
        # A, B then B, A: a machine that steadily slows down favours neither.
        for child, n_runs, of_child in turns if n_rounds % 2 == 0 else reversed(turns):
            time.sleep(SETTLE_S)
            of_child.append(statistics.median(child.times_s(n_runs)))
    return times_s, others.cores()


def runs_of_a_turn(child):
    started = time.monotonic()
    child.times_s(1)
    run_s = time.monotonic() - started
    return max(1, min(MAX_RUNS, round(TURN_S / run_s)))


def quartiles(values):
    """Lower quartile, median, upper quartile."""
    if len(values) == 1:
        return values * 3
    return statistics.quantiles(values, n=4, method="inclusive")


def as_time(seconds):
    """Three significant digits, with their unit."""
    if seconds >= 10:
        return f"{significant(seconds)} s"
    if seconds >= 1e-3:
        return f"{significant(seconds * 1e3)} ms"
    return f"{significant(seconds * 1e6)} µs"


def significant(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
