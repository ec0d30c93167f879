"""Times the whole network of a recipe in PyTorch, the course notebook's or the default one's, alone or controlled by a script.

`notebook-times --export FOLDER` writes the reviews.
"""

import argparse
import math

import torch
from torch import nn

import protocol
import reviews
import torch_default

BATCH, EMBEDDING, HIDDEN, LAYERS = 50, 400, 256, 2
LAYER_KINDS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class RecurrentClassifier(nn.Module):
    """Embedding, recurrent layers, dropout, fully connected layer at the last step."""

    def __init__(self, vocab_size, cell):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, EMBEDDING)
        self.recurrent = LAYER_KINDS[cell](EMBEDDING, HIDDEN, LAYERS, batch_first=True, dropout=0.5)
        self.dropout = nn.Dropout(0.3)
        self.fc = nn.Linear(HIDDEN, 1)

    def forward(self, ids, state=None):
        outputs, state = self.recurrent(self.embedding(ids), state)
        return self.fc(self.dropout(outputs[:, -1])).squeeze(1), state


def parser(description):
    """The flags of a pass on the CPU, which ONNX Runtime's program shares."""
    flags = protocol.bare_parser(description)
    flags.add_argument("--reviews", required=True, metavar="FOLDER", help="reviews written by `notebook-times --export`")
    flags.add_argument("--work", choices=["train", "evaluate"], default="train", help="one training step of 50 reviews, or one evaluation of the test split")
    flags.add_argument("--cell", choices=LAYER_KINDS, default="lstm", help="kind of the notebook's layers")
    return flags


def all_flags(description):
    flags = parser(description)
    flags.add_argument("--recipe", choices=["notebook", "default"], default="notebook", help="the recipe of the network and its training")
    flags.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="device of the network")
    flags.add_argument("--steps-per-run", type=at_least_one, default=1, metavar="N", help="steps in a run, whose time is that of one step: training steps, or evaluations; on a GPU, where a run ends by waiting for all that is queued, take several")
    flags.add_argument("--packing", choices=["packed", "padded"], default="packed", help="the default recipe's texts of several lengths: packed as in ours, or padded, where the reverse direction reads the padding first")
    flags.add_argument("--evaluation-batch", type=at_least_one, default=BATCH, metavar="N", help="reviews in a batch of the notebook's evaluation")
    flags.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="f32", help="rounding of the products: none, TF32, or autocast to bfloat16")
    flags.add_argument("--compile", action="store_true", help="compile the network with torch.compile")
    flags.add_argument("--fused-adam", action="store_true", help="Adam in PyTorch's single kernel")
    return flags


def at_least_one(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def load(args, split):
    ids = reviews.load(args.reviews, "notebook", f"{split}_ids", 2)
    labels = reviews.load(args.reviews, "notebook", f"{split}_labels", 1)
    return torch.from_numpy(ids), torch.from_numpy(labels)


def vocab_size(args):
    return int(reviews.load(args.reviews, "notebook", "vocab", 1).item())


def n_tokens(args):
    """Places of the notebook's reviews, padding included."""
    ids, _ = load(args, "train" if args.work == "train" else "test")
    return (BATCH if args.work == "train" else len(ids)) * ids.shape[1]


def n_tokens_of_recipe(args):
    return n_tokens(args) if args.recipe == "notebook" else torch_default.n_tokens(args)


class NotebookWork:
    """The network and its reviews, ready to be trained and evaluated."""

    learning_rate = 0.001

    def __init__(self, args):
        self.args = args
        self.net = RecurrentClassifier(vocab_size(args), args.cell)
        self.ids, self.labels = load(args, "train" if args.work == "train" else "test")
        self.state = None

    def training_batches(self):
        """Inputs and labels of batch after batch, epoch after epoch."""
        while True:
            self.state = None
            for rows in torch.randperm(len(self.ids)).split(BATCH):
                if len(rows) == BATCH:
                    yield self.upload(self.ids[rows]), self.upload(self.labels[rows])

    def upload(self, tensor):
        if self.args.device == "cuda":
            # From pinned memory, so that the copy is queued with the rest.
            return tensor.pin_memory().to("cuda", non_blocking=True)
        return tensor

    def logits(self, ids):
        """Logits in training: the state carries over from batch to batch, detached."""
        logits, state = self.net(ids, self.state)
        self.state = tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()
        return logits

    def evaluate(self):
        """Loss and accuracy on the test split, as in the notebook, but read once at the end."""
        loss_of = nn.BCEWithLogitsLoss()
        sums = 0.0
        size = self.args.evaluation_batch
        for ids, labels in zip(self.ids.split(size), self.labels.split(size)):
            labels = self.upload(labels)
            logits, _ = self.net(self.upload(ids))
            n_right = ((logits > 0).float() == labels).sum()
            sums += torch.stack([loss_of(logits, labels) * len(labels), n_right])
        return [of_all / len(self.ids) for of_all in sums.tolist()]


def prepare(args):
    check(args)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    rounds = args.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = rounds
    work = NotebookWork(args) if args.recipe == "notebook" else torch_default.DefaultWork(args)
    work.net.to(args.device)
    if args.compile:
        work.net.compile()
    step_run = training(work, args) if args.work == "train" else evaluation(work, args)

    def run():
        result = step_run()
        if args.device == "cuda":
            torch.cuda.synchronize()
        return result

    return run


def check(args):
    if args.device == "cuda" and not torch.cuda.is_available():
        raise protocol.FlagError("PyTorch finds no CUDA device; leave --device cuda out")
    if args.device == "cpu" and args.precision == "tf32":
        raise protocol.FlagError("--precision tf32 is only for --device cuda")
    if args.recipe == "notebook" and args.packing != "packed":
        raise protocol.FlagError("--packing padded is only for --recipe default: the notebook's reviews are always padded")
    if args.recipe == "default" and (args.cell != "lstm" or args.evaluation_batch != BATCH):
        raise protocol.FlagError("--cell and --evaluation-batch are only for --recipe notebook")


def autocast(args):
    return torch.autocast(args.device, dtype=torch.bfloat16, enabled=args.precision == "bf16")


def training(work, args):
    """Training steps: forward, backward, clipping, Adam over every weight."""
    optimizer = torch.optim.Adam(work.net.parameters(), lr=work.learning_rate, fused=args.fused_adam or None)
    loss_of = nn.BCEWithLogitsLoss()
    work.net.train()
    batches = work.training_batches()

    def step():
        inputs, labels = next(batches)
        optimizer.zero_grad()
        with autocast(args):
            loss = loss_of(work.logits(inputs), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(work.net.parameters(), 5)
        optimizer.step()
        return loss.detach()

    def run():
        # The losses of a run are read at its end, all at once: reading one on a GPU waits for all that is queued
        # there, and ours does not read them step by step, either. On the CPU it makes no difference.
        losses = [step() for _ in range(args.steps_per_run)]
        losses = torch.stack(losses).tolist()
        if not all(math.isfinite(loss) for loss in losses):
            raise protocol.FlagError("the loss is not finite")
        return losses

    return run


def evaluation(work, args):
    work.net.eval()

    def run():
        with torch.inference_mode(), autocast(args):
            return [work.evaluate() for _ in range(args.steps_per_run)]

    return run


if __name__ == "__main__":
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    name = f"PyTorch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}{gpu})"
    protocol.main(__doc__, name, prepare, all_flags, n_tokens_of_recipe)
