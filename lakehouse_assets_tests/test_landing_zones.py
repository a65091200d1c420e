"""The generator of landing zones: repeatable, as messy as it says, and the same whatever the format."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from lakehouse_assets_tests.landing_zones import Spec, generate
from lakehouse_assets_tests.landing_zones.spec import FORMATS
from lakehouse_assets_tests.oracle import Oracle
from lakehouse_assets_tests.oracle.sources import SOURCES
from lakehouse_assets_tests.test_sample import FAULTS, FLAGS

SPEC = Spec(rows=3_000, days=9, dirty=0.1, history_days=10)
DAYS = [SPEC.first + timedelta(days=n) for n in range(-SPEC.history_days - SPEC.latest, SPEC.days + 2)]


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_same_spec_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    spec = Spec(rows=500, days=4, formats=FORMATS)
    for name, made in (("a", spec), ("b", spec), ("c", Spec(rows=500, days=4, formats=FORMATS, seed=1))):
        generate(tmp_path / name, made)
    assert contents(tmp_path / "a") == contents(tmp_path / "b") != contents(tmp_path / "c")


def test_every_fault_and_every_fate_of_a_row_appears(tmp_path: Path) -> None:
    generate(
        tmp_path,
        Spec(rows=12_000, days=5, dirty=0.5, gaps=0, extract_every=2, tenants=("acme",), first=date(2025, 12, 20)),
    )
    oracle = Oracle(tmp_path, Spec.start)
    days = [date(2025, 11, 1) + timedelta(days=n) for n in range(56)]
    for source in ("leads", "customers", "interactions"):
        found = {fault for day in days for row in oracle.rejected(source, "acme", day) for fault in row["faults"]}
        assert found == FAULTS[source]
        fates = {fate for day in days for fate, rows in oracle.counts(source, "acme", day).items() if rows}
        assert fates == {"judged", "kept", "rejected", "duplicate", *(["deleted"] if source != "interactions" else [])}
        assert sum(oracle.bronze_counts(source, "acme", day)["malformed"] for day in days) > 0
        kept = [row for day in days[-10:] for row in oracle.silver(source, "acme", day)]
        assert {flag for row in kept for flag in row["quality_flags"]} == FLAGS[source]


@pytest.fixture(scope="module")
def as_csv(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    root = tmp_path_factory.mktemp("csv")
    generate(root, SPEC)
    return Oracle(root, SPEC.start)


@pytest.mark.parametrize("ending", [ending for ending in FORMATS if ending != "csv"])
def test_a_landing_zone_means_the_same_in_every_format(ending: str, as_csv: Oracle, tmp_path: Path) -> None:
    generate(tmp_path, Spec(rows=3_000, days=9, dirty=0.1, history_days=10, formats=(ending,)))
    other = Oracle(tmp_path, SPEC.start)
    for tenant in SPEC.tenants:
        for source in SOURCES:
            assert [other.counts(source, tenant, day) for day in DAYS] == [
                as_csv.counts(source, tenant, day) for day in DAYS
            ]
        assert other.customer_features(tenant, SPEC.last) == as_csv.customer_features(tenant, SPEC.last) != []


def test_all_landed_rows_are_accounted_for(as_csv: Oracle) -> None:
    for tenant in SPEC.tenants:
        for source in SOURCES:
            landed = sum(as_csv.bronze_counts(source, tenant, day)["rows"] for day in DAYS)
            assert landed == sum(as_csv.counts(source, tenant, day)["judged"] for day in DAYS) > 0


def test_sizes_and_gaps_are_near_what_was_asked_for(tmp_path: Path) -> None:
    spec = Spec(rows=20_000, days=40, gaps=0.3, tenants=("a", "b"), extract_every=0)
    generate(tmp_path, spec)
    oracle = Oracle(tmp_path, spec.start)
    records = {
        source: sum(
            oracle.bronze_counts(source, tenant, day)["records"]
            for tenant in spec.tenants
            for day in oracle.ingest_dates(tenant)
        )
        for source in SOURCES
    }
    assert sum(records.values()) == pytest.approx(spec.rows, rel=0.05)
    assert records["interactions"] / sum(records.values()) == pytest.approx(0.8, abs=0.02)
    assert records["leads"] / sum(records.values()) == pytest.approx(0.15, abs=0.02)
    for tenant in spec.tenants:
        assert len(oracle.ingest_dates(tenant)) in range(20, 36)


def test_an_unknown_format_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="xlsx"):
        Spec(formats=("csv", "xlsx"))
