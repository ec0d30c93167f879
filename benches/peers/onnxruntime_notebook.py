"""Times the evaluation of the course notebook's whole network in ONNX Runtime, alone or controlled by a script.

`notebook-times --export FOLDER` writes the reviews.
"""

import onnxruntime
import torch

import onnxruntime_layers
import protocol
import torch_notebook
from torch_notebook import BATCH


class Logits(torch.nn.Module):
    """The network with the logits as its only output, without the state."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, ids):
        return self.net(ids)[0]


def prepare(args):
    if args.work != "evaluate":
        raise protocol.FlagError("ONNX Runtime is timed only with --work evaluate")
    torch.manual_seed(0)
    ids, _ = torch_notebook.load(args, "test")
    net = Logits(torch_notebook.RecurrentClassifier(torch_notebook.vocab_size(args), args.cell)).eval()
    # One session for batches of 50, one for the last batch if it is shorter.
    sessions = {}
    for batch in ids.split(BATCH):
        if len(batch) not in sessions:
            sessions[len(batch)] = session(net, batch, args)
    batches = [batch.numpy() for batch in ids.split(BATCH)]

    def run():
        for batch in batches:
            with_size = sessions[len(batch)]
            with_size.run(None, {with_size.get_inputs()[0].name: batch})

    return run


def session(net, batch, args):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.inter_op_num_threads = 1
    exported = onnxruntime_layers.export(net, batch, args.cell)
    return onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    protocol.main(
        __doc__, f"ONNX Runtime {onnxruntime.__version__}", prepare, torch_notebook.parser, torch_notebook.n_tokens
    )
