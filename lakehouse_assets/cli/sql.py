"""`lakehouse sql`: one SELECT over the lake."""

from __future__ import annotations

from lakehouse_assets.cli.show import grid_of, say, say_json
from lakehouse_assets.house import open_house
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import LANDING_FILES, LEDGER
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.sql import query, rows_as_json


def sql(statement: str, tenant: str | None, *, limit: int, as_json: bool) -> None:
    """Answer a statement, from one tenant's rows or from all."""
    house = open_house()
    found = query(
        statement,
        root=house.lake.root,
        tables=tables_of(house),
        tenant=tenant,
        storage_options=house.lake.options,
    )
    if as_json:
        say_json(rows_as_json(found))
        return
    more = f"{found.height - limit} more rows; see all by --limit or --json" if found.height > limit else None
    say(grid_of("", found.head(limit), caption=more))


def tables_of(house: Lakehouse) -> list[TableName]:
    """Every table that has a name in SQL: those declared, the quarantine of each, and the bookkeeping."""
    names = [*house.tables, *(name.quarantine for name in house.tables), LEDGER, LANDING_FILES]
    return list(dict.fromkeys(names))
