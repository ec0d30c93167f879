"""Writes optimizers.safetensors: 50 steps of PyTorch's optimisers on a small embedding and a matrix.

    python make_optimizers.py     (needs torch and safetensors)

The loss of step t is sum(matrix * matrix_gradients[t]) + sum(embedding(ids[t]) * token_gradients[t]), so
that the gradients are the numbers in the file. Ids repeat within a step; row 0 has its first gradient in
step 20, row 1 its last in step 5, row 11 never. All gradients are clipped together at norm 2.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

N_STEPS, N_ROWS, WIDTH, N_TOKENS = 50, 12, 20, 7
MATRIX = (3, 5)
MAX_NORM = 2.0
RATE = 0.05


def inputs():
    generator = torch.Generator().manual_seed(0)
    normal = lambda *shape: torch.randn(*shape, generator=generator)
    ids = torch.randint(2, N_ROWS - 1, (N_STEPS, N_TOKENS), generator=generator)
    ids[:5, 0] = 1
    ids[19:, 1] = 0
    # From tiny to large: steps on both sides of the clipping limit.
    sizes = torch.logspace(-2, 0, N_STEPS).view(-1, 1, 1)
    return {
        "table": normal(N_ROWS, WIDTH),
        "matrix": normal(*MATRIX),
        "ids": ids,
        "token_gradients": normal(N_STEPS, N_TOKENS, WIDTH) * sizes,
        "matrix_gradients": normal(N_STEPS, *MATRIX) * sizes,
    }


def clip(parameters):
    """torch.nn.utils.clip_grad_norm_ for sparse gradients, too, whose repeated rows are added up first."""
    for parameter in parameters:
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
    values = [p.grad.values() if p.grad.is_sparse else p.grad for p in parameters]
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(v) for v in values]))
    factor = torch.clamp(MAX_NORM / (norm + 1e-6), max=1.0)
    for value in values:
        value.mul_(factor)
    return norm.item()


def train(data, optimizers_of, sparse=False):
    table = torch.nn.Embedding.from_pretrained(data["table"].clone(), freeze=False, sparse=sparse)
    matrix = torch.nn.Parameter(data["matrix"].clone())
    optimizers = optimizers_of(table.weight, matrix)
    norms = []
    for t in range(N_STEPS):
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss = (matrix * data["matrix_gradients"][t]).sum()
        loss = loss + (table(data["ids"][t]) * data["token_gradients"][t]).sum()
        loss.backward()
        norms.append(clip([table.weight, matrix]))
        for optimizer in optimizers:
            optimizer.step()
    clipped = sum(norm > MAX_NORM for norm in norms)
    assert 10 < clipped < 40, clipped
    return table.weight.detach(), matrix.detach()


def main():
    data = inputs()
    cases = {
        "adam": lambda table, matrix: [torch.optim.Adam([table, matrix], lr=RATE)],
        "adamw": lambda table, matrix: [torch.optim.AdamW([table, matrix], lr=RATE, weight_decay=0.1)],
        "sparse-adam": lambda table, matrix: [torch.optim.SparseAdam([table], lr=RATE), torch.optim.Adam([matrix], lr=RATE)],
        "sgd": lambda table, matrix: [torch.optim.SGD([table, matrix], lr=RATE, momentum=0.9)],
    }
    for name, optimizers_of in cases.items():
        data[f"{name}.table"], data[f"{name}.matrix"] = train(data, optimizers_of, sparse=name == "sparse-adam")
    path = Path(__file__).with_name("optimizers.safetensors")
    save_file(data, path, metadata={"torch": torch.__version__})


if __name__ == "__main__":
    main()
