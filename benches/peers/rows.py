"""What is compared: the rows of the table, and the cells of the sweep."""

from dataclasses import dataclass, field


@dataclass
class Peer:
    """Who is compared with our fused layers, and what it runs instead of the row's flags."""

    name: str
    program: str
    flags: list = field(default_factory=list)
    # Times are those of as many tokens as our pass has.
    per_token: bool = False


@dataclass
class Row:
    key: str
    title: str
    # Of all programs of the row; the rest are the defaults: LSTM, 2 layers, 50 x 200, 400 -> 256.
    flags: list
    peers: list


PYTORCH = Peer("PyTorch", "PyTorch")
ONNX_RUNTIME = Peer("ONNX Runtime", "ONNX Runtime")
# A run takes many seconds; the one that tells how many fit into a turn is warm-up enough.
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

# Sizes that take no time; a row's own flags count more.
QUICK = {"--batch": "4", "--steps": "20", "--input": "24", "--hidden": "16"}

SWEEP_MODES = ["training", "forward"]
SWEEP_HIDDEN = [32, 64, 128, 256, 512, 1024]
SWEEP_BATCH = [1, 8, 32, 64, 256]
SWEEP_STEPS = 50


def merge(*groups):
    """One list of flags of several; where a flag is in two, the later one counts."""
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
    """One layer as it stands inside a stack: as many features come in as go out."""
    sizes = {"--hidden": hidden, "--input": hidden, "--batch": batch, "--steps": SWEEP_STEPS, "--layers": 1}
    return ["--mode", mode] + [str(word) for pair in sizes.items() for word in pair]
