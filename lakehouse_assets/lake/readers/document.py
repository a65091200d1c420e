"""Texts: a file that is one record, with a JSON object of its other columns in a file beside it.

Belongs here: the text, and how the two become one row. Not here: which files are two of a pair (`landing`), and JSON
values (`json_text`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from lakehouse_assets.lake.readers.content import (
    HEAD_CHARACTERS,
    MALFORMED_SCHEMA,
    FileContent,
    FileRefusedError,
    check_required,
    file_columns,
)
from lakehouse_assets.lake.readers.json import load
from lakehouse_assets.lake.readers.json_text import ROW, ObjectRows
from lakehouse_assets.lake.readers.spool import Reading, head_text, marked_encoding
from lakehouse_assets.lake.source import OPERATION
from lakehouse_assets.lake.values import code

LARGEST_TEXT = 64 << 20
BOM_BYTES = 3


def read_document(reading: Reading) -> FileContent:
    """The content of a text and the file beside it: one row.

    Raises FileRefusedError where either is not what it must be, or the other is not there.
    """
    path = reading.file.path
    if reading.beside is None:
        reason = (
            f"{path}: has no JSON file of its own beside it: land {reading.file.name}.json, an object with its other "
            "columns, in the same folder"
        )
        raise FileRefusedError("missing_side_file", reason)
    text = read_text(reading)
    beside = replace(reading, file=reading.file.parts[1], path=reading.beside, is_landed=True, encoding="utf-8")
    try:
        beside.unpack()
        objects = _facts(beside)
    except FileRefusedError as error:
        # The pair goes by the text's name, whichever of the two is at fault.
        reason = f"{path}: the file beside it is refused: {error.reason}"
        shown = error.text or head_text(beside.path, HEAD_CHARACTERS)
        raise FileRefusedError(error.rule, reason, line_number=error.line_number, text=shown) from error
    return _content(reading, objects.take().with_columns(pl.lit(text).alias(str(reading.source.content))))


def read_side_file(reading: Reading) -> FileContent:
    """The content of a JSON file without a text: one that deletes its key needs none.

    Raises FileRefusedError for any other.
    """
    rows = _facts(reading).take()
    is_delete = OPERATION in rows.columns and rows.select(code(OPERATION).eq_missing("delete")).item()
    if not is_delete:
        reason = (
            f"{reading.file.path}: has no text of its own beside it: land the text in the same folder, and where two "
            "texts have names that it fits, name it like its text with .json at the end"
        )
        raise FileRefusedError("missing_text", reason)
    return _content(reading, rows)


def read_text(reading: Reading) -> str:
    """The file's text: UTF-8, UTF-16 or UTF-32 with a byte order mark, else Latin-1; the encoding is noted.

    Raises FileRefusedError where it is none, or larger than what is safe to hold in memory.
    """
    path, size = reading.file.path, reading.path.stat().st_size
    if size > LARGEST_TEXT:
        reason = f"{path}: {size >> 20} MiB of text, and {LARGEST_TEXT >> 20} are the most: land it in parts"
        raise FileRefusedError("too_large", reason)
    data = reading.path.read_bytes()
    marked = marked_encoding(data[:4])
    reading.encoding = marked or "utf-8"
    try:
        text = data.decode("utf-8-sig" if reading.encoding.startswith("utf-8") else reading.encoding)
    except UnicodeError as error:
        if marked in {"utf-16", "utf-32"}:
            reason = f"{path}: begins as {marked} and is not ({error}): land the file again, in UTF-8"
            raise FileRefusedError("invalid_encoding", reason) from error
        text = data[BOM_BYTES if marked else 0 :].decode("latin-1")
        reading.encoding = "latin-1"
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        reason = f"{path}: line {line} holds a NUL byte: is it a text, and if in UTF-16, with a byte order mark?"
        raise FileRefusedError("nul_byte", reason, line_number=line)
    return text


def _facts(reading: Reading) -> ObjectRows:
    """The one object of a JSON file, taken in."""
    document: Any = load(reading)
    if not isinstance(document, dict):
        kind = "an array" if isinstance(document, list) else "a single value"
        reason = f"{reading.file.path}: holds {kind}: land one JSON object"
        raise FileRefusedError("not_an_object", reason)
    objects = ObjectRows(reading)
    objects.add(document, 0)
    check_required(objects.seen, list(objects.keys), reading.source, reading.file)
    return objects


def _content(reading: Reading, rows: pl.DataFrame) -> FileContent:
    sha256 = reading.landed.sha256()
    own = file_columns(reading.file, sha256, pl.col(ROW) + 1, pl.col("_extra"))
    frame = rows.lazy().select(*reading.source.text_columns, **own)
    return FileContent(frame, pl.DataFrame(schema=MALFORMED_SCHEMA), 1, sha256, reading.encoding)
