"""The catalog opens in any DuckDB, and generated files that are out of date are found out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakehouse_assets.cli import catalog

if TYPE_CHECKING:
    from lakehouse_assets_tests.cli.conftest import Demo


def test_the_views_of_the_catalog_answer_like_the_command(demo: Demo, tmp_path: Path) -> None:
    import duckdb

    from lakehouse_assets.lake.catalog import extension_path

    answer = demo.place.run("catalog", "--folder", str(tmp_path / "catalog"), "--json")
    assert answer.status == 0
    written = [Path(path) for path in answer.json]
    assert {path.name for path in written} == {"commerce.duckdb", "crm.duckdb", "platform.duckdb", "attach.sql"}
    counted = demo.place.run("sql", "--json", "select count(*) as n from crm.gold.customer_features").json[0]["n"]
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{extension_path('delta')}'")
        for statement in written[-1].read_text().splitlines():
            connection.execute(statement)
        assert connection.execute("select count(*) from crm.gold.customer_features").fetchone() == (counted,)


def test_generated_files_that_are_out_of_date_are_found_out_and_written(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "LINEAGE", tmp_path / "lineage.json")
    monkeypatch.setattr(catalog, "DICTIONARY", tmp_path / "docs" / "dictionary.md")
    checked = demo.place.run("catalog", "docs", "--check", "--json")
    assert checked.status == 1
    assert len(checked.json["out_of_date"]) == 2
    assert not (tmp_path / "lineage.json").exists()
    assert demo.place.run("catalog", "docs").status == 0
    assert "crm.gold.customer_features" in json.loads((tmp_path / "lineage.json").read_text())
    assert "customer_features" in (tmp_path / "docs" / "dictionary.md").read_text()
    assert demo.place.run("catalog", "docs", "--check").status == 0
