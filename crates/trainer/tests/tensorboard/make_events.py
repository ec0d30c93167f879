"""Writes golden.tfevents: an event file made by TensorBoard's own writer, with chosen times.

    python make_events.py

The unit tests of src/run_folder/tensorboard.rs have the same values and must write the same bytes.
"""

import math
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

# Wall time, step, values.
EVENTS = [
    (1.0, 0, [("t", 0.0)]),
    (1700000000.25, 1, [("train/loss", 0.1), ("train/learning_rate", 3e-3)]),
    (1700000000.5, 127, [("v", -0.0), ("v", math.inf), ("v", -math.inf)]),
    (1700000001.0, 128, [("v", math.nan), ("v", 1e-45), ("v", (2 - 2**-23) * 2.0**127)]),
    (1700000002.0, 300, [("größe/λ", 1.0)]),
    (1700000003.0, 2**40, [("a/" * 70, -2.5), ("b", 7.0)]),
    (1700000004.0, -1, [("t", 0.5)]),
]


def main():
    path = Path(__file__).with_name("golden.tfevents")
    with path.open("wb") as file:
        writer = RecordWriter(file)
        version = Event(wall_time=1699999999.5, file_version="brain.Event:2")
        writer.write(version.SerializeToString())
        for wall_time, step, values in EVENTS:
            scalars = [Summary.Value(tag=tag, simple_value=value) for tag, value in values]
            event = Event(wall_time=wall_time, step=step, summary=Summary(value=scalars))
            writer.write(event.SerializeToString())


if __name__ == "__main__":
    main()
