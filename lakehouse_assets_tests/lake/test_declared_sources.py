"""Sources, windows and tables that cannot work are refused when they are declared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.lake.contract import Contract, column
from lakehouse_assets.lake.errors import ContractError
from lakehouse_assets.lake.partitions import MaturedMonthEnds, Window, trailing
from lakehouse_assets.lake.table import (
    Duplicates,
    Reference,
    declare_bronze,
    declared_tables,
    table,
    tables_of_sources,
)
from lakehouse_assets_tests.lake import toy
from lakehouse_assets_tests.lake.declaring import TO_GAUGES, gold_figures, refused
from lakehouse_assets_tests.lake.toy import (
    GAUGES,
    READINGS,
    Gauges,
    Levels,
    Readings,
    own_registry,
)


@pytest.fixture(autouse=True)
def _declared_here_only() -> Iterator[None]:
    with own_registry():
        tables_of_sources([GAUGES, READINGS])
        yield


# Tables cleaned from a source


def _takes_another(bronze_readings: pl.LazyFrame) -> pl.LazyFrame:
    return bronze_readings


def _takes_a_window(bronze_gauges: pl.LazyFrame, window: Window) -> pl.LazyFrame:
    return bronze_gauges.filter(pl.col("date") >= window.first)


def _takes_two(bronze_gauges: pl.LazyFrame, bronze_readings: pl.LazyFrame) -> pl.LazyFrame:
    return pl.concat([bronze_gauges, bronze_readings])


def _takes_nothing() -> pl.LazyFrame:
    return pl.LazyFrame()


@pytest.mark.parametrize("function", [_takes_another, _takes_a_window, _takes_two, _takes_nothing])
def test_a_cleaned_table_reads_the_bronze_of_its_source_and_nothing_else(
    function: Callable[..., pl.LazyFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(function, "__name__", "silver_gauges")
    message = r"lake\.silver\.gauges is cleaned from source lake/gauges, .* give it bronze_gauges"
    refused(Gauges, function, message, source=GAUGES)


def test_a_source_of_another_domain_is_refused() -> None:
    refused(Gauges, toy.silver_gauges, "cleaned from source sea/gauges", source=replace(GAUGES, domain="sea"))


class Owners(Contract):
    """One row per owner."""

    owner: str = column("Owner", key=True)
    changed_at: pl.Datetime("us", "UTC") = column("Time", nullable=True)  # type: ignore[valid-type]


class Timeless(Contract):
    """One row per gauge."""

    gauge_id: str = column("Gauge", key=True)


class Worded(Timeless):
    """One row per gauge."""

    changed_at: str = column("Time")


@pytest.mark.parametrize(
    ("contract", "options", "message"),
    [
        (Owners, {}, r"has the key \(owner\), its source has \(gauge_id\)"),
        (Timeless, {}, "changed_at decides which version"),
        (Worded, {}, "changed_at decides which version"),
        (Gauges, {"windows": {"bronze_gauges": trailing(days=2)}}, "leave it out"),
        (Gauges, {"carries_forward": True}, "carries nothing forward"),
        (Gauges, {"duplicates": Duplicates(("owner",), "gauge_id")}, "states have no duplicates"),
        (Gauges, {"references": {"lost": Reference("reading_id", "silver_readings")}}, "lost is of reading_id"),
        (Gauges, {"references": {"owner": Reference("gauge_id", "silver_other")}}, "owner is named like a column"),
        (Gauges, {"references": {"without_owner": Reference("owner", "silver_other")}}, "two rules without_owner"),
        (Gauges, {"references": {"height_is_negative": Reference("owner", "gold_x")}}, "two rules height_is_negative"),
        (Gauges, {"references": {"files": Reference("owner", "silver_other")}}, "a check files of its own"),
        (Gauges, {"references": {"lost": Reference("owner", "others")}}, "'others' names no table"),
    ],
)
def test_a_cleaned_table_that_contradicts_its_source_is_refused(
    contract: type[Contract], options: Mapping[str, Any], message: str
) -> None:
    refused(contract, toy.silver_gauges, message, source=GAUGES, **options)


@pytest.mark.parametrize(
    ("duplicates", "message"),
    [
        (Duplicates((), "reading_id"), "agree in no column"),
        (Duplicates(("gauge",), "reading_id"), "told by gauge, which is no column"),
        (Duplicates(("gauge_id",), "id"), "told by id, which is no column"),
    ],
)
def test_duplicates_are_told_by_columns_of_the_table(duplicates: Duplicates, message: str) -> None:
    refused(Readings, toy.silver_readings, message, source=READINGS, duplicates=duplicates)


@pytest.mark.parametrize(
    "reference", [Reference("mood", "silver_gauges"), Reference("level", "gold_words"), Reference("mood", "gold_words")]
)
def test_a_reference_to_a_column_that_the_other_table_has_not_is_refused(reference: Reference) -> None:
    class Words(Contract):
        """One row per word."""

        level: str = column("Level, in words", key=True)

    def gold_words(bronze_gauges: pl.LazyFrame) -> pl.LazyFrame:
        return bronze_gauges

    table(Words)(gold_words)
    table(Gauges, source=GAUGES)(toy.silver_gauges)
    table(Readings, source=READINGS, references={"lost": reference})(toy.silver_readings)
    with pytest.raises(ContractError, match=rf"lake\.silver\.readings: reference lost is to column {reference.column}"):
        declared_tables()


@pytest.mark.parametrize(
    "option", [{"references": {"lost": TO_GAUGES}}, {"duplicates": Duplicates(("gauge_id",), "highest")}]
)
def test_what_is_settled_for_sources_only_is_refused_elsewhere(option: dict[str, Any]) -> None:
    refused(Levels, gold_figures, f"{next(iter(option))} are settled for tables of a source only", **option)


@pytest.mark.parametrize("share", [-0.1, 1.1, 20])
def test_a_share_beyond_all_rows_is_refused(share: float) -> None:
    refused(Levels, gold_figures, "give a share from 0 to 1", max_reject_share=share)


# Windows


@pytest.mark.parametrize("given", [0, -1, 1.5, True, "3"])
def test_a_window_of_less_than_a_day_is_refused(given: Any) -> None:
    with pytest.raises(ContractError, match="give a whole number of days, at least 1"):
        trailing(days=given)
    with pytest.raises(ContractError, match=r"history=….* at least 1"):
        MaturedMonthEnds(horizon=1, history=given)


@pytest.mark.parametrize("given", [-1, 0.5])
def test_month_ends_do_not_lie_ahead(given: Any) -> None:
    with pytest.raises(ContractError, match=r"horizon=….* at least 0"):
        MaturedMonthEnds(horizon=given)


def test_a_window_that_is_none_is_refused() -> None:
    refused(Levels, gold_figures, "reads lake.bronze.gauges in 3: write trailing", windows={"bronze_gauges": 3})


# Declared twice


def test_two_tables_of_one_name_are_refused() -> None:
    def make() -> Callable[..., Any]:
        def gold_figures(bronze_gauges: pl.LazyFrame) -> pl.LazyFrame:
            return bronze_gauges

        return gold_figures

    table(Levels)(make())
    refused(Levels, make(), r"lake\.gold\.figures is declared twice")


@pytest.mark.parametrize(
    "changed", [{"contract": Timeless}, {"max_reject_share": 0.1}, {"windows": {"bronze_gauges": trailing(days=2)}}]
)
def test_one_function_declared_in_two_ways_is_refused(changed: dict[str, Any]) -> None:
    table(Levels)(gold_figures)
    table(Levels)(gold_figures)
    options = {"contract": Levels} | changed
    refused(options.pop("contract"), gold_figures, r"lake\.gold\.figures is declared twice", **options)


@pytest.mark.parametrize("changed", [{"key": ("owner",)}, {"description": "others"}, {"columns": {**GAUGES.columns}}])
def test_two_sources_of_one_name_are_refused(changed: dict[str, Any]) -> None:
    if "columns" in changed:
        changed["columns"]["more"] = "More"
    with pytest.raises(ContractError, match=r"lake\.bronze\.gauges is declared twice"):
        tables_of_sources([GAUGES, replace(GAUGES, **changed)])


# Sources


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"key": ()}, "has no key"),
        ({"key": ("gauge",)}, r"names columns it does not have: \['gauge'\]"),
        ({"required": ("gauge",)}, r"names columns it does not have: \['gauge'\]"),
        ({"kind": "event", "version": None}, "names no event time"),
        ({"columns": {**GAUGES.columns, "_op": "Operation"}}, "'_op' is no name of a column"),
        ({"columns": {**GAUGES.columns, "raw:owner": "Owner"}}, "'raw:owner' is no name of a column"),
        ({"columns": {**GAUGES.columns, "date": "Date"}}, "has a column date, which every table has"),
        ({"columns": {**GAUGES.columns, "Tenant_ID": "Tenant"}}, "has a column Tenant_ID, which every table has"),
        ({"columns": {**GAUGES.columns, "Owner": "Owner"}}, "has two columns owner"),
    ],
)
def test_a_source_that_contradicts_itself_is_refused_by_name(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=f"source lake/gauges.*{message}"):
        replace(GAUGES, **changed)


@pytest.mark.parametrize("changed", [{"name": "Gauges"}, {"name": "a/b"}, {"name": "../x"}, {"domain": "the lake"}])
def test_a_source_whose_name_is_no_address_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match="is no name: write lower case letters"):
        declare_bronze(replace(GAUGES, **changed))
