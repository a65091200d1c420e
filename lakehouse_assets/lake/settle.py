"""Settling: which of the valid rows stand. Duplicates of events, and states of entities day by day.

Belongs here: pure functions of frames, each read more than once: give frames that are cheap to read. Not here:
judging, which comes before, and reading or writing.

Few keys occur twice. Hashes of the keys tell which, and only their rows are sorted; all others pass by in the stream.
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
ROW = "_row"


def settle_events(valid: pl.LazyFrame, key: Sequence[str], duplicates: Duplicates | None) -> pl.LazyFrame:
    """One row per key and date: the newest landing; then one per `duplicates.on`: the lowest of `lowest`."""
    numbered = valid.with_row_index(ROW)
    groups = [["date", *key]]
    needed = {ROW, "date", *key, *LANDING_ORDER}
    if duplicates is not None:
        groups.append(["date", *duplicates.on])
        needed |= {*duplicates.on, duplicates.lowest}
    hashes = numbered.select(ROW, *(_hash(group).alias(f"{i}") for i, group in enumerate(groups)))
    hashed = hashes.collect(engine="streaming")
    repeated = pl.any_horizontal(pl.col(f"{i}").is_in(_repeated(hashed[f"{i}"]).implode()) for i in range(len(groups)))
    suspects = hashed.select(pl.col(ROW).filter(repeated)).to_series()
    if suspects.is_empty():
        return valid
    # Rows of one key or of one `on` have one hash, so whatever they contend with is among the suspects.
    contested = numbered.filter(pl.col(ROW).is_in(suspects.implode())).select(sorted(needed))
    settled = contested.sort(LANDING_ORDER).unique(["date", *key], keep="last", maintain_order=True)
    if duplicates is not None:
        settled = settled.sort(duplicates.lowest).unique(["date", *duplicates.on], keep="first", maintain_order=True)
    standing = settled.select(ROW).collect(engine="streaming").to_series()
    lost = suspects.filter(~suspects.is_in(standing.implode()))
    return numbered.filter(~pl.col(ROW).is_in(lost.implode())).drop(ROW)


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
            parts.append(_standing_deletes(versions, base, earlier_deletes, key))
    hashes = pl.concat([part.select(_hash(key).alias("hash")) for part in parts]).collect(engine="streaming")
    is_repeated = _hash(key).is_in(_repeated(hashes.to_series()).implode())
    single = [part.filter(~is_repeated & ~pl.col(DELETED)) for part in parts[:2]]
    until = pl.lit(last).alias("_until")
    lasting = pl.concat(single, how="diagonal_relaxed").with_columns(_since(first), until)
    contested = pl.concat([part.filter(is_repeated) for part in parts], how="diagonal_relaxed")
    states = pl.concat([lasting, _changes(contested, key, version, content, first, last)], how="diagonal_relaxed")
    states = states.filter(pl.col("_until") >= pl.col("_from"))
    if first == last:
        return states.with_columns(pl.lit(last).alias("date")).drop("_from", "_until")
    return states.with_columns(pl.date_ranges("_from", "_until").alias("date")).drop("_from", "_until").explode("date")


def _standing_deletes(
    versions: pl.LazyFrame, base: pl.LazyFrame, earlier_deletes: pl.LazyFrame, key: Sequence[str]
) -> pl.LazyFrame:
    """The earlier deletes that a version may have to yield to: a key that is in the base has outlived its own."""
    returning = versions.select(key).unique().join(base.select(key), on=list(key), how="anti")
    wanted = returning.collect(engine="streaming")
    if wanted.is_empty():
        return earlier_deletes.clear()
    return earlier_deletes.join(wanted.lazy(), on=list(key), how="semi").collect(engine="streaming").lazy()


def _changes(
    rows: pl.LazyFrame, key: Sequence[str], version: str | None, content: Sequence[str], first: date, last: date
) -> pl.LazyFrame:
    """The versions that make a difference, each with the dates `_from` … `_until` on which it is the state."""
    rows = rows.sort(*key, *LANDING_ORDER)
    if version is not None:
        rank = pl.col(version).dt.epoch("us").fill_null(OLDEST)
        rows = rows.filter(rank == rank.cum_max().over(list(key)))
    rows = rows.filter(~_all_equal([*key, "_ingest_date"], -1))
    rows = rows.filter(~_all_equal([*key, DELETED, *content], 1))
    replaced = pl.col("_ingest_date").shift(-1) - pl.duration(days=1)
    until = pl.when(_all_equal(key, -1)).then(replaced).otherwise(pl.lit(last)).alias("_until")
    return rows.with_columns(_since(first), until).filter(~pl.col(DELETED))


def _since(first: date) -> pl.Expr:
    return pl.max_horizontal("_ingest_date", pl.lit(first)).alias("_from")


def _hash(columns: Sequence[str]) -> pl.Expr:
    return pl.struct(columns).hash() if len(columns) > 1 else pl.col(columns[0]).hash()


def _repeated(hashes: pl.Series) -> pl.Series:
    """The values that occur more than once. Sorting numbers takes a quarter of the time of grouping them."""
    ordered = hashes.sort()
    return ordered.filter(ordered == ordered.shift(1)).unique()


def _all_equal(columns: Sequence[str], offset: int) -> pl.Expr:
    """Whether a row agrees in all columns with the row `offset` before it (after it, when negative)."""
    equal = [pl.col(name).eq_missing(pl.col(name).shift(offset)) for name in columns]
    inside = pl.int_range(pl.len()) >= offset if offset > 0 else pl.int_range(pl.len()) < pl.len() + offset
    return pl.all_horizontal(inside, *equal)
