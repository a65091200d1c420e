"""The commerce tables against the oracle, on landing zones nobody has seen, built at once and in pieces."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse_assets_tests.landing_zones.commerce import generate_commerce
from lakehouse_assets_tests.oracle.commerce import CommerceOracle
from lakehouse_assets_tests.pipeline.against_oracle import Comparison
from lakehouse_assets_tests.pipeline.commerce_house import SALES, commerce_house
from lakehouse_assets_tests.pipeline.crm_landings import build_all

START = date(2025, 12, 25)
FIRST, LANDED = date(2025, 12, 28), 9
LAST = FIRST + timedelta(days=LANDED)
DAYS = [START + timedelta(days=n) for n in range((LAST - START).days + 1)]
TENANTS = ("acme", "globex")
LINES = 90


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("landing")
    generate_commerce(root, TENANTS, FIRST, LANDED, lines=LINES)
    return root


def compared(landing: Path, lake: Path) -> Comparison:
    def devices(name: str, tenant: str, on: date) -> list[dict[str, Any]]:
        place = lake / "commerce" / name
        if not place.is_dir():
            return []
        return pl.read_delta(str(place)).filter(tenant_id=tenant, date=on).to_dicts()

    comparison = Comparison(lake, CommerceOracle(landing, START, devices=devices))
    for tenant in TENANTS:
        comparison.everything(tenant, DAYS)
    return comparison


def test_commerce_holds_what_the_contract_says(landing: Path, tmp_path: Path) -> None:
    build_all(commerce_house(landing, tmp_path / "lake", START), START, LAST, TENANTS, SALES)
    # Each record is compared in bronze and again in silver or quarantine; states and gold come on top.
    compared(landing, tmp_path / "lake").assert_equal(at_least=3 * LINES * LANDED * len(TENANTS))


def test_landings_in_any_order_end_in_the_same_answers(landing: Path, tmp_path: Path) -> None:
    """The odd days land first; what the even ones bring is late for all of them."""
    arrived, lake = tmp_path / "arrived", tmp_path / "lake"
    folders = sorted(path for path in landing.glob("*/commerce/*/*") if path.is_dir())
    for remainder in (1, 0):
        for folder in folders:
            if int(folder.name[-2:]) % 2 == remainder:
                shutil.copytree(folder, arrived / folder.relative_to(landing))
        build_all(commerce_house(arrived, lake, START, chunk_bytes=2**16), START, LAST, TENANTS, SALES)
        compared(arrived, lake).assert_equal(at_least=LINES * LANDED)
