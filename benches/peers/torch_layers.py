"""Times one pass of PyTorch's recurrent layers, alone or controlled by a script."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import protocol

LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def network(args):
    return LAYERS[args.cell](
        args.input, args.hidden, args.layers, batch_first=True, bidirectional=args.bidirectional
    )


def prepare(args):
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    if args.device == "cuda" and not torch.cuda.is_available():
        raise protocol.FlagError("PyTorch finds no CUDA device; leave --device cuda out")
    # Both sides compute in full f32.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    run = prepare_pass(network(args).to(args.device), args)
    if args.device == "cpu":
        return run

    def run_to_the_end():
        run()
        torch.cuda.synchronize()

    return run_to_the_end


def prepare_pass(net, args):
    if args.mode == "training":
        return training(net, args)
    net.eval()
    return forward(net, args) if args.mode == "forward" else step(net, args)


def training(net, args):
    """Forward, and backward from the sum of the loss's outputs to the input and all weights."""
    x = torch.randn(args.batch, args.steps, args.input, device=args.device, requires_grad=True)
    run_rows = rows(net, args)

    def run():
        # Each pass computes new gradients rather than adding to the last pass's.
        net.zero_grad(set_to_none=True)
        x.grad = None
        outputs, last = run_rows(x)
        if args.loss == "last":
            outputs = outputs[:, -1] if args.lengths == "full" else last
        outputs.sum().backward()

    return run


def forward(net, args):
    x = torch.randn(args.batch, args.steps, args.input, device=args.device)
    run_rows = rows(net, args)

    def run():
        with torch.inference_mode():
            run_rows(x)

    return run


def rows(net, args):
    """A function from `x [B, T, I]` to outputs `[B, T, D·H]` and the top layer's last `[D, B, H]`."""
    lengths = torch.tensor(protocol.lengths(args))
    directions = 2 if args.bidirectional else 1

    def run_full(x):
        outputs, state = net(x)
        return outputs, hidden(state)[-directions:]

    def run_packed(x):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        outputs, state = net(packed)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=args.steps)
        return outputs, hidden(state)[-directions:]

    return run_full if args.lengths == "full" else run_packed


def hidden(state):
    return state[0] if isinstance(state, tuple) else state


def step(net, args):
    if args.bidirectional:
        raise protocol.FlagError("a bidirectional network cannot run step by step; leave --bidirectional out")
    x = torch.randn(args.batch, 1, args.input, device=args.device)
    state = None

    def run():
        nonlocal state
        with torch.inference_mode():
            for _ in range(args.steps):
                _, state = net(x, state)

    return run


if __name__ == "__main__":
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    name = f"PyTorch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}{gpu})"
    protocol.main(__doc__, name, prepare)
