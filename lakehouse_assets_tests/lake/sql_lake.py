"""A lake of real Delta tables for the tests of SQL. Three tenants, of which one name begins another's."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
from deltalake import DeltaTable, write_deltalake

from lakehouse_assets.lake.names import TableName

ASKING = "acme"
OTHERS = ("acme2", "globex")
FEATURES = TableName("crm", "gold", "customer_features")
LEADS = TableName("crm", "silver", "leads_clean")
REJECTED = TableName("crm", "quarantine", "leads_clean")
SALES = TableName("commerce", "gold", "sales")
LEDGER = TableName("platform", "silver", "partition_ledger")
EMPTY = TableName("crm", "platinum", "conversion_model")
NOT_BUILT = TableName("crm", "bronze", "leads")
TABLES = (FEATURES, LEADS, REJECTED, SALES, LEDGER, EMPTY, NOT_BUILT)
DATES = (date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3))


def rows_of(tenant: str) -> pl.DataFrame:
    """Two customers for each date; of other tenants, every text says whose it is."""
    return pl.DataFrame(
        {
            "tenant_id": tenant,
            "date": [day for day in DATES for _ in range(2)],
            "customer_id": [f"{tenant}-{number}" for number in range(6)],
            "revenue": [float(number if tenant == ASKING else 1000 + number) for number in range(6)],
            "price": pl.Series([Decimal(number) / 100 for number in range(6)], dtype=pl.Decimal(18, 2)),
            "flags": [[tenant, "late"]] * 6,
        }
    )


def build(root: Path) -> Path:
    """Write the tables below `root`, all but one, and one of them empty; return `root`."""
    for name in (FEATURES, LEADS, REJECTED, SALES, LEDGER):
        frame = pl.concat([rows_of(tenant) for tenant in (ASKING, *OTHERS)])
        write_deltalake(str(root / name.path), frame, partition_by=["tenant_id", "date"])
    schema = DeltaTable(str(root / FEATURES.path)).schema()
    DeltaTable.create(str(root / EMPTY.path), schema=schema, partition_by=["tenant_id", "date"])
    return root


def remove_files(root: Path, pattern: str) -> None:
    """Remove data files but not their entries in the log, so that whoever reads them fails."""
    for file in root.glob(f"*/*/*/{pattern}/*.parquet"):
        file.unlink()
