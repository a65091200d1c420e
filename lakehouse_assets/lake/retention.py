"""Retention: how long each layer keeps its partitions, and dropping those that have outlived it.

Belongs here: which partitions are due, why an old one stays, and taking their rows out. Not here: removing the
files (`maintenance.vacuum` does, once no one can still be reading them).

A dropped partition keeps its ledger entry, with a null `table_version`. So nothing that was built from it becomes
stale, and no plan brings it back by itself; asking for its date does, and so does building anew what reads it.
It is rebuilt from the landing zone, which retention never touches.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import polars as pl

from lakehouse_assets.lake.bookkeeping import mark_dropped
from lakehouse_assets.lake.errors import SelectionError
from lakehouse_assets.lake.keeping import KEPT_YEARS
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import type_of_group
from lakehouse_assets.lake.names import LAYERS, TableName
from lakehouse_assets.lake.storage import replacing
from lakehouse_assets.lake.table import Table

DROPPED = pl.col("table_version").is_null()


@dataclass(frozen=True)
class Keep:
    """How long a layer keeps its partitions: a count of days (`d`) or years (`y`)."""

    count: int
    unit: str

    def cutoff(self, today: date) -> date:
        """The first date that is kept."""
        if self.unit == "d":
            return today - timedelta(days=self.count)
        year = today.year - self.count
        return today.replace(year=year, day=28) if (today.month, today.day) == (2, 29) else today.replace(year=year)

    def __str__(self) -> str:
        unit = "year" if self.unit == "y" else "day"
        return f"{self.count} {unit}" + ("s" if self.count > 1 else "")


DEFAULT_KEEP = {layer: Keep(years, "y") for layer, years in KEPT_YEARS.items()}


def parse_keep(texts: Iterable[str]) -> dict[str, Keep]:
    """Read `bronze=2y` or `gold=400d`; layers not named keep their default.

    Raises SelectionError for anything else.
    """
    found = dict(DEFAULT_KEEP)
    for text in texts:
        match = re.fullmatch(r"(\w+)=([1-9]\d*)([dy])", text.strip())
        if match is None or match[1] not in LAYERS:
            raise SelectionError(f"'{text}' is no retention: write <layer>=<number>y or d, such as bronze=2y")
        found[match[1]] = Keep(int(match[2]), match[3])
    return found


class Due(NamedTuple):
    """The partitions of one table and tenant that have outlived their layer, their quarantine included.

    `still_read` are those as old that stay, because today's build of another table reads them.
    """

    table: TableName
    tenant_id: str
    dates: list[date]
    still_read: list[date]
    size_bytes: int


def due(
    house: Lakehouse,
    *,
    keep: Mapping[str, Keep] = DEFAULT_KEEP,
    today: date | None = None,
    tables: Collection[TableName] | None = None,
    tenants: Collection[str] | None = None,
) -> list[Due]:
    """What has outlived its layer on `today` (UTC), by table and tenant. Writes nothing."""
    day = today or datetime.now(UTC).date()
    ledger = house.ledger.read(tenants=tenants)
    register = house.files.read(tenants=tenants)
    found = []
    for name in house.tables:
        if tables is not None and name not in tables:
            continue
        cutoff = keep[name.layer].cutoff(day)
        old = pl.concat([_files(house, stored, tenants, cutoff) for stored in (name, name.quarantine)])
        built = _of(ledger, name).filter(~DROPPED & (pl.col("date") < cutoff))
        for tenant in sorted({*old["tenant_id"], *built["tenant_id"]}):
            mine = pl.col("tenant_id") == tenant
            files = old.filter(mine)
            dates = {*files["date"], *built.filter(mine)["date"]}
            read = _read_today(house, name, day, ledger.filter(mine), register.filter(mine)) & dates
            gone = files.filter(~pl.col("date").is_in(list(read)))
            if dates:
                found.append(Due(name, tenant, sorted(dates - read), sorted(read), int(gone["size_bytes"].sum())))
    return found


def drop(house: Lakehouse, found: Iterable[Due]) -> int:
    """Drop what is due; return how many partitions. Vacuum frees the space later."""
    total = 0
    by_table: dict[TableName, dict[type_of_group, list[date]]] = {}
    for one in found:
        if one.dates:
            by_table.setdefault(one.table, {})[one.tenant_id, one.table] = one.dates
    for name, groups in by_table.items():
        # The ledger first: a fault in between leaves rows that the next run drops, not a promise of rows that are gone.
        mark_dropped(house, groups)
        for (tenant, _), dates in groups.items():
            receipt = {"kind": "retention", "tenant_id": tenant, "dates": [day.isoformat() for day in dates]}
            replaced = replacing(tenant_id=[tenant], date=dates)
            if house.lake.files(name.quarantine, tenant_id=[tenant], date=dates).height:
                house.lake.commit(name.quarantine, [], replaces=replaced, receipt=receipt)
            # Also where all of them were empty: the receipt tells the ledger.
            house.lake.commit(name, [], replaces=replaced, receipt=receipt)
            total += len(dates)
    return total


def _files(house: Lakehouse, name: TableName, tenants: Collection[str] | None, before: date) -> pl.DataFrame:
    files = house.lake.files(name, **({} if tenants is None else {"tenant_id": tenants}))
    return files.filter(pl.col("date") < before).select("tenant_id", "date", "size_bytes")


def _of(rows: pl.DataFrame, name: TableName) -> pl.DataFrame:
    return rows.filter(
        (pl.col("domain") == name.domain) & (pl.col("layer") == name.layer) & (pl.col("table") == name.table)
    )


def _read_today(
    house: Lakehouse, name: TableName, today: date, ledger: pl.DataFrame, register: pl.DataFrame
) -> set[date]:
    """The dates of a table that one of the tables reads when it builds today's partition.

    To drop them would be to build them again tomorrow.
    """
    dates: set[date] = set()
    for table in house.tables.values():
        window = table.reads.get(name)
        if window is None or table.kind == "event":
            continue  # events of a date are read from bronze of that date on
        if name in house.sources:
            dates |= _read_for_states(table, today, ledger, _of(register, name))
        else:
            dates |= set(window.union(today, today, house.start))
    return dates


def _read_for_states(table: Table, today: date, ledger: pl.DataFrame, landed: pl.DataFrame) -> set[date]:
    """An entity's state starts from its newest snapshot, reads what landed since, and every delete before it."""
    built = _of(ledger, table.name)
    snapshot = built.filter(~DROPPED & (pl.col("code_version") == table.code_version) & (pl.col("date") < today))
    newest = snapshot["date"].max()
    since = pl.lit(value=True) if newest is None else pl.col("date") > newest
    return set(landed.filter(since | (pl.col("deletes") > 0))["date"])
