"""Encodes reviews with Python's `tokenizers`, for comparison with this crate.

Needs Python packages `tokenizers` and `pandas`. From the repository root, with the reviews as
`reviews.csv` (columns text,label,source):

    G=crates/text-preprocessing/tests/golden
    RUN="cargo run -p text-preprocessing --example"
    CONFIG='{"scheme": "words", "max_vocab": 20000}'

    python3 $G/make_golden.py texts reviews.csv texts.jsonl --source imdb --count 25000
    $RUN learn_tokenizer -- texts.jsonl words.json "$CONFIG"
    python3 $G/make_golden.py encode texts.jsonl words.json ids.jsonl --count 1000 --every 25
    $RUN compare_encodings -- texts.jsonl.sample words.json "$CONFIG" ids.jsonl

`encode` writes its sample beside the texts. For a tokenizer with the first version of cleaning
(`"cleaning": 1`), pass `--cleaning 1`. With `--notebook`, for the scheme `words` under that version, it
also encodes by the course notebook's rules in plain Python and reports for how many texts the ids are
equal.

    python3 $G/make_golden.py golden texts.jsonl $G
    python3 $G/make_golden.py curiosities $G

rewrite the committed files that `tests/golden.rs` reads (both call the `learn_tokenizer` example
themselves): the first, for the first version of cleaning, from vocabularies learned on the first 300
reviews; the second, for the newest, from vocabularies learned on `curiosities.jsonl`. The second also writes
digests of these texts, computed below in plain Python, which need the package `xxhash` and Unicode 14
(Python 3.11).

    python3 $G/make_golden.py symbols crates/text-preprocessing/src/symbols.rs

rewrites the table of characters that digests ignore; it also needs Unicode 14.
"""

import argparse
import html
import json
import re
import string
import subprocess
import sys
import tempfile
import unicodedata
from html.entities import name2codepoint
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
GOLDEN = {name: {**config, "cleaning": 1} for name, config in GOLDEN.items()}

# No limit on words: an unknown word would hide its identity.
CURIOSITIES = {
    "curiosities-words": {"scheme": "words", "seq_len": 100, "truncation": "tail"},
    "curiosities-words-and-punctuation": {"scheme": "words-and-punctuation", "seq_len": 100},
    "curiosities-bpe": {"scheme": "bpe", "seq_len": 300, "max_vocab": 500},
}
CURIOSITIES = {name: {**config, "cleaning": 2} for name, config in CURIOSITIES.items()}

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
    # Not splitlines(): texts may contain other line separators, which JSON leaves unescaped.
    return [json.loads(line) for line in Path(path).read_text("utf-8").split("\n") if line]


def write_lines(path, values):
    lines = (json.dumps(value, ensure_ascii=True) + "\n" for value in values)
    Path(path).write_text("".join(lines), "utf-8")


NUMERIC_ENTITY = re.compile("&#(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6});")


def characters(*ranges):
    """A set of characters from hexadecimal ranges."""
    bounds = [[int(bound, 16) for bound in part.split("-")] for part in " ".join(ranges).split()]
    return {chr(code) for first, *last in bounds for code in range(first, (last or [first])[0] + 1)}


INVISIBLE = characters(
    "0-8 E-1F 7F AD 34F 61C 180B-180F 200B-200C 200E-200F 202A-202E 2060-206F FE00-FE0F FEFF E0001 E0100-E01EF"
)
EMOJIS = characters(
    "2194-2199 21A9-21AA 231A-231B 2328 2388 23CF 23E9-23F3 23F8-23FA 24C2 25AA-25AB 25B6 25C0 25FB-25FE",
    "2600-2767 2794-27BF 2934-2935 2B05-2B07 2B1B-2B1C 2B50 2B55 3030 303D 3297 3299 1F000-1F0FF",
    "1F10D-1F10F 1F12F 1F16C-1F171 1F17E-1F17F 1F18E 1F191-1F19A 1F1AD-1F1E5 1F200-1FAFF 1FC00-1FFFD",
)
FLAG_LETTERS = characters("1F1E6-1F1FF")
FOLDED = {
    **dict.fromkeys("\u00b4\u02bc\u2018\u2019\u201a\u201b\u2039\u203a", "'"),
    **dict.fromkeys("\u00ab\u00bb\u201c\u201d\u201e\u201f\u301d\u301e\u301f", '"'),
    **dict.fromkeys("\u2010\u2011", "-"),
    "\u2026": "...",
}
# Of two names that differ only in case, the lower-case one wins.
NAMED = {name.lower(): chr(code) for name, code in sorted(name2codepoint.items())} | {"apos": "'"}
ELEMENTS = """
a abbr acronym address applet area article aside audio b base basefont bdi bdo bgsound big blink blockquote
body br button canvas caption center cite code col colgroup data datalist dd del details dfn dialog dir div
dl dt em embed fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header
hgroup hr html i iframe img input ins isindex kbd keygen label legend li link main map mark marquee menu
menuitem meta meter nav nobr noembed noframes noscript object ol optgroup option output p param picture
plaintext pre progress q rb rp rt rtc ruby s samp script search section select slot small source span strike
strong style sub summary sup svg table tbody td template textarea tfoot th thead time title tr track tt u ul
var video wbr xmp
""".split()
FLAGS = """
allowfullscreen async autofocus autoplay checked compact controls default defer disabled hidden ismap
itemscope loop multiple muted nohref nomodule noresize noshade novalidate nowrap open readonly required
reversed selected
""".split()
# White space plus \v, as in the crate.
TAG = re.compile(
    "</?(?:{0})(?:[\t-\r /]+(?:{1}))*[\t-\r /]*>|<(?:{0})[\t-\r /][^<>=]*=[^<>]*>".format(
        "|".join(ELEMENTS), "|".join(FLAGS)
    )
)
COMMENT = re.compile("<!--[^<]*?-->|<!doctype[^<>]*>")


def decode_numeric(text):
    """The one step of cleaning that a tokenizer.json cannot express."""
    if "&" not in text:
        return text
    text = "".join(c for c in text if c not in INVISIBLE)
    return NUMERIC_ENTITY.sub(lambda entity: html.unescape(entity.group()), text)


def windows_1252(c):
    try:
        return c.encode("latin-1").decode("cp1252") if "\x80" <= c <= "\x9f" else c
    except UnicodeDecodeError:
        return c


def cleaned(text):
    """The crate's `clean`, reimplemented from its description."""
    text = "".join(windows_1252(c).lower() for c in decode_numeric(text))
    text = "".join(c for c in text if c not in INVISIBLE)
    text = "".join(chr(ord(c) - 0xFEE0) if "\uff01" <= c <= "\uff5e" else c for c in text)
    name = lambda entity: NAMED.get(entity.group(1), entity.group())
    text = re.sub("&([a-z0-9]+);", name, text)
    text = "".join(c.lower() for c in text if c not in INVISIBLE)
    following = list(text[1:]) + [None]
    text = "".join(c for c, after in zip(text, following) if c != "\u200d" or after is None or after in EMOJIS)
    text = unicodedata.normalize("NFC", text)
    text = COMMENT.sub(" ", TAG.sub(" ", text))
    return "".join(FOLDED.get(c, c) for c in text)


def digest(text):
    """The crate's `text_digest`, reimplemented from its description."""
    import xxhash

    assert unicodedata.unidata_version == "14.0.0", "digests are defined by Unicode 14"
    text = cleaned(text)
    kept = "".join(c for c in text if c in EMOJIS or c in FLAG_LETTERS or not is_symbol(c))
    # Python treats four control characters as white space that Unicode does not.
    kept = kept or text.strip("".join(c for c in map(chr, range(0x3001)) if c.isspace() and c not in "\x1c\x1d\x1e\x1f"))
    return xxhash.xxh3_64_intdigest(kept.encode("utf-8", "surrogatepass"))


def is_symbol(c):
    category = unicodedata.category(c)
    return category[0] in "PSZ" or category in ("Cc", "Cf")


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
    prepare = decode_numeric if args.cleaning > 1 else str
    ids = [tokenizer.encode(prepare(text)).ids for text in texts]
    write_lines(args.out, ids)
    if args.notebook:
        vocab = tokenizer.get_vocab()
        seq_len = tokenizer.padding["length"]
        equal = [notebook_ids(text, vocab, seq_len) == row for text, row in zip(texts, ids)]
        print(f"{sum(equal)} of {len(equal)} texts have the notebook's ids")


def golden_command(args):
    out = Path(args.folder)
    reviews = read_texts(args.texts)
    # Openings and endings, short enough to keep the committed file small.
    excerpts = [review[:160] for review in reviews[300:320]] + [review[-160:] for review in reviews[320:330]]
    texts = ODD_TEXTS + excerpts
    golden = {"texts": texts, "cases": []}
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / "sample.jsonl"
        write_lines(sample, reviews[:300])
        for name, config in GOLDEN.items():
            tokenizer = learned(sample, out / f"{name}.json", config)
            ids = [tokenizer.encode(text).ids for text in texts]
            golden["cases"].append({"name": name, "config": config, "ids": ids})
    (out / "expected.json").write_text(json.dumps(golden) + "\n", "utf-8")


def learned(texts, path, config):
    example = ["cargo", "run", "-p", "text-preprocessing", "--example", "learn_tokenizer"]
    subprocess.run([*example, "--", texts, path, json.dumps(config)], check=True)
    return Tokenizer.from_file(str(path))


def curiosities_command(args):
    out = Path(args.folder)
    texts = read_texts(out / "curiosities.jsonl")
    expected = {"cases": []}
    for name, config in CURIOSITIES.items():
        tokenizer = learned(out / "curiosities.jsonl", out / f"{name}.json", config)
        tokenizer.no_padding()
        ids = [tokenizer.encode(decode_numeric(text)).ids for text in texts]
        unknown = tokenizer.get_vocab()["[UNK]"]
        assert not any(unknown in row for row in ids), "every token was learned"
        expected["cases"].append({"name": name, "config": config, "ids": ids})
    expected["digests"] = [f"{digest(text):016x}" for text in texts]
    (out / "curiosities-expected.json").write_text(json.dumps(expected) + "\n", "utf-8")


def symbols_command(args):
    assert unicodedata.unidata_version == "14.0.0", "digests are defined by Unicode 14"
    ranges = []
    for code in filter(lambda code: is_symbol(chr(code)), range(0x80, sys.maxunicode + 1)):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    lines, line = [], "   "
    for first, last in ranges:
        entry = f" ('\\u{{{first:X}}}', '\\u{{{last:X}}}'),"
        if len(line) + len(entry) > 100:
            lines.append(line)
            line = "   "
        line += entry
    lines.append(line)
    path = Path(args.out)
    head = path.read_text("utf-8").split("= &[\n")[0]
    path.write_text(f"{head}= &[\n" + "\n".join(lines) + "\n];\n", "utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(required=True)
    texts = commands.add_parser("texts", help="extract texts from the reviews table")
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
    encode.add_argument("--cleaning", type=int, default=2, choices=[1, 2])
    encode.add_argument("--notebook", action="store_true", help="also compare with plain Python")
    encode.set_defaults(run=encode_command)
    golden = commands.add_parser("golden", help="rewrite the committed files")
    golden.add_argument("texts")
    golden.add_argument("folder")
    golden.set_defaults(run=golden_command)
    curiosities = commands.add_parser("curiosities", help="rewrite the committed files of curiosities")
    curiosities.add_argument("folder")
    curiosities.set_defaults(run=curiosities_command)
    symbols = commands.add_parser("symbols", help="rewrite the table of characters that digests ignore")
    symbols.add_argument("out")
    symbols.set_defaults(run=symbols_command)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
