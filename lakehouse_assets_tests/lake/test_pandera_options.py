"""Whatever a contract says to pandera is done when rows are judged, or refused when the contract is declared."""

from __future__ import annotations

from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest
from pandera.api.polars.types import PolarsData

from lakehouse_assets.lake.contract import Contract, Rule, column, columns_of, reject, rules_of
from lakehouse_assets.lake.errors import ContractError

BOAT = column("Boat")


def contract(annotation: Any = str, field: Any = BOAT, **attributes: Any) -> type[Contract]:
    """A contract of one column, `boat`."""
    named = {"__doc__": "One row per boat.", "__module__": __name__, "__annotations__": {"boat": annotation}}
    return type("Boats", (Contract,), {**named, "boat": field, **attributes})


def declared(of: type[Contract]) -> tuple[list[str], list[Rule]]:
    return [found.name for found in columns_of(of)], rules_of(of)


def kept(of: type[Contract], values: list[Any]) -> dict[str, list[bool | None]]:
    frame = pl.LazyFrame({"boat": values})
    return {rule.id: frame.select(rule.kept.alias("kept")).collect()["kept"].to_list() for rule in rules_of(of)}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("unique", ["boat"]),
        ("strict", True),
        ("strict", "filter"),
        ("ordered", True),
        ("coerce", True),
        ("dtype", pl.String),
        ("unique_column_names", True),
        ("add_missing_columns", True),
        ("on_missing_columns", "warn"),
        ("drop_invalid_rows", True),
        ("metadata", {"a": 1}),
        ("multiindex_strict", True),
        ("from_format", "csv"),
        ("to_format", "csv"),
        ("report_duplicates", "exclude_first"),
    ],
)
@pytest.mark.filterwarnings("ignore:unique_column_names")
def test_an_option_of_the_model_that_is_not_compiled_is_refused_by_name(option: str, value: Any) -> None:
    of = contract(Config=type("Config", (), {option: value}))
    for read in (columns_of, rules_of):
        with pytest.raises(ContractError, match=f"Boats.*{option}"):
            read(of)


def test_an_option_is_refused_where_a_base_declares_it() -> None:
    base = contract(Config=type("Config", (), {"unique": ["boat"]}))
    with pytest.raises(ContractError, match=r"Fleet\.Config\.unique"):
        rules_of(type("Fleet", (base,), {"__doc__": "One row per boat.", "__module__": __name__}))


@pytest.mark.filterwarnings("ignore:unique_column_names")
def test_every_option_of_the_model_that_pandera_knows_is_compiled_or_refused() -> None:
    """An option that a later pandera adds is refused as well, until it is compiled."""
    harmless = {"name", "title", "description"}
    options = {option for option in dir(pa.DataFrameModel.Config) if not option.startswith("_")} - harmless
    for option in options:
        with pytest.raises(ContractError, match=f"Boats.*{option}"):
            columns_of(contract(Config=type("Config", (), {option: pl.Int8})))


@pytest.mark.parametrize(
    ("option", "value", "fix"),
    [
        ("unique", True, "key=True"),
        ("coerce", True, "cast"),
        ("regex", True, "each column by its name"),
        ("default", "Thor", "fill nulls"),
        ("required", False, "nullable=True"),
    ],
)
def test_an_option_of_a_column_that_is_not_compiled_is_refused_with_what_to_write(
    option: str, value: Any, fix: str
) -> None:
    with pytest.raises(ContractError, match=rf"Boats\.boat: {option}.*{fix}"):
        rules_of(contract(field=column("Boat", **{option: value})))


@pytest.mark.parametrize("annotation", [str | None, int | None])
def test_an_optional_column_is_refused_for_it_is_not_a_nullable_one(annotation: Any) -> None:
    with pytest.raises(ContractError, match=r"Boats\.boat: required.*nullable=True"):
        rules_of(contract(annotation))


def test_metadata_that_no_one_reads_is_refused() -> None:
    with pytest.raises(ContractError, match=r"Boats\.boat has metadata \['colour'\]"):
        columns_of(contract(field=pa.Field(description="Boat", metadata={"colour": "blue"})))


def test_the_rules_that_stay_with_a_public_name_are_judged_under_it() -> None:
    of = contract(field=column("Boat", alias="boat_name", ne="Thor"))
    names, rules = declared(of)
    assert names == ["boat_name"]
    assert [rule.id for rule in rules] == ["boat_name_is_null", "boat_name_not_equal_to"]
    assert pl.DataFrame({"boat_name": ["Thor"]}).select(rules[1].kept).item() is False


@pytest.mark.parametrize(("option", "value"), [("groupby", "boat"), ("n_failure_cases", 3)])
def test_an_option_of_a_check_that_is_not_compiled_is_refused_by_name(option: str, value: Any) -> None:
    def short(_cls: Any, data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("boat").str.len_chars() < 3)

    with pytest.raises(ContractError, match=rf"Boats\.boat: {option} of check short"):
        rules_of(contract(short=pa.check("boat", **{option: value})(short)))
    with pytest.raises(ContractError, match=rf"Boats: {option} of check short"):
        rules_of(contract(short=pa.dataframe_check(**{option: value})(short)))


@pytest.mark.parametrize(
    ("check", "passing", "failing"),
    [
        ({"eq": "ab"}, "ab", "b"),
        ({"ne": "b"}, "ab", "b"),
        ({"gt": "b"}, "c", "b"),
        ({"ge": "b"}, "b", "a"),
        ({"lt": "b"}, "a", "b"),
        ({"le": "b"}, "b", "c"),
        ({"in_range": ("a", "b")}, "b", "c"),
        ({"in_range": {"min_value": "a", "max_value": "b", "include_max": False}}, "a", "b"),
        ({"isin": ["a"]}, "a", "b"),
        ({"notin": ["b"]}, "a", "b"),
        ({"str_contains": "b"}, "abc", "a"),
        ({"str_startswith": "a"}, "ab", "ba"),
        ({"str_endswith": "a"}, "ba", "ab"),
        ({"str_matches": "a+$"}, "aa", "ba"),
        ({"str_length": (2, 3)}, "ab", "a"),
        ({"str_length": {"exact_value": 2}}, "ab", "abc"),
    ],
)
def test_every_check_of_a_column_that_pandera_has_is_compiled(
    check: dict[str, Any], passing: str, failing: str
) -> None:
    found = kept(contract(field=column("Boat", nullable=True, **check)), [passing, failing, None])
    assert list(found.values()) == [[True, False, None]]


def test_the_one_check_of_a_column_that_needs_all_rows_is_refused() -> None:
    with pytest.raises(ContractError, match=r"LazyFrame\.collect: write it as one expression"):
        rules_of(contract(field=column("Boat", unique_values_eq={"a"})))


def test_null_breaks_a_check_that_does_not_ignore_it() -> None:
    strict = kept(contract(field=column("Boat", nullable=True, ne="b", ignore_na=False)), ["a", "b", None])
    assert strict == {"boat_not_equal_to": [True, False, False]}


def test_what_pandera_would_warn_of_is_a_warning() -> None:
    (_, of_column) = rules_of(contract(field=column("Boat", ne="b", raise_warning=True)))

    def short(_cls: Any, data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("boat").str.len_chars() < 3)

    (_, of_frame) = rules_of(contract(short=pa.dataframe_check(raise_warning=True, title="A title")(short)))
    assert (of_column.action, of_frame.action) == ("warn", "warn")


def test_a_check_says_what_it_was_given_to_say() -> None:
    def short(_cls: Any, data: PolarsData) -> pl.LazyFrame:
        """The name is long."""
        return data.lazyframe.select(pl.col("boat").str.len_chars() < 3)

    (_, found) = rules_of(contract(short=pa.check("boat")(short)))
    assert found.description == "The name is long."


def test_a_check_of_all_columns_by_their_model_is_refused() -> None:
    with pytest.raises(ContractError, match=r"Config declares \['ne'\] of all columns"):
        rules_of(contract(Config=type("Config", (), {"ne": "Thor"})))


@pytest.mark.parametrize("returned", [None, True, "boat"])
def test_a_rule_that_returns_no_expression_is_refused(returned: Any) -> None:
    def forgotten(_cls: Any) -> Any:
        """Nothing breaks it."""
        return returned

    with pytest.raises(ContractError, match=r"rule forgotten of Boats is no expression: it must return a pl\.Expr"):
        rules_of(contract(forgotten=reject(forgotten)))


@pytest.mark.parametrize("columns", [pl.all(), pl.col("^b.*$"), pl.exclude("other")])
def test_a_rule_of_all_columns_is_refused_for_the_lakes_own_are_among_them(columns: pl.Expr) -> None:
    def filled(_cls: Any) -> pl.Expr:
        """Something is missing."""
        return columns.is_not_null()

    with pytest.raises(ContractError, match="rule filled of Boats is of many columns at once"):
        rules_of(contract(filled=reject(filled)))


def test_a_column_that_pandera_would_not_see_is_refused() -> None:
    with pytest.raises(ContractError, match=r"Boats\._hidden would be no column"):
        columns_of(contract(_hidden=column("Hidden")))


def test_a_model_within_a_column_is_refused_for_its_checks_would_not_run() -> None:
    with pytest.raises(ContractError, match=r"Boats\.boat is a model of its own"):
        columns_of(contract(contract()))


@pytest.mark.parametrize(
    "annotation",
    [
        pl.Categorical,
        pl.UInt8,
        pl.UInt64,
        pl.Time,
        pl.Duration,
        pl.Null,
        pl.Object,
        Annotated[pl.Datetime, "ns", "UTC"],
        Annotated[pl.Datetime, "ms", None],
        Annotated[pl.Datetime, "us", "Europe/Berlin"],
        pl.List(pl.UInt8),
        pl.Struct({"a": pl.Time}),
        pl.Array(pl.Int64, 2),
    ],
)
def test_a_type_that_delta_does_not_keep_is_refused(annotation: Any) -> None:
    with pytest.raises(ContractError, match=r"Boats\.boat.* is .*, which Delta does not keep"):
        columns_of(contract(annotation))


@pytest.mark.parametrize(
    "annotation",
    [
        bool,
        int,
        float,
        str,
        bytes,
        pl.Date,
        pl.Float32,
        pl.Int8,
        Annotated[pl.Decimal, 18, 2],
        Annotated[pl.Datetime, "us", None],
        list[str],
        pl.List(pl.Struct({"a": pl.Date})),
    ],
)
def test_a_type_that_delta_keeps_is_taken(annotation: Any) -> None:
    assert [found.name for found in columns_of(contract(annotation))] == ["boat"]
