"""Upkeep asks before it takes anything away, and its exit status says whether all that was asked for is done."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lakehouse_assets_tests.cli.conftest import Demo, Place

LEADS = "crm/silver/leads_clean"
COUNT = "select count(*) as n from crm.silver.leads_clean"


@pytest.fixture
def place(demo: Demo, tmp_path: Path) -> Place:
    """A lake of one's own."""
    return demo.place.copy_to(tmp_path / "place")


def _keep_until(day: date) -> str:
    """A retention of silver whose first kept date is this one."""
    return f"silver={(datetime.now(UTC).date() - day).days}d"


def _rows(place: Place) -> int:
    return int(place.run("sql", "--json", COUNT).json[0]["n"])


def test_compact_and_vacuum_go_over_every_table_of_the_lake(place: Place) -> None:
    before = _rows(place)
    compacted = place.run("maintain", "compact", "--json")
    assert compacted.status == 0
    names = {row["table"] for row in compacted.json}
    assert {"crm.silver.leads_clean", "crm.quarantine.leads_clean", "platform.silver.partition_ledger"} <= names
    orphan = place.folder / "lake" / LEADS / "tenant_id=acme" / "date=2026-01-05" / "left.parquet"
    orphan.write_bytes(b"x")
    vacuumed = place.run("maintain", "vacuum", "--hours", "1", "--yes", "--json").json
    assert {row["table"] for row in vacuumed} == names
    assert orphan.exists(), "a file of the last hour may be a running writer's"
    assert _rows(place) == before
    assert place.run("plan", "--json").json["build"] == {}


def test_retention_drops_only_when_told_to(place: Place) -> None:
    keep = _keep_until(date(2026, 1, 7))
    arguments = ("maintain", "retention", "--select", LEADS, "--tenant", "globex", "--keep", keep)
    before = _rows(place)
    assert place.run(*arguments, "--dry-run").status == 0
    asked = place.run(*arguments)
    assert (asked.status, "Nothing was dropped" in asked.text) == (1, True)
    assert "globex" in asked.text
    assert _rows(place) == before

    dropped = place.run(*arguments, "--yes", "--json")

    assert dropped.status == 0
    assert dropped.json["dropped"] == 2
    assert dropped.json["keep"]["silver"].endswith(" days")
    assert _rows(place) < before
    assert place.run(*arguments).status == 0, "nothing is left to drop"
    (state,) = place.run("status", "--json", "--select", LEADS, "--tenant", "globex").json["tables"]
    assert (state["dropped"], state["partitions"], state["first_date"]) == (2, 2, "2026-01-07")


def test_the_environment_can_say_how_long_layers_are_kept(demo: Demo) -> None:
    answer = demo.place.run("maintain", "retention", "--dry-run", "--json", LAKEHOUSE_RETENTION="gold=3y bronze=10d")
    assert answer.json["keep"] == {"bronze": "10 days", "silver": "5 years", "gold": "3 years", "platinum": "1 year"}


def test_dropped_partitions_do_not_come_back_unless_asked_for(place: Place) -> None:
    keep = _keep_until(date(2026, 1, 7))
    place.run("maintain", "retention", "--select", LEADS, "--keep", keep, "--yes")
    assert place.run("backfill", "--json").json["built"] == {}
    dates = ("--select", LEADS, "--tenant", "globex", "--from", "2026-01-05", "--to", "2026-01-06")
    named = place.run("backfill", *dates, "--json")
    assert (named.status, len(named.json["dropped"]["crm.silver.leads_clean"])) == (1, 2)
    told = place.run("backfill", *dates).text
    assert "retention dropped them" in told
    assert "the same command with --rebuild" in told
    assert "up to date" not in told
    before = _rows(place)
    assert place.run("backfill", *dates, "--rebuild").status == 0, "what it says is enough"
    assert _rows(place) > before
    assert place.run("backfill", *dates).status == 0


def test_a_ledger_that_lost_its_rows_is_found_out_and_written_anew(place: Place) -> None:
    assert place.run("maintain", "ledger", "--json").json["missing"] == []
    for log in (place.folder / "lake" / "platform" / "silver" / "partition_ledger" / "_delta_log").iterdir():
        log.unlink()
    lost = place.run("maintain", "ledger")
    assert lost.status == 1
    assert "Without an entry" in lost.text
    written = place.run("maintain", "ledger", "--write", "--json")
    assert (written.status, len(written.json["missing"]) > 0) == (0, True)
    assert place.run("maintain", "ledger").status == 0
    assert place.run("plan", "--json").json["build"] == {}


def test_a_reset_asks_and_a_backfill_brings_the_table_back(place: Place) -> None:
    before = _rows(place)
    assert place.run("maintain", "reset", LEADS).status == 1
    assert _rows(place) == before
    done = place.run("maintain", "reset", LEADS, "--yes", "--json")
    assert (done.status, done.json["rows"]) == (0, before)
    assert _rows(place) == 0
    assert place.run("backfill", "--select", LEADS).status == 0
    assert _rows(place) == before
