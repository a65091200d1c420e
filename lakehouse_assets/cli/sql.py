"""`lakehouse sql`: one SELECT over the lake."""

from __future__ import annotations

from lakehouse_assets.cli.show import grid_of, say, say_json
from lakehouse_assets.house import open_house
from lakehouse_assets.lake.catalog import catalog_tables
from lakehouse_assets.lake.sql import query, rows_as_json


def sql(statement: str, tenant: str | None, *, limit: int, as_json: bool) -> None:
    """Answer a statement, from one tenant's rows or from all."""
    house = open_house()
    found = query(
        statement,
        root=house.lake.root,
        tables=catalog_tables(house.tables),
        tenant=tenant,
        storage_options=house.lake.options,
    )
    if as_json:
        say_json(rows_as_json(found))
        return
    more = f"{found.height - limit} more rows; see all by --limit or --json" if found.height > limit else None
    say(grid_of("", found.head(limit), caption=more))
