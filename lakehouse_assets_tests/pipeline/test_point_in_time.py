"""Features in a real lake: what lands later changes no answer of an earlier date, and reaches no row of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lakehouse_assets.house import tables
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets.lake.storage import Lake
from lakehouse_assets_tests.landing_zones.commerce import generate_commerce
from lakehouse_assets_tests.once import once
from lakehouse_assets_tests.oracle.commerce import CommerceOracle
from lakehouse_assets_tests.pipeline.crm_landings import build_all

START = date(2026, 1, 1)
DAY = timedelta(days=1)
FIRST, DAYS = date(2026, 1, 3), 9
LAST = FIRST + (DAYS + 1) * DAY
FEATURES = TableName("commerce", "gold", "ml_customer_features")
REGISTRY = TableName("commerce", "gold", "feature_registry")
TRAINING = TableName("commerce", "platinum", "customer_training_set")
EMBEDDINGS = TableName("commerce", "platinum", "document_embeddings")
ANOMALIES = TableName("commerce", "silver", "anomalies_as_known")
PROMISED = (FEATURES, REGISTRY, TRAINING)
FACTS = TableName("commerce", "silver", "transaction_facts")
# What the oracle of customer 360 gives, under the features' names.
SAME = {
    "recency_days": "days_since_last_order",
    "frequency": "orders",
    "monetary": "revenue",
    "tenure_days": "tenure_days",
    "revenue_30d": "revenue_30d",
    "events_30d": "events_30d",
    "sessions_30d": "sessions_30d",
    "region": "region",
    "favourite_category": "favourite_category",
}

type_of_record = dict[str, object]


def house_at(landing: Path, lake: Path, chunk_bytes: int = 2**28) -> Lakehouse:
    commerce = {name: table for name, table in tables().items() if name.domain == "commerce"}
    return Lakehouse(
        landing=Landing(str(landing)), lake=Lake(str(lake)), tables=commerce, start=START, chunk_bytes=chunk_bytes
    )


def rows_of(house: Lakehouse, name: TableName) -> pl.DataFrame:
    frame = pl.read_delta(house.lake.uri(name))
    return frame.sort("date", *house.table(name).key)


def land(root: Path, source: str, on: date, name: str, rows: list[type_of_record]) -> None:
    folder = root / "acme" / "commerce" / source / str(on)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def write(root: Path, on: date, document: str, text: str) -> None:
    """Land a document about the owner of the device."""
    facts: type_of_record = {"document_id": document, "customer_id": "owner", "created_at": str(on)}
    land(root, "documents", on, f"{document}.json", [facts])
    (root / "acme" / "commerce" / "documents" / str(on) / f"{document}.txt").write_text(text)


def telemetry(on: date) -> list[type_of_record]:
    """A reading every half an hour of the day, with two peaks on the 6th and the 9th."""
    midnight = datetime.combine(on, time(), UTC)
    found: list[type_of_record] = []
    for half in range(48):
        at = midnight + timedelta(minutes=30 * half)
        value = 90.0 if on.day in {6, 9} and half in {20, 40} else 20 + half % 7 / 10
        found.append({"device_id": "D1", "event_time": at.isoformat(), "metric_type": "t", "metric_value": value})
    return found


def land_everything(root: Path) -> None:
    generate_commerce(root, ["acme"], FIRST, DAYS, lines=60, seed=3)
    land(root, "customers", FIRST, "owner.ndjson", [{"customer_id": "owner", "signup_date": "2025-01-01"}])
    assigned: type_of_record = {"device_id": "D1", "customer_id": "owner", "assigned_from": "2026-01-01"}
    land(root, "device_assignments", FIRST, "a.ndjson", [assigned])
    write(root, FIRST + DAY, "contract", "The pump is serviced twice a year, and its filter is cleaned.")
    write(root, FIRST + 4 * DAY, "letter", "The pump is loud at night. I want a quiet pump or a visit.")
    for number in range(DAYS):
        land(root, "device_telemetry", FIRST + number * DAY, "t.ndjson", telemetry(FIRST + number * DAY))


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "point_in_time_landing", land_everything)


@pytest.fixture(scope="module")
def built(landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    """For looking only."""

    def build(folder: Path) -> None:
        build_all(house_at(landing, folder), START, LAST, selected=[*PROMISED, FACTS])

    return house_at(landing, once(tmp_path_factory, "point_in_time_lake", build))


def cut_off(landing: Path, after: date, to: Path) -> Path:
    for folder in landing.glob("*/commerce/*/*"):
        if date.fromisoformat(folder.name) <= after:
            shutil.copytree(folder, to / folder.relative_to(landing))
    return to


@pytest.mark.parametrize("number", [0, 5])
def test_a_landing_zone_cut_off_after_a_date_gives_it_the_same_features(
    number: int, landing: Path, built: Lakehouse, tmp_path: Path
) -> None:
    day = FIRST + number * DAY
    house = house_at(cut_off(landing, day, tmp_path / "landing"), tmp_path / "lake", chunk_bytes=2**12)
    build_all(house, START, day, selected=PROMISED)
    for name in PROMISED:
        whole = rows_of(built, name).filter(pl.col("date") <= day)
        assert whole.filter(pl.col("date") == day).height > 0
        assert_frame_equal(rows_of(house, name), whole, check_exact=True)


def test_days_built_as_they_land_are_those_that_are_built_at_once(
    landing: Path, built: Lakehouse, tmp_path: Path
) -> None:
    house = house_at(landing, tmp_path / "lake")
    for number in range(DAYS):
        build_all(house, FIRST + number * DAY, FIRST + number * DAY, selected=[FEATURES])
    landed = pl.col("date").is_between(FIRST, FIRST + (DAYS - 1) * DAY)
    for name in (ANOMALIES, FEATURES):
        whole = rows_of(built, name).filter(landed)
        assert whole.height > 0
        assert_frame_equal(rows_of(house, name).filter(landed), whole, check_exact=True)


def test_the_oracle_that_sees_no_later_landing_gives_the_same_figures(landing: Path, built: Lakehouse) -> None:
    found = {(row["date"], row["customer_id"]): row for row in rows_of(built, FEATURES).to_dicts()}
    whole = CommerceOracle(landing, START)
    compared = restated = 0
    for day in (START + number * DAY for number in range((LAST - START).days + 1)):
        oracle = CommerceOracle(landing, START, until=day)
        expected = {row["customer_id"]: row for row in oracle.customer360("acme", day)}
        assert set(expected) == {customer for on, customer in found if on == day}
        for later in whole.customer360("acme", day):
            then, row = expected[later["customer_id"]], found[day, later["customer_id"]]
            assert {name: row[name] for name in SAME} == {name: then[other] for name, other in SAME.items()}
            compared += 1
            restated += any(then[name] != later[name] for name in SAME.values())
    # Without rows that land late, this would say nothing.
    assert compared > 300
    assert restated > 50


def test_an_anomaly_counts_from_the_day_on_which_it_was_told(built: Lakehouse) -> None:
    rows = rows_of(built, FEATURES).filter(pl.col("customer_id") == "owner")
    counts = dict(rows.select("date", "anomalies_30d").iter_rows())
    told = {day.day: counts[day] - counts[day - DAY] for day in counts if day - DAY in counts}
    assert {day: more for day, more in told.items() if more} == {6: 2, 9: 2}


def test_a_late_correction_leaves_the_dates_before_it_as_they_were_to_the_bit(
    landing: Path, built: Lakehouse, tmp_path: Path
) -> None:
    day = FIRST + 3 * DAY
    shutil.copytree(landing, tmp_path / "landing")
    shutil.copytree(built.lake.root, tmp_path / "lake")
    house = house_at(tmp_path / "landing", tmp_path / "lake")
    before = {name: rows_of(house, name) for name in (*PROMISED, FACTS)}
    files = live_files(house)

    sold = before[FACTS].filter((pl.col("date") == day - DAY) & pl.col("customer_id").is_not_null())
    old = sold.row(0, named=True)
    late = day + 5 * DAY
    corrected = {name: str(old[name]) for name in ("transaction_id", "customer_id", "product_id", "invoice_id")}
    line = corrected | {"amount": "12345.67", "transaction_date": old["transaction_date"].isoformat()}
    land(tmp_path / "landing", "transactions", late, "correction.ndjson", [line])
    seen = {"event_id": "late", "event_type": "page_view", "customer_id": old["customer_id"], "session_id": "late"}
    noon = datetime.combine(day, time(12), UTC).isoformat()
    land(tmp_path / "landing", "customer_events", late, "late.ndjson", [seen | {"event_time": noon}])
    wild = [row | {"metric_value": 500.0} for row in telemetry(day)]
    land(tmp_path / "landing", "device_telemetry", late, "wild.ndjson", wild)
    write(tmp_path / "landing", late, "contract", "The contract has ended; nothing is serviced.")
    rebuilt = make_plan(house, [FEATURES], ["acme"], START, LAST, only_registered=True).build[FEATURES]
    build_all(house, START, LAST, selected=[*PROMISED, FACTS])

    after = {name: rows_of(house, name) for name in (*PROMISED, FACTS)}
    # Silver is restated …
    restated = after[FACTS].filter((pl.col("date") == day - DAY) & (pl.col("transaction_id") == old["transaction_id"]))
    assert [str(amount) for amount in restated["amount"]] == ["12345.67"]
    # … and what was known before is not: not even the files are others.
    earlier = pl.col("date") < late
    for name in PROMISED:
        assert_frame_equal(after[name].filter(earlier), before[name].filter(earlier), check_exact=True)
    assert {on for _, on in rebuilt} == {late + number * DAY for number in range((LAST - late).days + 1)}
    assert {on: path for on, path in live_files(house).items() if on < late} == {
        on: path for on, path in files.items() if on < late
    }
    was, now = (
        frames[FEATURES].row(
            by_predicate=(pl.col("date") == late) & (pl.col("customer_id") == old["customer_id"]), named=True
        )
        for frames in (before, after)
    )
    assert now["monetary"] - was["monetary"] == restated["amount"][0] - old["amount"]
    assert (now["events_30d"], now["sessions_30d"]) == (was["events_30d"] + 1, was["sessions_30d"] + 1)


def test_a_training_row_is_the_features_and_the_mean_of_what_was_written_by_then(built: Lakehouse) -> None:
    rows, features, vectors = (rows_of(built, name) for name in (TRAINING, FEATURES, EMBEDDINGS))
    assert_frame_equal(rows.select(features.columns), features)
    owner = rows.filter(pl.col("customer_id") == "owner").sort("date")
    assert owner["documents"].to_list() == [0] + [1] * 3 + [2] * (owner.height - 4)
    for row in owner.filter(pl.col("documents") > 0).to_dicts():
        chunks = vectors.filter(pl.col("date") == row["date"])["embedding"]
        mean = np.stack([chunk.to_numpy() for chunk in chunks]).astype(np.float64).mean(axis=0)
        assert np.allclose(row["embedding"], mean, atol=1e-6)
    assert set(rows.filter(pl.col("customer_id") != "owner")["embedding"]) == {None}


def live_files(house: Lakehouse) -> Mapping[date, str]:
    return dict(house.lake.files(FEATURES).select("date", "path").iter_rows())
