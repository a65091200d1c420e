"""The lines of a block of CSV, judged by arrays over the whole block.

Belongs here: bytes to lines, and the grammar of a record. Not here: what becomes of a line (`records`).

A line is *plain* where each of its quotes opens or closes a field, or is one of two that mean one, and none is open at
its end. Plain lines are decided at once; there are few others, and they are looked at one by one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LF, CR, QUOTE, COMMA = b'\n\r",'
QUOTE_BYTE = b'"'

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


class Grammar(NamedTuple):
    """Patterns of one line ending, without backtracking: no input takes more than linear time."""

    record: re.Pattern[bytes]
    open_record: re.Pattern[bytes]  # all that is there is the beginning of a record
    field: re.Pattern[bytes]  # of a record with a comma after it


def grammar_of(eol: int) -> Grammar:
    """The grammar of files whose lines end in that byte."""
    end = re.escape(bytes([eol]))
    before_end = rb"\r?" if eol == LF else b""
    closed = rb'"[^"]*+(?:""[^"]*+)*+"'
    bare = rb'[^",' + end + rb"][^," + end + rb"]*+"
    one = rb"(?:" + closed + rb"|" + bare + rb"|)"
    return Grammar(
        record=re.compile(one + rb"(?:," + one + rb")*+" + before_end + end),
        open_record=re.compile(
            rb"(?:" + one + rb',)*+(?:"[^"]*+(?:""[^"]*+)*+(?:"' + before_end + rb")?|" + bare + rb")?\Z"
        ),
        field=re.compile(rb"(" + closed + rb"|" + bare + rb"|),"),
    )


class Lines(NamedTuple):
    """The complete lines of a block: offsets of begin and end mark, commas outside quotes, and which are not plain."""

    starts: Integers
    ends: Integers
    commas: Integers
    odd: list[int]


def find_lines(data: bytes, eol: int) -> Lines:
    """The complete lines of a block; at its beginning no quote is open."""
    block = np.frombuffer(data, np.uint8)
    marks = (block == COMMA) | (block == eol)
    has_quotes = QUOTE_BYTE in data
    if has_quotes:
        marks |= block == QUOTE
    at = np.flatnonzero(marks)
    kind = block[at]
    last = np.flatnonzero(kind == eol)  # of the marks of each line
    ends = at[last]
    starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
    if not has_quotes or not len(ends):
        return Lines(starts, ends, np.diff(last, prepend=-1) - 1, [])
    at, kind = at[: last[-1] + 1], kind[: last[-1] + 1]
    is_quote = kind == QUOTE
    seen = np.cumsum(is_quote)
    line = np.repeat(np.arange(len(ends)), np.diff(last, prepend=-1))
    seen_before = np.concatenate(([0], seen[last[:-1]]))
    inside = ((seen - seen_before[line]) & 1).astype(bool)
    commas = np.bincount(line[(kind == COMMA) & ~inside], minlength=len(ends))
    plain = _plain_quotes(block, at[is_quote], inside[is_quote], eol)
    odd = np.bincount(line[is_quote][~plain], minlength=len(ends)) > 0
    odd |= inside[last]
    return Lines(starts, ends, commas, np.flatnonzero(odd).tolist())


def _plain_quotes(block: NDArray[np.uint8], quotes: Integers, opens: Booleans, eol: int) -> Booleans:
    """Which quotes stand where a quote may open or close a field, or is one of two that mean one."""
    borders = np.zeros(256, bool)
    borders[[COMMA, eol, QUOTE]] = True
    before = np.where(quotes == 0, eol, block[quotes - 1])
    after = block[quotes + 1]
    closes = borders[after]
    if eol == LF:
        closes |= (after == CR) & (block[np.minimum(quotes + 2, len(block) - 1)] == LF)
    return np.where(opens, borders[before], closes)
