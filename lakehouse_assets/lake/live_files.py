"""The live files of a table as a frame: one row per file, with its size, its rows and its partition.

Belongs here: reading them from a Delta log, choosing among them, and what a commit makes of them. Not here: committing
(`storage`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import polars as pl
from deltalake import DeltaTable

from lakehouse_assets.lake.sink import Written

FILE_SCHEMA: dict[str, pl.DataType] = {"path": pl.String(), "size_bytes": pl.Int64(), "num_records": pl.Int64()}
PARTITION_SCHEMA: dict[str, pl.DataType] = {"tenant_id": pl.String(), "date": pl.Date()}


def live_files(opened: DeltaTable) -> pl.DataFrame:
    """All live files of the version that is open."""
    keys = opened.metadata().partition_columns
    actions = pl.DataFrame(opened.get_add_actions(flatten=True))
    if actions.is_empty():
        types = {key: PARTITION_SCHEMA.get(key, pl.String()) for key in keys}
        return pl.DataFrame(schema=FILE_SCHEMA | types)
    sizes = [pl.col(name).cast(FILE_SCHEMA[name]) for name in ("size_bytes", "num_records")]
    return actions.select("path", *sizes, *(pl.col(f"partition.{key}").alias(key) for key in keys))


def among(files: pl.DataFrame, partition: Mapping[str, Collection[Any]]) -> pl.DataFrame:
    """The files of the partitions whose values are among the given ones."""
    if files.is_empty() or not partition:
        return files
    given = {key: pl.Series(list(values), dtype=files.schema[key]).implode() for key, values in partition.items()}
    return files.filter(pl.col(key).is_in(values) for key, values in given.items())


def after_commit(files: pl.DataFrame, added: Iterable[Written], removed: pl.DataFrame) -> pl.DataFrame:
    """The live files once a commit has added some and removed others."""
    texts = {name: pl.String() if name in PARTITION_SCHEMA else dtype for name, dtype in files.schema.items()}
    rows = [
        {"path": f.path, "size_bytes": f.size_bytes, "num_records": f.statistics["numRecords"], **f.partition}
        for f in added
    ]
    new = pl.DataFrame(rows, schema=texts, orient="row")
    dates = [pl.col(name).str.to_date("%Y-%m-%d") for name, dtype in files.schema.items() if dtype == pl.Date()]
    kept = files.join(removed.select("path"), on="path", how="anti", maintain_order="left") if removed.height else files
    return pl.concat([new.with_columns(dates), kept])
