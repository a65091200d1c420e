"""The benchmarks run, and the bare script does the work that it is measured for. Not here: how fast anything is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lakehouse_assets_tests.benchmarks import agreement, bare
from lakehouse_assets_tests.benchmarks.__main__ import main
from lakehouse_assets_tests.benchmarks.days import DAY, TENANT
from lakehouse_assets_tests.benchmarks.figures import Findings
from lakehouse_assets_tests.benchmarks.processes import BenchmarkError, Cost, weigh
from lakehouse_assets_tests.landing_zones import Spec, generate
from lakehouse_assets_tests.pipeline.crm_landings import build_all, house_at

KEYS = {
    "customer_features": "customer_id",
    "channel_performance": "channel",
    "top_customers": "rank",
    "sales_summary": "date",
}
# The bare script adds floats where the lakehouse adds decimals, and has no model.
MODEL = {"probability_to_convert", "probability_model"}


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The lakehouse's tables of a tenant-day, and the bare script's; of 25 records one is dirty."""
    return both(tmp_path_factory.mktemp("dirty"), 0.04)


def both(folder: Path, dirty: float) -> tuple[Path, Path]:
    spec = Spec(rows=2_000, tenants=(TENANT,), first=DAY, days=1, history_days=4, late=0.0, dirty=dirty)
    generate(folder / "landing", spec)
    build_all(house_at(folder / "landing", folder / "lake"), DAY, DAY)
    bare.main(folder / "landing", folder / "bare", TENANT, DAY)
    return folder / "lake", folder / "bare"


def test_the_bare_script_has_every_row_that_was_not_set_aside(lakes: tuple[Path, Path]) -> None:
    assert agreement.disagreements(*lakes, DAY) == []
    more = agreement.surplus(*lakes, DAY)
    assert more["bronze.interactions"][0] == more["bronze.interactions"][1] > 0
    assert 0 < more["silver.leads_clean"][0] < more["silver.leads_clean"][1]


@pytest.mark.parametrize(
    "layer, table", [("bronze", "leads"), ("silver", "interactions_clean"), ("gold", "top_customers")]
)
def test_a_table_that_was_not_written_is_a_disagreement(
    lakes: tuple[Path, Path], tmp_path: Path, layer: str, table: str
) -> None:
    copy = shutil.copytree(lakes[1], tmp_path / "bare")
    place = copy / "crm" / layer / table
    pl.read_delta(str(place)).clear().write_delta(str(place), mode="overwrite")
    found = agreement.disagreements(lakes[0], copy, DAY)
    assert any(line.startswith(f"{layer}.{table}") for line in found)


def test_of_clean_records_the_bare_script_makes_the_same_gold(tmp_path: Path) -> None:
    lake, other = both(tmp_path, 0.0)
    for table, key in KEYS.items():
        ours, theirs = (agreement.rows(place, "gold", table, DAY).sort(key) for place in (lake, other))
        columns = [name for name in ours.columns if name not in {*MODEL, "quality_flags"}]
        assert_frame_equal(ours.select(columns), theirs.select(columns), check_dtypes=False, abs_tol=1e-6)


def test_a_measured_day_is_in_the_report_the_figures_and_the_plot(tmp_path: Path) -> None:
    main(["--to", str(tmp_path), "--only", "day,memory", "--rows", "1000", "--repetitions", "1", "--spread-rows", "0"])
    report = (tmp_path / "README.md").read_text()
    assert "1,000 records in one tenant-day, `lakehouse backfill` ÷ bare script, wall time" in report
    assert "not measured here" in report
    told = json.loads((tmp_path / "figures.json").read_text())
    assert {line["item"] for line in told["findings"]} == {"day", "memory"}
    assert all(line["ratio"] > 0 and line["is_met"] is None for line in told["findings"])
    assert {work: len(costs) for work, costs in told["costs"].items()} == {
        "lakehouse backfill, 1,000 records in one tenant-day": 1,
        "bare script, 1,000 records in one tenant-day": 1,
    }
    assert (tmp_path / "ratios.png").read_bytes().startswith(b"\x89PNG")


def test_a_process_is_weighed_with_what_it_says_and_a_failing_one_stops_the_run() -> None:
    cost, said = weigh(["sh", "-c", "echo done"])
    assert said == "done\n"
    assert cost.wall_seconds > 0
    assert cost.peak_bytes > 0
    with pytest.raises(BenchmarkError, match="status 3:\nout of luck"):
        weigh(["sh", "-c", "echo out of luck >&2; exit 3"])


def test_a_target_is_met_up_to_its_limit() -> None:
    found = Findings()
    for ratio, limit in ((1.3, 1.3), (1.31, 1.3), (9.0, None)):
        found.add(item="day", what="", target="", measured="", ratio=ratio, limit=limit)
    assert [line.is_met for line in found.lines] == [True, False, None]


def test_of_repeated_work_the_median_counts_and_the_largest_memory() -> None:
    costs = [Cost(1.0, 7.0, 100), Cost(2.0, 6.0, 300), Cost(9.0, 5.0, 200)]
    assert Findings().weighed("work", costs) == Cost(2.0, 6.0, 300)
