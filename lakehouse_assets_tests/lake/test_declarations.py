"""Declarations that cannot work are refused when they are made, by name and with what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from lakehouse_assets.lake.assets import asset_of, partitions_definition, rule_ids
from lakehouse_assets.lake.contract import Contract, column, flag, reject, rules_of, warn
from lakehouse_assets.lake.declarations import ASSET_CHECKS, MOST_RULES, check_table
from lakehouse_assets.lake.domain import Domain
from lakehouse_assets.lake.errors import ContractError
from lakehouse_assets.lake.judge import mask_of, names_of
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import MaturedMonthEnds, Window, trailing
from lakehouse_assets.lake.table import (
    Duplicates,
    Reference,
    Table,
    declare_bronze,
    declared_tables,
    table,
    tables_of_sources,
)
from lakehouse_assets_tests.lake import toy
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

TO_GAUGES = Reference("gauge_id", "silver_gauges")


@pytest.fixture(autouse=True)
def _declared_here_only() -> Iterator[None]:
    with own_registry():
        tables_of_sources([GAUGES, READINGS])
        yield


def refused(contract: type[Contract], function: Callable[..., Any], message: str, **options: Any) -> None:
    with pytest.raises(ContractError, match=message):
        table(contract, **options)(function)


def gold_figures(bronze_gauges: pl.LazyFrame) -> pl.LazyFrame:
    return bronze_gauges


def contract_of(base: type[Contract], **attributes: Any) -> type[Contract]:
    """The contract with these columns (text) and rules more."""
    columns = [name for name, given in attributes.items() if not isinstance(given, classmethod)]
    described = {"__doc__": "One row.", "__module__": __name__, "__annotations__": dict.fromkeys(columns, str)}
    return type(base.__name__, (base,), {**described, **attributes})


def rule_of(action: Callable[[Any], Any], name: str = "rule") -> Any:
    def rule(_cls: Any) -> pl.Expr:
        """Something is wrong."""
        return pl.col("gauge_id") != name

    rule.__name__ = name
    return action(rule)


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
