"""Writes schedules.json: the learning rates of PyTorch's schedulers, step by step.

    python make_schedules.py
"""

import json
from pathlib import Path

import torch
from torch.optim import lr_scheduler

RATE = 0.02
EPOCHS, STEPS_PER_EPOCH = 5, 8
N_STEPS = EPOCHS * STEPS_PER_EPOCH


def rates(scheduler_of, once_an_epoch=False):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    scheduler = scheduler_of(optimizer)
    rates = []
    for step in range(N_STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if not once_an_epoch or (step + 1) % STEPS_PER_EPOCH == 0:
            scheduler.step()
    return rates


def main():
    schedules = {
        "step": rates(lambda o: lr_scheduler.StepLR(o, step_size=2, gamma=0.5), once_an_epoch=True),
        "cosine": rates(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=N_STEPS)),
        "one-cycle": rates(lambda o: lr_scheduler.OneCycleLR(o, max_lr=RATE, total_steps=N_STEPS)),
    }
    golden = {
        "torch": torch.__version__,
        "learning_rate": RATE,
        "epochs": EPOCHS,
        "steps_per_epoch": STEPS_PER_EPOCH,
        "schedules": schedules,
    }
    path = Path(__file__).with_name("schedules.json")
    path.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
