"""Makes a large Parquet table of texts for ``prove.py``: reviews, repeated and cut, each with an id of its own.

python make_table.py --reviews reviews.csv --rows 200000 --output table.parquet
"""

import argparse
import random

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

# Spark and Ray divide a file between groups of rows.
ROWS_PER_GROUP = 5_000


def table(reviews, n_rows, longest):
    """A table of ids and texts: parts of up to ``longest`` characters, some of them empty."""
    choice = random.Random(20)
    texts = []
    for row in range(n_rows):
        review = reviews[row % len(reviews)]
        start = choice.randrange(len(review) + 1)
        texts.append(review[start : start + choice.randrange(longest + 1)])
    return pa.table({"id": pa.array(range(n_rows), pa.int64()), "text": pa.array(texts, pa.string())})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reviews", required=True, help="CSV file with a column of texts")
    parser.add_argument("--text", default="text", help="the column of texts")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--longest", type=int, default=400, help="longest text in characters")
    parser.add_argument("--output", required=True, help="Parquet file to write")
    args = parser.parse_args()
    parsing = pyarrow.csv.ParseOptions(newlines_in_values=True)
    only_texts = pyarrow.csv.ConvertOptions(include_columns=[args.text], column_types={args.text: pa.string()})
    read = pyarrow.csv.read_csv(args.reviews, parse_options=parsing, convert_options=only_texts)
    made = table(read.column(args.text).to_pylist(), args.rows, args.longest)
    pyarrow.parquet.write_table(made, args.output, row_group_size=ROWS_PER_GROUP)


if __name__ == "__main__":
    main()
