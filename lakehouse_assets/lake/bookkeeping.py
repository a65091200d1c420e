"""Changes of the bookkeeping tables that no build makes: rows taken out, marked or written anew.

Belongs here: one guarded rewrite of a register's rows, and what retention, resets and replays need of it. Not here:
what a build enters (`ledger`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping
from datetime import date

import polars as pl

from lakehouse_assets.lake.errors import LostRaceError, StorageError
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import GROUPED_BY, Register
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.storage import COMMIT_ATTEMPTS

type_of_group = tuple[str, TableName]


def rewrite(
    register: Register, groups: Collection[type_of_group], change: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    """Replace all rows of each (tenant, table) by what `change` makes of them, in one commit.

    `change` may be called more than once: where another writer was faster, it gets what that one left.
    """
    if not groups:
        return
    register.lake.ensure(register.name, register.schema, GROUPED_BY)
    for attempt in range(COMMIT_ATTEMPTS):
        try:
            _rewrite_once(register, groups, change)
        except LostRaceError:
            time.sleep(random.uniform(0.005, 0.02) * min(attempt + 1, 20))
        else:
            return
    raise StorageError(f"table {register.name}: {COMMIT_ATTEMPTS} commits lost to other writers")


def _rewrite_once(
    register: Register, groups: Collection[type_of_group], change: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    named = pl.DataFrame(
        sorted({(tenant, *name) for tenant, name in groups}), schema=dict.fromkeys(GROUPED_BY, pl.String), orient="row"
    )
    wanted = {column: named[column].unique().to_list() for column in GROUPED_BY}
    files = register.lake.files(register.name, **wanted).join(named, on=list(GROUPED_BY), how="semi")
    partitions = dict.fromkeys(GROUPED_BY, pl.String())
    held = register.lake.scan_files(register.name, register.schema, files["path"].to_list(), partitions).collect()
    changed = change(held.select(list(register.schema))).sort(*GROUPED_BY, "date", *register.newest)
    sink = register.lake.sink(register.name, GROUPED_BY)
    pl.collect_all([sink.of(changed.lazy())])
    written = register.lake.describe(sink, register.schema)
    register.lake.commit_on(register.name, written, files, {"rows": changed.height})


def _dates(drop: Mapping[type_of_group, Collection[date]]) -> pl.DataFrame:
    return pl.DataFrame(
        [(tenant, *name, day) for (tenant, name), days in drop.items() for day in days],
        schema={**dict.fromkeys(GROUPED_BY, pl.String), "date": pl.Date},
        orient="row",
    )


def forget(register: Register, drop: Mapping[type_of_group, Collection[date]]) -> None:
    """Take the rows of these dates out, so that their partitions count as never built."""
    dates = _dates(drop)
    rewrite(register, drop, lambda held: held.join(dates, on=[*GROUPED_BY, "date"], how="anti", nulls_equal=True))


def forget_all(register: Register, groups: Collection[type_of_group]) -> None:
    """Take every row of these tenants' tables out."""
    rewrite(register, groups, lambda held: held.clear())


def mark_dropped(house: Lakehouse, drop: Mapping[type_of_group, Collection[date]]) -> None:
    """Enter into the ledger that the rows of these partitions are no longer in their tables: `table_version` is null.

    The rest of the entry stays. What was built from the partition follows from the same fingerprints as before, and so
    does not become stale.
    """
    dates = _dates(drop).with_columns(pl.lit(value=True).alias("_dropped"))

    def mark(held: pl.DataFrame) -> pl.DataFrame:
        marked = held.join(dates, on=[*GROUPED_BY, "date"], how="left", nulls_equal=True)
        kept = pl.when(pl.col("_dropped").is_null()).then("table_version").alias("table_version")
        return marked.with_columns(kept).drop("_dropped")

    rewrite(house.ledger, drop, mark)
