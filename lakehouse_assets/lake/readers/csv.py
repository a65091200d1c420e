"""CSV: the header, the judgement of the structure, and the scan.

Belongs here: what a header means, and the frame over a file. Not here: where records end (`records`).

Polars scans the landed file itself; rows whose number of fields is wrong are left out by their index, which costs next
to nothing. Only where Polars would see other records than there are (blank lines, quotes inside unquoted fields, quotes
never closed) it scans a copy with these places changed, record for record, so that indexes stay the same.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import polars as pl

from lakehouse_assets.lake.readers.content import (
    FileContent,
    FileRefusedError,
    file_columns,
    match_columns,
    no_rows,
    unknown_columns,
)
from lakehouse_assets.lake.readers.lines import CR, LF
from lakehouse_assets.lake.readers.records import LONGEST_RECORD, Copy, RecordScan
from lakehouse_assets.lake.readers.spool import BLOCK_BYTES, Reading, Utf8Check, marked_encoding, new_path

ROW = "row"
FIELD = rb'("[^"]*+(?:""[^"]*+)*+"|[^",\r\n][^,\r\n]*+|)'
HEADER = re.compile(
    rb"(?P<lead>(?:\xef\xbb\xbf)?+(?:\r\n|\n|\r)*+)(?P<names>"
    + FIELD
    + rb"(?:,"
    + FIELD
    + rb")*+)(?P<end>\r*\n|\r(?!\r*\Z))"
)


class Header(NamedTuple):
    """The columns' names as they landed, the file's line end, and where the header ends."""

    names: list[str]
    eol: int
    blank_lines: int  # before it
    lines: int  # up to its end, blank ones included
    size: int


def read_csv(reading: Reading) -> FileContent:
    """The content of a CSV in UTF-8, in UTF-16 or UTF-32 with a byte order mark, else in Latin-1.

    Raises FileRefusedError where the header has not what the source needs.
    """
    with reading.path.open("rb") as stream:
        marked = marked_encoding(stream.read(4))
    if marked in {"utf-16", "utf-32"}:
        reading.to_utf8(marked)
    elif marked:
        reading.encoding = marked
    try:
        return _read_utf8(reading)
    except UnicodeDecodeError:
        reading.to_utf8("latin-1", skip=3 if marked == "utf-8-bom" else 0)
        return _read_utf8(reading)


def _read_utf8(reading: Reading) -> FileContent:
    header, scan = _scan_records(reading)
    sha256 = reading.landed.sha256()
    malformed = scan.faults.frame(reading.file, sha256)
    rows = _rows(reading, header, scan, sha256) if scan.records else no_rows(reading.source)
    return FileContent(rows, malformed, scan.records, sha256, reading.encoding)


def _scan_records(reading: Reading) -> tuple[Header, RecordScan]:
    """One pass over the bytes: hash, encoding, header, structure."""
    check = Utf8Check()
    header: Header | None = None
    scan: RecordScan | None = None
    data, offset, size, final = b"", 0, BLOCK_BYTES, False
    copy = Copy(reading.path, new_path(reading.spool, ".csv"))
    with reading.open() as stream, copy:
        while not final:
            block = stream.read(size)
            final = len(block) < size
            check(block, final=final)
            data += block
            if header is None and (header := parse_header(data, reading, final=final)):
                match_columns(header.names, reading.source, reading.file, header.lines)
                scan = RecordScan(reading.file.path, len(header.names), header.eol, header.lines + 1, copy)
                data, offset = data[header.size :], header.size
            done = scan.feed(data, offset, final=final) if scan else 0
            data, offset = data[done:], offset + done
            # What has no end yet is looked at again: twice as much each time, so that the work stays linear.
            size = BLOCK_BYTES if done else min(2 * size, LONGEST_RECORD)
    if header is None or scan is None:
        raise FileRefusedError("missing_column", f"{reading.file.path}: has no header")
    return header, scan


def parse_header(data: bytes, reading: Reading, *, final: bool) -> Header | None:
    """The header at the beginning of a file, None while its end has not been read.

    Raises FileRefusedError where there is none.
    """
    path = reading.file.path
    if final and not data.strip(b"\xef\xbb\xbf\r\n"):
        reason = f"{path}: is empty: a CSV without rows still needs its header"
        raise FileRefusedError("missing_column", reason, line_number=1)
    match = HEADER.match(data + b"\n" if final else data)
    if match is None:
        if not final and len(data) <= LONGEST_RECORD:
            return None
        reason = f"{path}: the quotes of its first line do not match: it must be the header, with the columns' names"
        raise FileRefusedError("unclosed_quote", reason, line_number=1)
    fields = re.findall(FIELD + rb",", match["names"] + b",")
    blank_lines = len(re.findall(rb"\r\n|\n|\r", match["lead"]))
    line = blank_lines + 1
    if b"\0" in match["names"]:
        reason = f"{path}: NUL bytes in the header: is it UTF-16 without byte order mark, or no text at all?"
        raise FileRefusedError("nul_byte", reason, line_number=line)
    names = [_unquoted(text).decode() for text in fields]
    eol = CR if match["end"] == b"\r" else LF
    lines = blank_lines + len(re.findall(rb"\r\n|\n|\r", match["names"])) + 1
    return Header(names, eol, blank_lines, lines, min(match.end(), len(data)))


def _unquoted(field: bytes) -> bytes:
    return field[1:-1].replace(b'""', b'"') if field.startswith(b'"') else field


def _rows(reading: Reading, header: Header, scan: RecordScan, sha256: str) -> pl.LazyFrame:
    path = scan.copy.path
    if path != reading.path and not reading.is_landed:
        reading.path.unlink()
    known = match_columns(header.names, reading.source, reading.file)
    unknown = unknown_columns(header.names, known)
    # Every record that is kept has all its fields, so an empty one is the empty text and nothing is null.
    frame = pl.scan_csv(
        path,
        has_header=False,
        skip_rows=header.blank_lines + 1,
        schema={f"c{i}": pl.String() for i in range(len(header.names))},
        empty_string_is_null=False,
        extra_columns="ignore",
        missing_columns="insert",
        row_index_name=ROW,
        eol_char=chr(header.eol),
        glob=False,
    )
    if scan.blank_tail:
        frame = frame.filter(pl.col(ROW) < scan.records)
    if scan.left_out:
        left_out = pl.Series(np.concatenate(scan.left_out)).cast(pl.get_index_type())
        frame = frame.filter(~pl.col(ROW).is_in(left_out.implode()))
    others = [pl.col(f"c{i}").alias(name) for i, name in unknown.items()]
    extra = pl.struct(others).struct.json_encode() if others else None
    texts = {
        column: pl.col(f"c{known[column]}") if column in known else pl.lit(None, pl.String)
        for column in reading.source.text_columns
    }
    return frame.select(**texts, **file_columns(reading.file, sha256, pl.col(ROW) + 1, extra))
