"""Small crm landings for tests of whole pipelines, and what a lake holds of them, comparable between lakes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from lakehouse_assets.house import tables
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.plan import BuildPlan, make_plan
from lakehouse_assets.lake.runner import build
from lakehouse_assets.lake.storage import Lake

START = date(2026, 1, 1)
CUSTOMERS = (
    "customer_id",
    "customer_name",
    "industry",
    "employee_count",
    "annual_revenue",
    "email",
    "phone",
    "created_date",
)
LEADS = (
    "lead_id",
    "customer_id",
    "product_id",
    "source",
    "status",
    "deal_value",
    "owner",
    "created_date",
    "closed_date",
    "updated_at",
)
INTERACTIONS = (
    *("interaction_id", "customer_id", "lead_id", "channel", "outcome"),
    *("interaction_at", "duration_minutes", "response_minutes"),
)
PRODUCTS = ("product_id", "product_name", "category", "list_price")
COLUMNS = {"customers": CUSTOMERS, "leads": LEADS, "interactions": INTERACTIONS, "products": PRODUCTS}
# What differs between two lakes of the same rows: who built them when, and how often.
VOLATILE = {"run_id", "quarantined_at", "built_at", "table_version"}


def land(
    root: Path,
    tenant: str,
    source: str,
    day: date,
    name: str,
    rows: Sequence[Mapping[str, object]],
    *,
    operation: bool = False,
) -> Path:
    """Write a CSV file into the landing zone; its modification time is fixed, so that lakes can be compared."""
    folder = root / tenant / "crm" / source / day.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    columns = (*COLUMNS[source], "_op") if operation else COLUMNS[source]
    lines = [",".join(columns), *(",".join(str(row.get(column, "")) for column in columns) for row in rows)]
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


def house_at(landing: Path, lake: Path, *, chunk_bytes: int = 2**28) -> Lakehouse:
    crm = {name: table for name, table in tables().items() if name.domain == "crm"}
    return Lakehouse(
        landing=Landing(str(landing)), lake=Lake(str(lake)), tables=crm, start=START, chunk_bytes=chunk_bytes
    )


def build_all(
    house: Lakehouse,
    first: date,
    last: date,
    tenants: Iterable[str] | None = None,
    selected: Collection[TableName] | None = None,
) -> None:
    """Carry out plans until nothing is left to build; fails where a plan does not get smaller."""
    chosen = list(tenants) if tenants is not None else None
    plan = BuildPlan()
    for _ in range(5):
        plan = make_plan(house, selected or list(house.tables), chosen, first, last, only_registered=True)
        if plan.is_empty:
            return
        for name, partitions in plan.build.items():
            report = build(house, name, partitions, "test")
            assert not report.failed, report.failed
    raise AssertionError(f"the plan does not come to an end: {plan.build}")


def contents(house: Lakehouse) -> dict[str, pl.DataFrame]:
    """All rows of all tables, quarantines and of the ledger, in a stable order."""
    found = {}
    names = [*house.tables, *(name.quarantine for name in house.tables)]
    for name in names:
        opened = house.lake.open(name)
        if opened is None:
            continue
        frame = pl.read_delta(house.lake.uri(name))
        found[str(name)] = _stable(frame)
    found["ledger"] = _stable(house.ledger.read())
    return found


def _stable(frame: pl.DataFrame) -> pl.DataFrame:
    kept = sorted(column for column in frame.columns if column not in VOLATILE)
    plain = [c for c in kept if not frame.schema[c].is_nested() and frame.schema[c] != pl.Binary]
    return frame.select(kept).sort(plain, nulls_last=True, maintain_order=True)


def assert_same(one: Mapping[str, pl.DataFrame], other: Mapping[str, pl.DataFrame]) -> None:
    from polars.testing import assert_frame_equal

    for name in sorted(set(one) | set(other)):
        empty = next(frames[name] for frames in (one, other) if name in frames).clear()
        left, right = one.get(name, empty), other.get(name, empty)
        try:
            assert_frame_equal(left, right, check_exact=True)
        except AssertionError as error:
            raise AssertionError(f"{name} differs: {error}\n{left}\n{right}") from error
