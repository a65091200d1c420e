"""Freshness by tenant: Dagster's policy tells when an asset was last built for anyone, this tells for whom it was not.

Belongs here: comparing the ledger with the days that have ended, and telling who falls behind, once. Not here: what
builds the days (`automation`), and how an alert travels (`alerts`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import dagster as dg
import polars as pl
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from lakehouse_assets.lake.alerts import Alert, Sink, deliver
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName

# A day is due two days after it began: the nightly schedules have run, and had a day to be repaired.
GRACE = timedelta(days=2)
# Where the check's metadata keep the tables that an alert has named, by tenant.
TOLD = "told"
FINISHED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}


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
    """For every table the tenants that have landed for it, without a partition of the last two days that have ended."""
    newest, concerns = newest_dates(house, tenants), house.concerns(tenants)
    found: dict[TableName, list[Staleness]] = {}
    for name in house.tables:
        dates = [
            Staleness(tenant, newest.get((name, tenant))) for tenant in sorted(tenants) if name in concerns[tenant]
        ]
        found[name] = [one for one in dates if one.newest is None or one.newest < today - GRACE]
    return found


def figures(stale: Collection[Staleness]) -> dict[str, str]:
    """The newest date of each tenant that waits."""
    return {one.tenant_id: str(one.newest or "never built") for one in stale}


def told_before(instance: dg.DagsterInstance, check: dg.AssetCheckKey) -> dict[str, list[str]]:
    """The tables that alerts have named by tenant, as the newest evaluation of the check has left it."""
    history = instance.event_log_storage.get_asset_check_execution_history(check, limit=1, status=FINISHED)
    event = history[0].event.dagster_event if history and history[0].event else None
    kept = event.asset_check_evaluation_data.metadata.get(TOLD) if event else None
    return dict(kept.value) if isinstance(kept, dg.JsonMetadataValue) and isinstance(kept.value, dict) else {}


def tell_of_stale_tenants(
    stale: Mapping[TableName, Collection[Staleness]],
    before: Mapping[str, Collection[str]],
    to: Sequence[Sink],
    *,
    run_id: str,
) -> dict[str, list[str]]:
    """Send one alert for each tenant that has fallen behind with tables that `before` does not name.

    Returns what is to be known at the next evaluation: the stale tables of each tenant that have been told. A tenant
    that has caught up is not in it, so that it is told again when it falls behind again; neither is one whose alert
    could not be delivered.
    """
    waiting: dict[str, dict[str, Staleness]] = {}
    for name, found in stale.items():
        for one in found:
            waiting.setdefault(one.tenant_id, {})[str(name)] = one
    told: dict[str, list[str]] = {}
    for tenant, tables in sorted(waiting.items()):
        known = [name for name in tables if name in before.get(tenant, ())]
        new = [name for name in tables if name not in known]
        delivered = not new or not deliver([_alert(tenant, {name: tables[name] for name in new}, run_id)], to)
        if kept := list(tables) if delivered else known:
            told[tenant] = kept
    return told


def _alert(tenant: str, tables: Mapping[str, Staleness], run_id: str) -> Alert:
    newest = {one.newest for one in tables.values()}
    since = ", ".join(f"{name} ({one.newest or 'never built'})" for name, one in tables.items())
    return Alert(
        kind="stale_tenant",
        severity="error",
        message=f"{tenant} has fallen behind; newest date by table: {since}",
        table=next(iter(tables)) if len(tables) == 1 else None,
        tenant_id=tenant,
        date=next(iter(newest)) if len(newest) == 1 else None,
        run_id=run_id,
    )
