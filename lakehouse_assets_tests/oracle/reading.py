"""Files of a landing zone to records of text, each accounted for.

Belongs here: which files count, encodings, formats, records with too few or too many fields. Not here: what a value
means (`cleaning`) or whether a row is valid (`judging`).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from lakehouse_assets_tests.oracle.sources import Source

csv.field_size_limit(2**31 - 1)
TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
ENDING = re.compile(r"\.(csv|ndjson|jsonl|json|parquet)(\.gz|\.zst)?$")
UNFINISHED = (".tmp", ".part")


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it landed: text by lower-case column name, every known column present."""

    ingest_date: date
    file: str  # below the landing root
    number: int
    values: dict[str, str | None]
    extra: dict[str, str | None]

    @property
    def landing_order(self) -> tuple[date, str, int]:
        return self.ingest_date, self.file.rpartition("/")[2], self.number


@dataclass(slots=True)
class File:
    """What came out of one file: rows, the numbers of malformed records, or why all of it is set aside."""

    path: str
    ingest_date: date
    rows: list[Record] = field(default_factory=list)
    malformed: list[int] = field(default_factory=list)
    refused: str | None = None
    records: int = 0


def tenants(root: Path) -> list[str]:
    """The folders below the root whose names a tenant may have."""
    return sorted(path.name for path in root.iterdir() if path.is_dir() and TENANT.fullmatch(path.name))


def files(root: Path, tenant: str, source: Source, start: date) -> Iterator[File]:
    """Every finished file of a tenant's source from the start date on, in landing order."""
    base = root / tenant / source.domain / source.name
    if not base.is_dir():
        return
    for folder in sorted(base.iterdir()):
        ingest_date = calendar_day(folder.name)
        if ingest_date is None or ingest_date < start or not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            if path.name.startswith((".", "_")) or path.name.endswith(UNFINISHED) or not ENDING.search(path.name):
                continue
            yield read(path, path.relative_to(root).as_posix(), ingest_date, source)


def calendar_day(name: str) -> date | None:
    if not DAY.fullmatch(name):
        return None
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None


def read(path: Path, name: str, ingest_date: date, source: Source) -> File:
    file = File(name, ingest_date)
    ending = ENDING.search(path.name)
    assert ending is not None
    kind = ending[1]
    if kind == "parquet":
        header, records = parquet(path)
    else:
        text = decode(path, ending[2])
        if kind == "csv":
            header, records = comma_separated(text)
        else:
            header, records = objects(text, by_line=kind != "json")
    columns = [column.strip().lower() for column in header]
    known = {*source.columns} | (set() if source.is_event else {"_op"})
    needed = (source.key,) if "_op" in columns and not source.is_event else source.required
    missing = [column for column in needed if column not in columns]
    for number, record in enumerate(records, start=1):
        file.records = number
        if missing:
            continue
        if record is None:
            file.malformed.append(number)
            continue
        landed = dict(zip(columns, record, strict=True))
        values: dict[str, str | None] = {column: landed.get(column) for column in known}
        extra = {column: value for column, value in landed.items() if column not in known}
        file.rows.append(Record(ingest_date, name, number, values, extra))
    if missing and (header or kind == "csv"):
        file.refused = f"no column {', '.join(missing)}"
    return file


def decode(path: Path, compression: str | None) -> str:
    """UTF-8 with or without byte order mark, else Latin-1."""
    if compression == ".zst":
        import polars as pl  # only to unpack: Python has no Zstandard before 3.14

        return "\n".join(pl.read_lines(path).to_series().to_list()).removeprefix("\ufeff")
    raw = gzip.decompress(path.read_bytes()) if compression else path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


Records = tuple[Sequence[str], Iterable[Sequence[str | None] | None]]


def comma_separated(text: str) -> Records:
    """The header, and each record or None where it has more or fewer fields than the header."""
    lines = csv.reader(io.StringIO(text, newline=""))
    header = next((line for line in lines if line), [])
    return header, (line if len(line) == len(header) else None for line in lines if line)


def objects(text: str, *, by_line: bool) -> Records:
    """The names used by any object, and each object's values or None where it is no object."""
    if by_line:
        loaded = [load(line) for line in text.split("\n") if line.strip()]
    else:
        whole = load(text)
        loaded = whole if isinstance(whole, list) else [whole]
    names = list(dict.fromkeys(name for item in loaded if isinstance(item, dict) for name in item))
    return names, ([as_text(item.get(name)) for name in names] if isinstance(item, dict) else None for item in loaded)


def load(text: str) -> Any:
    """The value, numbers kept as they are written; None where it is no JSON."""
    try:
        return json.loads(text, parse_float=Written, parse_int=Written)
    except ValueError:
        return None


class Written(str):
    """A number of a JSON text, as it is written."""

    __slots__ = ()


def as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else as_json(value)


def as_json(value: Any) -> str:
    """JSON without blanks, its numbers as they are written."""
    if isinstance(value, Written):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{as_json(name)}:{as_json(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(as_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def parquet(path: Path) -> Records:
    import polars as pl  # only to unpack

    frame = pl.read_parquet(path)
    return frame.columns, ([None if value is None else str(value) for value in row] for row in frame.iter_rows())
