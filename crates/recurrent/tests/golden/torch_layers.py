"""PyTorch's recurrent layers as the golden files' scripts call them: batch first, and rows with
lengths go through pack_padded_sequence(enforce_sorted=False)."""

from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

LAYERS = {
    "rnn-tanh": lambda proj_size, **kw: nn.RNN(nonlinearity="tanh", **kw),
    "rnn-relu": lambda proj_size, **kw: nn.RNN(nonlinearity="relu", **kw),
    "lstm": nn.LSTM,
    "gru": lambda proj_size, **kw: nn.GRU(**kw),
}


def build(cell, layers, directions, bias, i, h, p):
    """A layer with I inputs, H hidden units and, if P is not 0, a projection to P."""
    return LAYERS[cell](input_size=i, hidden_size=h, num_layers=layers, bias=bias,
                        bidirectional=directions == 2, batch_first=True, proj_size=p)


def state_shapes(net, b):
    """The shape of each state tensor: h, and for the LSTM also c."""
    layers = net.num_layers * (2 if net.bidirectional else 1)
    shapes = [(layers, b, net.proj_size or net.hidden_size)]
    if isinstance(net, nn.LSTM):
        shapes.append((layers, b, net.hidden_size))
    return shapes


def call(net, x, states, lengths):
    """Outputs and the list of final states; `states` and `lengths` may be None."""
    if states is not None:
        states = tuple(states) if isinstance(net, nn.LSTM) else states[0]
    if lengths is None:
        outputs, final = net(x, states)
    else:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        packed, final = net(packed, states)
        outputs, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
    return outputs, list(final) if isinstance(net, nn.LSTM) else [final]
