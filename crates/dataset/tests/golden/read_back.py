"""Reads the tables written by `cargo xtask tables` with commonly used programs.

    python read_back.py GOLDEN WRITTEN                   with csv, json, pandas, polars, pyarrow, duckdb
    python read_back.py --parquet-only GOLDEN WRITTEN    opens and filters Parquet with pyarrow and pandas

GOLDEN is this folder. Each of its tables was read and written in four formats, with predictions: label
`row % 3 == 1` and probability `1 / (row + 1)`, in 32 bits. Texts must be equal, numbers must have the
same values, and nulls must stay null where the format has nulls.
"""

import argparse
import csv
import json
import struct
import sys
from pathlib import Path


def single(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def text_of(cell):
    """A cell of expected.json as in a text table; floats as numbers."""
    if cell is None or isinstance(cell, str):
        return cell
    raw = cell[0]
    if raw == "nan":
        return float("nan")
    if raw[0] == "f" and len(raw) == 17:
        return struct.unpack(">d", bytes.fromhex(raw[1:]))[0]
    return None if raw == "null" else raw


def same(expected, found):
    """`found` is the value that a program reads; None if there is nothing between two separators."""
    if isinstance(expected, float):
        if found is None:
            return False
        number = float(found)
        return number == expected or expected != expected and number != number or single(number) == expected
    return (expected or None) == (found or None)


class Failures:
    def __init__(self):
        self.n_checked, self.n_failed = 0, 0

    def check(self, where, expected, found):
        self.n_checked += 1
        if len(expected) != len(found):
            return self.fail(f"{where}: {len(expected)} rows, found {len(found)}")
        for row, (cell, other) in enumerate(zip(expected, found)):
            if not same(cell, other):
                return self.fail(f"{where}, row {row + 1}: {cell!r}, found {other!r}")

    def fail(self, message):
        self.n_failed += 1
        print(message, file=sys.stderr)


def columns_of(table):
    return {column["name"]: [text_of(cell) for cell in column["cells"]] for column in table["columns"]}


def answers(n_rows):
    return (
        [("negative", "positive")[row % 3 == 1] for row in range(n_rows)],
        [single(1 / (row + 1)) for row in range(n_rows)],
    )


def check_delimited(failures, path, separator, expected):
    import pandas as pd
    import polars as pl

    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter=separator, strict=True))
    frame = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    read = pl.read_csv(path, separator=separator, infer_schema=False)
    for idx, (name, cells) in enumerate(expected.items()):
        failures.check(f"{path.name}, csv, {name!r}", cells, [row[name] for row in rows])
        failures.check(f"{path.name}, pandas, {name!r}", cells, frame[name].tolist())
        # Its header keeps quotation marks doubled, so columns are matched by position.
        found = read.to_series(idx).to_list()
        failures.check(f"{path.name}, polars, {name!r}", cells, found)
        # Of these, only polars distinguishes null from an empty string.
        nulls = [cell is None for cell in cells]
        if [cell is None for cell in found] != nulls:
            failures.fail(f"{path.name}, polars, {name!r}: other nulls")


DIGITS = {"parse_int": str, "parse_float": str}


def json_text(value):
    """A value parsed with DIGITS, as text if it is not a string."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def check_json(failures, path, expected, raw):
    import pandas as pd
    import polars as pl

    def is_nested(cell):
        return isinstance(cell, str) and [cell] in raw.get(name, []) and cell[0] in "[{"

    with open(path, encoding="utf-8", newline="\n") as file:
        rows = [json.loads(line, **DIGITS) for line in file]
    for name, cells in expected.items():
        found = [json_text(row.get(name)) for row in rows]
        wanted = [json_text(json.loads(cell, **DIGITS)) if is_nested(cell) else cell for cell in cells]
        # JSON has no NaN and no infinities.
        wanted = [None if isinstance(cell, float) and cell - cell != 0 else cell for cell in wanted]
        failures.check(f"{path.name}, json, {name!r}", wanted, found)
    try:
        frame = pd.read_json(path, lines=True, dtype=False)
        failures.check(f"{path.name}, pandas, text", expected["text"], frame["text"].tolist())
    except ValueError as error:
        # Integers beyond 64 bits, which some tables contain on purpose.
        if "too big" not in str(error):
            failures.fail(f"{path.name}, pandas: {error}")
    read = pl.read_ndjson(path, schema={"text": pl.String})
    failures.check(f"{path.name}, polars, text", expected["text"], read["text"].to_list())


def check_parquet(failures, path, expected, parquet_only):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    for field in table.schema:
        if field.type not in (pa.string(), pa.large_string()) and "string" in str(field.type):
            failures.fail(f"{path.name}: {field.name!r} is {field.type}")
    n_positive = expected["predicted_label"].count("positive")
    found = pq.read_table(path, filters=[("predicted_label", "=", "positive")])
    if found.num_rows != n_positive:
        failures.fail(f"{path.name}: pyarrow filters {found.num_rows} rows of {n_positive}")
    failures.check(f"{path.name}, pyarrow, text", expected["text"], table["text"].to_pylist())
    probabilities = table["probability"].to_pylist()
    failures.check(f"{path.name}, pyarrow, probability", expected["probability"], probabilities)
    frame = table.to_pandas()
    failures.check(f"{path.name}, pandas, text", expected["text"], frame["text"].tolist())
    if int((frame["predicted_label"] == "positive").sum()) != n_positive:
        failures.fail(f"{path.name}: pandas filters other rows")
    if parquet_only:
        return

    import duckdb
    import polars as pl

    by_polars = pl.scan_parquet(path).filter(pl.col("predicted_label") == "positive").collect()
    query = f"SELECT count(*) FROM '{path}' WHERE predicted_label = 'positive'"
    by_duckdb = duckdb.sql(query).fetchall()[0][0]
    if (by_polars.height, by_duckdb) != (n_positive, n_positive):
        failures.fail(f"{path.name}: polars and DuckDB filter {by_polars.height} and {by_duckdb}")
    rows = duckdb.sql(f"SELECT * FROM '{path}'")
    names = rows.columns
    texts = [row[names.index("text")] for row in rows.fetchall()]
    failures.check(f"{path.name}, DuckDB, text", expected["text"], texts)
    failures.check(f"{path.name}, polars, text", expected["text"], pl.read_parquet(path)["text"].to_list())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("golden", type=Path)
    parser.add_argument("written", type=Path)
    parser.add_argument("--parquet-only", action="store_true")
    args = parser.parse_args()
    csv.field_size_limit(10**9)
    failures = Failures()
    tables = json.loads((args.golden / "expected.json").read_text())
    for table in tables:
        if "error" in table:
            continue
        raw = {column["name"]: column["cells"] for column in table["columns"]}
        expected = columns_of(table)
        labels, probabilities = answers(len(expected["text"]))
        expected.update(predicted_label=labels, probability=probabilities)
        path = args.written / table["file"]
        check_parquet(failures, path.with_name(path.name + ".parquet"), expected, args.parquet_only)
        if not args.parquet_only:
            check_delimited(failures, path.with_name(path.name + ".csv"), ",", expected)
            check_delimited(failures, path.with_name(path.name + ".tsv"), "\t", expected)
            check_json(failures, path.with_name(path.name + ".jsonl"), expected, raw)
    versions = []
    for name in ["pyarrow", "pandas"] if args.parquet_only else ["pyarrow", "pandas", "polars", "duckdb"]:
        versions.append(f"{name} {__import__(name).__version__}")
    print(f"{', '.join(versions)}: {failures.n_checked} columns checked, {failures.n_failed} failures")
    sys.exit(failures.n_failed > 0)


if __name__ == "__main__":
    main()
