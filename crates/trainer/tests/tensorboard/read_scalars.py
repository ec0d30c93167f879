"""Prints the scalars of event files, as TensorBoard's own reader returns them.

    python read_scalars.py runs/NAME

The argument is an event file, or a folder, which must have at least one. Each scalar is a line of JSON with "tag",
"step", "wall_time" and "value", in the order of the files' names and of their events. Values have enough digits for
all bits; "NaN", "Infinity" and "-Infinity" are strings, since JSON has no such numbers.

TensorBoard stops reading at a damaged record without an error. Here that is one.
"""

import argparse
import json
import math
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader, RawEventFileLoader
from tensorboard.util.tensor_util import make_ndarray

# Bytes of a record besides its event: a length and two checksums.
FRAME = 16


def event_files(path):
    """The event files at a path, by name."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if "tfevents" in file.name)
    if not files:
        sys.exit(f"{path} has no event file: no name contains tfevents")
    return files


def check_whole(path):
    """Exits if TensorBoard would not read a file to its end."""
    n_read = sum(len(event) + FRAME for event in RawEventFileLoader(str(path)).Load())
    n_bytes = path.stat().st_size
    if n_read != n_bytes:
        sys.exit(f"{path}: TensorBoard stops at byte {n_read} of {n_bytes}, where a record is damaged or cut off")


def number(value):
    """A number as JSON can hold it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def scalars(path):
    """All scalars of a file: tags, steps, wall times, values."""
    plugins = {}
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            # Only the first event of a tag needs to say so.
            plugin = plugins.setdefault(value.tag, value.metadata.plugin_data.plugin_name)
            if plugin != "scalars":
                sys.exit(f"{path}: {value.tag} at step {event.step} is not a scalar to TensorBoard: {plugin!r}")
            array = make_ndarray(value.tensor)
            if array.dtype != "float32" or array.shape != ():
                sys.exit(f"{path}: {value.tag} at step {event.step} is not one float32: {array!r}")
            yield value.tag, event.step, event.wall_time, float(array)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="an event file, or a folder with some")
    for file in event_files(parser.parse_args().path):
        if not file.is_file():
            sys.exit(f"there is no file {file}")
        check_whole(file)
        for tag, step, wall_time, value in scalars(file):
            line = {"tag": tag, "step": step, "wall_time": number(wall_time), "value": number(value)}
            print(json.dumps(line, ensure_ascii=False, allow_nan=False))


if __name__ == "__main__":
    main()
