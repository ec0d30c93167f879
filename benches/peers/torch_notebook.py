"""Times the course notebook's whole network in PyTorch, alone or controlled by a script.

`notebook-times --export FOLDER` writes the reviews.
"""

from pathlib import Path

import numpy
import torch
from torch import nn

import protocol

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
    flags = protocol.bare_parser(description)
    flags.add_argument("--reviews", required=True, metavar="FOLDER", help="reviews written by `notebook-times --export`")
    flags.add_argument("--work", choices=["train", "evaluate"], default="train", help="one training step of 50 reviews, or one evaluation of the test split")
    flags.add_argument("--cell", choices=LAYER_KINDS, default="lstm", help="kind of layer")
    return flags


def load(args, split):
    folder = Path(args.reviews)
    ids = numpy.load(folder / f"{split}_ids.npy").astype(numpy.int64)
    labels = numpy.load(folder / f"{split}_labels.npy")
    return torch.from_numpy(ids), torch.from_numpy(labels)


def vocab_size(args):
    return int(max(load(args, split)[0].max() for split in ["train", "test"])) + 1


def n_tokens(args):
    ids, _ = load(args, "train" if args.work == "train" else "test")
    return (BATCH if args.work == "train" else len(ids)) * ids.shape[1]


def prepare(args):
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    net = RecurrentClassifier(vocab_size(args), args.cell)
    return training(net, args) if args.work == "train" else evaluation(net, args)


def training(net, args):
    """One step of the notebook's training: the state carries over from batch to batch, detached."""
    ids, labels = load(args, "train")
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
    loss_of = nn.BCEWithLogitsLoss()
    net.train()
    state, batches = None, iter(())

    def run():
        nonlocal state, batches
        rows = next(batches, None)
        if rows is None or len(rows) < BATCH:
            state, batches = None, iter(torch.randperm(len(ids)).split(BATCH))
            rows = next(batches)
        optimizer.zero_grad()
        logits, new_state = net(ids[rows], state)
        loss = loss_of(logits, labels[rows])
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5)
        optimizer.step()
        loss.item()
        state = tuple(part.detach() for part in new_state) if isinstance(new_state, tuple) else new_state.detach()

    return run


def evaluation(net, args):
    """Loss and accuracy on the test split, 50 reviews at a time as in the notebook."""
    ids, labels = load(args, "test")
    loss_of = nn.BCEWithLogitsLoss()
    net.eval()

    def run():
        loss_sum, n_right = 0.0, 0
        with torch.inference_mode():
            for batch, of_batch in zip(ids.split(BATCH), labels.split(BATCH)):
                logits, _ = net(batch)
                loss_sum += loss_of(logits, of_batch).item() * len(batch)
                n_right += ((logits > 0).float() == of_batch).sum().item()
        return loss_sum / len(ids), n_right / len(ids)

    return run


if __name__ == "__main__":
    name = f"PyTorch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()})"
    protocol.main(__doc__, name, prepare, parser, n_tokens)
