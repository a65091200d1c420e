"""The files of one write: named so that no two writes clash, then counted and bounded from what they hold.

Belongs here: writing Parquet and reading it back for the commit. Not here: committing (`storage`).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from lakehouse_assets.lake.landing_root import open_store

LONGEST_STATISTIC = 64
FILE = "file of the row"


class Written(NamedTuple):
    """What a sink wrote: one row per file with its path below the table, bytes, partition values and statistics."""

    path: str
    size_bytes: int
    partition: dict[str, str]
    statistics: dict[str, Any]


@dataclass
class Sink:
    """The files of one write that is not committed yet."""

    uri: str
    options: Mapping[str, str]
    partition_by: tuple[str, ...]
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    paths: list[str] = field(default_factory=list)

    def name_file(self, arguments: Any) -> str:
        """Name a file of a partition so that no two writes ever share a name."""
        keys = arguments.partition_keys.row(0, named=True)
        folder = "/".join(f"{name}={keys[name]}" for name in self.partition_by)
        self.paths.append(f"{folder}/{self.token}-{arguments.index_in_partition}.parquet")
        return self.paths[-1]

    def of(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The frame as a lazy sink into this write's files."""
        return frame.sink_parquet(
            pl.PartitionBy(self.uri, key=list(self.partition_by), include_key=False, file_path_provider=self.name_file),
            compression="zstd",
            compression_level=1,
            mkdir=True,
            storage_options=dict(self.options) or None,
            lazy=True,
        )


def described(sink: Sink, schema: Mapping[str, Any], statistics_of: Iterable[str] = ()) -> list[Written]:
    """Read back what a sink wrote: rows counted from the files themselves, and the bounds that prune."""
    if not sink.paths:
        return []
    bounded = [
        name for name in statistics_of if name not in sink.partition_by and name in schema and _is_bounded(schema[name])
    ]
    prefix = f"{sink.uri}/"
    frame = pl.scan_parquet(
        [prefix + path for path in sink.paths],
        glob=False,
        include_file_paths=FILE,
        hive_partitioning=False,
        storage_options=dict(sink.options) or None,
    )
    bounds = [
        expression
        for name in bounded
        for expression in (
            pl.col(name).min().alias(f"min:{name}"),
            pl.col(name).max().alias(f"max:{name}"),
            pl.col(name).null_count().alias(f"null:{name}"),
        )
    ]
    counted = frame.group_by(FILE).agg(pl.len(), *bounds).collect(engine="streaming")
    sizes = _sizes(sink)
    found = []
    for row in counted.iter_rows(named=True):
        path = row[FILE].removeprefix(prefix)
        path = path if path in sizes else next(p for p in sink.paths if row[FILE].endswith(p))
        partition = dict(part.split("=", 1) for part in path.split("/")[:-1])
        found.append(Written(path, sizes[path], partition, _statistics(row, bounded)))
    return found


def partition_values(partitions: Mapping[str, Any]) -> list[pl.Expr]:
    """The partition columns as the path of a row's file says them: the last folders of these names."""
    texts = {column: pl.col(FILE).str.extract(rf"^.*/{column}=([^/]*)/") for column in partitions}
    return [
        (texts[column].str.to_date() if dtype == pl.Date else texts[column]).alias(column)
        for column, dtype in partitions.items()
    ]


def _is_bounded(dtype: Any) -> bool:
    return bool(dtype.is_integer() or dtype in (pl.String, pl.Date, pl.Datetime, pl.Boolean))


def _statistics(row: Mapping[str, Any], bounded: Sequence[str]) -> dict[str, Any]:
    lowest, highest, nulls = {}, {}, {}
    for name in bounded:
        nulls[name] = row[f"null:{name}"]
        low, high = row[f"min:{name}"], row[f"max:{name}"]
        if low is None or any(isinstance(v, str) and len(v) > LONGEST_STATISTIC for v in (low, high)):
            continue
        lowest[name], highest[name] = (v.isoformat() if isinstance(v, date) else v for v in (low, high))
    return {"numRecords": row["len"], "minValues": lowest, "maxValues": highest, "nullCount": nulls}


def _sizes(sink: Sink) -> dict[str, int]:
    if "://" not in sink.uri:
        return {path: (Path(sink.uri) / path).stat().st_size for path in sink.paths}
    store = open_store(sink.uri, sink.options)
    return {path: int(store.head(path)["size"]) for path in sink.paths}
