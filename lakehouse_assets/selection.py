"""Selections: which tables `--select` means.

`crm` is a domain, `crm/gold` a layer of it, `crm/gold/customer_features` a table; anything else is Dagster's asset
selection syntax (`key:"crm/gold/*"+`, `group:crm and tag:layer=gold`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from lakehouse_assets.lake.errors import SelectionError
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.table import Table


def select(tables: Mapping[TableName, Table], selections: Collection[str]) -> list[TableName]:
    """The tables that any of the selections names, an input before its readers; all where there is none.

    Raises SelectionError for a selection that names no table.
    """
    if not selections:
        return list(tables)
    chosen: set[TableName] = set()
    for selection in selections:
        parts = tuple(re.split(r"[./]", selection.strip().rstrip("/")))
        found = {name for name in tables if parts and name.key[: len(parts)] == parts}
        chosen |= found or _by_dagster(tables, selection)
    return [name for name in tables if name in chosen]


def _by_dagster(tables: Mapping[TableName, Table], selection: str) -> set[TableName]:
    import dagster as dg

    from lakehouse_assets.definitions import defs

    try:
        keys = dg.AssetSelection.from_string(selection).resolve(defs.resolve_asset_graph())
    except (dg.DagsterError, ValueError) as error:
        raise SelectionError(f"--select '{selection}' names no table and is no asset selection: {error}") from error
    found = {TableName(*key.path) for key in keys if tuple(key.path) in {name.key for name in tables}}
    if not found:
        names = ", ".join(sorted({name.domain for name in tables}))
        raise SelectionError(f"--select '{selection}' names no table; the domains are: {names}")
    return found
