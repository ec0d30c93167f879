"""A table of texts and labels, and the parts that all programs of `compare_classes.py` share."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

# The share of all texts for the test. Of the rest, the same share is for validation, and the same again is left
# unused: `sentiment train` divides what it gets like this, and keeps the last part for a test of its own.
HELD_BACK = 0.1


@dataclass
class Table:
    """Texts without duplicates. `rarest` is the class with the fewest."""

    name: str
    sha256: str
    rows: pd.DataFrame
    n_read: int
    n_conflicting: int
    rarest: str

    def __str__(self):
        counts = ", ".join(f"{n:,} {name}" for name, n in self.rows.label.value_counts().items())
        return (
            f"{self.name}: {self.n_read:,} texts, {len(self.rows):,} without duplicates ({counts}); "
            f"{self.n_conflicting} texts occur with several labels and keep the first"
        )


@dataclass
class Parts:
    """Shuffled rows of one seed. `few` and `validation` are parts of `rest`, which is all but `test`."""

    few: pd.DataFrame
    validation: pd.DataFrame
    rest: pd.DataFrame
    test: pd.DataFrame


def read(path):
    """Reads the columns `text` and `label` of a Parquet or CSV file. The first row of each text is kept."""
    path = Path(path)
    if path.suffix == ".parquet":
        rows = pd.read_parquet(path, columns=["text", "label"]).astype(str)
    else:
        rows = pd.read_csv(path, usecols=["text", "label"], dtype=str, keep_default_na=False)
    keys = rows.text.map(words_of)
    kept = rows[~keys.duplicated()].reset_index(drop=True)
    return Table(
        name=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        rows=kept,
        n_read=len(rows),
        n_conflicting=int((rows.label.groupby(keys).nunique() > 1).sum()),
        rarest=kept.label.value_counts().idxmin(),
    )


def words_of(text):
    """Equal for texts that differ only in case, spaces, punctuation and symbols."""
    return "".join(filter(str.isalnum, text.lower())) or text.strip()


def split(rows, seed):
    """Each part has its share of every class, to within one text."""
    random = np.random.default_rng(seed)
    test, rest = divided(rows, HELD_BACK, random)
    validation, others = divided(rest, HELD_BACK, random)
    # As many as for validation, of fewer texts.
    _unused, few = divided(others, HELD_BACK / (1 - HELD_BACK), random)
    return Parts(few, validation, rest, test)


def divided(rows, fraction, random):
    """A stratified part of the rows, and the other rows; both shuffled."""
    in_part = np.zeros(len(rows), dtype=bool)
    for _, indices in sorted(rows.groupby("label").indices.items()):
        n = round(len(indices) * fraction)
        in_part[random.permutation(indices)[:n]] = True
    order = random.permutation(len(rows))
    return rows.iloc[order[in_part[order]]], rows.iloc[order[~in_part[order]]]
