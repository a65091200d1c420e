"""Lineage of columns is what the functions ask for: handed on, computed, joined, filtered, flagged and learnt."""

from __future__ import annotations

import json
from importlib.resources import files

import polars as pl
import pytest

from lakehouse_assets.house import tables
from lakehouse_assets.lake.column_lineage import column_lineage, type_of_lineage
from lakehouse_assets.lake.names import TableName
from lakehouse_assets_tests.lake import toy


@pytest.fixture(scope="module")
def lineage() -> dict[str, type_of_lineage]:
    return column_lineage(tables())


def _of(lineage: dict[str, type_of_lineage], table: str, column: str) -> set[str]:
    return {f"{name.split('.', 1)[1]}.{of}" for name, of in lineage[f"crm.{table}"][column]}


CASES = [
    # table, column, columns that it is computed from
    ("silver.leads_clean", "deal_value", {"bronze.leads.deal_value"}),
    ("silver.leads_clean", "_ingest_date", {"bronze.leads.date"}),
    ("silver.customers_clean", "customer_name_normalized", {"bronze.customers.customer_name"}),
    ("silver.products_clean", "quality_flags", set()),
    (
        "silver.interactions_clean",
        "quality_flags",
        {"bronze.interactions.customer_id", "silver.customers_clean.customer_id"},
    ),
    ("gold.customer_features", "customer_name", {"silver.customers_clean.customer_name"}),
    ("gold.customer_features", "total_revenue", {"silver.leads_clean.deal_value", "silver.leads_clean.status"}),
    ("gold.customer_features", "num_calls", {"silver.interactions_clean.channel"}),
    ("gold.top_customers", "lead_score", {"gold.customer_features.lead_score"}),
]


@pytest.mark.parametrize(("table", "column", "expected"), CASES, ids=[f"{t}.{c}" for t, c, _ in CASES])
def test_a_column_comes_from(lineage: dict[str, type_of_lineage], table: str, column: str, expected: set[str]) -> None:
    assert _of(lineage, table, column) == expected


def test_a_probability_leads_to_the_model_and_a_name_does_not(lineage: dict[str, type_of_lineage]) -> None:
    assert "platinum.conversion_model.artefact" in _of(lineage, "gold.customer_features", "probability_to_convert")
    others = {column for column in lineage["crm.gold.customer_features"] if not column.startswith("probability")}
    for column in others:
        assert not {read for read in _of(lineage, "gold.customer_features", column) if "conversion_model" in read}, (
            column
        )


def test_a_model_leads_to_all_that_it_learnt_from(lineage: dict[str, type_of_lineage]) -> None:
    read = _of(lineage, "platinum.conversion_model", "artefact")
    assert {"silver.leads_clean.status", "silver.leads_clean.deal_value", "silver.interactions_clean.outcome"} <= read


def test_a_count_of_rows_leads_to_what_decides_which_rows_there_are() -> None:
    found = column_lineage(toy.TABLES)
    assert found["lake.platinum.memory"]["gauges"] == [["lake.silver.gauges", "date"]]
    keys = [[f"lake.silver.{name}", key] for name in ("gauges", "readings") for key in ("date", "gauge_id")]
    assert found["lake.gold.levels"]["readings"] == keys
    assert found["lake.gold.levels"]["highest"] == [["lake.silver.readings", "level"]]


def test_a_number_taken_while_the_function_is_called_may_be_in_every_column() -> None:
    def gold_peak(gold_levels: pl.LazyFrame) -> pl.LazyFrame:
        highest = gold_levels.select(pl.col("readings").max()).collect().item()
        return gold_levels.select("date", "gauge_id", pl.col("highest") + pl.lit(highest or 0))

    found = column_lineage(toy.with_function(toy.PEAK, gold_peak))["lake.gold.peak"]
    assert [column for column, read in found.items() if ["lake.gold.levels", "readings"] in read] == [
        "gauge_id",
        "highest",
    ]


def test_every_column_of_every_computed_table_is_there_and_names_columns_that_exist(
    lineage: dict[str, type_of_lineage],
) -> None:
    declared = tables()
    computed = {str(name): table for name, table in declared.items() if table.function is not None}
    assert set(lineage) == set(computed)
    for name, table in computed.items():
        assert set(lineage[name]) == set(table.schema)
        for column, read in lineage[name].items():
            assert read == sorted(read)
            assert read or column == "quality_flags"
            for upstream, of in read:
                assert of in {*declared[TableName.parse(upstream)].schema, "date", "tenant_id"}
                assert TableName.parse(upstream) in table.reads


def test_the_file_that_definitions_load_is_up_to_date(lineage: dict[str, type_of_lineage]) -> None:
    written = json.loads((files("lakehouse_assets") / "column_lineage.json").read_text())
    assert written == lineage, "write it: lakehouse catalog docs"
