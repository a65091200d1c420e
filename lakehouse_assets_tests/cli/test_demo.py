"""The demo builds the sample through every layer; then each command answers, for people and for machines."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from lakehouse_assets.lake.partitions import days
from lakehouse_assets.settings import Settings
from lakehouse_assets_tests.oracle import Oracle
from lakehouse_assets_tests.pipeline.against_oracle import Comparison

if TYPE_CHECKING:
    from lakehouse_assets_tests.cli.conftest import Demo

LOOKING = [
    ("plan",),
    ("status",),
    ("status", "--stale"),
    ("tenants",),
    ("sql", "select count(*) as n from crm.gold.customer_features"),
    ("quarantine", "list"),
    ("quarantine", "show"),
    ("maintain", "vacuum", "--dry-run"),
    ("maintain", "retention", "--dry-run"),
    ("maintain", "ledger"),
    ("catalog", "docs", "--check"),
]


def test_the_demo_builds_every_table_for_every_tenant(demo: Demo) -> None:
    assert demo.said.status == 0, demo.said.errors
    found = demo.said.json
    tables = {row["table"]: row for row in found["tables"]}
    assert {row["tenants"] for row in tables.values()} == {3}
    assert {name.split(".")[1] for name in tables} == {"bronze", "silver", "gold", "platinum"}
    assert all(row["rows"] > 0 for row in tables.values())
    assert tables["crm.silver.leads_clean"]["rows_rejected"] > 0
    assert 0 < tables["crm.silver.leads_clean"]["quality_score"] < 1
    assert found["backfill"]["failed"] == found["backfill"]["not_built"] == {}


def test_the_demo_builds_what_the_contract_says(demo: Demo) -> None:
    landing, lake = demo.place.folder / "landing", demo.place.folder / "lake"
    comparison = Comparison(lake, Oracle(landing, Settings().start_date))
    for tenant in ("acme", "globex", "initech"):
        comparison.everything(tenant, days(date(2026, 1, 5), date(2026, 1, 8)))
    comparison.assert_equal(at_least=500)


def test_the_demo_shows_what_came_out(demo: Demo) -> None:
    found = demo.said.json
    assert sum(row["rows"] for row in found["quarantine"]) > 0
    (tenant,) = found["top_customers"]
    ranks = [row["rank"] for row in found["top_customers"][tenant]]
    assert ranks == sorted(ranks) != []
    revenue = found["revenue_by_day"][tenant]
    assert revenue[0] == {
        "date": "2026-01-08",
        "transactions": 2,
        "revenue": "6985.00",
        "refunds": "0.00",
        "net_revenue": "6985.00",
    }
    assert [row["severity"] for row in found["alerts_by_severity"][tenant]] == ["critical", "major", "warning"]
    assert [row["customer_id"] for row in found["best_customers"][tenant]][:2] == ["A-101", "A-108"]


def test_a_second_demo_has_nothing_to_do_and_says_where_to_look(demo: Demo) -> None:
    again = demo.place.run("demo")
    assert again.status == 0
    assert "What was built" in again.text
    for title in ("Top customers", "Revenue by day", "Device alerts of a week by severity", "Customers by revenue"):
        assert title in again.text
    assert "lakehouse sql --tenant acme" in again.text
    assert demo.place.run("demo", "--json").json["backfill"]["built"] == {}


def test_the_statement_that_the_demo_shows_can_be_asked(demo: Demo) -> None:
    shown = next(line for line in demo.place.run("demo").text.splitlines() if "lakehouse sql" in line)
    statement = shown.partition('"')[2].rstrip('" ')
    answer = demo.place.run("sql", "--tenant", "acme", "--json", statement)
    assert answer.json == demo.said.json["top_customers"]["acme"]


@pytest.mark.parametrize("arguments", LOOKING, ids=" ".join)
def test_looking_succeeds_for_people_and_for_machines(demo: Demo, arguments: tuple[str, ...]) -> None:
    for_people = demo.place.run(*arguments)
    assert for_people.status == 0, for_people.text + for_people.errors
    assert for_people.text.strip()
    for_machines = demo.place.run(*arguments, "--json")
    assert for_machines.status == 0
    assert isinstance(for_machines.json, dict | list)


def test_status_agrees_with_sql_and_with_the_plan(demo: Demo) -> None:
    rows = {
        (row["table"], row["tenant_id"]): row for row in demo.place.run("status", "--stale", "--json").json["tables"]
    }
    counted = demo.place.run(
        "sql", "--json", "select tenant_id, count(*) as n from crm.silver.leads_clean group by tenant_id"
    ).json
    assert {row["tenant_id"]: row["n"] for row in counted} == {
        tenant: row["rows"] for (table, tenant), row in rows.items() if table == "crm.silver.leads_clean"
    }
    assert {row["stale"] for row in rows.values()} == {0}
    assert {row["days_behind"] for row in rows.values()} == {0}


def test_tenants_are_landed_registered_and_built(demo: Demo) -> None:
    found = {row["tenant"]: row for row in demo.place.run("tenants", "--json").json["tenants"]}
    assert list(found) == ["acme", "globex", "initech"]
    assert all(row["landed"] and row["registered"] and row["partitions"] for row in found.values())


def test_a_tenants_question_is_answered_from_its_own_rows(demo: Demo) -> None:
    question = (
        "select tenant_id from platform.silver.partition_ledger union select tenant_id from crm.quarantine.leads_files"
    )
    assert demo.place.run("sql", "--json", "--tenant", "acme", question).json == [{"tenant_id": "acme"}]
    assert len(demo.place.run("sql", "--json", question).json) == 3


def test_more_rows_than_fit_are_counted(demo: Demo) -> None:
    answer = demo.place.run("sql", "--limit", "2", "select * from crm.silver.leads_clean limit 10")
    assert "8 more rows" in answer.text
