"""Writes random tables with commonly used programs, and their expected contents.

    python make_tables.py                                  the committed files beside this script
    python make_tables.py --rows 1000000 --output FOLDER   large ones; see `cargo xtask tables`

Needs pandas, polars and pyarrow (the files here: Python 3.11, pandas 3.1, polars 2.1, pyarrow 26).
All tables depend on one seed. `expected.json` lists the columns and cells of each file. A cell is null,
a string, or a list of one string for any other value, such as ["1.50"]. In CSV everything is a string
or null. In JSON lines null is an absent key, and numbers keep their digits. In Parquet a float is "f"
and the bits of the f64 in hexadecimal, and a date or time is in ISO 8601. Large tables have a digest
instead of cells.
"""

import argparse
import csv
import datetime
import gzip
import hashlib
import io
import json
import random
import struct
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

SEED = 12
MOST_VALUES = 5_000

WORDS = ["a", "film", "the", "good", "dull", "é", "naïve", "e\u0301tude", "ärger", "日本語", "кино"]
MARKS = [
    '"', '""', '"quoted"', ",", ";", "|", "\t", "\n", "\r\n", "\r", "\\", '\\"', "'", "#", "\n# c",
    '",\n', '\n1,"x",0\n', "sep=;", "\n\n", " ", "  ", "\u00a0", "\u200b", "\u2028", "\u0085", "\ufeff",
    "\x01", "\x1b[0m", "\x7f", "😀", "👩‍👩‍👧", "👍🏽", "🇫🇷", "שלום", "\u202eabc\u202c", "𝔉", "<br />", "&amp;",
    "{", "}", "[1]", ":", "=1+1", "-x",
]
WHOLE = [
    "", " ", "\n", "\r\n", '"', '""', ",", "NULL", "null", "NaN", "nan", "None", "N/A", "#", "007", "1e5",
    "-0", "1.50", "true", "True", "2024-02-29", "9007199254740993", " lead", "trail ", "\\N", "0x1F",
]
NAMES = [
    "id", "größe", "e\u0301tude", "日本", "a b", "x😀", "Text 2", "n.1", "stars_1",
]
CURIOUS_NAMES = ['say "hi"', "two\nlines", "comma, name", "semi;colon", "tab\tname", "#hash", "'", "\\"]


class Source:
    """Random values; `banned` are substrings that this writer does not write correctly."""

    def __init__(self, seed, banned=()):
        self.random = random.Random(seed)
        self.banned = banned

    def string(self, is_text=False):
        r = self.random
        while True:
            if not is_text and r.random() < 0.25:
                value = r.choice(WHOLE)
            else:
                parts = [r.choice(WORDS if r.random() < 0.5 else MARKS) for _ in range(r.randint(1, 9))]
                # A text has a letter: texts without letters are not tested here.
                value = r.choice(["", " "]).join(parts + (["x"] if is_text else []))
            if not any(part in value for part in self.banned):
                return value

    def column(self, kind, n_rows):
        r = self.random
        make = {
            "text": lambda: self.string(is_text=True),
            "string": self.string,
            "word": lambda: r.choice(["red", "green", "blü", ""]),
            "int": lambda: r.choice([r.randint(-9, 9), r.randint(-(2**63), 2**63 - 1), 2**53 + 1]),
            "uint": lambda: r.choice([r.randint(0, 9), r.randint(0, 2**64 - 1), 2**64 - 1]),
            "small": lambda: r.randint(-128, 127),
            "float": lambda: r.choice(
                [r.random(), r.uniform(-1e300, 1e300), float(r.randint(-5, 5)), 5e-324, 0.1 + 0.2, -0.0]
            ),
            "bool": lambda: r.random() < 0.5,
            "date": lambda: datetime.date.fromordinal(r.randint(1, 3_652_059)),
            "time": lambda: datetime.datetime(1970, 1, 1)
            + datetime.timedelta(microseconds=r.randint(-(10**15), 9 * 10**15)),
        }[kind]
        nulls = 0 if kind == "text" else r.choice([0, 0.2])
        values = [None if r.random() < nulls else make() for _ in range(min(n_rows, MOST_VALUES))]
        # Large tables repeat few values, because Python is slow.
        return values if n_rows <= MOST_VALUES else r.choices(values, k=n_rows)

    def table(self, kinds, n_rows, names=NAMES):
        """Columns of random kinds by name; one is called text."""
        r = self.random
        n_more = r.randint(0, 5)
        columns = [("text", "text")]
        columns += list(zip(r.sample(names, n_more), r.choices(kinds, k=n_more), strict=True))
        if names is NAMES or r.random() < 0.5:
            r.shuffle(columns)
        return {name: self.column(kind, n_rows) for name, kind in columns}


def double(value):
    return "nan" if value != value else f"f{struct.unpack('>Q', struct.pack('>d', value))[0]:016x}"


class Collection:
    def __init__(self, folder, rows):
        self.folder, self.rows, self.tables = Path(folder), rows, []
        self.sizes = random.Random(SEED)

    def n_rows(self):
        return self.rows or self.sizes.choice([1, 10, 30, 60, 100, 160])

    def source(self, name, banned=()):
        return Source(f"{SEED} {name}", banned)

    def add(self, name, data, columns, **options):
        (self.folder / name).write_bytes(data)
        entry = {"file": name, **options}
        if self.rows:
            entry["columns"] = list(columns)
            entry["digest"] = digest(columns)
        else:
            entry["columns"] = [{"name": key, "cells": cells} for key, cells in columns.items()]
        self.tables.append(entry)

    def finish(self):
        text = ",\n".join(json.dumps(table, separators=(",", ":")) for table in self.tables)
        (self.folder / "expected.json").write_text(f"[\n{text}\n]\n")
        # Do not commit files of an earlier run that are no longer created.
        kept = {table["file"] for table in self.tables} | {"expected.json", "read_back.py", Path(__file__).name}
        for path in self.folder.iterdir():
            if path.is_file() and path.name not in kept:
                print(f"no longer created: {path}")


def digest(columns):
    """SHA-256 over all cells, row by row: 0 for null; otherwise 1 for a string or 2, length, bytes."""
    hasher = hashlib.sha256()
    for row in zip(*columns.values(), strict=True):
        parts = []
        for cell in row:
            if cell is None:
                parts.append(b"\0")
                continue
            is_string = isinstance(cell, str)
            data = (cell if is_string else cell[0]).encode()
            parts += [b"\1" if is_string else b"\2", struct.pack("<I", len(data)), data]
        hasher.update(b"".join(parts))
    return hasher.hexdigest()


# CSV

TEXT_KINDS = ["string", "string", "string", "word", "int", "uint", "float", "bool", "date"]


def csv_cells(columns, data, separator, empty_is_quoted):
    """The expected cells: the strings written, and for other values what Python reads."""
    text = data.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    assert rows[0] == list(columns), rows[0]
    found = {}
    for idx, (name, values) in enumerate(columns.items()):
        cells = []
        for row, value in zip(rows[1:], values, strict=True):
            raw = row[idx]
            if isinstance(value, str):
                assert raw == value, (raw, value)
            elif isinstance(value, float):
                assert float(raw) == value, (raw, value)
            if value is None or value == "":
                assert raw == "", raw
                cells.append("" if empty_is_quoted(value) else None)
            else:
                cells.append(raw)
        found[name] = cells
    return found


def python_csv(columns, **dialect):
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, **dialect)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return buffer.getvalue().encode()


def add_csv(collection):
    def never(_):
        return False

    def of_strings(value):
        return value == ""

    dialects = [
        ("minimal-crlf.csv", ",", csv.QUOTE_MINIMAL, "\r\n"),
        ("minimal-lf.csv", ",", csv.QUOTE_MINIMAL, "\n"),
        ("all-crlf.csv", ",", csv.QUOTE_ALL, "\r\n"),
        ("all-lf.csv", ",", csv.QUOTE_ALL, "\n"),
        ("semicolon.csv", ";", csv.QUOTE_MINIMAL, "\n"),
        ("semicolon-all.csv", ";", csv.QUOTE_ALL, "\r\n"),
        ("tab.csv", "\t", csv.QUOTE_ALL, "\n"),
        ("pipe.csv", "|", csv.QUOTE_MINIMAL, "\r\n"),
        ("all.tsv", "\t", csv.QUOTE_ALL, "\n"),
        ("all-crlf.tsv", "\t", csv.QUOTE_ALL, "\r\n"),
        ("minimal.tsv", "\t", csv.QUOTE_MINIMAL, "\r\n"),
    ]
    for suffix, separator, quoting, end in dialects:
        name = f"python-{suffix}"
        # Before 3.13 it leaves a CR unquoted unless it is part of the line end.
        banned = ("\r",) if end == "\n" and quoting == csv.QUOTE_MINIMAL else ()
        source = collection.source(name, banned)
        is_simple = quoting == csv.QUOTE_MINIMAL and separator != ","
        names = NAMES if is_simple else NAMES[:3] + CURIOUS_NAMES
        columns = source.table(TEXT_KINDS, collection.n_rows(), names)
        if is_simple and len(columns) < 3:
            # With few columns and all kinds of separators in the texts, the separator is ambiguous.
            columns = {"id": source.column("int", len(columns["text"])), **columns}
            columns["label 2"] = source.column("bool", len(columns["text"]))
        data = python_csv(columns, delimiter=separator, quoting=quoting, lineterminator=end)
        quoted = (lambda _: True) if quoting == csv.QUOTE_ALL else never
        collection.add(name, data, csv_cells(columns, data, separator, quoted))

    for suffix, separator, end in [("lf.csv", ",", "\n"), ("crlf.csv", ",", "\r\n"), ("crlf.tsv", "\t", "\r\n")]:
        name = f"pandas-{suffix}"
        source = collection.source(name, ("\r",) if end == "\n" else ())
        columns = source.table(["string", "word", "bool", "float"], collection.n_rows())
        frame = pd.DataFrame({key: pd.Series(values, dtype=object) for key, values in columns.items()})
        text = frame.to_csv(index=False, sep=separator, lineterminator=end)
        data = text.encode()
        collection.add(name, data, csv_cells(columns, data, separator, never))

    for suffix, separator, style in [
        ("necessary.csv", ",", "necessary"),
        ("always.csv", ",", "always"),
        ("non-numeric.csv", ",", "non_numeric"),
        ("always.tsv", "\t", "always"),
    ]:
        name = f"polars-{suffix}"
        columns = collection.source(name).table(
            ["string", "string", "word", "int", "float", "bool", "date"], collection.n_rows(), NAMES + CURIOUS_NAMES[:3]
        )
        text = polars_frame(columns).write_csv(separator=separator, quote_style=style)
        data = text.encode()
        quoted = (lambda _: True) if style == "always" else of_strings
        collection.add(name, data, csv_cells(columns, data, separator, quoted))

    for suffix, separator in [("needed.csv", ","), ("needed.tsv", "\t")]:
        name = f"pyarrow-{suffix}"
        columns = collection.source(name).table(
            ["string", "string", "word", "int", "float", "bool", "date"], collection.n_rows()
        )
        table = pa.table({key: pa.array(values) for key, values in columns.items()})
        sink = io.BytesIO()
        pa_csv.write_csv(table, sink, pa_csv.WriteOptions(delimiter=separator))
        data = sink.getvalue()
        collection.add(name, data, csv_cells(columns, data, separator, of_strings))

    if collection.rows:
        return
    for name, pack in [
        ("packed.csv.gz", lambda data: gzip.compress(data, mtime=0)),
        ("packed.csv.zst", lambda data: pa.compress(data, codec="zstd", asbytes=True)),
        ("mark.csv", lambda data: b"\xef\xbb\xbf" + data),
        ("utf-16.csv", lambda data: data.decode().encode("utf-16")),
        ("utf-16-be.csv", lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be")),
    ]:
        columns = collection.source(name).table(TEXT_KINDS, collection.n_rows())
        data = python_csv(columns)
        collection.add(name, pack(data), csv_cells(columns, data, ",", never))
    collection.add("no-rows.csv", b"text,label\r\n", {}, error=True)


def polars_frame(columns):
    return pl.DataFrame({key: pl.Series(key, values, strict=True) for key, values in columns.items()})


# JSON lines


def json_cell(value):
    """The cell of a value parsed with `digits`."""
    if isinstance(value, str):
        return value
    if isinstance(value, Digits):
        return [value.text]
    return [json.dumps(value)]


class Digits:
    def __init__(self, text):
        self.text = text


def json_cells(columns, data, dumped=json.dumps):
    text = data.decode("utf-8-sig")
    rows = [
        json.loads(line, parse_float=Digits, parse_int=Digits)
        for line in text.split("\n")
        if line.strip("\r")
    ]
    names = list(dict.fromkeys(key for row in rows for key in row))
    found = {}
    for name in names:
        if name == "nested":
            # Its JSON text, as in the file.
            found[name] = [
                None if name not in row else value if isinstance(value, str) else [dumped(value)]
                for row, value in zip(rows, columns[name], strict=True)
            ]
            continue
        cells = []
        for row, value in zip(rows, columns[name], strict=True):
            if isinstance(value, str):
                assert row[name] == value
            elif isinstance(value, int) and not isinstance(value, bool):
                assert row[name].text == str(value)
            cells.append(json_cell(row[name]) if name in row else None)
        found[name] = cells
    return found


def add_json(collection):
    kinds = ["string", "string", "word", "int", "uint", "float", "bool"]
    for suffix, ascii_only, end, mark in [
        ("ascii.jsonl", True, "\n", b""),
        ("utf-8.jsonl", False, "\r\n", b"\xef\xbb\xbf"),
        ("open-end.ndjson", False, "\n", b""),
    ]:
        name = f"python-{suffix}"
        source = collection.source(name)
        columns = source.table(kinds, collection.n_rows(), NAMES + CURIOUS_NAMES)
        r = source.random
        n_rows = len(columns["text"])
        nested = [
            r.choice([None, [], {}, [1, "a\n", None], {"k": {"ü": [True, 0.5]}}, "s", 10**30, [[-0.0]]])
            for _ in range(n_rows)
        ]
        columns["nested"] = nested
        lines = []
        for idx in range(n_rows):
            row = {
                key: values[idx]
                for key, values in columns.items()
                if values[idx] is not None or r.random() < 0.5
            }
            lines.append(json.dumps(row, ensure_ascii=ascii_only))
        data = mark + end.join(lines + ([] if "open-end" in name else [""])).encode()
        cells = json_cells(columns, data, lambda x, a=ascii_only: json.dumps(x, ensure_ascii=a))
        collection.add(name, data, cells)

    for name, ascii_only in [("pandas-ascii.jsonl", True), ("pandas-utf-8.jsonl", False)]:
        columns = collection.source(name).table(["string", "word", "int", "bool"], collection.n_rows())
        frame = pd.DataFrame({key: pd.Series(values, dtype=object) for key, values in columns.items()})
        data = frame.to_json(orient="records", lines=True, force_ascii=ascii_only).encode()
        collection.add(name, data, json_cells(columns, data))

    name = "polars.jsonl"
    columns = collection.source(name).table(["string", "word", "int", "float", "bool"], collection.n_rows())
    data = polars_frame(columns).write_ndjson().encode()
    collection.add(name, data, json_cells(columns, data))

    if collection.rows:
        return
    name = "packed.jsonl.gz"
    columns = collection.source(name).table(kinds, collection.n_rows())
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    collection.add(name, gzip.compress(data, mtime=0), json_cells(columns, data))
    collection.add("no-rows.jsonl", b"\n", {}, error=True)


# Parquet


def typed_cell(value, digits):
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, float):
        return [double(value)]
    if isinstance(value, datetime.datetime):
        fraction = f"{value.microsecond:06}"
        return [value.strftime("%Y-%m-%dT%H:%M:%S.") + (fraction + "000")[:digits]]
    return [str(value)]


def typed_cells(columns, digits=6):
    return {name: [typed_cell(value, digits) for value in values] for name, values in columns.items()}


def parquet_bytes(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def single(value):
    """The nearest 32-bit value."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def add_parquet(collection):
    strings = {
        "string": pa.string(),
        "large": pa.large_string(),
        "view": pa.string_view(),
        "dictionary": pa.dictionary(pa.int32(), pa.string()),
        "small-dictionary": pa.dictionary(pa.int8(), pa.large_string()),
    }
    n_groups = max(7, collection.rows // 5)
    options = [
        {"compression": "snappy"},
        {"compression": "zstd", "row_group_size": n_groups},
        {"compression": "gzip", "data_page_version": "2.0", "row_group_size": n_groups},
        {"compression": "none", "use_dictionary": False},
        {"compression": "snappy", "row_group_size": n_groups, "store_schema": False},
    ]
    for (suffix, kind), option in zip(strings.items(), options, strict=True):
        name = f"pyarrow-{suffix}.parquet"
        source = collection.source(name)
        n_rows = collection.n_rows()
        columns = {"text": source.column("text", n_rows)}
        of_words = "dictionary" in suffix
        columns["other"] = source.column("word" if of_words else "string", n_rows)
        text_type = pa.string() if suffix == "small-dictionary" else kind
        arrays = {
            "text": pa.array(columns["text"], text_type),
            "other": pa.array(columns["other"], pa.string()).cast(kind) if not of_words
            else pa.array(columns["other"]).dictionary_encode().cast(kind),
        }
        collection.add(name, parquet_bytes(pa.table(arrays), **option), typed_cells(columns))

    name = "pyarrow-types.parquet"
    source = collection.source(name)
    n_rows = collection.n_rows()
    more = source.random.choices([float("nan"), float("inf"), -float("inf"), 0.1, -0.0, 3.4e38], k=n_rows)
    columns = {
        "text": source.column("text", n_rows),
        **{f"i{bits}": source.column("small", n_rows) for bits in (8, 16, 32)},
        "i64": source.column("int", n_rows),
        "u8": [None if x is None else abs(x) for x in source.column("small", n_rows)],
        "u64": source.column("uint", n_rows),
        "f32": [single(x) for x in more],
        "f64": source.column("float", n_rows),
        "flag": source.column("bool", n_rows),
        "day": source.column("date", n_rows),
        "nothing": [None] * n_rows,
    }
    types = [
        pa.string(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint64(), pa.float32(),
        pa.float64(), pa.bool_(), pa.date32(), pa.null(),
    ]
    arrays = {
        key: pa.array(values, kind) for (key, values), kind in zip(columns.items(), types, strict=True)
    }
    collection.add(name, parquet_bytes(pa.table(arrays), row_group_size=n_groups), typed_cells(columns))

    for unit, digits in [("ms", 3), ("us", 6), ("ns", 9)]:
        name = f"pyarrow-times-{unit}.parquet"
        source = collection.source(name)
        n_rows = collection.n_rows()
        columns = {"text": source.column("text", n_rows), "at": source.column("time", n_rows)}
        if unit == "ms":
            columns["at"] = [
                t and t.replace(microsecond=t.microsecond // 1000 * 1000) for t in columns["at"]
            ]
        table = pa.table({"text": columns["text"], "at": pa.array(columns["at"], pa.timestamp(unit))})
        collection.add(name, parquet_bytes(table), typed_cells(columns, digits))

    name = "pandas.parquet"
    source = collection.source(name)
    columns = source.table(["string", "word", "int", "bool"], collection.n_rows())
    frame = pd.DataFrame(
        {
            key: pd.Series(values, dtype="Int64" if all(type(x) in (int, type(None)) for x in values) else object)
            for key, values in columns.items()
        }
    )
    sink = io.BytesIO()
    frame.to_parquet(sink)
    collection.add(name, sink.getvalue(), typed_cells(columns))

    for suffix, option in [("zstd", {}), ("groups", {"row_group_size": n_groups, "compression": "snappy"})]:
        name = f"polars-{suffix}.parquet"
        columns = collection.source(name).table(
            ["string", "word", "int", "float", "bool", "date"], collection.n_rows(), NAMES + CURIOUS_NAMES
        )
        sink = io.BytesIO()
        polars_frame(columns).write_parquet(sink, **option)
        collection.add(name, sink.getvalue(), typed_cells(columns))

    if not collection.rows:
        table = pa.table({"text": pa.array([], pa.string())})
        collection.add("no-rows.parquet", parquet_bytes(table), {}, error=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=0, help="rows of each table [default: a few]")
    parser.add_argument("--output", default=Path(__file__).parent, help="[default: beside this script]")
    args = parser.parse_args()
    csv.field_size_limit(10**9)
    collection = Collection(args.output, args.rows)
    add_csv(collection)
    add_json(collection)
    add_parquet(collection)
    collection.finish()


if __name__ == "__main__":
    main()
