"""Status adds up to what the tables hold, and says what stands in the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.lake.partitions import DAY
from lakehouse_assets.lake.retention import drop, due
from lakehouse_assets.lake.status import STATUS_SCHEMA, stale, status
from lakehouse_assets_tests.lake.small_lake import (
    BRONZE_CUSTOMERS,
    CUSTOMERS,
    INTERACTIONS,
    LEADS,
    NOW,
    OLD,
    TABLES,
    TODAY,
    YEARS_LATER,
    build_spans,
    built_lake,
    land,
    rows,
    small_house,
)


@pytest.fixture
def house(tmp_path: Path) -> Lakehouse:
    return built_lake(tmp_path)


def _of(house: Lakehouse, name: object, tenant: str = "acme") -> dict[str, object]:
    found = status(house).tables.filter(pl.col("table") == str(name), pl.col("tenant_id") == tenant)
    return found.row(0, named=True)


def test_every_table_of_every_tenant_is_there_upstream_first(house: Lakehouse) -> None:
    found = status(house).tables
    assert found.schema == pl.Schema(STATUS_SCHEMA)
    order = [str(name) for name in house.tables]
    assert found.select("tenant_id", "table").rows() == [
        (tenant, name) for tenant in ("acme", "globex") for name in order
    ]


def test_rows_are_those_in_the_table(house: Lakehouse) -> None:
    for name in TABLES:
        held = rows(house, name).filter(pl.col("tenant_id") == "acme")
        assert _of(house, name)["rows"] == held.height


def test_figures_of_a_table(house: Lakehouse) -> None:
    found = _of(house, INTERACTIONS)
    assert (found["first_date"], found["last_date"], found["landed_to"]) == (OLD, TODAY, NOW)
    assert (found["partitions"], found["days_behind"], found["older_code"], found["dropped"]) == (7, 0, 0, 0)
    assert (found["rows_in"], found["rows_rejected"], found["run_id"]) == (5, 2, "test")
    assert found["quality_score"] == pytest.approx(1 - 2 / 5)


def test_a_table_in_which_nothing_was_judged_is_perfect(house: Lakehouse) -> None:
    only_old = status(house, tenants=["globex"], tables=[LEADS]).tables
    assert only_old["quality_score"].to_list() == [1.0]
    assert only_old["tenant_id"].to_list() == ["globex"]


def test_days_behind_count_from_the_newest_landing_of_any_source(house: Lakehouse) -> None:
    land(house, f"acme/crm/customers/{TODAY + 3 * DAY}/new.csv", "customer_id\nc9\n")
    # Leads flag orphans by customers, so customers landing makes leads late, too; interactions read them as well.
    assert [_of(house, name)["days_behind"] for name in (BRONZE_CUSTOMERS, CUSTOMERS, LEADS)] == [3, 3, 3]
    assert _of(house, CUSTOMERS, "globex")["days_behind"] == 0


def test_partitions_of_older_code_and_dropped_ones_are_told_apart(house: Lakehouse) -> None:
    drop(house, due(house, today=TODAY, tables=[INTERACTIONS]))
    changed = replace(house.table(INTERACTIONS), code_version="changed")
    found = _of(replace(house, tables={**house.tables, INTERACTIONS: changed}), INTERACTIONS)
    assert (found["partitions"], found["dropped"], found["older_code"]) == (4, 3, 4)
    assert found["first_date"] == YEARS_LATER
    assert found["rows_in"] == 3, "what was dropped is counted no more"


def test_files_that_were_refused_are_listed_with_their_reason(house: Lakehouse) -> None:
    land(house, f"acme/crm/leads/{NOW}/no_key.csv", "owner\nAda\n")
    land(house, "acme/crm/leads/yesterday/leads.csv", "lead_id\n")
    land(house, f"acme/crm/laeds/{NOW}/leads.csv", "lead_id\n")
    build_spans(house)
    reasons = dict(status(house).refused.rows())
    assert set(reasons) == {f"acme/crm/leads/{NOW}/no_key.csv", "acme/crm/leads/yesterday", "acme/crm/laeds"}
    assert "lead_id" in reasons[f"acme/crm/leads/{NOW}/no_key.csv"]


def test_a_landing_zone_that_is_away_hides_nothing_of_the_lake(house: Lakehouse, tmp_path: Path) -> None:
    away = replace(house, landing=Landing(str(tmp_path / "gone")))
    found = status(away)
    assert found.landing_fault is not None
    assert "gone" in found.landing_fault
    assert found.tables.drop("landed_to", "days_behind").equals(status(house).tables.drop("landed_to", "days_behind"))


def test_nothing_built_is_no_rows(tmp_path: Path) -> None:
    found = status(small_house(tmp_path))
    assert (found.tables.height, found.refused.height, found.landing_fault) == (0, 0, None)


def test_stale_counts_what_new_files_and_new_code_make_due(house: Lakehouse) -> None:
    assert stale(house).is_empty()
    land(house, f"globex/crm/customers/{NOW}/more.csv", "customer_id\ng2\n")
    found = {(table, tenant): count for table, tenant, count in stale(house).rows()}
    assert found[str(BRONZE_CUSTOMERS), "globex"] == 1
    assert found[str(CUSTOMERS), "globex"] == 2, "the states of the day and of the next"
    assert {tenant for _, tenant in found} == {"globex"}
