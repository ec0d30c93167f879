"""Writes wide.safetensors: digests of PyTorch's outputs, states and gradients up to large shapes.

usage: python make_wide_golden.py        (in this folder; needs numpy, torch and safetensors)

Inputs are not stored: `hashed` gives the same numbers here and in the test, exact in float32. For
each output tensor, the file has its largest magnitude, entries at hashed places and sums with
hashed weights. A case CASE ("SEED NAME", NAME as in make_golden.py) has three tensors, which hold
the parts in the order outputs, final states, gradients of x, of the parameters in PyTorch's order
and of the initial states:

   CASE/largest   float64, one number per part
   CASE/entries   float32, min(elements, N_ENTRIES) numbers per part
   CASE/sums      float64, N_SUMS numbers per part

The results are PyTorch's in float32. If a part's float32 numbers are mostly rounding error, as in a
sum that happens to cancel or at relu's kink, no other implementation can match them: a case takes
another seed if its float32 results, or the float64 results for inputs with a float32 rounding error,
deviate from float64.
"""

import itertools

import numpy as np
import torch
from safetensors.numpy import save_file

import torch_layers

CELLS = ["rnn-tanh", "rnn-relu", "lstm", "lstm-proj", "gru"]
BATCHES, STEPS, HIDDEN_SIZES = [1, 3, 50], [1, 2, 200], [1, 5, 250]
# Layers, directions, bias, state, lengths and input size.
OPTIONS = [[1, 2, 3], [1, 2], [True, False], [True, False], [True, False], [1, 6, 65]]
# Projections by hidden size; 1 has none.
PROJECTIONS = {5: 2, 250: 100}
# Layers and directions for the largest batch, steps and hidden size: as many as a test has time for.
LARGEST = {"rnn-tanh": (3, 2), "rnn-relu": (2, 2), "lstm": (3, 2), "lstm-proj": (2, 1), "gru": (3, 1)}

# Limit on a part's rounding error, relative to its largest number: less than half the test's bound.
MOST_ROUNDING = 4e-6
# The relative error of a float32.
ROUNDING = 2.0**-23

N_ENTRIES = 32
N_SUMS = 2
# Streams of hashed numbers in a case, one per tensor; seeds are 256 apart.
X, STATES, LENGTHS, LOSS, PARAMETERS, ENTRIES, SUMS = 0, 1, 3, 4, 16, 64, 128
# The test does not use streams from here on.
NOISE = 2**31


def mix(x):
    """A permutation of uint32 (the finaliser of MurmurHash3)."""
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x85EBCA6B)
    x = x ^ (x >> np.uint32(13))
    x = x * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def hashed_bits(stream, n):
    return mix(mix(np.arange(1, n + 1, dtype=np.uint32)) ^ np.uint32(stream))


def hashed(stream, shape, scale=1.0):
    """Numbers of 24 bits in [-scale, scale), float64; exact in float32 if scale is a power of 2."""
    n = int(np.prod(shape))
    unit = (hashed_bits(stream, n) >> np.uint32(8)).astype(np.float64) - 2.0**23
    return (unit * (scale / 2.0**23)).reshape(shape)


def power_of_2(bound):
    """The largest power of 2 that is at most `bound`."""
    return 2.0 ** np.floor(np.log2(bound))


def weight_scale(h):
    """About 1/√H, PyTorch's initial bound."""
    return power_of_2(1.0 / np.sqrt(h))


def input_scale(i, h):
    """Large enough for the gates to bend, and no larger: the slope of a saturated gate is the
    difference of two nearly equal numbers, of which float32 keeps few digits."""
    return power_of_2(min(2.0, 4.0 / (weight_scale(h) * np.sqrt(i))))


def cases():
    """Every cell with every batch, steps and hidden size. The other options are chosen greedily
    until every three values of any options have met."""
    shapes = [shape for shape in itertools.product(CELLS, BATCHES, STEPS, HIDDEN_SIZES)
              if shape[0] != "lstm-proj" or shape[3] in PROJECTIONS]
    values = [CELLS, BATCHES, STEPS, HIDDEN_SIZES, *OPTIONS]
    all_cases, ids = [], []
    for shape in shapes:
        for options in itertools.product(*OPTIONS):
            is_largest = shape[1:] == (BATCHES[-1], STEPS[-1], HIDDEN_SIZES[-1])
            if not is_largest or options[:2] == LARGEST[shape[0]]:
                all_cases.append((*shape, *options))
    # Ties go to the first case, so the order must not favour an option.
    all_cases = [all_cases[k] for k in np.argsort(hashed_bits(0, len(all_cases)))]
    offset = 0
    for fields in itertools.combinations(range(len(values)), 3):
        n = int(np.prod([len(values[field]) for field in fields]))
        index = [0] * len(all_cases)
        for field in fields:
            index = [i * len(values[field]) + values[field].index(case[field])
                     for i, case in zip(index, all_cases)]
        ids.append(np.array(index) + offset)
        offset += n
    ids = np.stack(ids, axis=1)
    is_new = np.ones(offset, dtype=bool)
    shape_of = np.array([shapes.index(case[:4]) for case in all_cases])

    chosen = []

    def choose(candidates):
        best = candidates[np.argmax(is_new[ids[candidates]].sum(axis=1))]
        is_new[ids[best]] = False
        chosen.append(all_cases[best])

    for shape in range(len(shapes)):
        choose(np.flatnonzero(shape_of == shape))
    possible = np.zeros(offset, dtype=bool)
    possible[np.unique(ids)] = True
    while (is_new & possible).any():
        choose(np.arange(len(all_cases)))
    return chosen


def run(seed, case, dtype, noise=0.0):
    """The parts of a case, in file order; `noise` is a relative error added to the inputs."""
    cell, b, t, h, layers, directions, bias, has_state, has_lengths, i = case
    p = PROJECTIONS[h] if cell == "lstm-proj" else 0
    first = seed * 256

    def tensor(stream, shape, scale):
        values = hashed(first + stream, shape, scale)
        if noise:
            values *= 1.0 + hashed(NOISE + first + stream, shape, noise)
        return torch.tensor(values, dtype=dtype, requires_grad=True)

    net = torch_layers.build(cell.removesuffix("-proj"), layers, directions, bias, i, h, p).to(dtype)
    for index, weight in enumerate(net.parameters()):
        weight.data = tensor(PARAMETERS + index, weight.shape, weight_scale(h)).data
    x = tensor(X, (b, t, i), input_scale(i, h))
    shapes = torch_layers.state_shapes(net, b)
    states = [tensor(STATES + s, shape, 1.0) for s, shape in enumerate(shapes)] if has_state else None
    lengths = None
    if has_lengths:
        lengths = torch.tensor(1 + (hashed_bits(first + LENGTHS, b) % np.uint32(t)).astype(np.int64))
        if b > 1:
            lengths[0], lengths[-1] = t, 1
    outputs, final = torch_layers.call(net, x, states, lengths)
    results = [outputs, *final]
    # Mostly positive, or sums over thousands of steps would cancel to little more than rounding error.
    slopes = [tensor(LOSS + k, part.shape, 1.0).data + 0.75 for k, part in enumerate(results)]
    torch.autograd.backward(results, slopes)
    parts = results + [var.grad for var in [x, *net.parameters(), *(states or [])]]
    return [part.detach().double().numpy().ravel() for part in parts]


def is_mostly_rounding(seed, case, parts):
    exact = run(seed, case, torch.float64)
    disturbed = run(seed, case, torch.float64, noise=ROUNDING)
    return any(np.abs(off - part).max() > MOST_ROUNDING * np.abs(part).max()
               for off_parts in [parts, disturbed] for off, part in zip(off_parts, exact))


def digests(seed, parts):
    largest, entries, sums = [], [], []
    for k, part in enumerate(parts):
        largest.append(np.abs(part).max())
        places = np.arange(part.size)
        if part.size > N_ENTRIES:
            places = hashed_bits(seed * 256 + ENTRIES + k, N_ENTRIES) % np.uint32(part.size)
        entries.append(part[places])
        for s in range(N_SUMS):
            sums.append(hashed(seed * 256 + SUMS + N_SUMS * k + s, part.size) @ part)
    return {
        "largest": np.array(largest),
        "entries": np.concatenate(entries).astype(np.float32),
        "sums": np.array(sums),
    }


def name(case):
    cell, b, t, h, layers, directions, bias, has_state, has_lengths, i = case
    p = PROJECTIONS[h] if cell == "lstm-proj" else 0
    flags = [flag if has else "-" for flag, has in
             [("bias", bias), ("state", has_state), ("lengths", has_lengths)]]
    return ",".join(map(str, [cell.removesuffix("-proj"), layers, directions, *flags, b, t, i, h, p]))


def main():
    golden = {}
    chosen = cases()
    for index, case in enumerate(chosen):
        for seed in itertools.count(index, 1000):
            parts = run(seed, case, torch.float32)
            if not is_mostly_rounding(seed, case, parts):
                break
        for kind, digest in digests(seed, parts).items():
            golden[f"{seed} {name(case)}/{kind}"] = digest
        print(f"{index + 1} of {len(chosen)}: seed {seed}")
    save_file(golden, "wide.safetensors")
    print(f"{len(chosen)} cases, torch {torch.__version__}")


main()
