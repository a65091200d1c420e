"""Nothing of one tenant is in another's files, rows, quarantine, reports, answers or log lines."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from io import StringIO
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from hypothesis import HealthCheck, given, seed, settings
from typer.testing import CliRunner

from lakehouse_assets.backfill import backfill
from lakehouse_assets.cli.app import app
from lakehouse_assets.lake.catalog import built_tables, catalog_tables
from lakehouse_assets.lake.sql import query
from lakehouse_assets_tests.faults import steps
from lakehouse_assets_tests.faults.isolation import TENANTS, Tenant, assert_none_of, land_all, tenants_of
from lakehouse_assets_tests.faults.places import Place, day, local
from lakehouse_assets_tests.faults.rounds import SEED, THOROUGH, rounds

FIRST, LAST = day(0), day(3)
COMMANDS = [
    ("status", "--stale", "--json"),
    ("plan", "--json", "--from", str(FIRST), "--to", str(LAST)),
    ("quarantine", "show", "--json"),
    ("quarantine", "list"),
    ("status",),
    ("plan",),
]


@contextmanager
def log_lines() -> Iterator[StringIO]:
    """All that is logged meanwhile."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        yield stream
    finally:
        logging.getLogger().removeHandler(handler)


def assert_files_are_apart(place: Place, tenants: Collection[Tenant]) -> None:
    """Every file belongs to one tenant, by its path, its rows and its log."""
    seen: set[str] = set()
    for name in place.files():
        path = Path(place.root) / name
        if path.suffix == ".json":
            text = path.read_text()
            owners = [tenant for tenant in tenants if f'"tenant_id":"{tenant.name}"' in text]
            assert len(owners) <= 1, f"{name} is of {owners}"
        else:
            owners = [tenant for tenant in tenants if f"/tenant_id={tenant.name}/" in name]
            assert len(owners) == 1, f"{name} is of {owners}"
            text = str(pl.read_parquet(path, hive_partitioning=False).rows())
        assert_none_of([tenant for tenant in tenants if tenant not in owners], text, name)
        seen.update(owner.mark for owner in owners if owner.mark in text)
    assert seen == {tenant.mark for tenant in tenants}, "not every tenant's marks were there to be found"


def assert_answers_are_apart(place: Place, tenant: Tenant, others: Collection[Tenant]) -> None:
    """SQL and commands for one tenant tell of no other, and do tell of that one."""
    tables = catalog_tables(place.house().tables)
    told = ""
    for name in built_tables(place.root, tables):
        statement = f'select * from {name.domain}.{name.layer}."{name.table}"'
        found = query(statement, root=place.root, tables=tables, tenant=tenant.name)
        assert set(found["tenant_id"]) <= {tenant.name}, name
        assert_none_of(others, str(found.rows()), f"SQL on {name}")
        told += str(found.rows())
    for command in COMMANDS[: rounds(3, len(COMMANDS))]:
        done = CliRunner().invoke(app, [*command, "--tenant", tenant.name], env=place.environment)
        assert done.exit_code == 0, (command, done.output, done.exception)
        assert_none_of(others, done.output, " ".join(command))
        told += done.output
    assert tenant.mark in told


@pytest.mark.parametrize("with_dagster", [False, True][: rounds(1, 2)])
@seed(SEED)
@settings(max_examples=rounds(1, 15), suppress_health_check=list(HealthCheck), derandomize=not THOROUGH)
@given(drawn=TENANTS)
def test_no_trace_of_a_tenant_is_among_what_belongs_to_another(
    with_dagster: bool, drawn: Mapping[str, Collection[date]]
) -> None:
    tenants = tenants_of(drawn)
    folder = Path(tempfile.mkdtemp(prefix="isolation-"))
    try:
        place = local(folder / "place")
        for tenant in tenants:
            land_all(Path(place.landing), tenant)
        for tenant in tenants:
            others = [other for other in tenants if other != tenant]
            with log_lines() as lines:
                told = (by_dagster if with_dagster else by_steps)(place, tenant)
            assert_none_of(others, lines.getvalue(), "the log")
            assert_none_of(others, told, "the report")
        assert_files_are_apart(place, tenants)
        for tenant in tenants:
            assert_answers_are_apart(place, tenant, [other for other in tenants if other != tenant])
    finally:
        shutil.rmtree(folder)


def by_steps(place: Place, tenant: Tenant) -> str:
    return "\n".join(steps.backfill(place.house(), FIRST, LAST, tenants=[tenant.name]))


def by_dagster(place: Place, tenant: Tenant) -> str:
    """All events of the runs: materializations, check results and failures with their metadata."""
    house = place.house()
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        for name, value in place.environment.items():
            patch.setenv(name, value)
        backfill(house, list(house.tables), [tenant.name], FIRST, LAST, instance=instance)
        events = [str(log) for run in instance.get_run_ids() for log in instance.all_logs(run)]
        assert events
        return json.dumps(events)
