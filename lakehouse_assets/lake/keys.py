"""How tables and partitions are named in Dagster.

Belongs here: keys of assets and partitions, both ways.
"""

from __future__ import annotations

from datetime import date

import dagster as dg

from lakehouse_assets.lake.names import TableName, check_tenant
from lakehouse_assets.lake.partitions import Partition


def partition_key(partition: Partition) -> str:
    """The key as Dagster writes it, dimensions in alphabetical order: `2026-01-31|acme`."""
    return f"{partition.date.isoformat()}|{partition.tenant_id}"


def partition_of(key: str) -> Partition:
    """The partition that a key names: the inverse of `partition_key`."""
    day, _, tenant = key.partition("|")
    return Partition(check_tenant(tenant), date.fromisoformat(day))


def asset_key(name: TableName) -> dg.AssetKey:
    """The key of a table's asset."""
    return dg.AssetKey(list(name.key))
