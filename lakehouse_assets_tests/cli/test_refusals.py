"""A command that cannot do all that was asked says why in one sentence and ends with status 1."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lakehouse_assets_tests.cli.conftest import Demo, type_of_places

HEAVY = ("polars", "dagster", "duckdb", "deltalake", "pandera", "numpy", "rich")
REFUSED = {
    "a table that is not there": (("backfill", "--select", "crm/gold/nothing"), "names no table"),
    "a domain that is not there": (("status", "--select", "sales"), "names no table"),
    "a tenant that has not landed": (("backfill", "--tenant", "amce"), "tenant amce has not landed"),
    "a tenant that leaves its folder": (("plan", "--tenant", "../acme"), "is no tenant name"),
    "reversed dates": (("plan", "--from", "2026-01-07", "--to", "2026-01-05"), "lies after"),
    "a date before all partitions": (("plan", "--from", "2020-01-01"), "before the first partition 2024-01-01"),
    "a statement that writes": (("sql", "delete from crm.gold.customer_features"), ""),
    "a table that no one knows": (("sql", "select * from crm.gold.nothing"), "crm.gold.nothing"),
    "a vacuum of running writers": (("maintain", "vacuum", "--hours", "1"), "a run that is not finished"),
    "a retention without sense": (("maintain", "retention", "--keep", "bronze=soon"), "is no retention"),
    "a reset of no table": (("maintain", "reset", "leads"), "names no table"),
    "a reset of an unknown table": (("maintain", "reset", "crm.gold.nothing", "--yes"), "there is no table"),
}


@pytest.mark.parametrize(("arguments", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused(demo: Demo, arguments: tuple[str, ...], reason: str) -> None:
    answer = demo.place.run(*arguments)
    assert answer.status == 1
    assert answer.text == ""
    assert answer.errors.startswith("lakehouse: ")
    assert reason in answer.errors


def test_a_landing_zone_that_is_not_there_is_named(tmp_path: Path, demo: Demo) -> None:
    place = type(demo.place)(tmp_path)
    answer = place.run("plan")
    assert (answer.status, str(tmp_path / "landing") in answer.errors) == (1, True)


def test_without_a_dagster_home_the_variable_is_named(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = demo.place.run("tenants", DAGSTER_HOME="")
    assert (answer.status, "DAGSTER_HOME is not set" in answer.errors) == (1, True)


def test_a_missing_option_value_is_a_usage_error(demo: Demo) -> None:
    assert demo.place.run("plan", "--from", "5 January").status == 2


def test_nothing_landed_says_so(new_place: type_of_places, tmp_path: Path) -> None:
    place = new_place(tmp_path / "place")
    (place.folder / "landing" / "newcomer").mkdir()
    answer = place.run("backfill", "--tenant", "newcomer")
    assert answer.status == 1
    assert "nothing has landed for newcomer" in answer.errors


def test_a_demo_that_could_build_nothing_says_why(new_place: type_of_places, tmp_path: Path) -> None:
    place = new_place(tmp_path / "place")
    for folder in (place.folder / "landing").iterdir():
        shutil.rmtree(folder)
    drop = place.folder / "landing" / "acme" / "crm" / "products" / "2026-01-05"
    drop.mkdir(parents=True)
    (drop / "products.csv").write_text("product_id\np1\n")
    (place.folder / "lake").write_text("where the lake should be")
    answer = place.run("demo")
    assert answer.status == 1
    assert "failed: " in answer.text
    assert place.run("demo", "--json").json["tables"] == []


def test_help_imports_nothing_heavy() -> None:
    script = f"""
import sys
from typer.testing import CliRunner
from lakehouse_assets.cli.app import app
for group in ([], ["quarantine"], ["maintain"], ["catalog"]):
    done = CliRunner().invoke(app, [*group, "--help"])
    assert done.exit_code == 0, done.output
print(sorted(set(sys.modules) & set({HEAVY!r})))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_installed_entry_point_ends_with_status_1_and_one_sentence(demo: Demo) -> None:
    call = "from lakehouse_assets.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", call, "backfill", "--select", "nothing/at/all"],
        env={**demo.place.environment, "PATH": ""},
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.strip().splitlines()) == 1
