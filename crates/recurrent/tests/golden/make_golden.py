"""Writes golden.safetensors: complete outputs, states and gradients of PyTorch's recurrent layers.

usage: python make_golden.py        (in this folder; needs torch and safetensors)

Every case is one call of nn.RNN, nn.LSTM or nn.GRU in float32 with seeded weights and inputs. The
loss weights each number of the outputs and of the final states by cos(1.3 i + 0.2), where i is its
index in row-major order, so that a swapped row or step changes the gradients.

A tensor's name is CASE/PART, with CASE = cell,layers,directions,bias,state,lengths,B,T,I,H,P; P is
0 without a projection. Large shapes are in wide.safetensors.
"""

import itertools

import torch
from safetensors.torch import save_file

import torch_layers


def ripple(like):
    return torch.cos(1.3 * torch.arange(like.numel(), dtype=torch.float64) + 0.2).reshape(like.shape)


def run(cell, layers, directions, bias, has_state, has_lengths, b, t, i, h, p, seed):
    torch.manual_seed(seed)
    net = torch_layers.build(cell, layers, directions, bias, i, h, p)
    x = torch.randn(b, t, i, requires_grad=True)
    states = [torch.randn(shape, requires_grad=True) for shape in torch_layers.state_shapes(net, b)]
    lengths = torch.randint(1, t + 1, (b,))
    lengths[0], lengths[-1] = t, 1
    given = states if has_state else None
    outputs, final = torch_layers.call(net, x, given, lengths if has_lengths else None)
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
    case = ",".join(map(str, [cell, layers, directions, *flags, b, t, i, h, p]))
    return {f"{case}/{name}": part.detach().contiguous() for name, part in parts.items()}


def main():
    golden = {}
    flags = list(itertools.product([True, False], repeat=3))
    shapes = [(3, 7, 5, 6), (1, 1, 3, 1), (4, 2, 1, 5), (2, 11, 9, 19)]
    projected_shapes = [(3, 7, 5, 6, 2), (1, 1, 3, 2, 1), (4, 2, 1, 5, 4), (2, 6, 4, 9, 3)]
    layers = [(cell, [(*shape, 0) for shape in shapes]) for cell in torch_layers.LAYERS]
    layers.append(("lstm", projected_shapes))
    seed = 0
    for cell, shapes in layers:
        for n_layers, directions in itertools.product([1, 2, 3], [1, 2]):
            # Flags and shapes alternate: each occurs with each cell, but not in every combination.
            for _ in range(2):
                bias, has_state, has_lengths = flags[seed % len(flags)]
                shape = shapes[(seed // 3) % len(shapes)]
                golden |= run(cell, n_layers, directions, bias, has_state, has_lengths, *shape, seed)
                seed += 1
    save_file(golden, "golden.safetensors")
    print(f"{seed} cases, torch {torch.__version__}")


main()
