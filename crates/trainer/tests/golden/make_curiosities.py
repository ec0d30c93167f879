"""Writes one table of short, odd texts in every format: `curiosities.{csv,tsv,jsonl,parquet}`.

`src/cache/golden.rs` prepares each of them in every way and compares a digest of all that comes out. Run
with `python3 tests/golden/make_curiosities.py` (needs pyarrow) only to add texts: a new table needs a new
digest, but no new version of the preparation.
"""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent

ODD = [
    "Café, cafe\u0301 and CAFÉ",
    "soft\u00adhyphen and zero\u200bwidth, joined\u200dhere \ufeff",
    "fish &amp; chips &lt;3 &quot;quoted&quot; &#233; &#x1F600; &nbsp;end",
    "one<br />two<br>three <i>four</i> a < b",
    "great😀 👍🏽 family 👩\u200d👩\u200d👧 flag 🇨🇭🇫🇷 heart ❤\ufe0f",
    "ＦＵＬＬ ｗｉｄｔｈ１２３ and “curly” ‘quotes’ – dash … dots",
    "İstanbul Σίσυφος ΣΟΦΟΣ straße ﬁne",
    "这部电影真好看",
    "映画は素晴らしい 最低",
    "don't can't it's rock'n'roll 10/10 3.5 stars!!!",
    "...",
    "?!",
    "a",
    "word " * 30,
    "tab\u2003em space\u00a0no-break",
    "under_score snake_case @name #tag http://example.org/x?y=1",
    "मुझे यह फिल्म पसंद है",
    "فيلم رائع جدا",
    "naïve coöperate résumé",
    "e\u0301e\u0301 a\u030a o\u0308",
]


def rows():
    texts = []
    for i in range(60):
        good = i % 2
        word = ["dull", "bright"][good]
        texts.append((f"A {word} film, number {i % 30} of {i}, with scene {i * 7 % 11}", good, f"maker {i % 12}"))
    for i, text in enumerate(ODD):
        texts.append((text, i % 2, f"maker {i % 5}"))
        # The same words again, and every third time with the other label.
        texts.append((f" {text.upper() if text.isascii() else text} !", (i + (i % 3 == 0)) % 2, f"maker {i % 7}"))
    texts.append(texts[0])
    return texts


def main():
    table = rows()
    names = ["text", "label", "maker"]
    for suffix, separator in [("csv", ","), ("tsv", "\t")]:
        with open(HERE / f"curiosities.{suffix}", "w", newline="", encoding="utf-8") as file:
            # What a quotation mark means in a TSV file is the reader's to say: none is in this one.
            quote = "\u201d" if suffix == "tsv" else '"'
            writer = csv.writer(file, delimiter=separator, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
            writer.writerow(names)
            for text, label, maker in table:
                writer.writerow([text.replace('"', quote), label, maker])
    with open(HERE / "curiosities.jsonl", "w", encoding="utf-8") as file:
        for row in table:
            file.write(json.dumps(dict(zip(names, row)), ensure_ascii=False) + "\n")
    columns = list(zip(*table))
    arrays = [pa.array(columns[0], pa.string()), pa.array(columns[1], pa.int8()), pa.array(columns[2], pa.string())]
    pq.write_table(pa.table(arrays, names), HERE / "curiosities.parquet", compression="snappy")


if __name__ == "__main__":
    main()
