"""@table: what a declaration says, and which declarations cannot work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.lake.contract import Contract, column
from lakehouse_assets.lake.errors import ContractError
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import SAME_DATE, trailing
from lakehouse_assets.lake.source import Source
from lakehouse_assets.lake.table import Duplicates, Reference, Table, declared_tables, table, tables_of_sources
from lakehouse_assets_tests.lake import toy
from lakehouse_assets_tests.lake.toy import GAUGES, LEVELS, READINGS, S_GAUGES, S_READINGS, TABLES, own_registry


class Figures(Contract):
    """One row per gauge.

    More of it follows here.
    """

    gauge_id: str = column("Gauge", key=True)


@pytest.fixture(autouse=True)
def _declared_here_only() -> Iterator[None]:
    with own_registry():
        tables_of_sources([GAUGES, READINGS])
        yield


def declared(function: Callable[..., Any], **options: Any) -> Table:
    table(options.pop("contract", Figures), **options)(function)
    return declared_tables()[TableName.of_parameter("lake", function.__name__)]


def test_the_function_names_the_table_and_its_inputs() -> None:
    levels = TABLES[LEVELS]
    assert list(levels.inputs) == ["silver_gauges", "silver_readings"], "the window is no table"
    assert levels.reads == {S_GAUGES: SAME_DATE, S_READINGS: trailing(days=3)}
    assert levels.kind == "derived"
    assert levels.key == ("gauge_id",)


def test_a_description_is_what_the_contract_says_one_row_is() -> None:
    def gold_figures(bronze_gauges: pl.LazyFrame) -> pl.LazyFrame:
        return bronze_gauges

    assert declared(gold_figures).description == "One row per gauge.\n\nMore of it follows here."


def test_inputs_come_before_their_readers() -> None:
    position = {name: index for index, name in enumerate(TABLES)}
    for name, found in TABLES.items():
        assert all(position[read] < position[name] for read in found.reads)


def test_a_reference_is_read_on_the_same_date() -> None:
    assert TABLES[S_READINGS].reads == {toy.B_READINGS: SAME_DATE, S_GAUGES: SAME_DATE}


def test_cleaned_tables_carry_where_their_rows_come_from() -> None:
    names = [found.name for found in TABLES[S_READINGS].columns]
    assert names[-4:] == ["quality_flags", "_ingest_date", "_source_file", "_row_number"]
    assert not {"quality_flags", "_source_file"} & set(TABLES[LEVELS].schema)


def test_bronze_has_the_columns_of_its_source_as_text_and_those_of_the_file() -> None:
    bronze = TABLES[toy.B_READINGS]
    assert bronze.schema == READINGS.bronze_schema
    assert {name: bronze.schema[name] for name in READINGS.columns} == dict.fromkeys(READINGS.columns, pl.String())
    assert bronze.judged_rules == ()
    assert "_op" in TABLES[toy.B_GAUGES].schema
    assert "_op" not in bronze.schema


def test_what_a_table_is_judged_by_comes_from_contract_and_kind() -> None:
    ids = {name: [rule.id for rule in TABLES[name].judged_rules] for name in (S_GAUGES, S_READINGS, LEVELS)}
    assert {"height_unparsable", "changed_at_unparsable"} <= set(ids[S_GAUGES])
    assert {"before_start", "in_future", "read_at_unparsable", "below_the_bed"} <= set(ids[S_READINGS])
    assert ids[LEVELS][-1] == "is_duplicate"
    assert "is_duplicate" not in ids[S_READINGS], "duplicates of a source are resolved, not rejected"


TO_GAUGES = Reference("gauge_id", "silver_gauges")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        pytest.param(LEVELS, {"windows": {"silver_readings": trailing(days=4)}}, id="a window"),
        pytest.param(LEVELS, {"max_reject_share": 0.5}, id="the share that may be rejected"),
        pytest.param(LEVELS, {"contract": Figures}, id="the contract"),
        pytest.param(S_READINGS, {"references": {"lost": TO_GAUGES}}, id="a reference"),
        pytest.param(S_READINGS, {"duplicates": Duplicates(("gauge_id",), "reading_id")}, id="the duplicates"),
    ],
)
def test_a_changed_declaration_changes_the_code_version(name: TableName, changed: dict[str, Any]) -> None:
    usual: dict[TableName, dict[str, Any]] = {
        LEVELS: {"contract": toy.Levels, "windows": {"silver_readings": trailing(days=3)}},
        S_READINGS: {"contract": toy.Readings, "source": READINGS},
    }
    table(toy.Gauges, source=GAUGES)(toy.silver_gauges)
    if name == LEVELS:
        table(toy.Readings, source=READINGS)(toy.silver_readings)
    found = declared(TABLES[name].function or toy.gold_levels, **usual[name] | changed)
    assert found.code_version != TABLES[name].code_version


def test_a_changed_source_makes_its_tables_stale_and_a_changed_description_does_not() -> None:
    def versions(source: Source) -> tuple[str, str]:
        with own_registry():
            bronze = tables_of_sources([source, READINGS])[0]
            table(toy.Gauges, source=source)(toy.silver_gauges)
            return bronze.code_version, declared_tables()[S_GAUGES].code_version

    usual = versions(GAUGES)
    assert versions(replace(GAUGES, description="other words")) == usual
    assert all(new != old for new, old in zip(versions(replace(GAUGES, version=None)), usual, strict=True))


def test_tables_that_read_each_other_are_refused_with_the_way_round() -> None:
    def gold_hen(gold_egg: pl.LazyFrame) -> pl.LazyFrame:
        return gold_egg

    def gold_egg(gold_hen: pl.LazyFrame) -> pl.LazyFrame:
        return gold_hen

    table(Figures)(gold_hen)
    table(Figures)(gold_egg)
    with pytest.raises(ContractError, match=r"lake\.gold\.egg → lake\.gold\.hen → lake\.gold\.egg"):
        declared_tables()


def test_an_input_that_no_one_declares_is_named_with_its_reader() -> None:
    def gold_figures(silver_nothing: pl.LazyFrame) -> pl.LazyFrame:
        return silver_nothing

    with pytest.raises(ContractError, match=r"lake\.gold\.figures reads lake\.silver\.nothing"):
        declared(gold_figures)


def test_a_window_of_what_is_not_read_is_refused() -> None:
    def gold_figures(bronze_gauges: pl.LazyFrame) -> pl.LazyFrame:
        return bronze_gauges

    with pytest.raises(ContractError, match="silver_readings"):
        declared(gold_figures, windows={"silver_readings": trailing(days=2)})


def test_a_contract_that_does_not_say_what_a_row_is_is_refused() -> None:
    class Silent(Contract):
        gauge_id: str = column("Gauge", key=True)

    def gold_figures(bronze_gauges: pl.LazyFrame) -> pl.LazyFrame:
        return bronze_gauges

    with pytest.raises(ContractError, match="Silent does not say what one row is"):
        declared(gold_figures, contract=Silent)


def test_a_function_outside_of_every_domain_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def gold_figures(bronze_gauges: pl.LazyFrame) -> pl.LazyFrame:
        return bronze_gauges

    gold_figures.__module__ = "script"
    monkeypatch.setitem(sys.modules, "script", ModuleType("script"))
    with pytest.raises(ContractError, match="domains/<domain>/<layer>"):
        table(Figures)(gold_figures)
