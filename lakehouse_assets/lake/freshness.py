"""Freshness by tenant: Dagster's policy tells when an asset was last built for anyone, this tells for whom it was not.

Belongs here: comparing the ledger with the days that have ended. Not here: what builds them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName

# A day is due two days after it began: the nightly schedules have run, and had a day to be repaired.
GRACE = timedelta(days=2)


class Staleness(NamedTuple):
    """A tenant whose newest partition of a table is older than it should be; `newest` is None where there is none."""

    tenant_id: str
    newest: date | None


def newest_dates(house: Lakehouse, tenants: Collection[str]) -> dict[tuple[TableName, str], date]:
    """The newest date built of each table and tenant."""
    ledger = house.ledger.read(tenants=tenants)
    newest = (
        ledger.filter(pl.col("table_version").is_not_null())
        .group_by("domain", "layer", "table", "tenant_id")
        .agg(pl.col("date").max())
    )
    return {(TableName(*row[:3]), row[3]): row[4] for row in newest.iter_rows()}


def stale_tenants(house: Lakehouse, tenants: Collection[str], today: date) -> dict[TableName, list[Staleness]]:
    """For every table the tenants without a partition of the last two days that have ended."""
    newest = newest_dates(house, tenants)
    found: dict[TableName, list[Staleness]] = {}
    for name in house.tables:
        dates = [Staleness(tenant, newest.get((name, tenant))) for tenant in sorted(tenants)]
        found[name] = [one for one in dates if one.newest is None or one.newest < today - GRACE]
    return found


def figures(stale: Collection[Staleness]) -> dict[str, str]:
    """The newest date of each tenant that waits."""
    return {one.tenant_id: str(one.newest or "never built") for one in stale}
