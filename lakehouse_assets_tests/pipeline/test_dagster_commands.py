"""Dagster's own commands materialize a range of partitions in one run, as our backfill does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.backfill import register_tenants
from lakehouse_assets.lake.ledger import entries
from lakehouse_assets.lake.names import TableName
from lakehouse_assets_tests.pipeline.crm_landings import house_at, land

PROJECT = Path(__file__).parents[2]
FIRST, LAST = date(2026, 1, 5), date(2026, 1, 6)
PRODUCTS = TableName("crm", "bronze", "products")
RANGE = "2026-01-05|acme...2026-01-06|globex"
COMMANDS = {
    "dg": ["dg", "launch", "--assets", "key:crm/bronze/products", "--partition-range", RANGE],
    "dagster": [
        *("dagster", "asset", "materialize", "--select", "key:crm/bronze/products"),
        *("--partition-range", RANGE, "-m", "lakehouse_assets.definitions"),
    ],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_range_of_partitions_is_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    house = house_at(tmp_path / "landing", tmp_path / "lake")
    for tenant in ("acme", "globex"):
        for day in (FIRST, LAST):
            land(tmp_path / "landing", tenant, "products", day, "p.csv", [{"product_id": f"p{day.day}"}])
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(PROJECT / "dagster.yaml", home)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("LAKEHOUSE_LANDING", str(tmp_path / "landing"))
    monkeypatch.setenv("LAKEHOUSE_ROOT", str(tmp_path / "lake"))
    program, *arguments = COMMANDS[command]
    with dg.DagsterInstance.get() as instance:
        register_tenants(instance, ["acme", "globex"])
        done = subprocess.run(
            [str(Path(sys.executable).parent / program), *arguments],
            cwd=PROJECT,
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert instance.get_runs_count() == 1
    built = entries(house.ledger.read())
    assert {(key, day) for key, days in built.items() for day in days} == {
        ((PRODUCTS, tenant), day) for tenant in ("acme", "globex") for day in (FIRST, LAST)
    }
