"""Describes the machine, and measures the load from other work."""

import datetime
import os
import platform
import time
from pathlib import Path

INSTRUCTION_SETS = ["avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve"]


def describe(threads):
    model, sets = cpu()
    busy = f"load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else "load unknown"
    return "; ".join(
        [
            f"{model}, {os.cpu_count()} logical cores ({' '.join(sets) or 'instruction sets unknown'})",
            f"{threads} threads",
            busy,
            f"Python {platform.python_version()}",
            datetime.date.today().isoformat(),
        ]
    )


def cpu():
    """Model name, and which of the known instruction sets it has."""
    fields = {}
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    model = fields.get("model name") or platform.processor() or platform.machine()
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    return model, [name for name in INSTRUCTION_SETS if name in flags]


class OthersLoad:
    """Cores used by other work since this was created; `None` without /proc (not Linux).

    `pids` are the timed programs, which do not count as other work.
    """

    def __init__(self, pids):
        self.pids = pids
        self.started = time.monotonic()
        self.before = self._others_s()

    def cores(self):
        now = self._others_s()
        if self.before is None or now is None:
            return None
        return max(0.0, (now - self.before) / (time.monotonic() - self.started))

    def _others_s(self):
        try:
            cpu_line = Path("/proc/stat").read_text().splitlines()[0].split()
            ours = sum(busy_ticks(pid) for pid in [*self.pids, os.getpid()])
        except (OSError, ValueError, IndexError):
            return None
        # user, nice, system, idle, iowait, irq, softirq, steal
        times = [int(word) for word in cpu_line[1:9]]
        return (sum(times) - times[3] - times[4] - ours) / os.sysconf("SC_CLK_TCK")


def busy_ticks(pid):
    """User and system time of a process, in clock ticks."""
    # The name in parentheses may hold spaces; utime and stime are the 14th and 15th of all fields.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
