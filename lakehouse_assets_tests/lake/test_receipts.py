"""The ledger can be lost: the commits say what it said."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lakehouse_assets.lake.bookkeeping import forget, forget_all
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import LANDING_FILES, LEDGER
from lakehouse_assets.lake.maintenance import compact, stored_tables
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.receipts import KEY, compare, from_receipts, write_ledger
from lakehouse_assets.lake.runner import build
from lakehouse_assets_tests.lake.small_lake import CUSTOMERS, INTERACTIONS, NOW, OLD, TABLES, built_lake, live_files

LONG_AGO = 1_000_000_000


@pytest.fixture
def house(tmp_path: Path) -> Lakehouse:
    return built_lake(tmp_path)


def _ledger(house: Lakehouse) -> pl.DataFrame:
    return house.ledger.read().sort(KEY)


def _age_commits(house: Lakehouse, name: TableName) -> Path:
    """Make every commit of a table older than logs are kept; return the folder of its log."""
    log = Path(house.lake.uri(name)) / "_delta_log"
    for commit in log.iterdir():
        os.utime(commit, (LONG_AGO, LONG_AGO))
    return log


def test_receipts_tell_the_ledger_to_the_last_figure(house: Lakehouse) -> None:
    assert_frame_equal(from_receipts(house), _ledger(house))


def test_a_ledger_that_was_lost_is_written_anew(house: Lakehouse) -> None:
    before = _ledger(house)
    forget_all(house.ledger, [(tenant, name) for tenant in ("acme", "globex") for name in TABLES])
    assert _ledger(house).is_empty()
    told = from_receipts(house)
    assert compare(house, told).missing.height == before.height
    write_ledger(house, told)
    assert_frame_equal(_ledger(house), before)


def test_entries_that_are_missing_or_wrong_are_found_and_mended(house: Lakehouse) -> None:
    before = _ledger(house)
    forget(house.ledger, {("acme", CUSTOMERS): [OLD]})
    wrong = pl.lit(7, pl.Int64).alias("rows_kept")
    house.ledger.rewrite([("globex", CUSTOMERS)], lambda held: held.with_columns(wrong))
    found = compare(house, from_receipts(house))
    assert found.missing.select("tenant_id", "table", "date").rows() == [("acme", "customers_clean", OLD)]
    assert set(found.different["tenant_id"]) == {"globex"}
    assert not found.is_empty
    write_ledger(house, from_receipts(house))
    assert_frame_equal(_ledger(house), before)


def test_an_entry_stays_whose_receipt_the_log_has_forgotten(house: Lakehouse) -> None:
    before = _ledger(house)
    _age_commits(house, CUSTOMERS)
    opened = house.lake.open(CUSTOMERS)
    assert opened is not None
    opened.create_checkpoint()
    opened.cleanup_metadata()
    told = from_receipts(house)
    found = compare(house, told)
    assert found.is_empty
    assert found.unproven.height > 0
    write_ledger(house, told)
    assert_frame_equal(_ledger(house), before)


def test_upkeep_forgets_no_receipt_however_old_it_is(house: Lakehouse) -> None:
    before = _ledger(house)
    logs = {name: _age_commits(house, name) for name in stored_tables(house)}
    commits = {name: len(list(log.glob("*.json"))) for name, log in logs.items()}
    compact(house, stored_tables(house))
    assert_frame_equal(from_receipts(house), before)
    shortened = {name for name, log in logs.items() if len(list(log.glob("*.json"))) < commits[name]}
    assert shortened == {LEDGER, LANDING_FILES}, "their commits carry no receipts, and are the most"


def test_what_is_built_while_receipts_are_read_is_kept(house: Lakehouse) -> None:
    told = from_receipts(house)
    build(house, INTERACTIONS, [Partition("acme", NOW)], "meanwhile")
    write_ledger(house, told)
    ledger = house.ledger.read(tenants=["acme"], tables=[INTERACTIONS]).filter(pl.col("date") == NOW)
    assert ledger["run_id"].to_list() == ["meanwhile"]
    assert compare(house, from_receipts(house)).is_empty


def test_a_rewrite_touches_only_the_groups_that_it_is_given(house: Lakehouse) -> None:
    groups = {
        name: house.lake.files(LEDGER, table=[name.table], tenant_id=["globex"])["path"].to_list() for name in TABLES
    }
    forget(house.ledger, {("acme", CUSTOMERS): [OLD]})
    for name, paths in groups.items():
        assert house.lake.files(LEDGER, table=[name.table], tenant_id=["globex"])["path"].to_list() == paths
    assert Partition("acme", OLD) in live_files(house, CUSTOMERS)
