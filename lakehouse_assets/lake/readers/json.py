"""JSON: one object, or an array of objects, read whole.

Belongs here: the document. Not here: values (`json_text`) and JSON lines (`ndjson`).
"""

from __future__ import annotations

import json

import polars as pl

from lakehouse_assets.lake.readers.content import Faults, FileContent, FileRefusedError, file_columns
from lakehouse_assets.lake.readers.json_text import DECODER, ROW, SURROGATE, ObjectRows, to_json
from lakehouse_assets.lake.readers.spool import Reading, marked_encoding

LARGEST_DOCUMENT = 64 << 20


def read_json(reading: Reading) -> FileContent:
    """The content of a JSON document; an element that is no object is malformed, and harms no other.

    Raises FileRefusedError where the document is broken, or larger than what is safe to hold in memory.
    """
    document = load(reading)
    items = document if isinstance(document, list) else [document]
    objects, faults = ObjectRows(reading), Faults()
    for row, item in enumerate(items):
        if isinstance(item, dict):
            objects.add(item, row)
        else:
            faults.add(["not_an_object"], to_json(item), row + 1, None)
    objects.check_columns()
    sha256 = reading.landed.sha256()
    own = file_columns(reading.file, sha256, pl.col(ROW) + 1, pl.col("_extra"))
    rows = objects.take().lazy().select(*reading.source.text_columns, **own)
    return FileContent(rows, faults.frame(reading.file, sha256), len(items), sha256, reading.encoding)


def load(reading: Reading) -> object:
    """The JSON document of a file. Raises FileRefusedError as `read_json` does."""
    path = reading.file.path
    size = reading.path.stat().st_size
    if size > LARGEST_DOCUMENT:
        reason = f"{path}: {size >> 20} MiB of JSON, and {LARGEST_DOCUMENT >> 20} are the most: land it as NDJSON"
        raise FileRefusedError("too_large", reason)
    data = reading.path.read_bytes()
    reading.encoding = marked_encoding(data[:4]) or reading.encoding
    encoding = "utf-8-sig" if reading.encoding.startswith("utf-8") else reading.encoding
    try:
        text = data.decode(encoding)
        document = DECODER.decode(text)
        if SURROGATE.search(text):
            to_json(document).encode()
    except UnicodeError as error:
        reason = f"{path}: is not {reading.encoding} ({error})"
        raise FileRefusedError("invalid_encoding", reason) from error
    except json.JSONDecodeError as error:
        reason = f"{path}: is no JSON from line {error.lineno} column {error.colno} on: {error.msg}"
        raise FileRefusedError("invalid_json", reason, line_number=error.lineno) from error
    except RecursionError as error:
        raise FileRefusedError("invalid_json", f"{path}: is nested too deeply") from error
    return document
