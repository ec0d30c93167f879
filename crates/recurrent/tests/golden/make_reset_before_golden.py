"""Writes reset_before.safetensors: outputs, states and gradients of a GRU whose reset gate acts on
the state before the recurrent product.

usage: python make_reset_before_golden.py        (in this folder; needs numpy, onnx, onnxruntime,
                                                  torch and safetensors)

This is the GRU of Keras with reset_after=False and of ONNX with linear_before_reset=0 (Cho et al.
2014, https://arxiv.org/abs/1406.1078):

   r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
   z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
   n = tanh(W_in x + b_in + W_hn (r * h) + b_hn)
   h = (1 - z) * n + z * h

PyTorch's nn.GRU computes r * (W_hn h + b_hn) instead, so the loop is written here; its gradients are
autograd's. It runs in float64 from numbers that are exact in float32. The forward pass must equal
ONNX Runtime's GRU, which runs in float32.

Weights are stacked r, z, n. Names, parts and the loss are those of make_golden.py; the cell is "gru".
A case takes another seed if float32 results deviate from float64, that is, if a part is mostly
rounding error.
"""

import itertools

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file

# Layers, directions, bias, state, lengths, B, T, I, H. The file keeps all numbers, so two wide cases
# have one layer.
CASES = [
    (2, 1, True, True, True, 5, 7, 4, 3),
    (2, 2, True, True, True, 5, 7, 4, 3),
    (2, 1, True, False, False, 1, 9, 4, 3),
    (2, 2, True, True, False, 1, 9, 4, 3),
    (2, 1, False, True, True, 5, 1, 2, 3),
    (2, 2, False, False, True, 5, 6, 1, 3),
    (2, 1, True, True, True, 5, 6, 5, 17),
    (2, 2, True, False, True, 5, 6, 4, 17),
    (1, 2, False, True, False, 1, 8, 3, 17),
    (2, 1, True, True, True, 5, 5, 3, 40),
    (1, 2, True, True, False, 1, 5, 3, 40),
]

# Limit on a part's rounding error, relative to its largest number: less than half the test's bound.
MOST_ROUNDING = 4e-6
# Limit on the difference from ONNX Runtime, relative to the largest number or to 1.
MOST_DIFFERENCE = 1e-5


def ripple(like):
    return torch.cos(1.3 * torch.arange(like.numel(), dtype=torch.float64) + 0.2).reshape(like.shape)


def parameters(layers, directions, bias, i, h):
    """Name and shape of every parameter, in PyTorch's order."""
    shapes = {}
    for layer, direction in itertools.product(range(layers), range(directions)):
        suffix = f"l{layer}{'_reverse' if direction else ''}"
        shapes[f"weight_ih_{suffix}"] = (3 * h, directions * h if layer else i)
        shapes[f"weight_hh_{suffix}"] = (3 * h, h)
        if bias:
            shapes[f"bias_ih_{suffix}"] = shapes[f"bias_hh_{suffix}"] = (3 * h,)
    return shapes


def step(x, h, w_ih, w_hh, b_ih, b_hh):
    r_in, z_in, n_in = (x @ w_ih.T + b_ih + b_hh).chunk(3, dim=1)
    w_hr, w_hz, w_hn = w_hh.chunk(3)
    r = torch.sigmoid(r_in + h @ w_hr.T)
    z = torch.sigmoid(z_in + h @ w_hz.T)
    n = torch.tanh(n_in + (r * h) @ w_hn.T)
    return (1 - z) * n + z * h


def forward(weights, x, initial, lengths, layers, directions):
    """Outputs [B, T, D·H], zero past each row's length, and the final states [L·D, B, H]."""
    b, t, _ = x.shape
    final = []
    for layer in range(layers):
        of_directions = []
        for direction in range(directions):
            suffix = f"l{layer}{'_reverse' if direction else ''}"
            w_ih, w_hh = weights[f"weight_ih_{suffix}"], weights[f"weight_hh_{suffix}"]
            zero = torch.zeros(1, dtype=x.dtype)
            b_ih, b_hh = (weights.get(f"bias_{side}_{suffix}", zero) for side in ["ih", "hh"])
            h = initial[len(final)]
            outputs = [None] * t
            for time in reversed(range(t)) if direction else range(t):
                new = step(x[:, time], h, w_ih, w_hh, b_ih, b_hh)
                is_real = (time < lengths).unsqueeze(1)
                outputs[time] = torch.where(is_real, new, torch.zeros_like(new))
                h = torch.where(is_real, new, h)
            of_directions.append(torch.stack(outputs, dim=1))
            final.append(h)
        x = torch.cat(of_directions, dim=2)
    return x, torch.stack(final)


def onnx_forward(weights, x, initial, lengths, layers, directions):
    """The same by ONNX Runtime's GRU, in float32: one node per layer, gates stacked z, r, n."""
    (b, t, i), h = x.shape, initial.shape[2]

    def restacked(name):
        r, z, n = weights[name].detach().float().numpy().reshape(3, h, -1)
        return np.concatenate([z, r, n])

    def of_directions(kind, layer):
        return np.stack([restacked(f"{kind}_l{layer}{suffix}") for suffix in ["", "_reverse"][:directions]])

    nodes, constants = [], [helper.make_tensor("squeezed", TensorProto.INT64, [3], [0, 0, -1])]
    feeds = {"x0": x.detach().float().numpy().transpose(1, 0, 2), "lengths": lengths.numpy().astype(np.int32)}
    results = []
    for layer in range(layers):
        tensors = {"w": of_directions("weight_ih", layer), "r": of_directions("weight_hh", layer)}
        has_bias = f"bias_ih_l{layer}" in weights
        if has_bias:
            biases = [of_directions(f"bias_{side}", layer)[:, :, 0] for side in ["ih", "hh"]]
            tensors["b"] = np.concatenate(biases, axis=1)
        for name, tensor in tensors.items():
            tensor = np.ascontiguousarray(tensor, dtype=np.float32)
            constants.append(onnx.numpy_helper.from_array(tensor, f"{name}{layer}"))
        feeds[f"h{layer}"] = initial[layer * directions:][:directions].detach().float().numpy()
        bias = f"b{layer}" if has_bias else ""
        nodes.append(helper.make_node(
            "GRU", [f"x{layer}", f"w{layer}", f"r{layer}", bias, "lengths", f"h{layer}"],
            [f"y{layer}", f"last{layer}"], hidden_size=h, linear_before_reset=0,
            direction="bidirectional" if directions == 2 else "forward"))
        # [T, D, B, H] to [T, B, D·H]
        nodes.append(helper.make_node("Transpose", [f"y{layer}"], [f"yt{layer}"], perm=[0, 2, 1, 3]))
        nodes.append(helper.make_node("Reshape", [f"yt{layer}", "squeezed"], [f"x{layer + 1}"]))
        results.append(f"last{layer}")
    results.append(f"x{layers}")
    graph = helper.make_graph(
        nodes, "gru",
        [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(feed.dtype), feed.shape)
         for name, feed in feeds.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 3) for name in results], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    *final, outputs = session.run(results, feeds)
    return outputs.transpose(1, 0, 2), np.concatenate(final)


def run(case, seed, dtype):
    """The inputs and results of a case by part, and its difference from ONNX Runtime."""
    layers, directions, bias, has_state, has_lengths, b, t, i, h = case
    rng = torch.Generator().manual_seed(seed)

    def var(shape, values):
        return values(shape).to(dtype).requires_grad_()

    def normal(shape):
        return torch.randn(shape, generator=rng)

    def uniform(shape):
        return (2 * torch.rand(shape, generator=rng) - 1) / h**0.5

    x = var((b, t, i), normal)
    initial = var((layers * directions, b, h), normal)
    weights = {name: var(shape, uniform) for name, shape in parameters(layers, directions, bias, i, h).items()}
    lengths = torch.randint(1, t + 1, (b,), generator=rng)
    # The longest row is full; of several, the last is the shortest.
    lengths[-1], lengths[0] = 1, t
    if not has_lengths:
        lengths[:] = t
    given = initial if has_state else torch.zeros_like(initial)
    outputs, final = forward(weights, x, given, lengths, layers, directions)
    results = [outputs, final]
    sum((part.double() * ripple(part)).sum() for part in results).backward()

    theirs = onnx_forward(weights, x, given, lengths, layers, directions)
    difference = max(np.abs(part.detach().double().numpy() - their).max() / max(1.0, part.abs().max().item())
                     for part, their in zip(results, theirs))

    parts = {"x": x, "outputs": outputs, "state 0": final, "gradient of x": x.grad}
    for name, weight in weights.items():
        parts[name] = weight
        parts[f"gradient of {name}"] = weight.grad
    if has_state:
        parts["initial state 0"] = initial
        parts["gradient of state 0"] = initial.grad
    if has_lengths:
        parts["lengths"] = lengths.to(torch.uint32)
    return {name: part.detach() for name, part in parts.items()}, difference


def is_mostly_rounding(exact, rough):
    return any((part.double() - rough[name].double()).abs().max() > MOST_ROUNDING * part.double().abs().max()
               for name, part in exact.items() if name != "lengths")


def main():
    golden, differences = {}, []
    for index, case in enumerate(CASES):
        for seed in itertools.count(index, 1000):
            exact, difference = run(case, seed, torch.float64)
            rough, _ = run(case, seed, torch.float32)
            if not is_mostly_rounding(exact, rough):
                break
        assert difference <= MOST_DIFFERENCE, f"{case}: ONNX Runtime differs by {difference:.1e}"
        differences.append(difference)
        layers, directions, bias, has_state, has_lengths, *sizes = case
        flags = ["bias" if bias else "-", "state" if has_state else "-", "lengths" if has_lengths else "-"]
        name = ",".join(map(str, ["gru", layers, directions, *flags, *sizes, 0]))
        for part, numbers in exact.items():
            numbers = numbers if part == "lengths" else numbers.float()
            golden[f"{name}/{part}"] = numbers.contiguous()
        print(f"{name}: seed {seed}, ONNX Runtime differs by {difference:.1e}")
    save_file(golden, "reset_before.safetensors")
    print(f"{len(CASES)} cases, {len(golden)} tensors, torch {torch.__version__}, "
          f"onnxruntime {onnxruntime.__version__}, largest difference {max(differences):.1e}")


main()
