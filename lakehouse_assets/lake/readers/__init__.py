"""The place where files become rows: one reader a format, each giving the same shape.

Belongs here: choosing the reader, and what holds for every format. Not here: which files are read (`landing`), what
bronze adds, and judging values (`silver` of a domain). Whatever must be kept out of the lake is kept out here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lakehouse_assets.lake.errors import LandingError, SourceChangedError
from lakehouse_assets.lake.landing import LandingFile, ending_of
from lakehouse_assets.lake.readers.content import HEAD_CHARACTERS, FileContent, FileRefusedError, refusal
from lakehouse_assets.lake.readers.csv import read_csv
from lakehouse_assets.lake.readers.document import read_document, read_side_file
from lakehouse_assets.lake.readers.json import read_json
from lakehouse_assets.lake.readers.ndjson import read_ndjson
from lakehouse_assets.lake.readers.parquet import read_parquet
from lakehouse_assets.lake.readers.spool import HashedFile, Reading, head_text, verify_unchanged
from lakehouse_assets.lake.source import Source

__all__ = ["FileContent", "read", "verify_unchanged"]

# The rows of a file as small as this are collected at once: in a query over hundreds of files, planning a scan of each
# costs four times as much.
SMALL_BYTES = 128 << 10
READERS: dict[str, Callable[[Reading], FileContent]] = {
    "csv": read_csv,
    "ndjson": read_ndjson,
    "json": read_json,
    "parquet": read_parquet,
}
TEXT_READERS: dict[str, Callable[[Reading], FileContent]] = {"text": read_document, "json": read_side_file}


def read(file: LandingFile, path: Path, source: Source, spool: Path) -> FileContent:
    """Read one landed file, whose bytes are at `path`; `spool` is a folder for what must be unpacked or rewritten.

    Faults of the content are in the result, never raised. Raises SourceChangedError where the file vanishes or is not
    the one that was listed: call `verify_unchanged` again once the rows have been collected.
    """
    ending = ending_of(file.name)
    reader = ending and (TEXT_READERS if source.content else READERS).get(ending.format)
    if reader is None:
        raise LandingError(f"{file.path}: no reader knows its ending")
    beside = path.with_name(file.parts[1].name) if file.parts else None
    verify_unchanged(file, path)
    try:
        with HashedFile(path, [beside] if beside else []) as landed:
            content = _read(Reading(file, source, spool, landed, path, beside=beside), reader)
    except FileNotFoundError as error:
        if path.exists() and (beside is None or beside.exists()):
            raise
        raise SourceChangedError(f"{file.path} vanished while it was read: run again") from error
    verify_unchanged(file, path)
    return content


def _read(reading: Reading, reader: Callable[[Reading], FileContent]) -> FileContent:
    try:
        reading.unpack()
        content = reader(reading)
        if reading.path.stat().st_size <= SMALL_BYTES:
            return content._replace(rows=content.rows.collect(engine="streaming").lazy(), is_held=True)
        return content
    except FileRefusedError as error:
        error.text = error.text or head_text(reading.path, HEAD_CHARACTERS)
        return refusal(error, reading.file, reading.landed.sha256(), reading.encoding, reading.source)
