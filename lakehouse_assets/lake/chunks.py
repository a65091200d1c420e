"""Chunks: the asked-for partitions of a table cut into what one query takes on.

Belongs here: weighing partitions by the bytes that they read. Not here: building them (`runner`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

import polars as pl

from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.partitions import DAY, Partition, Window, days, runs_of_dates
from lakehouse_assets.lake.table import Table

# Memory follows the number of partitions that a write has open at once.
MOST_DATES = 400
# Parquet is about a quarter of what it holds, but for what each column of a file takes beside its values.
PARQUET_FACTOR = 4
COLUMN_BYTES = 500


def chunks(house: Lakehouse, table: Table, partitions: Iterable[Partition]) -> Iterator[Window]:
    """One tenant and consecutive dates each, bounded by the bytes read and the partitions written."""
    by_tenant: dict[str, set[date]] = {}
    for tenant, day in partitions:
        by_tenant.setdefault(tenant, set()).add(day)
    for tenant in sorted(by_tenant):
        weights = _bytes_by_date(house, table, tenant, max(by_tenant[tenant]))
        for first, last in runs_of_dates(by_tenant[tenant]):
            begin, weight = first, 0
            for day in days(first, last):
                weight += weights.get(day, 0)
                if day > begin and (weight > house.chunk_bytes or (day - begin).days >= MOST_DATES):
                    yield Window(tenant, begin, day - DAY)
                    begin, weight = day, weights.get(day, 0)
            yield Window(tenant, begin, last)


def _bytes_by_date(house: Lakehouse, table: Table, tenant: str, last: date) -> dict[date, int]:
    found: dict[date, int] = {}
    if table.kind == "bronze" and table.source is not None:
        for file in house.landing.list(sources=[table.source], tenants=[tenant]).files:
            found[file.date] = found.get(file.date, 0) + file.size_bytes
        return found
    landed: dict[date, int] = {}
    for name in table.reads:
        values = pl.max_horizontal(pl.col("size_bytes") - COLUMN_BYTES * len(house.table(name).schema), 1)
        sizes = house.lake.files(name, tenant_id=[tenant]).group_by("date").agg(values.sum())
        of_state = table.kind == "entity" and name in house.sources
        weights = landed if of_state else found
        for day, size in sizes.select("date", "size_bytes").iter_rows():
            weights[day] = weights.get(day, 0) + size * PARQUET_FACTOR
    for day, size in _cumulated(landed, last).items():
        found[day] = found.get(day, 0) + size
    return found


def _cumulated(landed: dict[date, int], last: date) -> dict[date, int]:
    """A state weighs what all landings up to it do, on days without a landing too."""
    total, found = 0, {}
    for day in days(min(landed, default=last), last):
        total += landed.get(day, 0)
        found[day] = total
    return found
