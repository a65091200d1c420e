"""The lake, built by the command or step by step, against the oracle on landing zones that nobody has seen before.

Every row of bronze, silver, quarantine, ledger and gold is compared, and every column that the contract determines.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from lakehouse_assets.house import tables
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.lake.storage import Lake
from lakehouse_assets_tests.landing_zones import Spec, generate
from lakehouse_assets_tests.oracle import Oracle
from lakehouse_assets_tests.pipeline.against_oracle import Comparison
from lakehouse_assets_tests.pipeline.crm_landings import build_all

ROOT = Path(__file__).parents[2]
COMMAND = "from lakehouse_assets.cli import main; main()"
START = date(2025, 12, 25)
SPEC = Spec(
    rows=3_000,
    tenants=("acme", "globex", "initech-2"),
    first=date(2026, 1, 1),
    days=7,
    start=START,
    history_days=6,
    dirty=0.06,
    late=0.15,
    latest=8,
    gaps=0.2,
    extract_every=3,
    formats=("csv", "ndjson", "csv.gz", "json", "csv.zst", "parquet"),
)
# The day after the last landing has events of clocks ahead, and carries every state forward.
LAST = SPEC.last + timedelta(days=1)
DAYS = [START + timedelta(days=n) for n in range((LAST - START).days + 1)]


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("landing")
    generate(root, SPEC)
    return root


def backfill(landing: Path, lake: Path, home: Path, start: date, first: date, last: date, *tenants: str) -> str:
    """Runs the command as a person would, in a process and a DAGSTER_HOME of its own."""
    home.mkdir(exist_ok=True)
    shutil.copy(ROOT / "dagster.yaml", home)
    environment = os.environ | {
        "LAKEHOUSE_LANDING": str(landing),
        "LAKEHOUSE_ROOT": str(lake),
        "LAKEHOUSE_START_DATE": start.isoformat(),
        "DAGSTER_HOME": str(home),
    }
    named = [argument for tenant in tenants for argument in ("--tenant", tenant)]
    dates = ["--from", first.isoformat(), "--to", last.isoformat()]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "backfill", "--select", "crm", *named, *dates],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_one_command_builds_what_the_contract_says(landing: Path, tmp_path: Path) -> None:
    backfill(landing, tmp_path / "lake", tmp_path / "home", START, START, LAST)
    comparison = Comparison(tmp_path / "lake", Oracle(landing, START))
    for tenant in SPEC.tenants:
        comparison.everything(tenant, DAYS)
    # Each record is compared in bronze and again in silver or quarantine; states and gold come on top.
    comparison.assert_equal(at_least=2 * SPEC.rows)


def test_landings_in_any_order_and_backfills_in_between_end_in_the_same_answers(landing: Path, tmp_path: Path) -> None:
    """The odd days land first; what the even ones bring is late for all of them."""
    arrived, lake = tmp_path / "arrived", tmp_path / "lake"
    house = Lakehouse(
        landing=Landing(str(arrived)), lake=Lake(str(lake)), tables=tables(), start=START, chunk_bytes=2**17
    )
    folders = sorted(path for path in landing.glob("*/crm/*/*") if path.is_dir())
    for remainder in (1, 0):
        for folder in folders:
            if int(folder.name[-2:]) % 2 == remainder:
                shutil.copytree(folder, arrived / folder.relative_to(landing))
        build_all(house, START, LAST)
        comparison = Comparison(lake, Oracle(arrived, START))
        for tenant in SPEC.tenants:
            comparison.everything(tenant, DAYS)
        comparison.assert_equal(at_least=SPEC.rows)
