"""Changes of the bookkeeping tables that no build makes: rows taken out or marked.

Belongs here: what retention, resets and replays need. Not here: what a build enters, and how a register's rows are
rewritten while others write to it (`ledger`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

import polars as pl

from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import GROUPED_BY, Register, dates_of, type_of_group


def forget(register: Register, drop: Mapping[type_of_group, Collection[date]]) -> None:
    """Take the rows of these dates out, so that their partitions count as never built."""
    dates = dates_of(drop)
    register.rewrite(drop, lambda held: held.join(dates, on=[*GROUPED_BY, "date"], how="anti", nulls_equal=True))


def forget_all(register: Register, groups: Collection[type_of_group]) -> None:
    """Take every row of these tenants' tables out."""
    register.rewrite(groups, lambda held: held.clear())


def mark_dropped(house: Lakehouse, drop: Mapping[type_of_group, Collection[date]]) -> None:
    """Enter into the ledger that the rows of these partitions are no longer in their tables: `table_version` is null.

    The rest of the entry stays. What was built from the partition follows from the same fingerprints as before, and so
    does not become stale.
    """
    dates = dates_of(drop).with_columns(pl.lit(value=True).alias("_dropped"))

    def mark(held: pl.DataFrame) -> pl.DataFrame:
        marked = held.join(dates, on=[*GROUPED_BY, "date"], how="left", nulls_equal=True)
        kept = pl.when(pl.col("_dropped").is_null()).then("table_version").alias("table_version")
        return marked.with_columns(kept).drop("_dropped")

    house.ledger.rewrite(drop, mark)
