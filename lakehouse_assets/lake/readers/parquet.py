"""Parquet: typed columns as the text that a CSV would have held.

Belongs here: the form in which each type becomes text. Not here: the other formats.
"""

from __future__ import annotations

import polars as pl
from polars.exceptions import PanicException, PolarsError

from lakehouse_assets.lake.readers.content import (
    MALFORMED_SCHEMA,
    FileContent,
    FileRefusedError,
    file_columns,
    match_columns,
    unknown_columns,
)
from lakehouse_assets.lake.readers.spool import Reading

ROW = "_landed_row"  # no name of a column in the file


def read_parquet(reading: Reading) -> FileContent:
    """The content of a Parquet file. Its footer counts the records; every page is decoded once to see that it can be.

    Raises FileRefusedError where the file is damaged, or holds a type that has no text.
    """
    path = reading.file.path
    try:
        frame = pl.scan_parquet(reading.path, glob=False, hive_partitioning=False)
        schema = frame.collect_schema()
        records = int(frame.select(pl.len()).collect().item())
        values = frame.select(pl.all().count() + pl.all().null_count()).collect(engine="streaming")
    except (PolarsError, OSError, PanicException) as error:
        reason = f"{path}: is no Parquet, or damaged ({str(error).splitlines()[0]}): land the file again"
        raise FileRefusedError("unreadable", reason) from error
    names = schema.names()
    known = match_columns(names, reading.source, reading.file)
    if any(set(column) != {records} for column in values.iter_columns()):
        reason = f"{path}: damaged: its footer counts {records} rows and its columns {values.row(0)}: land it again"
        raise FileRefusedError("unreadable", reason)
    unknown = unknown_columns(names, known)
    sha256 = reading.landed.sha256()
    frame = frame.with_columns(_legible(frame, name) for name, kind in schema.items() if kind == pl.Binary)
    schema = frame.collect_schema()
    texts = {
        column: as_text(names[known[column]], schema, path) if column in known else pl.lit(None, pl.String)
        for column in reading.source.text_columns
    }
    others = [as_json_value(names[i], schema, path).alias(name) for i, name in unknown.items()]
    extra = pl.struct(others).struct.json_encode() if others else None
    rows = frame.with_row_index(ROW).select(**texts, **file_columns(reading.file, sha256, pl.col(ROW) + 1, extra))
    return FileContent(rows, pl.DataFrame(schema=MALFORMED_SCHEMA), records, sha256, "parquet")


def _legible(frame: pl.LazyFrame, name: str) -> pl.Expr:
    """A column of bytes as the text that old writers mean by it; hexadecimal where any value is none."""
    try:
        frame.select(pl.col(name).cast(pl.String).null_count()).collect(engine="streaming")
    except PolarsError:
        return pl.col(name).bin.encode("hex")
    return pl.col(name).cast(pl.String)


def as_text(name: str, schema: pl.Schema, path: str) -> pl.Expr:
    """A column as text: ISO dates, times with Z (none given means UTC), decimals plain, floats so that they read back.

    Nested values become JSON. Raises FileRefusedError for one that cannot.
    """
    kind, column = schema[name], pl.col(name)
    if kind.is_nested():
        _check_nested(name, kind, path)
        # Only a struct can be encoded: the column is its only member, cut out again.
        encoded = pl.struct(column.alias("v")).struct.json_encode()
        return pl.when(column.is_not_null()).then(encoded.str.slice(len('{"v":')).str.head(-1))
    if isinstance(kind, pl.Datetime):
        moment = column if kind.time_zone is None else column.dt.convert_time_zone("UTC")
        return moment.dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    if kind in (pl.Time, pl.Duration):
        return column.dt.to_string("iso")
    return column.cast(pl.String)


def as_json_value(name: str, schema: pl.Schema, path: str) -> pl.Expr:
    """A column as a member of `_extra`: numbers, truth values and nested values as such, all else as its text."""
    kind = schema[name]
    if kind.is_nested():
        _check_nested(name, kind, path)
    is_plain = kind.is_nested() or kind.is_integer() or kind.is_float() or kind == pl.Boolean
    return pl.col(name) if is_plain else as_text(name, schema, path)


def _check_nested(name: str, kind: object, path: str) -> None:
    """Refuse what Polars' JSON encoder does not merely fail on but panics."""
    if isinstance(kind, pl.Struct):
        for inner in kind.fields:
            _check_nested(name, inner.dtype, path)
    elif isinstance(kind, (pl.List, pl.Array)):
        _check_nested(name, kind.inner, path)
    elif kind == pl.Binary:
        reason = f"{path}: column '{name}' holds bytes inside a nested value: land it as text"
        raise FileRefusedError("unreadable", reason)
