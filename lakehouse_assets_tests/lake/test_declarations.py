"""Columns and rules that cannot work are refused when they are declared, by name and with what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from lakehouse_assets.lake.assets import asset_of, partitions_definition
from lakehouse_assets.lake.checks import rule_ids
from lakehouse_assets.lake.contract import Contract, column, flag, reject, rules_of, warn
from lakehouse_assets.lake.declarations import ASSET_CHECKS, MOST_RULES, check_table
from lakehouse_assets.lake.domain import Domain
from lakehouse_assets.lake.judge import mask_of, names_of
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.table import (
    Table,
    tables_of_sources,
)
from lakehouse_assets_tests.lake import toy
from lakehouse_assets_tests.lake.declaring import TO_GAUGES, contract_of, gold_figures, refused, rule_of
from lakehouse_assets_tests.lake.toy import (
    B_READINGS,
    GAUGES,
    LEVELS,
    READINGS,
    S_READINGS,
    START,
    TABLES,
    Gauges,
    Levels,
    Readings,
    build_tables,
    cells,
    day,
    house_at,
    land,
    own_registry,
    reading,
    rows_of,
)


@pytest.fixture(autouse=True)
def _declared_here_only() -> Iterator[None]:
    with own_registry():
        tables_of_sources([GAUGES, READINGS])
        yield


# Names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("_broken", "Levels._broken would be no column|'_broken' is no name of a column"),
        ("raw:gauge_id", "'raw:gauge_id' is no name of a column"),
        ("file of the row", "'file of the row' is no name of a column"),
        ("2nd", "'2nd' is no name of a column"),
        ("tenant_id", "declares tenant_id, which every table has"),
        ("date", "declares date, which every table has"),
        ("Date", "declares Date, which every table has"),
        ("Readings", "two columns readings"),
    ],
)
def test_a_column_named_like_one_of_the_lakes_is_refused(name: str, message: str) -> None:
    named = column("Another", alias=name)
    refused(contract_of(Levels, another=named), gold_figures, rf"lake\.gold\.figures.*({message})")


@pytest.mark.parametrize("hidden", ["_broken", "_flags", "_warned", "_deleted", "_from", "_until", "_row", "_op"])
def test_no_column_is_named_like_a_hidden_one(hidden: str) -> None:
    named = column("Another", alias=hidden)
    refused(contract_of(Levels, another=named), gold_figures, f"'{hidden}' is no name of a column")


@pytest.mark.parametrize("name", ["quality_flags", "Quality_Flags"])
def test_a_cleaned_table_does_not_declare_the_columns_that_it_is_given(name: str) -> None:
    named = column("Flags", alias=name)
    refused(contract_of(Gauges, flags=named), toy.silver_gauges, "two columns quality_flags", source=GAUGES)


def test_a_key_that_may_be_null_is_refused() -> None:
    class Nameless(Contract):
        """One row per gauge."""

        gauge_id: str = column("Gauge", key=True, nullable=True)

    refused(Nameless, gold_figures, "gauge_id is part of the key and nullable")


@pytest.mark.parametrize("name", ["gold_Figures", "gold_2_fïgures", "gold__", "platinum_Größe"])
def test_a_function_whose_name_is_no_address_is_refused(name: str) -> None:
    def function(bronze_gauges: pl.LazyFrame) -> pl.LazyFrame:
        return bronze_gauges

    function.__name__ = name
    refused(Levels, function, "is no name: write lower case letters")


@pytest.mark.parametrize("name", ["figures", "brass_figures", "gold_"])
def test_a_function_that_names_no_layer_is_refused(name: str) -> None:
    def function(bronze_gauges: pl.LazyFrame) -> pl.LazyFrame:
        return bronze_gauges

    function.__name__ = name
    refused(Levels, function, "names no table: write <layer>_<table>")


def test_bronze_has_no_function() -> None:
    def bronze_figures(bronze_gauges: pl.LazyFrame) -> pl.LazyFrame:
        return bronze_gauges

    refused(Levels, bronze_figures, "bronze comes from the source alone")


# Rules


@pytest.mark.parametrize("name", ASSET_CHECKS)
@pytest.mark.parametrize("action", [reject, flag, warn])
def test_a_rule_named_like_a_check_of_every_asset_is_refused(action: Callable[[Any], Any], name: str) -> None:
    rule = rule_of(action, name)
    refused(contract_of(Levels, rule=rule), gold_figures, f"every table has a check {name} of its own")


def test_every_check_of_an_asset_is_one_of_its_rules_or_one_that_no_rule_is_named_like() -> None:
    checks = set()
    for found in TABLES.values():
        asset = asset_of(found, Domain("lake", "Lakes", ["ada@example.com"]), partitions_definition(START), uri="")
        checks |= {spec.name for spec in asset.check_specs} - set(rule_ids(found))
        assert isinstance(asset, dg.AssetsDefinition)
    assert checks == set(ASSET_CHECKS)


@pytest.mark.parametrize("name", ["is_duplicate", "readings_is_negative", "gauge_id_is_null"])
def test_a_rule_named_like_another_of_the_table_is_refused(name: str) -> None:
    refused(contract_of(Levels, rule=rule_of(reject, name)), gold_figures, f"two rules {name}")


@pytest.mark.parametrize("name", ["before_start", "in_future", "level_unparsable"])
def test_a_rule_named_like_one_that_comes_with_the_source_is_refused(name: str) -> None:
    contract = contract_of(Readings, rule=rule_of(warn, name))
    refused(contract, toy.silver_readings, f"two rules {name}", source=READINGS)


def test_two_checks_of_a_column_that_would_have_one_name_are_refused() -> None:
    class Twice(Contract):
        """One row per gauge."""

        gauges: int = column("Gauges", gt=1, ge=2)

    refused(Twice, gold_figures, "two rules gauges_below_minimum")


def test_a_rule_that_is_no_word_is_refused() -> None:
    rule = rule_of(reject, "too high")
    refused(contract_of(Levels, rule=rule), gold_figures, "'too high' is no name of a rule")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        pytest.param(pl.col("readings") > "none", "rule rule does not fit its columns: .*compar", id="a comparison"),
        pytest.param(pl.col("highest").is_in([1, 2]), "rule rule does not fit its columns", id="a list"),
        pytest.param(pl.col("gauge_id").dt.year() > 1, "rule rule does not fit its columns", id="a method"),
        pytest.param(pl.col("readings") + 1, "rule rule gives Int64: it must say whether", id="a number"),
    ],
)
def test_a_rule_that_does_not_fit_its_columns_is_refused(expression: pl.Expr, message: str) -> None:
    def rule(_cls: Any) -> pl.Expr:
        """Something is wrong."""
        return expression

    refused(contract_of(Levels, rule=reject(rule)), gold_figures, message)


def test_a_check_that_does_not_fit_its_column_is_refused() -> None:
    class Odd(Contract):
        """One row per gauge."""

        height: float = column("Height", isin=[1, 2])

    refused(Odd, gold_figures, "rule height_not_allowed does not fit its columns: 'is_in' cannot check for Float64")


def test_a_rule_in_python_is_not_called_before_there_are_rows() -> None:
    def fails(_given: pl.Series) -> pl.Series:
        raise AssertionError("called")

    def rule(_cls: Any) -> pl.Expr:
        """Something is wrong."""
        return pl.col("gauge_id").map_batches(fails, return_dtype=pl.Boolean)

    check_table(judged_by(LEVELS, contract_of(Levels, rule=reject(rule))))


def many(action: Callable[[Any], Any], count: int) -> dict[str, Any]:
    return {f"rule_{n}": rule_of(action, f"rule_{n}") for n in range(count)}


def judged_by(name: TableName, contract: type[Contract]) -> Table:
    """The toy's table with the rules of another contract and no references."""
    return replace(TABLES[name], contract=contract, rules=tuple(rules_of(contract)), references={})


@pytest.mark.parametrize("action", [reject, flag, warn])
def test_more_rules_of_an_action_than_a_mask_has_bits_are_refused(action: Callable[[Any], Any]) -> None:
    given = sum(rule.action == action.__name__ for rule in TABLES[LEVELS].judged_rules)
    fitting = contract_of(Levels, **many(action, MOST_RULES - given))
    check_table(judged_by(LEVELS, fitting))
    too_many = contract_of(fitting, last=rule_of(action, "last"))
    refused(too_many, gold_figures, f"65 {action.__name__} rules, 64 are the most: join some")


def test_references_count_as_flags() -> None:
    contract = contract_of(Readings, **many(flag, MOST_RULES - 1))
    check_table(judged_by(S_READINGS, contract), ["bronze_readings"])
    references = {"lost": TO_GAUGES, "lost_again": TO_GAUGES}
    refused(contract, toy.silver_readings, "66 flag rules", source=READINGS, references=references)


def test_as_many_rules_as_a_mask_has_bits_are_told_apart(tmp_path: Path) -> None:
    """A row that breaks each of them alone, and one that breaks them all."""

    def breaks(number: int) -> Any:
        def rule(_cls: Any) -> pl.Expr:
            """The level is the number of the rule."""
            return ~pl.col("level").is_in([float(number), 99.0])

        rule.__name__ = f"flag_{number}"
        return flag(rule)

    class Plain(Contract):
        """One row per reading."""

        reading_id: str = column("Reading", key=True)

    contract = contract_of(Plain, **{f"rule_{n}": breaks(n) for n in range(MOST_RULES)})
    rows = [reading(n, f"{day(1)}T10:{n % 60:02}:00Z", level=n, gauge=n) for n in [*range(MOST_RULES), 99]]
    land(tmp_path, "acme", READINGS, day(1), "a.csv", rows)
    house = house_at(tmp_path, tables={**TABLES, S_READINGS: judged_by(S_READINGS, contract)})
    reports = build_tables(house, [B_READINGS, S_READINGS], cells("acme", day(1)))
    found = rows_of(house, S_READINGS).sort("level")["quality_flags"].to_list()
    assert found[:-1] == [[f"flag_{n}"] for n in range(MOST_RULES)]
    assert set(found[-1]) == {f"flag_{n}" for n in range(MOST_RULES)}
    assert {reports[S_READINGS].rules[f"flag_{n}"] for n in range(MOST_RULES)} == {2}


def test_flags_are_read_back_as_they_were_written() -> None:
    names = [f"flag_{n}" for n in range(MOST_RULES)]
    masks = [0, 1, 1 << 63, (1 << 64) - 1]
    frame = pl.DataFrame({"mask": pl.Series(masks, dtype=pl.UInt64)})
    named = frame.with_columns(names_of("mask", names).alias("names"))
    assert named.select(mask_of("names", names)).to_series().to_list() == masks
