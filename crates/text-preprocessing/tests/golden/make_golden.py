"""Encodes reviews with Python's `tokenizers`, to compare with what this crate gives.

Needs Python packages `tokenizers` and `pandas`. From the repository root, with the reviews as
`reviews.csv` (columns text,label,source):

    G=crates/text-preprocessing/tests/golden
    RUN="cargo run -p text-preprocessing --example"
    CONFIG='{"scheme": "words", "max_vocab": 20000}'

    python3 $G/make_golden.py texts reviews.csv texts.jsonl --source imdb --count 25000
    $RUN learn_tokenizer -- texts.jsonl words.json "$CONFIG"
    python3 $G/make_golden.py encode texts.jsonl words.json ids.jsonl --count 1000 --every 25
    $RUN compare_encodings -- texts.jsonl.sample words.json "$CONFIG" ids.jsonl

`encode` writes the sample that it took beside the texts. With `--notebook`, for the scheme
`words`, it also encodes by the course notebook's rules in plain Python and reports for how many
texts the ids are the same.

    python3 $G/make_golden.py golden texts.jsonl $G

rewrites the committed files that `tests/golden.rs` reads, from vocabularies learned on the first
300 reviews (it calls the `learn_tokenizer` example itself).
"""

import argparse
import json
import re
import string
import subprocess
import tempfile
from pathlib import Path

from tokenizers import Tokenizer

# The committed subset: a name, and the PreprocessingConfig as the crate reads it.
GOLDEN = {
    "words-head": {"scheme": "words", "seq_len": 24, "max_vocab": 500, "truncation": "head"},
    "words-tail": {"scheme": "words", "seq_len": 24, "max_vocab": 500, "truncation": "tail"},
    "words-and-punctuation": {
        "scheme": "words-and-punctuation",
        "seq_len": 32,
        "max_vocab": 500,
        "min_frequency": 2,
    },
    "bpe": {"scheme": "bpe", "seq_len": 48, "max_vocab": 600, "truncation": "tail"},
}

ODD_TEXTS = [
    "",
    " \t\r\n ",
    "...!!!???",
    "good",
    "GOOD",
    "Don't! I can't, it isn't... well-made; 10/10!!!!!",
    "I don\u2019t say \u201cgood\u201d \u2014 it\u2019s \u2018bad\u2019\u2026",
    "one<br /><br />two<BR/>three<br>four<br\t/>five<br nothing",
    "rock'n'the roll, n't, 'n't', DON'T",
    "[PAD] [UNK] pad unk",
    "tab\tnew\nline\u00a0no-break\u3000ideographic\u2028separator\u0085next\u200bzero-width",
    "\x1cfile\x1dgroup\x1erecord\x1funit\x00null\x0bvertical",
    "caf\u00e9 cafe\u0301 na\u00efve STRASSE stra\u00dfe \u1e9e",
    "\u0130stanbul I\u011fd\u0131r \u0131i\u0307",
    "\u039f\u0394\u039f\u03a3 \u03a3\u03ac\u03c2",
    "\u8fd9\u90e8\u7535\u5f71\u5f88\u597d\uff0c\u6211\u559c\u6b22\uff01",
    "\u0647\u0630\u0627 \u0627\u0644\u0641\u064a\u0644\u0645 \u0631\u0627\u0626\u0639\u060c \u062d\u0642\u0627\u061f",
    "\u0924\u092e\u093e\u0936\u093e \u0939\u0948\u0964",
    "great \U0001f600\U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f film",
    "\ufeffbom \ufffd replacement \U0010ffff last",
    "a" * 200,
    "-----!!!!!.....,,,,,*****",
]


def read_texts(path):
    # Not splitlines(): texts may hold other line separators, which JSON leaves unescaped.
    return [json.loads(line) for line in Path(path).read_text("utf-8").split("\n") if line]


def write_lines(path, values):
    lines = (json.dumps(value, ensure_ascii=True) + "\n" for value in values)
    Path(path).write_text("".join(lines), "utf-8")


def notebook_ids(text, vocab, seq_len):
    """The notebook's rules in plain Python: lower-case, no punctuation, split, cut, left-pad."""
    text = re.sub(r"<br\s*/?>", " ", text.lower())
    text = text.translate(str.maketrans("", "", string.punctuation))
    ids = [vocab.get(word, vocab["[UNK]"]) for word in text.split()][:seq_len]
    return [0] * (seq_len - len(ids)) + ids


def texts_command(args):
    import pandas

    table = pandas.read_csv(args.csv)
    texts = table[table["source"] == args.source]["text"]
    write_lines(args.out, texts.head(args.count))


def encode_command(args):
    texts = read_texts(args.texts)[:: args.every][: args.count]
    write_lines(f"{args.texts}.sample", texts)
    tokenizer = Tokenizer.from_file(args.tokenizer)
    ids = [tokenizer.encode(text).ids for text in texts]
    write_lines(args.out, ids)
    if args.notebook:
        vocab = tokenizer.get_vocab()
        seq_len = tokenizer.padding["length"]
        equal = [notebook_ids(text, vocab, seq_len) == row for text, row in zip(texts, ids)]
        print(f"{sum(equal)} of {len(equal)} texts have the notebook's ids")


def golden_command(args):
    out = Path(args.folder)
    reviews = read_texts(args.texts)
    # Openings and endings, short enough that the committed file stays small.
    excerpts = [review[:160] for review in reviews[300:320]] + [review[-160:] for review in reviews[320:330]]
    texts = ODD_TEXTS + excerpts
    golden = {"texts": texts, "cases": []}
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / "sample.jsonl"
        write_lines(sample, reviews[:300])
        for name, config in GOLDEN.items():
            path = out / f"{name}.json"
            example = ["cargo", "run", "-p", "text-preprocessing", "--example", "learn_tokenizer"]
            subprocess.run([*example, "--", sample, path, json.dumps(config)], check=True)
            tokenizer = Tokenizer.from_file(str(path))
            ids = [tokenizer.encode(text).ids for text in texts]
            golden["cases"].append({"name": name, "config": config, "ids": ids})
    (out / "expected.json").write_text(json.dumps(golden) + "\n", "utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(required=True)
    texts = commands.add_parser("texts", help="take texts out of the reviews table")
    texts.add_argument("csv")
    texts.add_argument("out")
    texts.add_argument("--source", default="imdb")
    texts.add_argument("--count", type=int, default=25000)
    texts.set_defaults(run=texts_command)
    encode = commands.add_parser("encode", help="encode texts with a tokenizer.json")
    encode.add_argument("texts")
    encode.add_argument("tokenizer")
    encode.add_argument("out")
    encode.add_argument("--count", type=int, default=1000)
    encode.add_argument("--every", type=int, default=1, help="take every n-th text")
    encode.add_argument("--notebook", action="store_true", help="also compare with plain Python")
    encode.set_defaults(run=encode_command)
    golden = commands.add_parser("golden", help="rewrite the committed files")
    golden.add_argument("texts")
    golden.add_argument("folder")
    golden.set_defaults(run=golden_command)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
