"""Once plan is empty, the lake is the same whatever the order and grouping of runs, landings and failures."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lakehouse_assets.lake.errors import StorageError
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets.lake.runner import build
from lakehouse_assets.lake.storage import Lake
from lakehouse_assets_tests.faults.rounds import THOROUGH, rounds
from lakehouse_assets_tests.pipeline.crm_landings import assert_same, build_all, contents, house_at, land

FIRST, LAST = date(2026, 1, 3), date(2026, 1, 6)
DATES = st.integers(0, (LAST - FIRST).days).map(lambda offset: FIRST + timedelta(days=offset))
TENANTS = st.sampled_from(["acme", "acme", "acme", "globex"])
IDS = st.integers(1, 3)
SOURCES = st.sampled_from(["customers", "leads", "interactions", "products"])
STATUSES = st.sampled_from(["new", "Closed-Won", "closed_lost", "??", ""])


@st.composite
def rows_of(draw: st.DrawFn, source: str, day: date) -> list[dict[str, object]]:
    """A few rows of few keys, so that versions, duplicates, deletes and faults meet."""
    rows: list[dict[str, object]] = []
    for _ in range(draw(st.integers(1, 4))):
        number = draw(IDS)
        if source == "customers":
            name = draw(st.sampled_from(["Ärzte AG", "Bob & Co", ""]))
            row: dict[str, object] = {"customer_id": f"c{number}", "customer_name": name}
            row["annual_revenue"] = draw(st.sampled_from(["", "10", "-1", "x"]))
        elif source == "products":
            row = {"product_id": f"p{number}", "list_price": draw(st.sampled_from(["1", "2", "-3"]))}
        elif source == "leads":
            row = {"lead_id": f"l{number}", "customer_id": f"c{draw(IDS)}", "status": draw(STATUSES)}
            row["deal_value"] = draw(st.sampled_from(["", "100", "0.1", "1e309"]))
            row["created_date"] = draw(st.sampled_from([FIRST.isoformat(), "2026-02-30"]))
            row["updated_at"] = draw(st.sampled_from(["", f"{day}T08:00:00Z", f"{FIRST}T09:00:00Z"]))
        else:
            happened = draw(st.sampled_from([day, day - timedelta(days=2), day + timedelta(days=1), date(2020, 1, 1)]))
            row = {"interaction_id": f"i{draw(st.integers(1, 9))}", "customer_id": f"c{draw(IDS)}", "channel": "Call"}
            row["interaction_at"] = draw(
                st.sampled_from([f"{happened} 10:00:00", f"{happened}T23:30:00-02:00", "soon"])
            )
            row["outcome"] = draw(st.sampled_from(["positive", "negative", ""]))
        if source != "interactions":
            row["_op"] = draw(st.sampled_from(["", "", "delete"]))
        rows.append(row)
    return rows


class AnyOrder(RuleBasedStateMachine):
    """Plays landings, backfills of any part, and writes that fail; then compares with a lake built in one go."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="any-order-"))
        self.house = house_at(self.folder / "landing", self.folder / "lake", chunk_bytes=400)
        (self.folder / "landing").mkdir()
        self.files: Counter[str] = Counter()

    @rule(tenant=TENANTS, landings=st.lists(st.tuples(SOURCES, DATES), min_size=1, max_size=4), data=st.data())
    def files_land(self, tenant: str, landings: list[tuple[str, date]], data: st.DataObject) -> None:
        for source, day in landings:
            self.files[tenant] += 1
            rows = data.draw(rows_of(source, day))
            name = f"{data.draw(st.sampled_from('abc'))}-{self.files[tenant]}.csv"
            land(self.folder / "landing", tenant, source, day, name, rows, operation=source != "interactions")

    @rule(tenant=TENANTS, first=DATES, last=DATES, data=st.data())
    def a_part_is_built(self, tenant: str, first: date, last: date, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from(list(self.house.tables)), min_size=1, max_size=2))
        build_all(self.house, min(first, last), max(first, last), [tenant], chosen)

    @rule(tenant=TENANTS, day=DATES, data=st.data())
    def one_table_is_materialized_alone(self, tenant: str, day: date, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(list(self.house.tables)))
        build(self.house, name, [(tenant, day)], "alone")  # type: ignore[list-item]

    @rule(tenant=TENANTS, first=DATES, last=DATES, after=st.integers(0, 12))
    def a_backfill_dies(self, tenant: str, first: date, last: date, after: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            left = after
            commit_on = Lake.commit_on

            def failing(self: Lake, *arguments: Any) -> int:
                nonlocal left
                left -= 1
                if left < 0:
                    raise StorageError("the disk is full")
                return commit_on(self, *arguments)

            patch.setattr(Lake, "commit_on", failing)
            plan = make_plan(self.house, list(self.house.tables), [tenant], min(first, last), max(first, last))
            for name, partitions in plan.build.items():
                build(self.house, name, partitions, "dies")

    @invariant()
    def every_partition_in_the_ledger_adds_up(self) -> None:
        if not hasattr(self, "house"):
            return
        ledger = self.house.ledger.read()
        out = pl.sum_horizontal("rows_kept", "rows_rejected", "rows_duplicate", "rows_deleted")
        assert ledger.filter(pl.col("rows_in") != out).is_empty()

    def teardown(self) -> None:
        if not hasattr(self, "house"):
            return
        try:
            build_all(self.house, FIRST, LAST, ["acme", "globex"])
            build_everything_built(self.house)
            afresh = house_at(self.folder / "landing", self.folder / "afresh")
            for (tenant,), rows in self.house.ledger.read().group_by("tenant_id"):
                for name in afresh.tables:
                    mine = rows.filter((pl.col("domain") == name.domain) & (pl.col("layer") == name.layer))
                    dates = mine.filter(pl.col("table") == name.table)["date"].to_list()
                    report = build(afresh, name, [(tenant, day) for day in dates], "afresh")  # type: ignore[misc]
                    assert not report.failed, report.failed
            assert_same(contents(self.house), contents(afresh))
        finally:
            shutil.rmtree(self.folder)


def build_everything_built(house: Lakehouse) -> None:
    """What was built outside the asked-for dates may be stale: bring all of it up to date."""
    dates = house.ledger.read()["date"]
    if dates.len():
        build_all(house, dates.min(), dates.max(), ["acme", "globex"])  # type: ignore[arg-type]


AnyOrder.TestCase.settings = settings(
    max_examples=rounds(3, 60),
    stateful_step_count=rounds(7, 12),
    # The slice plays the same stories each time; at length they are new ones.
    derandomize=not THOROUGH,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestAnyOrder = AnyOrder.TestCase


def test_a_state_does_not_start_from_a_snapshot_that_a_late_file_made_stale(tmp_path: Path) -> None:
    house = house_at(tmp_path / "landing", tmp_path / "lake")
    land(tmp_path / "landing", "acme", "products", FIRST, "a.csv", [{"product_id": "p1", "list_price": 1}])
    build_all(house, FIRST, FIRST + timedelta(days=1), ["acme"])
    land(tmp_path / "landing", "acme", "products", FIRST, "b.csv", [{"product_id": "p2", "list_price": 2}])
    build_all(house, LAST, LAST, ["acme"])
    products = pl.read_delta(house.lake.uri(TableName("crm", "silver", "products_clean")))
    assert products.filter(pl.col("date") == LAST)["product_id"].sort().to_list() == ["p1", "p2"]
