"""The committed sample of commerce: every rule of every table is broken in it, and every story that it tells is there.

What four sources come to is asked of the oracle; rules of all are found in a lake of silver and alerts.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.domains.commerce.silver_telemetry import RULES
from lakehouse_assets.house import tables
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.storage import Lake
from lakehouse_assets.lake.table import Table
from lakehouse_assets_tests.once import once
from lakehouse_assets_tests.oracle.commerce import CommerceOracle
from lakehouse_assets_tests.pipeline.crm_landings import build_all

LANDING = Path(__file__).parent.parent / "data" / "landing"
START = date(2024, 1, 1)
# Sales reach back to November; nothing is later than the day after the last landing.
DAYS = [date(2025, 11, 1) + timedelta(days=n) for n in range(70)]
TENANTS = ("acme", "globex", "initech")
LARGEST_KB = 400
CLEANED = [
    name
    for name, table in tables().items()
    if name.domain == "commerce" and name.layer == "silver" and table.source is not None
]
ALERTS = TableName("commerce", "gold", "anomaly_alerts")
FEATURES = TableName("commerce", "gold", "ml_customer_features")
# What a function fills can never be null.
FILLED = {f"{name}: is_null" for name in ("region", "is_refund", "text", "char_count")} | {"char_count: is_negative"}
MALFORMED = {
    "customer_events/2026-01-05/events.ndjson": [64],
    "transactions/2026-01-06/transactions.csv": [2, 3],
    "transactions/2026-01-07/transactions.json": [3],
}


def january(day: int) -> date:
    return date(2026, 1, day)


@pytest.fixture(scope="module")
def oracle() -> CommerceOracle:
    return CommerceOracle(LANDING, START)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    """The sample's silver of all dates with a row, and its alerts and features of the days on which it lands."""
    commerce = {name: table for name, table in tables().items() if name.domain == "commerce"}

    def house_at(folder: Path) -> Lakehouse:
        return Lakehouse(Landing(str(LANDING)), Lake(str(folder)), commerce, START, 2**28)

    def build(folder: Path) -> None:
        found = house_at(folder)
        build_all(found, january(5), january(8), selected=[*CLEANED, ALERTS, FEATURES])
        build_all(found, DAYS[0], january(8), selected=[TableName("commerce", "silver", "transaction_facts")])

    return house_at(once(tmp_path_factory, "sample_commerce", build))


def rows(house: Lakehouse, name: TableName) -> pl.DataFrame:
    return pl.read_delta(house.lake.uri(name))


def silver(table: str) -> TableName:
    return TableName("commerce", "silver", table)


def rules_of(table: Table, action: str) -> set[str]:
    rules = [rule for rule in table.judged_rules if rule.action == action]
    return {f"{rule.column}: {rule.name}" if rule.column else rule.name for rule in rules}


def test_three_tenants_land_over_four_days_in_little_space(oracle: CommerceOracle) -> None:
    landed = {tenant: [day.day for day in oracle.ingest_dates(tenant)] for tenant in TENANTS}
    assert landed == {"acme": [5, 6, 7, 8], "globex": [5, 6, 7, 8], "initech": [5, 8]}
    files = [path for path in LANDING.glob("*/commerce/**/*") if path.is_file()]
    assert {path.parts[-3] for path in files} == {source.name for source in sources()}
    assert sum(path.stat().st_size for path in files) < LARGEST_KB * 1024


def sources() -> list[Any]:
    return [table.source for name, table in tables().items() if name.domain == "commerce" and name.layer == "bronze"]


@pytest.mark.parametrize("name", CLEANED, ids=str)
def test_every_reject_rule_is_broken_somewhere(house: Lakehouse, name: TableName) -> None:
    broken = rows(house, name.quarantine)["reasons"].explode().unique()
    assert set(broken) == rules_of(house.table(name), "reject") - FILLED


@pytest.mark.parametrize("name", CLEANED, ids=str)
def test_every_flag_is_raised_somewhere(house: Lakehouse, name: TableName) -> None:
    table = house.table(name)
    raised = rows(house, name)["quality_flags"].explode().drop_nulls().unique()
    assert set(raised) == rules_of(table, "flag") | set(table.set_flags)


def test_a_sale_of_nothing_is_warned_of(house: Lakehouse) -> None:
    facts = rows(house, silver("transaction_facts"))
    assert facts.filter(pl.col("amount") == 0).select("tenant_id", "transaction_id").rows() == [("acme", "T0907")]


@pytest.mark.parametrize("tenant", TENANTS)
@pytest.mark.parametrize("source", ["customers", "products", "transactions", "customer_events"])
def test_every_landed_row_is_judged_once_and_no_partition_is_refused(
    oracle: CommerceOracle, source: str, tenant: str
) -> None:
    landed = sum(oracle.bronze_counts(source, tenant, day)["rows"] for day in DAYS)
    assert landed == sum(oracle.counts(source, tenant, day)["judged"] for day in DAYS) > 0
    assert not any(oracle.is_refused(source, tenant, day) for day in DAYS)


def test_malformed_records_are_set_aside_and_no_file_is_refused(oracle: CommerceOracle) -> None:
    files = [
        file
        for source in oracle.sources
        for tenant in TENANTS
        for day in DAYS
        for file in oracle.landed_files(source, tenant, day)
    ]
    malformed = {file.path.partition("/commerce/")[2]: file.malformed for file in files if file.malformed}
    assert malformed == MALFORMED
    assert [file.path for file in files if file.refused] == []


@pytest.mark.parametrize(
    ("tenant", "source", "day", "duplicates"),
    [
        ("acme", "customers", january(5), 1),  # the same once it is cleaned
        ("acme", "products", january(5), 1),
        ("acme", "transactions", january(5), 2),  # word for word, and a guest who got a name
        ("acme", "transactions", january(6), 1),  # corrected two days later
        ("acme", "customer_events", date(2025, 12, 10), 1),
        ("globex", "customers", january(7), 1),  # an extract with one change and one delete
    ],
)
def test_every_kind_of_duplicate_appears(
    oracle: CommerceOracle, tenant: str, source: str, day: date, duplicates: int
) -> None:
    assert oracle.counts(source, tenant, day)["duplicate"] == duplicates


def test_deletes_moves_and_late_rows(oracle: CommerceOracle) -> None:
    deleted = {s: sum(oracle.counts(s, "globex", day)["deleted"] for day in DAYS) for s in ("customers", "products")}
    assert deleted == {"customers": 1, "products": 1}
    regions = [
        next(row["region"] for row in oracle.silver("customers", "acme", january(day)) if row["customer_id"] == "A-108")
        for day in (6, 7)
    ]
    assert regions == ["AMER", "EMEA"]
    late = [
        (row["_ingest_date"] - day).days
        for day in DAYS
        for row in oracle.silver("transactions", "acme", day)
        if row["_ingest_date"] > january(5)
    ]
    assert (max(late), Counter(late)[0] > 0) == (15, True)


def test_refunds_a_cancellation_and_a_guest(oracle: CommerceOracle) -> None:
    lines = [row for day in DAYS for row in oracle.silver("transactions", "acme", day)]
    back = {row["transaction_id"]: row["amount"] for row in lines if row["is_refund"]}
    assert back == {"T0903": Decimal("-5200.00"), "T0930": Decimal("-7450.00"), "T0931": Decimal("-190.00")}
    assert sum(row["amount"] for row in lines if row["invoice_id"] in {"INV-2610", "C-INV-2610"}) == 0
    orders = {row["customer_id"]: row for row in oracle.customer360("acme", january(8))}
    assert orders["A-102"]["orders"] == 0
    assert {row["quality_flags"][0] for row in lines if row["customer_id"] is None} == {"guest"}


def test_a_correction_shows_in_silver_on_its_day_and_in_features_from_the_day_on_which_it_landed(
    house: Lakehouse,
) -> None:
    corrected = rows(house, silver("transaction_facts")).filter(transaction_id="T0922")
    assert corrected["amount"].to_list() == [Decimal("379.80")]
    features = rows(house, FEATURES).filter(customer_id="A-109").sort("date").select("date", "monetary").rows()
    assert features == [
        (january(6), Decimal("189.90")),
        (january(7), Decimal("189.90")),
        (january(8), Decimal("379.80")),
    ]


def test_telemetry_shows_every_method_and_severity(house: Lakehouse) -> None:
    windows = rows(house, silver("telemetry_windows")).filter(pl.col("date") >= january(5))
    assert set(windows["method"]) == {"seasonal", "recent", "none"}
    alerts = rows(house, ALERTS).filter((pl.col("date") >= january(5)) & (pl.col("tenant_id") == "acme"))
    assert set(alerts["severity"]) == {"critical", "major", "warning"}
    assert Counter(alerts["date"]) == {january(6): 2, january(7): 5, january(8): 8}
    # The device went to another customer between the two.
    assert dict(alerts.filter(device_id="HP-1").select("date", "customer_id").rows()) == {
        january(6): "A-101",
        january(7): "A-101",
        january(8): "A-108",
    }
    assert alerts["alert_id"].n_unique() == 4


def test_every_rule_of_a_metric_is_broken_somewhere(house: Lakehouse) -> None:
    alerts = rows(house, ALERTS).filter((pl.col("tenant_id") == "globex") & (pl.col("date") >= january(7)))
    broken = alerts.sort("window_start").select("rule", pl.col("window_start").dt.strftime("%d %H:%M"), "severity")
    assert set(broken["rule"]) == set(RULES)
    assert broken.filter(pl.col("rule") != "score").rows() == [
        ("silence", "07 13:00", "warning"),
        ("flatline", "08 17:45", "warning"),
        ("flatline", "08 18:00", "warning"),
        ("hard_limit", "08 20:15", "critical"),
    ]


def test_of_two_readings_of_a_moment_the_newest_landing_stands(house: Lakehouse) -> None:
    at = datetime(2026, 1, 6, 10, 1, 30, tzinfo=UTC)
    found = rows(house, silver("device_telemetry")).filter(device_id="HP-3", event_time=at)
    assert found["metric_value"].to_list() == [37.5]
    ledger = house.ledger.read().filter(table="device_telemetry", layer="silver", tenant_id="acme", date=january(6))
    assert ledger["rows_duplicate"].to_list() == [2]
