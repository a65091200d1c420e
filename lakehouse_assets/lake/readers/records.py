"""Where the records of a CSV begin and end, and which of them do not fit the header.

Belongs here: the one pass over a CSV's bytes that judges its structure. Not here: values, names, and the parse itself,
which is Polars'.

Lines that are not plain (see `lines`) begin a record of several lines, or have quotes inside an unquoted field
(`5" pipe`, which are text), or their quoting is broken. A record with broken quoting is set aside as its first line
alone, and the search goes on at the next line, so that a quote that is never closed costs one record, not the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple, Self

import numpy as np

from lakehouse_assets.lake.readers.content import Faults, FileRefusedError
from lakehouse_assets.lake.readers.lines import CR, LF, QUOTE_BYTE, Booleans, Integers, Lines, find_lines, grammar_of

NUL_BYTE = b"\0"
RULE_OF_QUOTES = ("misplaced_quote", "unclosed_quote")  # by an even or odd number of quotes in the line
# A quoted field that has not closed after as many bytes never will.
LONGEST_RECORD = 32 << 20


class Change(NamedTuple):
    """A stretch of a block that Polars would misread, and what stands there instead."""

    start: int
    end: int
    text: bytes


class Odd(NamedTuple):
    """What the lines of a block that are not plain turned out to be; lines from `until` on wait for more bytes."""

    continued: Booleans  # lines inside a record that began on an earlier one
    last_line: dict[int, int]  # of the record that begins on a line
    broken: set[int]
    changes: list[Change]
    until: int


class Judged(NamedTuple):
    """How much of a block is done with: bytes, records, lines; and what Polars must read differently."""

    done: int
    records: int
    lines: int
    changes: list[Change]


@dataclass
class Copy:
    """The file for Polars where the landed one would mislead it: made only from the first change on."""

    source: Path
    target: Path
    stream: IO[bytes] | None = None

    def keep(self, data: bytes, offset: int, changes: list[Change]) -> None:
        """Take over a stretch of the source that begins at `offset`, changed."""
        if self.stream is None:
            if not changes:
                return
            self.stream = self.target.open("wb")
            _copy_head(self.source, self.stream, offset)
        done = 0
        for change in sorted(changes):
            self.stream.write(data[done : change.start])
            self.stream.write(change.text)
            done = change.end
        self.stream.write(data[done:])

    @property
    def path(self) -> Path:
        """The file to scan: the copy, or the source where nothing had to change."""
        return self.target if self.stream else self.source

    def __enter__(self) -> Self:
        return self

    def __exit__(self, fault: type[BaseException] | None, *_: object) -> None:
        if self.stream:
            self.stream.close()
            if fault:
                self.target.unlink()


def _copy_head(source: Path, target: IO[bytes], size: int) -> None:
    with source.open("rb") as stream:
        while size and (block := stream.read(min(size, LONGEST_RECORD))):
            target.write(block)
            size -= len(block)


@dataclass
class RecordScan:
    """The state of the pass: feed it the file's bytes behind the header, in order.

    `path` is the file's name in messages, `width` the number of columns, `line` the physical line that comes next,
    `records` the number found, `left_out` the indexes, from 0, of the malformed ones.
    """

    path: str
    width: int
    eol: int
    line: int
    copy: Copy
    faults: Faults = field(default_factory=Faults)
    records: int = 0
    left_out: list[Integers] = field(default_factory=list)
    blank_tail: bool = False  # blank lines behind the last record, which Polars would read as rows

    def __post_init__(self) -> None:
        self.grammar = grammar_of(self.eol)
        self.filler = b'""' + b"," * (self.width - 1) + bytes([self.eol])

    def feed(self, data: bytes, offset: int, *, final: bool) -> int:
        """Take in what begins at byte `offset` of the file; return how much of it is done with.

        The rest comes again, with more behind it. Raises FileRefusedError for a line that is beyond any memory.
        """
        if not data:
            return 0
        if final and data[-1] != self.eol:
            data += bytes([self.eol])
        lines = find_lines(data, self.eol)
        if not len(lines.ends):
            if len(data) > LONGEST_RECORD:
                reason = f"{self.path}: line {self.line} does not end within {LONGEST_RECORD >> 20} MiB: is this a CSV?"
                raise FileRefusedError("too_large", reason, line_number=self.line)
            return 0
        blank = self._blank(data, lines)
        clean = not (lines.odd or NUL_BYTE in data or blank.any()) and bool((lines.commas == self.width - 1).all())
        judged = None if clean else self._judge(data, lines, blank, final=final)
        done = judged.done if judged else int(lines.ends[-1]) + 1
        self.copy.keep(data[:done], offset, judged.changes if judged else [])
        self.records += judged.records if judged else len(lines.ends)
        self.line += judged.lines if judged else len(lines.ends)
        return done

    def _blank(self, data: bytes, lines: Lines) -> Booleans:
        """Lines that hold nothing at all, which are no records."""
        length = lines.ends - lines.starts
        blank: Booleans = length == 0
        if self.eol == LF:
            blank |= (length == 1) & (np.frombuffer(data, np.uint8)[lines.starts] == CR)
        return blank

    def _judge(self, data: bytes, lines: Lines, blank: Booleans, *, final: bool) -> Judged:
        """What a block holds that is not clean: its malformed records noted, its changes and counts returned."""
        odd = self._resolve(data, lines, final=final)
        blank &= ~odd.continued
        firsts = np.flatnonzero(~(blank | odd.continued)[: odd.until])
        blanks = np.flatnonzero(blank[: odd.until])
        if final:
            # What follows the last record is dropped by its index; that needs no copy.
            behind = blanks > (firsts[-1] if len(firsts) else -1)
            self.blank_tail = bool(behind.any())
            blanks = blanks[~behind]
        changes = odd.changes + [Change(int(lines.starts[i]), int(lines.ends[i]) + 1, b"") for i in blanks]
        at_fault = lines.commas[firsts] != self.width - 1
        at_fault[np.searchsorted(firsts, sorted(odd.broken))] = True
        with_nul = self._with_nul(data, lines, firsts, odd.until)
        at_fault[with_nul] = True
        nul = set(with_nul.tolist())
        ordinals = np.flatnonzero(at_fault)
        for ordinal in ordinals.tolist():
            line = int(firsts[ordinal])
            text = data[lines.starts[line] : lines.ends[odd.last_line.get(line, line)]]
            rules = [RULE_OF_QUOTES[text.count(b'"') % 2]] if line in odd.broken else self._width_rule(lines, line)
            text = text.removesuffix(b"\r") if self.eol == LF else text
            rules += ["nul_byte"] if ordinal in nul else []
            self.faults.add(rules, text.decode(), self.records + ordinal + 1, self.line + line)
        if len(ordinals):
            self.left_out.append(ordinals + self.records)
        complete = odd.until == len(lines.ends)
        done = int(lines.ends[-1]) + 1 if complete else int(lines.starts[odd.until])
        return Judged(done, len(firsts), odd.until, changes)

    def _width_rule(self, lines: Lines, line: int) -> list[str]:
        surplus = int(lines.commas[line]) + 1 - self.width
        return ["short_row"] if surplus < 0 else ["long_row"] if surplus else []

    def _with_nul(self, data: bytes, lines: Lines, firsts: Integers, until: int) -> Integers:
        """The ordinals of the records that hold a NUL byte, on whichever of their lines."""
        if NUL_BYTE not in data or not len(firsts):
            return np.empty(0, np.int64)
        at = np.flatnonzero(np.frombuffer(data, np.uint8) == 0)
        line = np.searchsorted(lines.ends, at)
        ordinals = np.searchsorted(firsts, line, side="right") - 1
        return np.unique(ordinals[line < until])

    def _resolve(self, data: bytes, lines: Lines, *, final: bool) -> Odd:
        """Decide the lines that are not plain, one after the other."""
        odd = Odd(np.zeros(len(lines.ends), bool), {}, set(), [], len(lines.ends))
        covered = -1
        for line in lines.odd:
            if line <= covered:
                continue
            start = int(lines.starts[line])
            if match := self.grammar.record.match(data, start):
                covered = int(np.searchsorted(lines.ends, match.end() - 1))
                odd.continued[line + 1 : covered + 1] = True
                odd.last_line[line] = covered
                fields = self._fields(match.group())
                lines.commas[line] = len(fields) - 1
                if any(QUOTE_BYTE in text and not text.startswith(QUOTE_BYTE) for text in fields):
                    odd.changes.append(Change(start, match.end(), self._quoted(fields)))
            elif not final and len(data) - start <= LONGEST_RECORD and self.grammar.open_record.match(data, start):
                return odd._replace(until=line)
            else:
                odd.broken.add(line)
                odd.changes.append(Change(start, int(lines.ends[line]) + 1, self.filler))
        return odd

    def _fields(self, record: bytes) -> list[bytes]:
        text = record[:-1]
        text = text.removesuffix(b"\r") if self.eol == LF else text
        return self.grammar.field.findall(text + b",")

    def _quoted(self, fields: list[bytes]) -> bytes:
        """The record with every quote inside a quoted field; one of another width is left out anyway."""
        if len(fields) != self.width:
            return self.filler
        texts = [
            b'"' + text.replace(b'"', b'""') + b'"' if QUOTE_BYTE in text and not text.startswith(QUOTE_BYTE) else text
            for text in fields
        ]
        return b",".join(texts) + bytes([self.eol])
