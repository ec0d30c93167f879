"""Reads the reviews that `notebook-times --export FOLDER` writes; see benches/src/notebook/export.rs."""

from pathlib import Path

import numpy

import protocol


def load(folder, recipe, name, n_dimensions):
    """An array of the folder; whole numbers as int64."""
    path = Path(folder) / f"{name}.npy"
    export = f"notebook-times --recipe {recipe} --export FOLDER"
    if not path.exists():
        raise protocol.FlagError(f"no {path}; write the reviews with `{export}`")
    array = numpy.load(path)
    if array.ndim != n_dimensions:
        raise protocol.FlagError(f"{path} is of another recipe; write the reviews with `{export}` into a folder of their own")
    return array.astype(numpy.int64) if array.dtype.kind == "u" else array
