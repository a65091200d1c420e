"""Invented days in the shape of Online Retail, with its faults, from files through the sensor to gold."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from lakehouse_assets.house import open_house
from lakehouse_assets.lake.keys import asset_key
from lakehouse_assets_tests.adapters.errors import AdapterError
from lakehouse_assets_tests.adapters.online_retail import LandingZone, day_files, read_day
from lakehouse_assets_tests.adapters.online_retail_report import (
    CUSTOMERS,
    FACTS,
    REVENUE,
    compared,
    customers_agree,
    land_day_by_day,
    report,
)
from lakehouse_assets_tests.instances import instance_in

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
DAYS = {
    "2010-12-01": (
        '501,A1,"LAMP, RED ",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n'
        '501,A1,"LAMP, RED ",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n'
        "501,B2,,3,2010-12-01 08:26:00,0.29,17850.0,United Kingdom\n"
        "502,C3,VASE,1,2010-12-01 09:00:00,7.95,,France\n"
        "C503,A1,LAMP RED,-2,2010-12-01 10:00:00,2.55,17850.0,United Kingdom\n"
    ),
    "2010-12-02": (
        "504,B2,BOWL,-4,2010-12-02 08:00:00,0.0,,United Kingdom\n"
        "505,B2,BOWL,1,2010-12-02 08:10:00,0.105,12370.0,Cyprus\n"
        "505,B2,BOWL,1,2010-12-02 08:10:00,0.115,12370.0,Cyprus\n"
    ),
    "2010-12-05": (
        "C506,B2,?,-1,2010-12-05 12:00:00,0.105,12370.0,Austria\n"
        "507,A1,LAMP,1,2010-12-05 12:30:00,3,17850.0,United Kingdom\n"
    ),
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    for day, lines in DAYS.items():
        (folder / f"{day}.csv").write_text(HEADER + lines)
    return folder


def dropped(root: Path, source: str, day: str) -> list[dict[str, str]]:
    path = root / "acme" / "commerce" / source / day / f"{source}.csv"
    return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []


def test_every_line_is_a_transaction_of_its_own(shop: Path, tmp_path: Path) -> None:
    zone = LandingZone(tmp_path / "landing", "acme")
    for path in day_files(shop):
        zone.lay_out(path)
    first = dropped(tmp_path / "landing", "transactions", "2010-12-01")
    assert [row["transaction_id"] for row in first] == [f"2010-12-01-00000{n}" for n in range(1, 6)]
    assert [row["amount"] for row in first] == ["15.30", "15.30", "0.87", "7.95", "-5.10"]
    assert [row["customer_id"] for row in first] == ["17850", "17850", "17850", "", "17850"]
    assert [row["amount"] for row in dropped(tmp_path / "landing", "transactions", "2010-12-02")][1:] == [
        "0.105",
        "0.115",
    ]


def test_customers_and_products_land_when_they_are_new(shop: Path, tmp_path: Path) -> None:
    zone, root = LandingZone(tmp_path / "landing", "acme"), tmp_path / "landing"
    for path in day_files(shop):
        zone.lay_out(path)
    customers = [[(row["customer_id"], row["region"]) for row in dropped(root, "customers", day)] for day in DAYS]
    assert customers == [[("17850", "United Kingdom")], [("12370", "Cyprus")], []]
    products = [[(row["product_id"], row["product_name"]) for row in dropped(root, "products", day)] for day in DAYS]
    assert products == [[("A1", "LAMP, RED"), ("B2", ""), ("C3", "VASE")], [("B2", "BOWL")], []]


def test_the_lake_agrees_with_plain_sums_day_by_day(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_LANDING", str(tmp_path / "landing"))
    monkeypatch.setenv("LAKEHOUSE_ROOT", str(tmp_path / "lake"))
    monkeypatch.setenv("LAKEHOUSE_START_DATE", "2010-12-01")
    with instance_in(tmp_path / "home") as instance:
        told = land_day_by_day(shop, tmp_path / "landing", instance)
        check = dg.AssetCheckKey(asset_key(REVENUE), "net_revenue_equals_facts")
        history = instance.event_log_storage.get_asset_check_execution_history(check, limit=9)
    assert [one.status for one in history] == [AssetCheckExecutionRecordStatus.SUCCEEDED] * len(DAYS)
    house = open_house()
    days = compared(told, house)
    assert all(day.agrees for day in days)
    # 0.105 and 0.115 are 0.10 and 0.12 in cents, half-even.
    assert [day.net_in_lake for day in days] == [Decimal("34.32"), Decimal("0.22"), Decimal("2.90")]
    assert [day.refunds_in_lake for day in days] == [Decimal("5.10"), Decimal(0), Decimal("0.10")]
    assert [day.guests_in_lake for day in days] == [1, 1, 0]
    assert customers_agree(told, house) == (2, 2)
    facts = pl.read_delta(house.lake.uri(FACTS)).sort("transaction_id")
    assert facts["region"].to_list() == ["UNITED KINGDOM"] * 3 + ["UNKNOWN", "UNITED KINGDOM", "UNKNOWN"] + [
        *["CYPRUS"] * 3,
        "UNITED KINGDOM",
    ]
    assert facts.filter("is_refund")["invoice_id"].to_list() == ["C503", "C506"]
    shown = pl.read_delta(house.lake.uri(CUSTOMERS)).filter(date=date(2010, 12, 5)).sort("customer_id")
    assert shown.select("customer_id", "orders", "refunds", "days_since_last_order").rows() == [
        ("12370", 2, Decimal("0.10"), 0),
        ("17850", 3, Decimal("5.10"), 0),
    ]
    text = report(told, days, customers_agree(told, house))
    assert "3 of 3 days agree" in text
    assert "| 2010-12-01 | 5 | 5 | 1 | 5.10 | 5.10 | 34.32 | 34.32 | 0.00 |" in text
    assert "| **all** | 10 | 10 | 2 | 5.20 | 5.20 | 37.44 | 37.44 | 0.00 |" in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("InvoiceNo,StockCode\n1,2\n", "2010-12-01.csv: the columns are"),
        (HEADER + "1,A,x,many,2010-12-01 08:00:00,1,,UK\n", "2010-12-01.csv, line 1: quantity and price"),
    ],
)
def test_files_of_another_shape_are_refused(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "2010-12-01.csv").write_text(text)
    with pytest.raises(AdapterError, match=told):
        read_day(tmp_path / "2010-12-01.csv")
    with pytest.raises(AdapterError, match="holds no file"):
        day_files(tmp_path / "elsewhere")
