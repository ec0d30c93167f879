"""Writes the golden files of the PyTorch network that the notebook defines, and of ones with several outputs.

usage: python make_golden.py        (in this folder; needs torch and safetensors)

For each cell: CELL.safetensors is the module's state_dict as people save it, and
CELL.expected.safetensors holds ids (batch, steps), padded on the left with 0, and the module's
sigmoid of the last step. Vocabulary 60, embedding 12, hidden 10, 2 layers, output 1.

For each POOLING of max-mean and max-mean-attention: one-of-POOLING.safetensors is the state_dict of an
LSTM in two directions with 5 outputs, and one-of-POOLING.expected.safetensors holds ids, the module's
logits (batch, 5) and their softmax. Padding is skipped: each text is computed alone, without it. Attention is
the mean of the steps' outputs weighted by the softmax over the steps of attention.weight (1, 20) times the output.
Vocabulary 60, embedding 12, hidden 10, 2 layers.
"""

import torch
from safetensors.torch import save_file
from torch import nn


class SentimentRNN(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell
        self.embedding = nn.Embedding(60, 12)
        layer = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell]
        setattr(self, cell, layer(12, 10, 2, dropout=0.5, batch_first=True))
        self.dropout = nn.Dropout(0.3)
        self.fc = nn.Linear(10, 1)

    def forward(self, ids):
        outputs, _ = getattr(self, self.cell)(self.embedding(ids))
        return torch.sigmoid(self.fc(self.dropout(outputs)))[:, -1, 0]


class OneOfSeveral(nn.Module):
    def __init__(self, with_attention):
        super().__init__()
        self.embedding = nn.Embedding(60, 12)
        self.lstm = nn.LSTM(12, 10, 2, bidirectional=True, batch_first=True)
        if with_attention:
            self.attention = nn.Linear(20, 1, bias=False)
        self.fc = nn.Linear(20 * (3 if with_attention else 2), 5)

    def forward(self, ids):
        """The logits (5,) of one text, ids (steps,) without padding."""
        outputs = self.lstm(self.embedding(ids[None]))[0][0]
        pooled = [outputs.max(0).values, outputs.mean(0)]
        if hasattr(self, "attention"):
            pooled.append(torch.softmax(self.attention(outputs), 0).T.matmul(outputs)[0])
        return self.fc(torch.cat(pooled))


def some_ids():
    """Ids (9, 25) of texts of 25, 22, ... words, padded on the left with 0."""
    ids = torch.randint(1, 60, (9, 25))
    for row in range(len(ids)):
        ids[row, : row * 3] = 0
    return ids


for seed, cell in enumerate(["lstm", "gru", "rnn"]):
    torch.manual_seed(seed)
    net = SentimentRNN(cell).eval()
    ids = some_ids()
    with torch.no_grad():
        probabilities = net(ids)
    save_file(net.state_dict(), f"{cell}.safetensors")
    expected = {"ids": ids.to(torch.uint32), "probabilities": probabilities.contiguous()}
    save_file(expected, f"{cell}.expected.safetensors")
    print(cell, probabilities.tolist())

for seed, pooling in enumerate(["max-mean", "max-mean-attention"]):
    torch.manual_seed(10 + seed)
    net = OneOfSeveral(pooling.endswith("attention")).eval()
    ids = some_ids()
    with torch.no_grad():
        logits = torch.stack([net(row[row != 0]) for row in ids])
    save_file(net.state_dict(), f"one-of-{pooling}.safetensors")
    expected = {"ids": ids.to(torch.uint32), "logits": logits, "probabilities": torch.softmax(logits, 1)}
    save_file(expected, f"one-of-{pooling}.expected.safetensors")
    print(pooling, logits.tolist())
