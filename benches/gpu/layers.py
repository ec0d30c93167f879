"""Times recurrent layers on an NVIDIA GPU: ours, in every way in which cuDNN can be asked, and PyTorch's.

One layer or two of many sizes, full and mixed lengths, training and forward passes. The programs of a size run one
after the other in one session, each several times; the table has medians in milliseconds. A way that cuDNN refuses is
left out.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))

from children import Child, ChildError, command, environment  # noqa: E402

PLANS = ["standard,told,batch", "standard,held,batch", "small-h,held,batch"]
# Never the fastest so far, and persist takes up to 20 times as long.
OTHERS = ["persist,held,batch", "standard,held,time", "persist,held,time", "small-h,held,time"]

# Hidden size, batch, steps, directions, layers: those of our recipes first.
SIZES = [(256, 50, 200, 1, 2), (64, 50, 800, 2, 1), (256, 256, 200, 1, 2), (64, 256, 800, 2, 1), (128, 50, 400, 2, 1)] + [
    (hidden, batch, 200, 1, 1) for hidden in [64, 128, 192, 256, 512, 1024] for batch in [50, 16, 256]
]


def flags_of(size, mode, lengths, cell):
    hidden, batch, steps, directions, layers = size
    flags = ["--device", "cuda", "--cell", cell, "--mode", mode, "--lengths", lengths, "--loss", "all"]
    # An input as wide as the state, but the two networks of our recipes have their own.
    width = {(64, 2): 100, (256, 2): 400}.get((hidden, directions if directions == 2 else layers), hidden)
    numbers = {"--hidden": hidden, "--input": width, "--batch": batch, "--steps": steps, "--layers": layers}
    flags += [str(word) for pair in numbers.items() for word in pair]
    return flags + (["--bidirectional"] if directions == 2 else [])


def plans_of(lengths, every):
    """The plans to time: with full lengths, telling and holding them are the same."""
    return [plan for plan in PLANS + (OTHERS if every else []) if lengths == "mixed" or "told" not in plan]


def median_ms(child, flags, runs):
    """The median time, or why there is none."""
    try:
        child.use(["--warmup", "2"] + flags)
        return 1e3 * statistics.median(child.times_s(runs))
    except ChildError as error:
        return str(error).splitlines()[0][:90]


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--ours", required=True, metavar="PATH", help="layer-times, built with --features cuda")
    flags.add_argument("--output", required=True, metavar="FILE", help="JSON lines with every time")
    flags.add_argument("--seconds", type=float, default=90, metavar="S", help="begin no further size after this time (default 90)")
    flags.add_argument("--runs", type=int, default=5, help="timed runs of each program (default 5)")
    flags.add_argument("--cells", nargs="+", default=["lstm"], choices=["lstm", "gru"], help="kinds of layer (default lstm)")
    flags.add_argument("--every-plan", action="store_true", help="also ask cuDNN in ways that were never the fastest")
    flags.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cpu only tries the script out")
    args = flags.parse_args()
    started = time.monotonic()
    small = ["--batch", "1", "--steps", "2", "--input", "2", "--hidden", "2", "--layers", "1", "--device", args.device]
    on = environment(8, False)
    with Child(command("ours", args.ours, 8), small, on) as ours, Child(command("PyTorch", args.ours, 8), small, on) as torch, open(args.output, "w") as output:
        print(f"{ours.ready['program']}; {torch.ready['program']}")
        sizes = [(size, cell) for cell in args.cells for size in SIZES]
        for size, cell in sizes:
            for mode in ["training", "forward"]:
                for lengths in ["full", "mixed"]:
                    if time.monotonic() - started > args.seconds:
                        print(f"out of time before {cell} {size} {mode} {lengths}")
                        return
                    pass_flags = flags_of(size, mode, lengths, cell)
                    if args.device == "cpu":
                        pass_flags[pass_flags.index("cuda")] = "cpu"
                    row = dict(zip(["hidden", "batch", "steps", "directions", "layers"], size), cell=cell, mode=mode, lengths=lengths)
                    row["chosen"] = median_ms(ours, pass_flags, args.runs)
                    row["PyTorch"] = median_ms(torch, pass_flags, args.runs)
                    for plan in plans_of(lengths, args.every_plan) if args.device == "cuda" else []:
                        row[plan] = median_ms(ours, pass_flags + ["--cudnn", plan], args.runs)
                    print(json.dumps(row), file=output, flush=True)
                    print(" ".join(f"{key}={value:.3f}" if isinstance(value, float) else f"{key}={value}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
