"""Prints what a step of a training costs on a GPU, as Markdown, from the reports of trace.c; several side by side.

Numbers are per step. A step is counted by --steps or --count-kernel, once for each report in their order, or once
for all; without either, numbers are those of the whole window. `python3 -m doctest summary.py` tests this file.
"""

import argparse
import itertools
import json
import sys
from pathlib import Path

EXAMPLES = """\
examples:
  summary.py ours.json                                       the whole window: which kernels there are, how often
  summary.py ours.json --steps 400                           the window has 400 steps
  summary.py ours.json torch.json --count-kernel bce_loss --count-kernel binary_cross
                                                             a kernel that each program launches once a step
"""

MISSING = "not recorded"


class ReportError(Exception):
    """A report cannot be read, or its steps cannot be counted."""


def parse_args():
    flags = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("reports", nargs="+", type=Path, metavar="REPORT", help="JSON files that trace.c wrote")
    flags.add_argument("--steps", dest="counters", action="append", type=positive, metavar="N", help="number of steps in the window")
    flags.add_argument("--count-kernel", dest="counters", action="append", metavar="NAME-PART", help="count the launches of the kernel with this in its name, among those that the report names")
    flags.add_argument("--name", dest="names", action="append", metavar="NAME", help="what to call a report, in their order (default: its file name)")
    flags.add_argument("--top", type=positive, default=15, metavar="N", help="lines of each list (default 15)")
    flags.add_argument("--width", type=positive, default=60, metavar="CHARS", help="characters of a name; 120 shows all of it (default 60)")
    args = flags.parse_args()
    args.counters = args.counters or [None]
    if len(args.counters) not in (1, len(args.reports)):
        flags.error(f"--steps and --count-kernel: {len(args.counters)} of them for {len(args.reports)} reports; give one for all, or one for each")
    args.names = args.names or [path.stem for path in args.reports]
    if len(args.names) != len(args.reports):
        flags.error(f"--name: {len(args.names)} names for {len(args.reports)} reports; give one for each, or none")
    return args


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}, expected 1 or more")
    return number


class Report:
    """One report, with the number of steps in its window."""

    def __init__(self, data, name, counter):
        self.data = data
        self.name = name
        self.counted = None if isinstance(counter, int) or counter is None else counted_kernel(data, counter)
        self.per_step_known = counter is not None
        self.steps = self.counted["count"] if self.counted else counter or 1

    def recorded(self, *kinds):
        return all(self.data["recorded"][kind] for kind in kinds)

    def per_step(self, key, field, keep=lambda row: True, with_rest=True):
        """Sum over the rows of a list, and over those that the report does not name, by the number of steps."""
        total = sum(row[field] for row in self.data[key] if keep(row))
        rest = self.data[f"{key}_rest"].get(field, 0) if with_rest else 0
        return (total + rest) / self.steps


def read(path, name, counter):
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ReportError(f"{path}: {error}; expected a report of trace.c") from error
    if not isinstance(data, dict) or data.get("format") != 1:
        raise ReportError(f"{path} is not a report of trace.c, or is one of another version")
    try:
        return Report(data, name, counter)
    except ReportError as error:
        raise ReportError(f"{path}: {error}") from error


def counted_kernel(data, part):
    """The one kernel that has `part` in its name, or is named so.

    >>> kernels = {"kernels": [{"name": "adam", "count": 8}, {"name": "adam_w", "count": 4}]}
    >>> counted_kernel(kernels, "_w")["count"], counted_kernel(kernels, "adam")["count"]
    (4, 8)
    >>> counted_kernel(kernels, "ada")
    Traceback (most recent call last):
    summary.ReportError: --count-kernel: "ada" is in the names of 2 kernels, expected one: adam, adam_w
    """
    found = [row for row in data["kernels"] if part in row["name"]]
    exact = [row for row in found if part == row["name"]]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        raise ReportError(f'--count-kernel: "{part}" is in no name of the {len(data["kernels"])} kernels that the report names')
    names = ", ".join(row["name"] for row in found)
    raise ReportError(f'--count-kernel: "{part}" is in the names of {len(found)} kernels, expected one: {names}')


def number(value):
    """Three significant digits.

    >>> [number(value) for value in (0, 0.01234, 1.234, 12.34, 1234.5)]
    ['0', '0.0123', '1.23', '12.3', '1234']
    """
    if value == 0:
        return "0"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def code(name, width):
    """A name as code in a cell of a table; a long one without its middle, since names often differ at the end.

    >>> code("gemm|kernel_of_floats", 12)
    '`gemm\\\\|ker…ats`'
    """
    tail = width // 4
    cut = name if len(name) <= width else name[: width - 1 - tail] + "…" + name[len(name) - tail :]
    return "`" + cut.replace("|", "\\|") + "`"


def line(cells):
    return "| " + " | ".join(cells) + " |"


def overview(reports):
    """Rows of the overview: a label, then a number for each report, or `None` where it was not recorded.

    >>> row = {"count": 20, "total_us": 500.0}
    >>> rest = {"names": 0, "count": 0, "total_us": 0.0}
    >>> copy = dict(row, name="DtoH", bytes=80, waits=True)
    >>> data = {"window_s": 0.002, "busy_s": 0.001, "busy_share": 0.5, "kernels": [dict(row, name="k")],
    ...         "memcpy": [copy], "memset": [], "api": [], "synchronizations": [dict(row, waits=False)]}
    >>> data.update({f"{key}_rest": rest for key in ("kernels", "memcpy", "memset", "api", "synchronizations")})
    >>> data["recorded"] = dict.fromkeys(("kernel", "memcpy", "memset", "synchronization"), True)
    >>> data["recorded"].update(driver=False, runtime=False)
    >>> rows = dict(overview([Report(data, "ours", 10)]))
    >>> rows["time, ms"], rows["GPU busy, %"], rows["kernel launches"], rows["kernel time, ms"]
    ([0.2], [50.0], [2.0], [0.05])
    >>> rows["copies to the host"], rows["copies to the host that wait"], rows["copied to the host, kB"]
    ([2.0], [2.0], [0.008])
    >>> rows["waits for the GPU"], rows["CUDA calls"]
    ([0.0], [None])
    """
    rows = []

    def add(label, kinds, value):
        rows.append((label, [value(report) if report.recorded(*kinds) else None for report in reports]))

    def add_sums(kinds, key, counted, timed, keep=lambda row: True, with_rest=True):
        add(counted, kinds, lambda report: report.per_step(key, "count", keep, with_rest))
        if timed:
            add(timed, kinds, lambda report: report.per_step(key, "total_us", keep, with_rest) / 1e3)

    device = ["kernel", "memcpy", "memset"]
    add("time, ms", device, lambda report: report.data["window_s"] * 1e3 / report.steps)
    add("GPU busy, %", device, lambda report: report.data["busy_share"] * 100)
    add("GPU idle, ms", device, lambda report: (report.data["window_s"] - report.data["busy_s"]) * 1e3 / report.steps)
    add_sums(["kernel"], "kernels", "kernel launches", "kernel time, ms")
    for direction, label in (("HtoD", "to the GPU"), ("DtoH", "to the host"), ("DtoD", "within the GPU")):
        def same(row, direction=direction):
            return row["name"] == direction

        add_sums(["memcpy"], "memcpy", f"copies {label}", f"time of copies {label}, ms", same, False)
        add(f"copied {label}, kB", ["memcpy"], lambda report, same=same: report.per_step("memcpy", "bytes", same, False) / 1e3)
    add_sums(["memcpy"], "memcpy", "copies to the host that wait", None, lambda row: row["waits"], False)
    add_sums(["memset"], "memset", "memsets", "memset time, ms")
    add_sums(["synchronization"], "synchronizations", "waits for the GPU", "time of waits, ms", lambda row: row["waits"], False)
    add_sums(["driver", "runtime"], "api", "CUDA calls", "time in CUDA calls, ms")
    return rows


def overview_lines(reports):
    ratio = len(reports) == 2
    header = ["", *(report.name for report in reports)] + ([f"{reports[1].name} / {reports[0].name}"] if ratio else [])
    yield line(header)
    yield line(["---", *["---:"] * (len(header) - 1)])
    for label, values in overview(reports):
        cells = [label, *(MISSING if value is None else number(value) for value in values)]
        if ratio:
            both = None not in values and values[0] > 0 and not label.endswith("%")
            cells.append(number(values[1] / values[0]) if both else "")
        yield line(cells)


def beside(reports, columns, lists):
    """Lines of a table that has the lists of all reports side by side, each with these columns.

    >>> ours, torch = Report({}, "ours", 1), Report({}, "PyTorch", 1)
    >>> print(*beside([ours, torch], ["kernel", "µs"], [[["a", "1"], ["b", "2"]], [["c", "3"]]]), sep="\\n")
    | ours: kernel | µs | PyTorch: kernel | µs |
    | --- | ---: | --- | ---: |
    | a | 1 | c | 3 |
    | b | 2 |  |  |
    """
    yield line([cell for report in reports for cell in (f"{report.name}: {columns[0]}", *columns[1:])])
    yield line(["---", *["---:"] * (len(columns) - 1)] * len(reports))
    for rows in itertools.zip_longest(*lists, fillvalue=[""] * len(columns)):
        yield line([cell for row in rows for cell in row])


def rows_of(report, key, top, label, fields):
    """The first rows of a list: a label, then `fields` of each; at last what the rest comes to, as far as it is known."""
    rows = report.data[key]
    listed = [[label(row), *(number(field(row, report.steps)) for field in fields)] for row in rows[:top]]
    rest = dict(report.data[f"{key}_rest"])
    rest["names"] += len(rows[top:])
    for field in ("count", "total_us"):
        rest[field] += sum(row[field] for row in rows[top:])
    if rest["names"]:
        listed.append([f"{rest['names']} more", *(number(field(rest, report.steps)) if field in (calls, time_us) else "" for field in fields)])
    return listed


def calls(row, steps):
    return row["count"] / steps


def time_us(row, steps):
    return row["total_us"] / steps


def mean_us(row, _steps):
    return row["total_us"] / row["count"]


def kilobytes(row, steps):
    return row["bytes"] / steps / 1e3


def copy_label(row):
    how = ", ".join([f"{row['from']} to {row['to']}", "asynchronous" if row["async"] else "synchronous"])
    return f"{row['name']} ({how}{', waits' if row['waits'] else ''})"


def wait_label(row):
    return row["name"] + (" (failed, or not ready)" if row["failed"] else "" if row["waits"] else " (the host does not wait)")


def gap_rows(report, width):
    def side(gap, which):
        kind = gap[f"{which}_kind"]
        return code(gap[which], width) if kind == "kernel" else f"{kind} {gap[which]}"

    for gap in report.data["gaps"]:
        yield [f"{side(gap, 'before')}, {side(gap, 'after')}", number(gap["length_us"]), f"{gap['start_s'] * 1e3:.1f}"]


def faults(report):
    """What makes a report's numbers mean less than they seem to."""
    data = report.data
    for kind, error in data["refused"].items():
        yield f"CUPTI refused to record activity of the kind {kind} ({error}): it is missing from every number."
    if data["lost_records"]:
        yield f"{data['lost_records']} records were lost: counts and times are too small."
    if data["untimed_records"]:
        yield f"{data['untimed_records']} records had no times and are not counted. A few are usual at the end of a process."
    if data["cut_short"]:
        yield "There was no room for all events: the window ends early."
    if data["devices"] > 1:
        yield f"{data['devices']} devices were used: busy means that any of them was."
    if data["window_s"] == 0:
        yield "No device activity is in the window: TRACE_SKIP_S may be longer than the process ran."


def how_counted(report):
    if not report.per_step_known:
        return "numbers are for the whole window, not per step"
    counted = f"launches of {code(report.counted['name'], 120)}" if report.counted else "as given"
    return f"{report.steps} steps ({counted})"


def summary_lines(reports, top, width):
    for report in reports:
        data = report.data
        yield f"- {report.name}: window of {number(data['window_s'])} s, from {number(data['window_from_s'])} s after CUDA's start; {how_counted(report)}."
        yield from (f"- **{report.name}: {fault}**" for fault in faults(report))
    yield from ("", "### A step", "", *overview_lines(reports))
    yield from ("", "A call of the runtime may be counted again as calls of the driver. A call that waits takes as long as the wait.")

    def section(title, key, columns, label, fields):
        lists = [rows_of(report, key, top, label, fields) for report in reports]
        if any(lists):
            yield from ("", f"### {title}", "", *beside(reports, columns, lists))

    yield from section("Kernels", "kernels", ["kernel", "µs", "launches", "mean µs"], lambda row: code(row["name"], width), [time_us, calls, mean_us])
    yield from section("Copies", "memcpy", ["copies", "µs", "copies", "kB"], copy_label, [time_us, calls, kilobytes])
    yield from section("Memsets", "memset", ["memory", "µs", "memsets", "kB"], lambda row: row["name"], [time_us, calls, kilobytes])
    yield from section("Waits", "synchronizations", ["wait", "µs", "waits"], wait_label, [time_us, calls])
    yield from section("CUDA calls", "api", ["call", "µs", "calls"], lambda row: f"{code(row['name'], width)} ({row['api']})", [time_us, calls])
    gaps = [list(gap_rows(report, width)) for report in reports]
    if any(gaps):
        yield from ("", "### Longest gaps between device activities, in the whole window", "")
        yield from beside(reports, ["activities before and after", "µs", "at ms"], gaps)


def main():
    args = parse_args()
    counters = args.counters * len(args.reports) if len(args.counters) == 1 else args.counters
    try:
        reports = [read(*each) for each in zip(args.reports, args.names, counters)]
    except ReportError as error:
        sys.exit(f"summary.py: {error}")
    print(*summary_lines(reports, args.top, args.width), sep="\n")


if __name__ == "__main__":
    main()
