"""Three days of two tenants in crm, and a run as the daemon would start it, in the definitions of the whole project.

Belongs here: what the tests of sensor, schedules and backfill land. Not here: what they find.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.backfill import QUIET
from lakehouse_assets.house import open_house
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets_tests.pipeline.crm_landings import land

FIRST, MIDDLE, LAST = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)
INTERACTIONS = TableName("crm", "silver", "interactions_clean")
CHANNELS = TableName("crm", "gold", "channel_performance")
FEATURES = TableName("crm", "gold", "customer_features")


def land_three_days(root: Path) -> None:
    for tenant in ("acme", "globex"):
        for day in (FIRST, MIDDLE, LAST):
            land(root, tenant, "customers", day, "c.csv", [{"customer_id": f"c{day.day}", "customer_name": "Ada"}])
            lead = {"lead_id": f"l{day.day}", "customer_id": "c5", "status": "closed_won", "deal_value": "10.005"}
            lead |= {"created_date": str(FIRST), "closed_date": str(day), "updated_at": f"{day}T10:00:00Z"}
            land(root, tenant, "leads", day, "l.csv", [lead])
            call = {"interaction_id": f"i{day.day}", "customer_id": "c5", "channel": "call", "outcome": "positive"}
            late = {
                **call,
                "interaction_id": f"late{day.day}",
                "interaction_at": "2026-01-05 08:00",
                "channel": "email",
            }
            rows = [{**call, "interaction_at": f"{day} 09:00"}, {**late, "interaction_at": f"2026-01-05 0{day.day}:00"}]
            land(root, tenant, "interactions", day, "i.csv", rows)


def land_late_row(root: Path) -> None:
    """A row of acme that lands on the last day, and is about the day before."""
    late = {"interaction_id": "x", "customer_id": "c6", "channel": "meeting", "interaction_at": "2026-01-06 23:00"}
    land(root, "acme", "interactions", LAST, "late.csv", [late])


def land_faulty_rows(root: Path, rows: int) -> Path:
    """So many rows of acme on the last day that all break a rule: the file that was landed."""
    faulty = [{"interaction_id": f"f{i}", "interaction_at": f"{LAST} 10:00"} for i in range(rows)]
    return land(root, "acme", "interactions", LAST, "broken.csv", faulty)


def house_in(monkeypatch: pytest.MonkeyPatch, landing: Path, lake: Path) -> Lakehouse:
    """The crm of a lake: for the other domains nothing lands."""
    monkeypatch.setenv("LAKEHOUSE_LANDING", str(landing))
    monkeypatch.setenv("LAKEHOUSE_ROOT", str(lake))
    house = open_house()
    return replace(house, tables={name: table for name, table in house.tables.items() if name.domain == "crm"})


def run(request: dg.RunRequest, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    from lakehouse_assets.definitions import defs

    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        asset_selection=request.asset_selection,
        tags=request.tags,
        instance=instance,
        raise_on_error=False,
        run_config=QUIET,
    )
