"""A small lake with years between its partitions: seven real crm tables, two tenants, a few rows a day.

For tests of what happens to a lake after it is built. Every kind of table is in it, every kind of quarantine, and a
delete.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path

import polars as pl

from lakehouse_assets.house import tables
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import DAY, Partition
from lakehouse_assets.lake.plan import BuildPlan, make_plan
from lakehouse_assets.lake.runner import build
from lakehouse_assets.lake.storage import Lake

OLD, YEARS_LATER, NOW = date(2019, 3, 1), date(2023, 6, 1), date(2026, 1, 5)
TODAY = NOW + DAY
SPANS = ((OLD, OLD + 2 * DAY), (YEARS_LATER, YEARS_LATER), (NOW - DAY, TODAY))
BRONZE_CUSTOMERS = TableName("crm", "bronze", "customers")
BRONZE_INTERACTIONS = TableName("crm", "bronze", "interactions")
CUSTOMERS = TableName("crm", "silver", "customers_clean")
LEADS = TableName("crm", "silver", "leads_clean")
INTERACTIONS = TableName("crm", "silver", "interactions_clean")
CHANNELS = TableName("crm", "gold", "channel_performance")
TABLES = (
    BRONZE_CUSTOMERS, BRONZE_INTERACTIONS, TableName("crm", "bronze", "leads"), CUSTOMERS, LEADS, INTERACTIONS, CHANNELS
)  # fmt: skip
FILES = {
    f"acme/crm/customers/{OLD}/a.csv": "customer_id,employee_count\nc1,10\nc2,20\nc3,30\n",
    f"acme/crm/customers/{OLD + DAY}/b.csv": "customer_id,employee_count,_op\nc3,,delete\n",
    f"acme/crm/customers/{NOW}/c.csv": "customer_id,employee_count\nc1,11\nc4,-4\n",
    f"acme/crm/leads/{OLD}/a.csv": (
        "lead_id,customer_id,status,created_date\nl1,c1,new,2019-02-01\nl2,c9,won?,2019-02-31\n"
    ),
    f"acme/crm/leads/{NOW}/b.csv": (
        "lead_id,customer_id,status,created_date,deal_value\nl1,c1,closed_won,2019-02-01,99\n"
    ),
    f"acme/crm/interactions/{OLD}/a.csv": (
        "interaction_id,customer_id,channel,interaction_at,duration_minutes\n"
        f"i1,c1,call,{OLD} 09:00:00,5\ni2,c1,email,{OLD} 10:00:00,long\ni3,c2,call,{OLD} 11:00:00\n"
    ),
    f"acme/crm/interactions/{YEARS_LATER}/b.csv": (
        f"interaction_id,customer_id,channel,interaction_at\ni4,c1,call,{YEARS_LATER}T10:00:00Z\n"
    ),
    f"acme/crm/interactions/{NOW}/c.csv": (
        f"interaction_id,customer_id,lead_id,channel,interaction_at\ni5,c1,l1,call,{NOW} 08:00:00\ni6,c1,,call,soon\n"
    ),
    f"globex/crm/customers/{NOW}/a.csv": "customer_id,employee_count\ng1,1\n",
    f"globex/crm/leads/{NOW}/a.csv": "lead_id,customer_id,status,created_date\nm1,g1,new,2026-01-01\n",
    f"globex/crm/interactions/{NOW}/a.csv": (
        f"interaction_id,customer_id,channel,interaction_at\nj1,g1,meeting,{NOW} 08:00:00\n"
    ),
}


def small_house(folder: Path) -> Lakehouse:
    """The lakehouse below a folder; nothing has landed in a new one."""
    declared = {name: table for name, table in tables().items() if name in TABLES}
    landing, root = folder / "landing", folder / "lake"
    landing.mkdir(parents=True, exist_ok=True)
    return Lakehouse(landing=Landing(str(landing)), lake=Lake(str(root)), tables=declared, start=date(2018, 1, 1))


def land(house: Lakehouse, path: str, text: str) -> None:
    """Put a file into the landing zone, as old as its folder says."""
    file = Path(house.landing.root) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (1_700_000_000, 1_700_000_000))


@cache
def _template() -> tempfile.TemporaryDirectory[str]:
    """Built once and removed when the tests end."""
    folder = tempfile.TemporaryDirectory(prefix="small-lake-")
    atexit.register(folder.cleanup)
    house = small_house(Path(folder.name))
    land_all(house)
    build_spans(house)
    return folder


def built_lake(folder: Path) -> Lakehouse:
    """The small lake with all of FILES landed and all SPANS built, a copy for this test alone."""
    shutil.copytree(_template().name, folder, dirs_exist_ok=True)
    return small_house(folder)


def land_all(house: Lakehouse) -> None:
    """Land all of FILES."""
    for path, text in FILES.items():
        land(house, path, text)


def build_spans(house: Lakehouse, chosen: Iterable[TableName] | None = None) -> None:
    """Carry out the plans of all SPANS."""
    for first, last in SPANS:
        carry_out(house, make_plan(house, list(chosen or house.tables), None, first, last))


def carry_out(house: Lakehouse, plan: BuildPlan) -> None:
    for name, partitions in plan.build.items():
        report = build(house, name, partitions, "test")
        assert not report.failed, report.failed


def rows(house: Lakehouse, name: TableName) -> pl.DataFrame:
    """All rows of a table as any Delta reader sees them, in a stable order; who set them aside when is left out."""
    frame = pl.read_delta(house.lake.uri(name)).drop("run_id", "quarantined_at", strict=False)
    plain = [column for column, dtype in frame.schema.items() if not dtype.is_nested()]
    return frame.sort(plain, nulls_last=True)


def live_files(house: Lakehouse, name: TableName) -> dict[Partition, list[str]]:
    """The paths of a table's live files by partition."""
    found: dict[Partition, list[str]] = {}
    for tenant, day, path in house.lake.files(name).select("tenant_id", "date", "path").iter_rows():
        found.setdefault(Partition(tenant, day), []).append(path)
    return found


def dates(house: Lakehouse, name: TableName, tenant: str = "acme") -> list[date]:
    """The dates of which a tenant has rows in a table."""
    return sorted(partition.date for partition in live_files(house, name) if partition.tenant_id == tenant)
