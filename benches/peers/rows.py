"""Defines the comparisons: the rows of the table, and the cells of the sweep."""

from dataclasses import dataclass, field


@dataclass
class Peer:
    """A program to compare with our fused layers, and flags that override the row's."""

    name: str
    program: str
    flags: list = field(default_factory=list)
    # Whether to scale times to the number of tokens in our pass.
    per_token: bool = False


@dataclass
class Row:
    key: str
    title: str
    # For all programs of the row; the rest are the defaults: LSTM, 2 layers, 50 x 200, 400 -> 256.
    flags: list
    peers: list


PYTORCH = Peer("PyTorch", "PyTorch")
ONNX_RUNTIME = Peer("ONNX Runtime", "ONNX Runtime")
# A run takes many seconds; the run that determines how many fit into a turn is enough warm-up.
CANDLE_NN = Peer("candle-nn", "ours", ["--backend", "candle-nn", "--warmup", "0"])
PACKED = Peer("PyTorch, packed", "PyTorch")
OUR_FULL = Peer("ours, full lengths, scaled by tokens", "ours", ["--lengths", "full"], per_token=True)

ROWS = [
    Row("train-lstm", "training pass, LSTM, 2 layers", [], [PYTORCH]),
    Row("train-gru", "training pass, GRU, 2 layers", ["--cell", "gru"], [PYTORCH]),
    Row("train-rnn", "training pass, RNN (tanh), 2 layers", ["--cell", "rnn"], [PYTORCH]),
    Row("train-bilstm-1", "training pass, bidirectional LSTM, 1 layer", ["--bidirectional", "--layers", "1"], [PYTORCH]),
    Row("train-bilstm-2", "training pass, bidirectional LSTM, 2 layers", ["--bidirectional"], [PYTORCH]),
    Row("train-bilstm-2-all", "training pass, bidirectional LSTM, 2 layers, loss over all outputs", ["--bidirectional", "--loss", "all"], [PYTORCH]),
    Row("train-lstm-candle-nn", "training pass, LSTM, 2 layers", [], [CANDLE_NN]),
    Row("forward-lstm", "forward pass, LSTM, 2 layers", ["--mode", "forward"], [ONNX_RUNTIME, PYTORCH]),
    Row("one-row", "forward pass of one row, LSTM, 2 layers", ["--mode", "forward", "--batch", "1"], [ONNX_RUNTIME, PYTORCH]),
    Row("step", "one step of a stream, LSTM, 2 layers", ["--mode", "step", "--batch", "1"], [PYTORCH]),
    Row("mixed", "training pass, mixed lengths, LSTM, 2 layers", ["--lengths", "mixed"], [PACKED, OUR_FULL]),
]

# Tiny sizes; a row's own flags take precedence.
QUICK = {"--batch": "4", "--steps": "20", "--input": "24", "--hidden": "16"}

SWEEP_MODES = ["training", "forward"]
SWEEP_HIDDEN = [32, 64, 128, 256, 512, 1024]
SWEEP_BATCH = [1, 8, 32, 64, 256]
SWEEP_STEPS = 50


def merge(*groups):
    """Merges lists of flags; if a flag occurs twice, the later one wins."""
    merged = {}
    for flags in groups:
        for index, word in enumerate(flags):
            if word.startswith("--"):
                has_value = index + 1 < len(flags) and not flags[index + 1].startswith("--")
                merged[word] = flags[index + 1] if has_value else None
    return [word for pair in merged.items() for word in pair if word is not None]


def quick(row):
    sizes = [word for pair in QUICK.items() for word in pair]
    return Row(row.key, row.title, merge(sizes, row.flags), row.peers)


def sweep_flags(mode, hidden, batch):
    """One layer as inside a stack: as many input as output features."""
    sizes = {"--hidden": hidden, "--input": hidden, "--batch": batch, "--steps": SWEEP_STEPS, "--layers": 1}
    return ["--mode", mode] + [str(word) for pair in sizes.items() for word in pair]
