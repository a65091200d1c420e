"""What has outlived its layer goes, with its quarantine, and nothing else; the ledger remembers what it was."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lakehouse_assets.lake.errors import SelectionError
from lakehouse_assets.lake.keeping import KEPT_YEARS
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import LAYERS
from lakehouse_assets.lake.partitions import DAY
from lakehouse_assets.lake.plan import make_plan, plan_of_landings
from lakehouse_assets.lake.receipts import compare, from_receipts
from lakehouse_assets.lake.retention import DROPPED, Keep, drop, due, parse_keep
from lakehouse_assets_tests.lake.small_lake import (
    BRONZE_CUSTOMERS,
    BRONZE_INTERACTIONS,
    CHANNELS,
    CUSTOMERS,
    INTERACTIONS,
    NOW,
    OLD,
    TABLES,
    TODAY,
    YEARS_LATER,
    built_lake,
    dates,
    live_files,
    rows,
)


@pytest.fixture
def house(tmp_path: Path) -> Lakehouse:
    return built_lake(tmp_path)


def test_layers_are_kept_as_long_as_the_source_document_says() -> None:
    assert KEPT_YEARS == {"bronze": 2, "silver": 5, "gold": 7, "platinum": 1}


@pytest.mark.parametrize(
    ("keep", "today", "cutoff"),
    [
        (Keep(2, "y"), date(2026, 1, 6), date(2024, 1, 6)),
        (Keep(1, "y"), date(2024, 2, 29), date(2023, 2, 28)),
        (Keep(10, "d"), date(2026, 1, 6), date(2025, 12, 27)),
    ],
)
def test_the_first_date_that_is_kept(keep: Keep, today: date, cutoff: date) -> None:
    assert keep.cutoff(today) == cutoff


@pytest.mark.parametrize("text", ["bronze", "bronze=2", "bronze=0d", "copper=2y", "bronze=-1d", "bronze=2 y"])
def test_a_retention_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(SelectionError, match="is no retention"):
        parse_keep([text])


def test_layers_not_named_keep_their_default() -> None:
    kept = parse_keep(["gold=30d"])
    assert [str(kept[layer]) for layer in LAYERS] == ["2 years", "5 years", "30 days", "1 year"]


def test_each_table_is_due_by_its_layer(house: Lakehouse) -> None:
    found = {(one.table, one.tenant_id): one for one in due(house, today=TODAY)}
    assert found[BRONZE_INTERACTIONS, "acme"].dates == [OLD, OLD + DAY, OLD + 2 * DAY, YEARS_LATER]
    assert found[INTERACTIONS, "acme"].dates == [OLD, OLD + DAY, OLD + 2 * DAY]
    assert (CHANNELS, "acme") not in found
    assert found[BRONZE_INTERACTIONS, "acme"].size_bytes > 0


def test_what_todays_builds_read_stays_however_old(house: Lakehouse) -> None:
    found = {(one.table, one.tenant_id): one for one in due(house, today=TODAY + DAY)}
    assert found[BRONZE_CUSTOMERS, "acme"].still_read == [OLD + DAY], "the delete keeps c3 deleted"
    trailing = parse_keep(["silver=1d"])
    found = {(one.table, one.tenant_id): one for one in due(house, today=TODAY + DAY, keep=trailing)}
    assert NOW in found[INTERACTIONS, "acme"].still_read, "today's channel figures read 30 days"


def test_bronze_that_no_snapshot_holds_yet_stays(house: Lakehouse) -> None:
    # No state was built by today's code, so that the next one starts from all that ever landed.
    from lakehouse_assets.lake.bookkeeping import forget_all

    forget_all(house.ledger, [("acme", CUSTOMERS)])
    found = {(one.table, one.tenant_id): one for one in due(house, today=TODAY)}
    assert {OLD, OLD + DAY} <= set(found[BRONZE_CUSTOMERS, "acme"].still_read)


def test_looking_at_what_is_due_drops_nothing(house: Lakehouse) -> None:
    before = {name: live_files(house, name) for name in TABLES}
    assert due(house, today=TODAY)
    assert {name: live_files(house, name) for name in TABLES} == before


def test_dropping_takes_old_rows_and_their_quarantine_and_touches_no_other_partition(house: Lakehouse) -> None:
    stored = [*TABLES, *(name.quarantine for name in TABLES)]
    before = {name: live_files(house, name) for name in stored}
    found = due(house, today=TODAY)
    going = {(one.table, one.tenant_id, day) for one in found for day in one.dates}
    assert any(day == OLD for _, _, day in going)

    assert drop(house, found) == len(going)

    for name in TABLES:
        for place in (name, name.quarantine):
            kept = {p: paths for p, paths in before[place].items() if (name, p.tenant_id, p.date) not in going}
            assert live_files(house, place) == kept, place
    assert OLD not in dates(house, INTERACTIONS.quarantine)
    assert due(house, today=TODAY) == [one._replace(dates=[], size_bytes=0) for one in found if one.still_read]


def test_the_ledger_says_what_was_dropped_and_keeps_its_figures(house: Lakehouse) -> None:
    before = house.ledger.read(tables=[INTERACTIONS], tenants=["acme"]).sort("date")
    drop(house, due(house, today=TODAY))
    after = house.ledger.read(tables=[INTERACTIONS], tenants=["acme"]).sort("date")
    assert_frame_equal(after.drop("table_version"), before.drop("table_version"))
    assert after.filter(DROPPED)["date"].to_list() == [OLD, OLD + DAY, OLD + 2 * DAY]
    assert_frame_equal(after.filter(~DROPPED), before.filter(pl.col("date") >= YEARS_LATER))


def test_receipts_tell_what_was_dropped_too(house: Lakehouse) -> None:
    drop(house, due(house, today=TODAY))
    assert compare(house, from_receipts(house)).is_empty


def test_only_the_tenants_and_tables_asked_for_are_dropped(house: Lakehouse) -> None:
    found = due(house, today=NOW + 3000 * DAY, tables=[CHANNELS], tenants=["globex"])
    assert {(one.table, one.tenant_id) for one in found} == {(CHANNELS, "globex")}
    before = live_files(house, INTERACTIONS)
    drop(house, found)
    assert dates(house, CHANNELS, "globex") == []
    assert dates(house, CHANNELS, "acme") != []
    assert live_files(house, INTERACTIONS) == before


def test_nothing_becomes_stale_by_dropping_and_nothing_comes_back_by_itself(house: Lakehouse) -> None:
    drop(house, due(house, today=TODAY))
    for plan in (
        plan_of_landings(house, ["acme", "globex"]),
        make_plan(house, list(house.tables), None, OLD, OLD + 2 * DAY),
        make_plan(house, list(house.tables), None, NOW, TODAY),
    ):
        assert plan.is_empty
        assert not any(plan.stale_downstream.values())


def test_what_is_kept_reads_as_before(house: Lakehouse) -> None:
    recent = pl.col("date") >= YEARS_LATER + DAY
    before = {name: rows(house, name).filter(recent) for name in TABLES}
    drop(house, due(house, today=TODAY))
    for name, frame in before.items():
        assert_frame_equal(rows(house, name).filter(recent), frame)
