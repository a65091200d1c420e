"""`lakehouse tenants`: who has landed, who is registered, and how far each is built."""

from __future__ import annotations

import polars as pl

from lakehouse_assets.cli.instance import dagster_instance
from lakehouse_assets.cli.show import grid, in_colour, say, say_json
from lakehouse_assets.house import open_house
from lakehouse_assets.lake.assets import TENANTS
from lakehouse_assets.lake.retention import DROPPED


def tenants(*, as_json: bool) -> None:
    """List every tenant that any of the landing zone, Dagster and the ledger knows."""
    house = open_house()
    landed = house.landing.tenants()
    with dagster_instance() as instance:
        registered = list(instance.get_dynamic_partitions(TENANTS))
    built = (
        house.ledger.read()
        .filter(~DROPPED)
        .group_by("tenant_id")
        .agg(pl.len().alias("partitions"), pl.col("date").max().alias("last_date"))
    )
    figures = {tenant: (partitions, last) for tenant, partitions, last in built.iter_rows()}
    found = []
    for tenant in sorted({*landed.tenant_ids, *registered, *figures}):
        partitions, last = figures.get(tenant, (0, None))
        found.append(
            {
                "tenant": tenant,
                "landed": tenant in landed.tenant_ids,
                "registered": tenant in registered,
                "partitions": partitions,
                "last_date": last,
            }
        )
    if as_json:
        say_json({"tenants": found, "refused": [path._asdict() for path in landed.refused]})
        return
    columns = ("tenant", "landed", "registered", "partitions", "last date")
    say(grid("Tenants", columns, (list(row.values()) for row in found)))
    for path, reason in landed.refused:
        say(in_colour("yellow", "not ingested:", f"{path}: {reason}"))
    say("A tenant is registered by the landing sensor, or by its first backfill: lakehouse backfill --tenant <name>")
