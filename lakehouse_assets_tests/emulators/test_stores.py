"""Landing zone and lake in an object store: the same lake as in folders, by every command, and whatever befalls it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pytest
from typer.testing import CliRunner

from lakehouse_assets.cli.app import app
from lakehouse_assets.lake import maintenance
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.selection import select
from lakehouse_assets_tests.emulators.landed import SELECT, Landed, elsewhere
from lakehouse_assets_tests.faults import lakes, places
from lakehouse_assets_tests.faults.lakes import assert_committed, assert_same_lake, assert_up_to_date
from lakehouse_assets_tests.faults.places import Place
from lakehouse_assets_tests.faults.processes import Moment, backfill, open_gate, start
from lakehouse_assets_tests.faults.rounds import THOROUGH, rounds, seeds
from lakehouse_assets_tests.pipeline.crm_landings import build_all

CUSTOMERS = TableName("crm", "silver", "customers_clean")
# Fewer than a backfill of SELECT makes.
COMMITS = 12
# A look at a store is a listing of it.
GLANCE_SECONDS = 0.1

AZURE = pytest.param("azure", marks=pytest.mark.azure)
everywhere = pytest.mark.parametrize("emulator", ["s3", AZURE], indirect=True, scope="session")
# What does not differ from store to store is looked at on one of them, unless all repetitions are asked for.
on_one = pytest.mark.parametrize("emulator", ["s3", AZURE] if THOROUGH else ["s3"], indirect=True, scope="session")

type_of_command = Callable[..., Any]


def everything(landed: Landed, tenants: Sequence[str] = ()) -> list[str]:
    return backfill(tenants=tenants, first=landed.first, last=landed.last, select=SELECT)


def selected(place: Place) -> list[TableName]:
    return select(place.house().tables, SELECT)


@pytest.fixture(scope="module")
def built(landed: Landed) -> Place:
    """The lake in the store, built by the command, with Dagster's instance on this machine."""
    place = landed.lake("built")
    place.spool.mkdir(exist_ok=True)
    done = CliRunner().invoke(app, everything(landed), env=place.environment)
    assert done.exit_code == 0, done.output
    return place


@pytest.fixture
def command(built: Place) -> type_of_command:
    """Calls `lakehouse … --json` on the lake in this process."""

    def call(*arguments: str) -> Any:
        done = CliRunner().invoke(app, [*arguments, "--json"], env=built.environment)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    return call


@everywhere
def test_a_lake_in_a_store_equals_the_one_in_folders(landed: Landed, built: Place) -> None:
    assert_same_lake(built, landed.folder)
    if THOROUGH:
        assert_up_to_date(built, landed.first, landed.last)


@on_one
def test_the_commands_that_look_answer_from_a_store(landed: Landed, built: Place, command: type_of_command) -> None:
    house = landed.folder.house()
    chosen = [part for name in SELECT for part in ("--select", name)]
    assert command("plan", *chosen)["build"] == {}
    status = {(row["table"], row["tenant_id"]) for row in command("status")["tables"]}
    ledger = house.ledger.read().select(pl.format("{}.{}.{}", "domain", "layer", "table"), "tenant_id")
    assert status == set(ledger.iter_rows())
    expected = sum(house.lake.files(name.quarantine)["num_records"].sum() for name in house.tables)
    assert 0 < len(command("quarantine", "show", "--limit", "1000")) == expected


@everywhere
def test_sql_reads_a_store_and_shows_a_tenant_its_own_rows(landed: Landed, command: type_of_command) -> None:
    files = landed.folder.house().lake.files(CUSTOMERS)
    counted = dict(files.group_by("tenant_id").agg(pl.col("num_records").sum()).iter_rows())
    statement = f"select tenant_id, count(*)::int as n from {CUSTOMERS} group by 1 order by 1"
    assert {row["tenant_id"]: row["n"] for row in command("sql", statement)} == counted
    assert command("sql", statement, "--tenant", "acme") == [{"tenant_id": "acme", "n": counted["acme"]}]


@on_one
def test_upkeep_of_a_store_changes_no_row(landed: Landed, built: Place, command: type_of_command) -> None:
    chosen = () if THOROUGH else ("--select", "crm/silver/customers_clean")
    command("maintain", "compact", *chosen)
    command("maintain", "vacuum", "--yes", *chosen)
    command("maintain", "ledger")
    house = built.house()
    tables = None if THOROUGH else [CUSTOMERS]
    maintenance.vacuum(house, maintenance.stored_tables(house, tables), hours=0)
    assert [path for path in lakes.orphans(built) if tables is None or path.startswith(tables[0].path)] == []
    assert_same_lake(built, landed.folder)


@on_one
@pytest.mark.parametrize("remote", ["landing", "lake"])
def test_landing_zone_and_lake_may_lie_apart(landed: Landed, tmp_path: Path, remote: str) -> None:
    if remote == "landing":
        place = elsewhere(landed.lake("apart"), root=str(tmp_path / "lake"))
    else:
        place = elsewhere(landed.lake("apart"), landing=landed.folder.landing)
    build_all(place.house(), landed.first, landed.last, selected=[CUSTOMERS])
    assert lakes.state_of(place, CUSTOMERS) == lakes.state_of(landed.folder, CUSTOMERS) != {}


@on_one
def test_an_object_that_is_replaced_is_read_anew(landed: Landed) -> None:
    place = elsewhere(landed.lake("corrected"), landing=f"{landed.store.landing}-corrected")
    path = f"acme/crm/customers/{landed.first}/customers.csv"
    store = places.store_of(place.landing, place.options)
    for employees in (10, 200):
        obstore.put(store, path, f"customer_id,customer_name,employee_count\nc1,Ada,{employees}\n".encode())
        build_all(place.house(), landed.first, landed.first, selected=[CUSTOMERS])
        rows = pl.read_delta(f"{place.root}/{CUSTOMERS.path}", storage_options=dict(place.options))
        assert rows["employee_count"].to_list() == [employees]


@everywhere
def test_several_processes_write_the_same_tables_at_once(landed: Landed, tmp_path: Path) -> None:
    """A tenant's partitions are written by each of them, and they create the tables meanwhile."""
    for number in range(rounds(1, 10)):
        place, gate = landed.lake(f"crowded-{number}"), tmp_path / f"gate-{number}"
        crowd = [["acme"], ["acme", "globex"], *([["globex"], ["globex"], ["acme"]] if THOROUGH else [])]
        children = [start(place, *everything(landed, tenants), steps=True, gate=gate) for tenants in crowd]
        open_gate(gate, children)
        for child in children:
            child.wait()
        build_all(place.house(), landed.first, landed.last, selected=selected(place))
        assert_same_lake(place, landed.folder)


@on_one
@pytest.mark.parametrize("seed", seeds(1, 15))
def test_a_killed_backfill_leaves_whole_partitions_and_a_rerun_completes(landed: Landed, seed: int) -> None:
    place, chance = landed.lake(f"killed-{seed}"), random.Random(seed)
    moment = Moment(chance.randrange(3, COMMITS), chance.random() * 0.1)
    child = start(place, *everything(landed), steps=True)
    assert child.kill_at(place, moment, watch=partial(time.sleep, GLANCE_SECONDS)), child.said
    assert_committed(lakes.state(place), {}, lakes.state(landed.folder))
    build_all(place.house(), landed.first, landed.last, selected=selected(place))
    assert_same_lake(place, landed.folder)
    house = place.house()
    maintenance.vacuum(house, maintenance.stored_tables(house), hours=0)
    assert lakes.orphans(place) == []
