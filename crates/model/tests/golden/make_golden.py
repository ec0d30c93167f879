"""Writes the golden files of the PyTorch network that the notebook defines.

usage: python make_golden.py        (in this folder; needs torch and safetensors)

For each cell: CELL.safetensors is the module's state_dict as people save it, and
CELL.expected.safetensors holds ids (batch, steps), padded on the left with 0, and the module's
sigmoid of the last step. Vocabulary 60, embedding 12, hidden 10, 2 layers, output 1.
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


for seed, cell in enumerate(["lstm", "gru", "rnn"]):
    torch.manual_seed(seed)
    net = SentimentRNN(cell).eval()
    ids = torch.randint(1, 60, (9, 25))
    for row in range(len(ids)):
        ids[row, : row * 3] = 0
    with torch.no_grad():
        probabilities = net(ids)
    save_file(net.state_dict(), f"{cell}.safetensors")
    expected = {"ids": ids.to(torch.uint32), "probabilities": probabilities.contiguous()}
    save_file(expected, f"{cell}.expected.safetensors")
    print(cell, probabilities.tolist())
