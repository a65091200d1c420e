"""Rejected rows are listed, shown, and leave quarantine when what was wrong with them is mended."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from lakehouse_assets.house import tables
from lakehouse_assets.lake.judge import QUARANTINE_SCHEMA
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.lake.live_files import PARTITION_SCHEMA
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.runner import build
from lakehouse_assets.lake.storage import Lake, replacing
from lakehouse_assets_tests.lake.small_lake import live_files, rows

if TYPE_CHECKING:
    from datetime import date

    from lakehouse_assets_tests.cli.conftest import Demo, Place

BRONZE_PRODUCTS = TableName("crm", "bronze", "products")
PRODUCTS = TableName("crm", "silver", "products_clean")
CUSTOMERS = TableName("crm", "silver", "customers_clean")
CORRECTED = ("acme", "2026-01-07")


def _house(place: Place) -> Lakehouse:
    from datetime import date

    landing, lake = Landing(str(place.folder / "landing")), Lake(str(place.folder / "lake"))
    return Lakehouse(landing=landing, lake=lake, tables=tables(), start=date(2024, 1, 1))


@pytest.fixture
def place(demo: Demo, tmp_path: Path) -> Place:
    """A lake of one's own."""
    return demo.place.copy_to(tmp_path / "place")


def test_filters_narrow_the_list(demo: Demo) -> None:
    everything = demo.place.run("quarantine", "list", "--json").json
    of_acme = demo.place.run("quarantine", "list", "--json", "--tenant", "acme", "--rule", "unparsable").json
    assert of_acme == [row for row in everything if row["tenant_id"] == "acme" and row["rule"] == "unparsable"] != []
    late = demo.place.run("quarantine", "list", "--json", "--from", "2026-01-06", "--to", "2026-01-06").json
    assert late == [row for row in everything if row["date"] == "2026-01-06"] != []


@pytest.mark.parametrize("name", ["crm/bronze/leads", "crm.bronze.leads", "crm.quarantine.leads_files"])
def test_a_table_goes_by_its_own_name_and_by_its_quarantines(demo: Demo, name: str) -> None:
    found = demo.place.run("quarantine", "list", "--json", "--table", name).json
    assert {(row["table"], row["rule"]) for row in found} == {("crm.bronze.leads", "invalid_json")}


def test_a_shown_row_names_file_row_and_reasons_and_holds_its_values(demo: Demo) -> None:
    found = demo.place.run("quarantine", "show", "--json", "--table", str(CUSTOMERS), "--tenant", "acme").json
    row = next(row for row in found if row["date"] == CORRECTED[1])
    assert row["_source_file"] == "acme/crm/customers/2026-01-07/customers.csv"
    assert row["reasons"] == ["annual_revenue: unparsable"]
    assert row["raw"]["annual_revenue"]
    for_people = demo.place.run("quarantine", "show", "--table", str(CUSTOMERS), "--limit", "1").text
    assert "annual_revenue: unparsable" in for_people or "employee_count: is_negative" in for_people
    assert "more rows" in for_people


def test_nothing_in_quarantine_is_said_and_is_no_failure(demo: Demo) -> None:
    for command in ("list", "show", "replay"):
        answer = demo.place.run("quarantine", command, "--rule", "no_such_rule")
        assert (answer.status, answer.text.strip()) == (0, "No row like that is in quarantine.")


def test_a_corrected_file_is_replayed_and_no_other_partition_is_touched(place: Place) -> None:
    house = _house(place)
    before = live_files(house, CUSTOMERS)
    file = place.folder / "landing" / "acme" / "crm" / "customers" / CORRECTED[1] / "customers.csv"
    (row,) = place.run(
        "quarantine", "show", "--json", "--table", str(CUSTOMERS), "--tenant", "acme", "--from", CORRECTED[1]
    ).json
    file.write_text(file.read_text().replace(row["raw"]["annual_revenue"], "1000"))

    answer = place.run(
        "quarantine", "replay", "--json", "--table", str(CUSTOMERS), "--tenant", "acme", "--rule", "unparsable"
    )

    assert answer.status == 0, answer.text
    assert answer.json["replayed"] == {str(CUSTOMERS): [list(CORRECTED)]}
    assert (answer.json["rows_before"], answer.json["rows_left_quarantine"], answer.json["rows_after"]) == (1, 1, 0)
    after = live_files(house, CUSTOMERS)
    changed = {partition for partition in before if before[partition] != after[partition]}
    assert {(partition.tenant_id, str(partition.date)) for partition in changed} == {CORRECTED}
    stale = place.run("plan", "--json").json["build"]
    assert "2026-01-08" in {day for partitions in stale.values() for _, day in partitions}, (
        "the next day's state follows"
    )


def test_a_replay_without_a_fix_leaves_everything_as_it_is(place: Place) -> None:
    house = _house(place)
    before = {name: rows(house, name) for name in (CUSTOMERS, CUSTOMERS.quarantine)}
    answer = place.run("quarantine", "replay", "--table", str(CUSTOMERS), "--tenant", "acme")
    assert answer.status == 0
    assert "0 of 2 rows left quarantine; 2 are still there" in answer.text
    for name, frame in before.items():
        assert rows(house, name).equals(frame)


def test_records_that_an_older_reader_diverted_come_back_with_all_that_reads_them(place: Place) -> None:
    house = _house(place)
    before = {name: rows(house, name) for name in (BRONZE_PRODUCTS, PRODUCTS)}
    (day,) = set(before[BRONZE_PRODUCTS].filter(pl.col("tenant_id") == "acme")["date"])
    _divert_one(house, day)
    assert rows(house, PRODUCTS).height < before[PRODUCTS].height

    answer = place.run("quarantine", "replay", "--json", "--table", "crm.quarantine.products_files", "--tenant", "acme")

    assert answer.status == 0, answer.text
    assert answer.json["rows_left_quarantine"] == 1
    for name, frame in before.items():
        assert rows(house, name).equals(frame), name


def _divert_one(house: Lakehouse, day: date) -> None:
    """Leave the lake as a reader would have that took one good record of a file for a malformed one."""
    schema = house.table(BRONZE_PRODUCTS).schema
    held = house.lake.scan(BRONZE_PRODUCTS, schema, tenants=["acme"], dates=[day]).collect()
    taken = held.head(1)
    malformed = pl.DataFrame(
        {"tenant_id": ["acme"], "date": [day], "rules": [["short_row"]], "reasons": [["short_row"]], "raw": ["{}"]}
    ).hstack(taken.select("_source_file", "_row_number", "_file_sha256"))
    malformed = malformed.with_columns(
        run_id=pl.lit("older"), quarantined_at=pl.lit(None, QUARANTINE_SCHEMA["quarantined_at"])
    )
    for name, frame in ((BRONZE_PRODUCTS, held.tail(-1)), (BRONZE_PRODUCTS.quarantine, malformed)):
        columns = QUARANTINE_SCHEMA if name.layer == "quarantine" else {**schema, **PARTITION_SCHEMA}
        house.lake.ensure(name, columns)
        sink = house.lake.sink(name)
        pl.collect_all([sink.of(frame.select(list(columns)).lazy())])
        written = house.lake.describe(sink, columns)
        house.lake.commit(name, written, replaces=replacing(tenant_id=["acme"], date=[day]), receipt={})
    one_less = (pl.col("rows") - 1, pl.col("malformed") + 1)
    house.files.rewrite([("acme", BRONZE_PRODUCTS)], lambda files: files.with_columns(*one_less))
    days = sorted(partition.date for partition in live_files(house, PRODUCTS) if partition.tenant_id == "acme")
    assert not build(house, PRODUCTS, [Partition("acme", each) for each in days], "older").failed
