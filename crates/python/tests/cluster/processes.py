"""What Linux tells about the processes below this one, in ``/proc``."""

import os
import threading
from pathlib import Path


def parents():
    """The parent of each process by number."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            stat = _read(folder / "stat")
            # The name is in parentheses, and may contain any character.
            if stat:
                found[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    return found


def descendants(ancestor=None):
    """The processes that ``ancestor``, or this one, started, directly or not."""
    of, found = parents(), set()
    wanted = {ancestor or os.getpid()}
    while wanted:
        wanted = {child for child, parent in of.items() if parent in wanted} - found
        found |= wanted
    return found


def command(process):
    """The command line of a process; empty if it has ended."""
    return (_read(Path(f"/proc/{process}/cmdline")) or "").replace("\0", " ")


def has_mapped(process, file):
    """Whether a process has a file in its memory."""
    return str(file) in (_read(Path(f"/proc/{process}/maps")) or "")


def n_threads(process):
    """The number of a process's threads; 0 if it has ended."""
    try:
        return len(os.listdir(f"/proc/{process}/task"))
    except OSError:
        return 0


def peak_memory_mib(process):
    """The most memory that a process has had, in MiB; 0 if it has ended."""
    for line in (_read(Path(f"/proc/{process}/status")) or "").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _read(path):
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


class ModelUsers(threading.Thread):
    """Notes which processes below this one have mapped a model's weights, until it is stopped."""

    def __init__(self, model):
        super().__init__(daemon=True)
        self._weights = Path(model).resolve() / "model.safetensors"
        self._stopped = threading.Event()
        #: The highest memory in MiB and number of threads that were seen, by process.
        self.seen = {}

    def run(self):
        while not self._stopped.wait(0.1):
            for process in descendants():
                if has_mapped(process, self._weights):
                    memory, threads = self.seen.get(process, (0.0, 0))
                    self.seen[process] = (
                        max(memory, peak_memory_mib(process)),
                        max(threads, n_threads(process)),
                    )

    def stop(self):
        """Ends the watch; returns what it saw."""
        self._stopped.set()
        self.join()
        return self.seen
