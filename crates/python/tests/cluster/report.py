"""What a run on a cluster did."""

from comparison import Difference


def report(name, n_rows, seconds, seen, model):
    """Prints the rate, and which processes had the model (see ``ModelUsers``); at least two must have had it."""
    print(f"{name}: {n_rows} rows in {seconds:.1f} s, {n_rows / seconds:.0f} rows/s, start and loading included")
    print(f"{name}: {len(seen)} worker processes loaded the model")
    for process, (memory, threads) in sorted(seen.items()):
        print(f"{name}:   process {process}: at most {memory:.0f} MiB, {threads} threads")
    if len(seen) < 2:
        raise Difference(f"{name}: {len(seen)} processes have mapped {model}, expected two or more")
