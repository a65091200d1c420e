"""A lakehouse of commerce alone, for tests of whole pipelines, and its tables by name."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from lakehouse_assets.house import tables
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.storage import Lake

CUSTOMERS, PRODUCTS, FACTS, EVENTS = (
    TableName("commerce", "silver", table)
    for table in ("customers", "products", "transaction_facts", "customer_events")
)
REVENUE, CUSTOMER360 = (TableName("commerce", "gold", table) for table in ("daily_revenue", "customer360"))
SALES = [CUSTOMERS, PRODUCTS, FACTS, EVENTS, REVENUE, CUSTOMER360]


def commerce_house(landing: Path, lake: Path, start: date, *, chunk_bytes: int = 2**28) -> Lakehouse:
    commerce = {name: table for name, table in tables().items() if name.domain == "commerce"}
    return Lakehouse(
        landing=Landing(str(landing)), lake=Lake(str(lake)), tables=commerce, start=start, chunk_bytes=chunk_bytes
    )
