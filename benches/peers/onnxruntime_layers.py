"""Times the forward pass of PyTorch's recurrent layers in ONNX Runtime on the CPU, alone or controlled by a script."""

import contextlib
import io
import logging
import os
import tempfile
import warnings

import onnxruntime
import torch

import protocol
import torch_layers


def prepare(args):
    if args.mode != "forward" or args.lengths != "full":
        raise protocol.FlagError("ONNX Runtime is timed only with --mode forward --lengths full")
    if args.device != "cpu":
        raise protocol.FlagError("ONNX Runtime is timed only on the CPU; use --device cpu")
    torch.manual_seed(0)
    x = torch.randn(args.batch, args.steps, args.input)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        export(torch_layers.network(args).eval(), x, args.cell),
        options,
        providers=["CPUExecutionProvider"],
    )
    inputs = {session.get_inputs()[0].name: x.numpy()}
    return lambda: session.run(None, inputs)


def export(net, x, cell):
    """The network as the bytes of an ONNX file, for inputs of x's shape."""
    # The newer exporter writes the plain RNN as one matrix product per step; the older one writes a
    # single operator, as both do for LSTM and GRU.
    newer = cell != "rnn"
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = os.path.join(folder, "network.onnx")
        torch.onnx.export(net, (x,), path, dynamo=newer, external_data=False)
        with open(path, "rb") as file:
            return file.read()


@contextlib.contextmanager
def quiet():
    """Keeps the exporter's progress off standard output, which is reserved for the protocol."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


if __name__ == "__main__":
    protocol.main(__doc__, f"ONNX Runtime {onnxruntime.__version__}", prepare)
