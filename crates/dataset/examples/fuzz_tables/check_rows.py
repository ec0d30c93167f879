"""Parses inputs that our readers accepted with Python's csv or json, or pyarrow, and compares all cells.

Run by `cargo xtask fuzz`. Standard input: for each input its bytes, then the columns found and the settings
as JSON, each preceded by its length in four bytes. Standard output: `same`, `unreadable` or the difference,
then `ready`.
"""

import csv
import datetime
import io
import json
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "golden"))


def decoded(data):
    for mark, name in [(b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")]:
        if data.startswith(mark):
            return data[len(mark) :].decode(name)
    return data.decode("utf-8")


# CSV and TSV


def is_empty(row):
    return not any(row)


def csv_rows(text, separator, is_literal):
    """As documented: CR CR LF also ends a line; CR alone does so only in a file without LF."""
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=separator,
        strict=True,
        quoting=csv.QUOTE_NONE if is_literal else csv.QUOTE_MINIMAL,
    )
    return list(reader)


def check_csv(data, told):
    text = decoded(data)
    names = [column["name"] for column in told["columns"]]
    ours = [[cell or "" for cell in row] for row in zip(*(c["cells"] for c in told["columns"]), strict=True)]
    # Python does not distinguish blank lines from rows without values.
    ours = [row for row in ours if not is_empty(row)]
    # Skip lines until the header is found, because our reader skips comments before it.
    rest = text
    failure = None
    while True:
        try:
            rows = csv_rows(rest, told["separator"], told["literal"])
        except csv.Error as error:
            rows, failure = None, failure or str(error)
        if rows:
            width = len(names)
            rows = [row for row in rows if row and not (width > 1 and len(row) == 1 and not row[0].strip())]
            if rows and rows[0] == names:
                theirs = [row for row in rows[1:] if not is_empty(row)]
                return None if theirs == ours else f"Python finds {theirs!r}, we {ours!r}"
        end = rest.find("\n") if "\n" in text else rest.find("\r")
        if end < 0:
            break
        rest = rest[end + 1 :]
    return f"Python does not find our header {names!r}: {failure}"


# JSON lines


class Digits(str):
    pass


def pairs(members):
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a key twice")
    return found


def constant(name):
    raise ValueError(name)


def parsed(text):
    return json.loads(
        text, parse_float=Digits, parse_int=Digits, parse_constant=constant, object_pairs_hook=pairs
    )


def same_json(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_json(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same_json, a, b))
    return a == b


def check_json(data, told):
    text = decoded(data)
    if text.lstrip(" \t\r\n").startswith("["):
        rows = parsed(text)
    else:
        lines = text.split("\n" if "\n" in text else "\r")
        rows = [parsed(line) for line in lines if line.strip(" \t\r")]
    names = {key for row in rows for key in row}
    if names != {column["name"] for column in told["columns"]}:
        return f"Python finds the keys {names!r}"
    for column in told["columns"]:
        if len(column["cells"]) != len(rows):
            return f"Python finds {len(rows)} rows"
        for idx, (row, cell) in enumerate(zip(rows, column["cells"], strict=True)):
            if (cell is not None) != (column["name"] in row):
                return f"row {idx + 1}: key {column['name']!r}"
            if cell is None:
                continue
            ours = cell if isinstance(cell, str) else parsed(cell[0])
            if not same_json(ours, row[column["name"]]):
                return f"row {idx + 1}: Python finds {row[column['name']]!r}, we {ours!r}"
    return None


# Parquet


class Unreadable(Exception):
    pass


class Different(Exception):
    pass


def check_times(found, column):
    """Compares to the second, as the unit may be damaged, and only in years that Python supports."""
    units = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[found.type.unit]
    for number, cell in zip(found.cast("int64").to_pylist(), column["cells"], strict=True):
        if (number is None) != (cell is None):
            raise Different(f"column {column['name']!r}: Python, we: {number!r}, {cell!r}")
        if number is None:
            continue
        try:
            time = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=number // units)
        except OverflowError:
            continue
        ours = datetime.datetime.fromisoformat(cell[0][:19])
        if abs(ours - time) > datetime.timedelta(seconds=1):
            raise Different(f"column {column['name']!r}: Python, we: {time!r}, {cell!r}")


def is_digits(cell):
    return cell is None or cell[0].removeprefix("-").isdigit()


def check_parquet(data, told):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from make_tables import typed_cell

    for column in told["columns"]:
        try:
            file = pq.ParquetFile(io.BytesIO(data))
            found = file.read([column["name"]], use_threads=False)
            found.validate(full=True)
            if found.num_columns != 1 or found.num_rows != file.metadata.num_rows:
                # pyarrow compares the lengths of columns only when it joins them.
                raise Unreadable("not one column of all rows")
            found = found.column(0)
            if pa.types.is_timestamp(found.type):
                check_times(found, column)
                continue
            if pa.types.is_integer(found.type) and not all(is_digits(cell) for cell in column["cells"]):
                raise Unreadable("of two types, one says that these are dates or times")
            # Bytes count as texts if they are UTF-8.
            values = [x.decode() if isinstance(x, bytes) else x for x in found.to_pylist()]
            theirs = [typed_cell(x, 6) for x in values]
        except Different as different:
            return str(different)
        except Exception as error:
            raise Unreadable from error
        if theirs != column["cells"]:
            wrong = next((pair for pair in zip(theirs, column["cells"]) if pair[0] != pair[1]), "length")
            return f"column {column['name']!r}: Python, we: {wrong!r}"
    return None


def main():
    csv.field_size_limit(10**9)
    check = {"CSV": check_csv, "TSV": check_csv, "JSON lines": check_json, "Parquet": check_parquet}[sys.argv[1]]
    stdin, stdout = sys.stdin.buffer, sys.stdout
    while True:
        parts = []
        for _ in range(2):
            head = stdin.read(4)
            if len(head) < 4:
                return
            parts.append(stdin.read(struct.unpack("<I", head)[0]))
        data, told = parts[0], json.loads(parts[1])
        try:
            difference = check(data, told)
            answer = f"input {told['number']}: {difference}: {data[:600]!r}" if difference else "same"
        except Unreadable:
            answer = "unreadable"
        except Exception as error:
            answer = f"input {told['number']}: Python refuses it: {type(error).__name__} {error}: {data[:600]!r}"
        answer = answer.replace("\n", " ").encode("ascii", "backslashreplace").decode()
        stdout.write(f"{answer}\nready\n")
        stdout.flush()


if __name__ == "__main__":
    main()
