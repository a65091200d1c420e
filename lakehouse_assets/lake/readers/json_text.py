"""JSON objects as text columns: what NDJSON and JSON files share.

Belongs here: how a value becomes text, and rows as they come together. Not here: where an object begins and ends.

A text is kept as it is, null is null, and everything else is kept as its JSON: numbers digit for digit, as they stand
in the file (`1.50` stays `1.50`), also within a list or an object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from lakehouse_assets.lake.readers.content import check_required, fold
from lakehouse_assets.lake.readers.spool import Reading, new_path

ROW = "row"
PART_BYTES = 64 << 20
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Number(str):
    """A JSON number by its own digits."""

    __slots__ = ()


DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=Number)


class NotAnObjectError(ValueError):
    """JSON, but no object."""


def parse_object(text: str) -> dict[str, Any]:
    """A JSON object with its numbers as `Number`; of a key that stands twice, the last value.

    Raises ValueError for what is no JSON, NotAnObjectError for what is no object and UnicodeEncodeError for half a
    character, which no UTF-8 can hold.
    """
    try:
        value = DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise NotAnObjectError("no object")
    if SURROGATE.search(text):
        to_json(value).encode()
    return value


def to_json(value: Any) -> str:
    """Compact JSON, numbers digit for digit."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{to_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(to_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def to_text(value: Any) -> str | None:
    """The text of a value in its own column."""
    return value if value is None or type(value) is str else str(value) if isinstance(value, Number) else to_json(value)


@dataclass
class ObjectRows:
    """Objects on their way to a frame; `seen` are the source's columns that any of them had, `keys` all their keys."""

    reading: Reading
    keys: dict[str, str | None] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    texts: dict[str, list[str | None]] = field(default_factory=dict)
    extras: list[str | None] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        source = self.reading.source
        self.columns = {fold(column): column for column in source.text_columns if column != source.content}
        self.texts = {column: [] for column in self.reading.source.text_columns}

    def column_of(self, key: str) -> str | None:
        """The source's column that a key means, None for an unknown one."""
        if key not in self.keys:
            self.keys[key] = self.columns.get(fold(key))
        return self.keys[key]

    def see(self, keys: Iterable[str]) -> None:
        """Note that objects with these keys were read apart from `add`."""
        self.seen.update(column for key in keys if (column := self.column_of(key)))

    def add(self, record: dict[str, Any], row: int) -> None:
        """Take in an object as the record of that index."""
        known: dict[str, str | None] = {}
        unknown: dict[str, Any] = {}
        for key, value in record.items():
            column = self.column_of(key)
            if column is None:
                unknown[key] = value
            else:
                known[column] = to_text(value)
        self.seen.update(known)
        for column, texts in self.texts.items():
            texts.append(known.get(column))
        self.extras.append(to_json(unknown) if unknown else None)
        self.rows.append(row)

    def take(self) -> pl.DataFrame:
        """The rows that came together since the last call, their index in `row`."""
        frame = pl.DataFrame(
            {
                ROW: pl.Series(self.rows, dtype=pl.Int64),
                **{column: pl.Series(texts, dtype=pl.String) for column, texts in self.texts.items()},
                "_extra": pl.Series(self.extras, dtype=pl.String),
            }
        )
        self.rows, self.extras = [], []
        self.texts = {column: [] for column in self.texts}
        return frame

    def check_columns(self) -> None:
        """Raise FileRefusedError where no object of the file has a column that is required."""
        if self.keys:
            check_required(self.seen, list(self.keys), self.reading.source, self.reading.file)


@dataclass
class Parts:
    """Frames that add up to one: in memory while they are small, then in the spool."""

    spool: Path
    held: list[pl.DataFrame] = field(default_factory=list)
    held_bytes: int = 0
    paths: list[Path] = field(default_factory=list)

    def add(self, frame: pl.DataFrame) -> None:
        self.held.append(frame)
        self.held_bytes += int(frame.estimated_size())
        if self.held_bytes > PART_BYTES:
            path = new_path(self.spool, ".arrow")
            pl.concat(self.held).write_ipc(path)
            self.paths.append(path)
            self.held, self.held_bytes = [], 0

    def frame(self) -> pl.LazyFrame:
        """All of them, in the order they came; at least one must have."""
        spooled = [pl.scan_ipc(self.paths, glob=False)] if self.paths else []
        return pl.concat([*spooled, *(frame.lazy() for frame in self.held)])
