"""Chunks of documents: stretches of text short enough to be found, and to be read by a model, as one.

Belongs here: where a text is cut. Not here: what a chunk is embedded as (`embedding`).

The same text is always cut alike, and a chunk is its text from one character to another, nothing added or left out.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from typing import NamedTuple

import polars as pl

# A token is a word, 16 characters of a longer one, one sign of a script without spaces, or one mark.
SPACELESS = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
TOKEN = re.compile(f"[{SPACELESS}]|[^\\W{SPACELESS}]{{1,16}}|[^\\w\\s]")
MOST_TOKENS = 256
OVERLAP = 32
# How good a place to cut is: behind a paragraph, a sentence, a line, a word.
PARAGRAPH, SENTENCE, LINE, WORD = 3, 2, 1, 0
STOPS = frozenset(".!?…。\uff01\uff1f")
CLOSERS = frozenset("\"'”\u2019»)]」』")

CHUNKS = {
    "chunk_index": pl.Int64(),
    "text": pl.String(),
    "token_count": pl.Int64(),
    "char_start": pl.Int64(),
    "char_end": pl.Int64(),
    "text_sha256": pl.String(),
}


class Tokens(NamedTuple):
    """The tokens of a text: where each begins and ends, and how good a place to cut is behind it."""

    starts: array[int]
    ends: array[int]
    levels: bytearray


def tokens_of(text: str) -> Tokens:
    """All tokens in order; what lies between them is white space."""
    found = Tokens(array("q"), array("q"), bytearray())
    is_stop = False
    for match in TOKEN.finditer(text):
        start, end = match.span()
        if found.ends:
            found.levels.append(_level(text, found.ends[-1], start, is_stop=is_stop))
        token = match.group()
        # A quotation mark or bracket behind a full stop still ends the sentence.
        is_stop = token in STOPS or (is_stop and token in CLOSERS)
        found.starts.append(start)
        found.ends.append(end)
    return found


def _level(text: str, end: int, start: int, *, is_stop: bool) -> int:
    lines = text.count("\n", end, start)
    if lines > 1:
        return PARAGRAPH
    if is_stop and (start > end or text[end - 1] > "\u2fff"):
        return SENTENCE
    return LINE if lines else WORD


def chunks_of(text: str, most: int = MOST_TOKENS, overlap: int = OVERLAP) -> list[tuple[int, int, int]]:
    """First and last character and number of tokens of each chunk.

    A chunk that is not the last ends in its second half, at the last of the best places; the next begins in its last
    `overlap` tokens, at the first of the best places.
    """
    tokens = tokens_of(text)
    count, first, found = len(tokens.starts), 0, []
    while first < count:
        last = count
        if count - first > most:
            last = _best(tokens.levels, first + most // 2, first + most, prefer_last=True)
        found.append((tokens.starts[first], tokens.ends[last - 1], last - first))
        if last == count:
            break
        first = _best(tokens.levels, last - overlap, last - 1, prefer_last=False)
    return found


def _best(levels: bytearray, lowest: int, highest: int, *, prefer_last: bool) -> int:
    """The number of tokens, in lowest … highest, behind which the best place to cut is."""
    stretch = levels[lowest - 1 : highest]
    level = max(stretch)
    return lowest + (stretch.rindex(level) if prefer_last else stretch.index(level))


def chunk_rows(documents: pl.LazyFrame) -> pl.LazyFrame:
    """The chunks of every document on every date; each text is cut once, on however many dates it stands."""
    found = documents.select("date", "document_id", "customer_id", "text").collect(engine="streaming")
    texts = found.select("text").unique().with_row_index("number")
    cut: dict[str, list[object]] = {name: [] for name in CHUNKS}
    numbers: list[int] = []
    for number, text in texts.iter_rows():
        for index, (start, end, tokens) in enumerate(chunks_of(text)):
            part = text[start:end]
            digest = hashlib.sha256(part.encode()).hexdigest()
            for name, value in zip(CHUNKS, (index, part, tokens, start, end, digest), strict=True):
                cut[name].append(value)
            # The text's number in its place: a long text has thousands of chunks.
            numbers.append(number)
    parts = pl.DataFrame(cut, schema=CHUNKS).with_columns(number=pl.Series(numbers, dtype=texts.schema["number"]))
    numbered = found.join(texts, on="text").drop("text").sort("date", "document_id")
    return numbered.lazy().join(parts.lazy(), on="number", maintain_order="left_right").drop("number")
