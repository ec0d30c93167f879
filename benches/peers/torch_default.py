"""The network of the recipe `default` in PyTorch, without the linear path, and its batches.

`notebook-times --recipe default --export FOLDER` writes the batches. See crates/trainer/recipes/default.toml,
crates/model/src/network.rs and crates/trainer/src/step.rs for ours.

B texts in a batch, T steps, E features of a word, H of a state.
"""

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence, pad_sequence

import protocol
from reviews import load

PADDING = 0
EMBEDDING, HIDDEN, EMBEDDING_STD, LEARNING_RATE = 100, 64, 0.1, 0.003
WORD_DROPOUT, VARIATIONAL_DROPOUT, WEIGHT_DROPOUT, OUTPUT_DROPOUT = 0.3, 0.3, 0.3, 0.5


class DefaultClassifier(nn.Module):
    """Embedding, a bidirectional LSTM layer, max and mean over the steps, fully connected layer."""

    def __init__(self, vocab_size, packs):
        super().__init__()
        self.unknown = vocab_size - 1
        self.packs = packs
        self.embedding = nn.Embedding(vocab_size, EMBEDDING)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
        self.lstm = nn.LSTM(EMBEDDING, HIDDEN, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(4 * HIDDEN, 1)

    def forward(self, ids, lengths, lengths_there):
        """Logits `[B]` of `ids [B, T]`, padded on the right; `lengths [B]` on the host, and on the device."""
        x = self.embedding(self.with_word_dropout(ids))
        if self.training:
            # One mask for all steps of a text.
            x = x * functional.dropout(x.new_ones(len(x), 1, EMBEDDING), VARIATIONAL_DROPOUT)
        outputs = self.packed(x, lengths) if self.packs else self.run_lstm(x)
        pooled = pool(outputs, lengths_there)
        return self.fc(functional.dropout(pooled, OUTPUT_DROPOUT, self.training)).squeeze(1)

    def with_word_dropout(self, ids):
        if not self.training:
            return ids
        dropped = (torch.rand(ids.shape, device=ids.device) < WORD_DROPOUT) & (ids != PADDING)
        return ids.masked_fill(dropped, self.unknown)

    @torch.compiler.disable  # torch.compile does not know packed sequences.
    def packed(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        outputs = packed._replace(data=self.run_lstm(packed.data, packed.batch_sizes))
        return pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])[0]

    def run_lstm(self, x, batch_sizes=None):
        """Outputs of `x [B, T, E]`, padding included, or of the data of a packed sequence."""
        if not self.training:
            x = x if batch_sizes is None else PackedSequence(x, batch_sizes)
            outputs, _ = self.lstm(x)
            return outputs if batch_sizes is None else outputs.data
        # nn.LSTM has no dropout of weights: the function below it takes other weights than its own. cuDNN copies
        # these into one block in every step.
        weights = [self.with_weight_dropout(name) for name in self.lstm._flat_weights_names]
        batch = x.shape[0] if batch_sizes is None else int(batch_sizes[0])
        zeros = x.new_zeros(2, batch, HIDDEN)
        if batch_sizes is None:
            # bias, layers, dropout between layers, training, bidirectional, batch first
            return torch._VF.lstm(x, (zeros, zeros), weights, True, 1, 0.0, True, True, True)[0]
        return torch._VF.lstm(x, batch_sizes, (zeros, zeros), weights, True, 1, 0.0, True, True)[0]

    def with_weight_dropout(self, name):
        weight = getattr(self.lstm, name)
        return functional.dropout(weight, WEIGHT_DROPOUT) if name.startswith("weight_hh") else weight


def pool(outputs, lengths):
    """Max and mean over each text's real steps: `[B, 2 F]` of `outputs [B, T, F]`."""
    steps = torch.arange(outputs.shape[1], device=outputs.device)
    is_padding = (steps >= lengths.unsqueeze(1)).unsqueeze(2)
    largest = outputs.masked_fill(is_padding, float("-inf")).max(1).values
    mean = outputs.masked_fill(is_padding, 0.0).sum(1) / lengths.unsqueeze(1)
    return torch.cat([largest, mean], 1)


class DefaultWork:
    """The network and its batches, ready to be trained and evaluated."""

    learning_rate = LEARNING_RATE

    def __init__(self, args):
        self.upload = lambda tensor: tensor.to(args.device, non_blocking=True)
        is_cuda = args.device == "cuda"
        self.host_batches = [
            [part.pin_memory() if is_cuda else part for part in batch] for batch in padded_batches(args)
        ]
        vocab_size = int(load(args.reviews, "default", "vocab", 1).item())
        self.net = DefaultClassifier(vocab_size, args.packing == "packed")

    def training_batches(self):
        """The batches of one epoch again and again, as ours runs them: inputs and labels."""
        while True:
            yield from self.batches()

    def batches(self):
        """Every batch once. They were gathered and padded before: ours does that on another thread."""
        for ids, lengths, labels in self.host_batches:
            yield (self.upload(ids), lengths, self.upload(lengths)), self.upload(labels)

    def logits(self, inputs):
        return self.net(*inputs)

    def evaluate(self):
        """Logits of the test split, read once at the end."""
        return torch.cat([self.logits(inputs) for inputs, _ in self.batches()]).float().cpu()


def padded_batches(args):
    """Ids `[B, T]`, padded on the right, lengths and labels of every batch."""
    split = "train" if args.work == "train" else "test"
    texts = Texts(args, split)
    for rows in texts.batches:
        ids = pad_sequence([texts.ids(row) for row in rows], batch_first=True, padding_value=PADDING)
        yield ids, texts.lengths[rows], texts.labels[rows]


class Texts:
    """The texts of a split, and the rows of each batch."""

    def __init__(self, args, split):
        self.all_ids, self.starts = self.load(args, f"{split}_ids"), self.load(args, f"{split}_starts")
        self.labels = torch.from_numpy(self.load(args, f"{split}_labels"))
        self.lengths = torch.from_numpy(self.starts[1:] - self.starts[:-1])
        if split == "train":
            self.batches = list(torch.from_numpy(self.load(args, "train_batches", 2)))
        else:
            order, sizes = self.load(args, "test_order"), self.load(args, "test_sizes")
            self.batches = torch.from_numpy(order).split(sizes.tolist())
        if int(self.lengths.min()) < 1:
            raise protocol.FlagError(f"a text in {args.reviews} has no words, which PyTorch cannot pack")

    def load(self, args, name, n_dimensions=1):
        return load(args.reviews, "default", name, n_dimensions)

    def ids(self, row):
        return torch.from_numpy(self.all_ids[self.starts[row] : self.starts[row + 1]])


def n_tokens(args):
    """Words of the test split, or of a mean training step, rounded down: as benches/src/notebook/config.rs."""
    texts = Texts(args, "train" if args.work == "train" else "test")
    total = sum(int(texts.lengths[rows].sum()) for rows in texts.batches)
    return total // len(texts.batches) if args.work == "train" else total
