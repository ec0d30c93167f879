"""Writes golden.safetensors: outputs, states and gradients of PyTorch's recurrent layers.

usage: python make_golden.py        (in this folder; needs torch and safetensors)

Every case is one call of nn.RNN, nn.LSTM or nn.GRU in float32 with seeded weights and inputs. The
loss weighs each number of the outputs and of the final states by cos(1.3 i + 0.2), i its index in
row-major order, so that a swapped row or step changes the gradients. Rows with lengths go through
pack_padded_sequence(enforce_sorted=False).

A tensor's name is CASE/PART, with CASE = cell,layers,directions,bias,state,lengths,B,T,I,H.
"""

import itertools

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

LAYERS = {
    "rnn-tanh": lambda **kw: nn.RNN(nonlinearity="tanh", **kw),
    "rnn-relu": lambda **kw: nn.RNN(nonlinearity="relu", **kw),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


def ripple(like):
    return torch.cos(1.3 * torch.arange(like.numel(), dtype=torch.float64) + 0.2).reshape(like.shape)


def run(cell, layers, directions, bias, has_state, has_lengths, b, t, i, h, seed):
    torch.manual_seed(seed)
    net = LAYERS[cell](input_size=i, hidden_size=h, num_layers=layers, bias=bias,
                       bidirectional=directions == 2, batch_first=True)
    x = torch.randn(b, t, i, requires_grad=True)
    n_states = 2 if cell == "lstm" else 1
    states = [torch.randn(layers * directions, b, h, requires_grad=True) for _ in range(n_states)]
    lengths = torch.randint(1, t + 1, (b,))
    lengths[0], lengths[-1] = t, 1
    given = (states[0] if n_states == 1 else tuple(states)) if has_state else None
    if has_lengths:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        packed, final = net(packed, given)
        outputs, _ = pad_packed_sequence(packed, batch_first=True, total_length=t)
    else:
        outputs, final = net(x, given)
    final = list(final) if n_states == 2 else [final]
    sum((part.double() * ripple(part)).sum() for part in [outputs, *final]).backward()

    parts = {"x": x, "outputs": outputs, "gradient of x": x.grad}
    for name, weight in net.named_parameters():
        parts[name] = weight
        parts[f"gradient of {name}"] = weight.grad
    for index, state in enumerate(final):
        parts[f"state {index}"] = state
    if has_state:
        for index, state in enumerate(states):
            parts[f"initial state {index}"] = state
            parts[f"gradient of state {index}"] = state.grad
    if has_lengths:
        parts["lengths"] = lengths.to(torch.uint32)
    flags = ["bias" if bias else "-", "state" if has_state else "-", "lengths" if has_lengths else "-"]
    case = ",".join(map(str, [cell, layers, directions, *flags, b, t, i, h]))
    return {f"{case}/{name}": part.detach().contiguous() for name, part in parts.items()}


def main():
    golden = {}
    flags = list(itertools.product([True, False], repeat=3))
    shapes = [(3, 7, 5, 6), (1, 1, 3, 1), (4, 2, 1, 5), (2, 11, 9, 19)]
    seed = 0
    for cell in LAYERS:
        for layers, directions in itertools.product([1, 2, 3], [1, 2]):
            # Flags and shapes take turns: each meets each cell, not each combination.
            for _ in range(2):
                bias, has_state, has_lengths = flags[seed % len(flags)]
                shape = shapes[(seed // 3) % len(shapes)]
                golden |= run(cell, layers, directions, bias, has_state, has_lengths, *shape, seed)
                seed += 1
    save_file(golden, "golden.safetensors")
    print(f"{seed} cases, torch {torch.__version__}")


main()
