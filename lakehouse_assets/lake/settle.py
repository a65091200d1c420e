"""Settling: which of the valid rows stand. Duplicates of events, and states of entities day by day.

Belongs here: pure functions of frames. Not here: judging, which comes before, and reading or writing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from lakehouse_assets.lake.judge import DELETED
from lakehouse_assets.lake.table import Duplicates

# A file's path below the landing root holds tenant, source and ingest date before its name, so this is landing order.
LANDING_ORDER = ("_source_file", "_row_number")
OLDEST = -(2**62)


def settle_events(valid: pl.LazyFrame, key: Sequence[str], duplicates: Duplicates | None) -> pl.LazyFrame:
    """One row per key and date: the newest landing; then one per `duplicates.on`: the lowest of `lowest`."""
    settled = valid.sort(LANDING_ORDER).unique(["date", *key], keep="last", maintain_order=True)
    if duplicates is not None:
        settled = settled.sort(duplicates.lowest).unique(["date", *duplicates.on], keep="first", maintain_order=True)
    return settled


def settle_entities(
    versions: pl.LazyFrame,
    base: pl.LazyFrame | None,
    earlier_deletes: pl.LazyFrame | None,
    *,
    key: Sequence[str],
    version: str | None,
    content: Sequence[str],
    first: date,
    last: date,
) -> pl.LazyFrame:
    """The state of every key as of the end of each date first … last; one row per key and `date`.

    `versions` are the valid rows landed after the base, deletes marked; `base` is the state at an earlier date and
    `earlier_deletes` the deletes landed up to it. The newest version wins, of equal ones the last landed; a version
    that differs from the state in no `content` column changes nothing, and the row that was there stays.
    """
    parts = [versions]
    if base is not None:
        parts.append(base.with_columns(pl.lit(value=False).alias(DELETED)))
        if earlier_deletes is not None:
            # A key that is in the base has outlived its deletes.
            parts.append(earlier_deletes.join(base, on=list(key), how="anti"))
    rows = pl.concat(parts, how="diagonal_relaxed").sort(*key, *LANDING_ORDER)
    if version is not None:
        rank = pl.col(version).dt.epoch("us").fill_null(OLDEST)
        rows = rows.filter(rank == rank.cum_max().over(list(key)))
    rows = rows.filter(~_all_equal([*key, "_ingest_date"], -1))
    rows = rows.filter(~_all_equal([*key, DELETED, *content], 1))
    replaced = pl.col("_ingest_date").shift(-1) - pl.duration(days=1)
    rows = rows.with_columns(
        pl.max_horizontal("_ingest_date", pl.lit(first)).alias("_from"),
        pl.when(_all_equal(key, -1)).then(replaced).otherwise(pl.lit(last)).alias("_until"),
    ).filter(~pl.col(DELETED) & (pl.col("_until") >= pl.col("_from")))
    return rows.with_columns(pl.date_ranges("_from", "_until").alias("date")).drop("_from", "_until").explode("date")


def _all_equal(columns: Sequence[str], offset: int) -> pl.Expr:
    """Whether a row agrees in all columns with the row `offset` before it (after it, when negative)."""
    equal = [pl.col(name).eq_missing(pl.col(name).shift(offset)) for name in columns]
    inside = pl.int_range(pl.len()) >= offset if offset > 0 else pl.int_range(pl.len()) < pl.len() + offset
    return pl.all_horizontal(inside, *equal)
