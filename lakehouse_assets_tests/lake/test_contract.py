"""Contracts compile to expressions that stream, and one that does not is refused when it is declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest
from pandera.api.polars.types import PolarsData

from lakehouse_assets.lake.contract import Contract, Rule, column, columns_of, flag, reject, rules_of, warn
from lakehouse_assets.lake.errors import ContractError


class Boats(Contract):
    """One row per boat."""

    boat_id: str = column("Boat", key=True)
    length: float = column("Length", unit="m", ge=0, le=50)
    crew: int = column("People aboard", nullable=True, gt=0)
    flag_state: str = column("Flag", nullable=True, isin=["de", "fr"], str_matches="^[a-z]{2}$")
    built_on: pl.Date = column("Day of the launch", nullable=True)
    seen_at: Annotated[pl.Datetime, "us", "UTC"] = column("Last time seen", nullable=True)
    price: Annotated[pl.Decimal, 18, 2] = column("Price", unit="EUR", nullable=True)
    ports: list[str] = column("Ports", nullable=True)

    @reject
    def launched_before_seen(cls) -> pl.Expr:
        """The boat was seen before its launch."""
        return pl.col("seen_at").dt.date() >= pl.col("built_on")

    @flag
    def overcrowded(cls) -> pl.Expr:
        """More than one person to a metre."""
        return pl.col("crew") <= pl.col("length")

    @warn
    def nameless(cls) -> pl.Expr:
        """The boat has a number only."""
        return ~pl.col("boat_id").str.contains(r"^\d+$")


def rule(name: str, of: type[Contract] = Boats) -> Rule:
    return next(found for found in rules_of(of) if found.id == name)


def kept(found: Rule, **values: list[Any]) -> list[bool | None]:
    return pl.LazyFrame(values).select(found.kept.alias("kept")).collect()["kept"].to_list()


def test_columns_are_as_declared_and_in_that_order() -> None:
    columns = {found.name: found for found in columns_of(Boats)}
    assert {name: found.dtype for name, found in columns.items()} == {
        "boat_id": pl.String(),
        "length": pl.Float64(),
        "crew": pl.Int64(),
        "flag_state": pl.String(),
        "built_on": pl.Date(),
        "seen_at": pl.Datetime("us", "UTC"),
        "price": pl.Decimal(18, 2),
        "ports": pl.List(pl.String()),
    }
    assert list(columns) == list(Boats.to_schema().columns)
    assert (columns["length"].description, columns["length"].unit) == ("Length", "m")
    assert [name for name, found in columns.items() if found.is_key] == ["boat_id"]
    assert [name for name, found in columns.items() if not found.nullable] == ["boat_id", "length"]


def test_every_promise_of_the_contract_is_a_rule_with_its_action() -> None:
    assert [(found.id, found.action) for found in rules_of(Boats)] == [
        ("boat_id_is_null", "reject"),
        ("length_is_null", "reject"),
        ("length_is_negative", "reject"),
        ("length_above_maximum", "reject"),
        ("crew_below_minimum", "reject"),
        ("flag_state_not_allowed", "reject"),
        ("flag_state_wrong_format", "reject"),
        ("launched_before_seen", "reject"),
        ("overcrowded", "flag"),
        ("nameless", "warn"),
    ]


def test_a_rule_says_what_its_docstring_says() -> None:
    assert rule("overcrowded").description == "More than one person to a metre."
    assert rule("length_is_null").description == "length is missing"


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("length_is_null", {"length": [1.0, None]}, [True, False]),
        ("length_is_negative", {"length": [0.0, -0.5, None]}, [True, False, None]),
        ("length_above_maximum", {"length": [50.0, 50.1, None]}, [True, False, None]),
        ("crew_below_minimum", {"crew": [1, 0, None]}, [True, False, None]),
        ("flag_state_not_allowed", {"flag_state": ["de", "xx", None]}, [True, False, None]),
        ("flag_state_wrong_format", {"flag_state": ["xx", "de ", None]}, [True, False, None]),
        ("overcrowded", {"crew": [3, 4, None, 1], "length": [3.0, 3.0, 3.0, None]}, [True, False, None, None]),
        ("nameless", {"boat_id": ["Thor", "12"]}, [True, False]),
    ],
)
def test_a_rule_is_kept_at_its_bound_and_unknown_of_null(
    name: str, values: dict[str, list[Any]], expected: list[bool | None]
) -> None:
    assert kept(rule(name), **values) == expected


def test_a_contract_stays_a_model_that_validates_small_frames() -> None:
    frame = pl.DataFrame(
        {name: [value] for name, value in {"boat_id": "Thor", "length": 3.0, "crew": None}.items()}
        | {name: [None] for name in ("flag_state", "built_on", "seen_at", "price", "ports")},
        schema={found.name: found.dtype for found in columns_of(Boats)},
    )
    assert Boats.validate(frame).height == 1
    with pytest.raises(pa.errors.SchemaError, match="length"):
        Boats.validate(frame.with_columns(length=-1.0))


def _collects(data: PolarsData) -> Any:
    return data.lazyframe.collect()


def _filters(data: PolarsData) -> Any:
    return data.lazyframe.filter(pl.col("boat_id").is_null())


def _answers(data: PolarsData) -> Any:
    return data.key == "boat_id"


def _looks_at_the_schema(data: PolarsData) -> Any:
    return data.lazyframe.collect_schema().names() == ["boat_id"]


def _of_a_value(value: str) -> bool:
    return value != "Thor"


@pytest.mark.parametrize("function", [_collects, _filters, _answers, _looks_at_the_schema])
def test_a_check_of_a_frame_that_is_no_expression_is_refused(function: Callable[[PolarsData], Any]) -> None:
    class Odd(Contract):
        """One row per boat."""

        boat_id: str = column("Boat")

        @pa.dataframe_check(name="odd_check")
        @classmethod
        def odd(cls, data: PolarsData) -> Any:
            return function(data)

    with pytest.raises(ContractError, match="expression"):
        rules_of(Odd)


def test_a_check_of_one_value_at_a_time_is_refused() -> None:
    class Odd(Contract):
        """One row per boat."""

        boat_id: str = column("Boat")

        @pa.check("boat_id", name="not_thor", element_wise=True)
        @classmethod
        def odd(cls, value: str) -> bool:
            return _of_a_value(value)

    with pytest.raises(ContractError, match="check not_thor of boat_id is no expression"):
        rules_of(Odd)


def test_a_check_of_a_column_that_selects_an_expression_compiles() -> None:
    class Fine(Contract):
        """One row per boat."""

        boat_id: str = column("Boat")

        @pa.check("boat_id", name="too_long")
        @classmethod
        def short(cls, data: PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col(data.key).str.len_chars() <= 4)

    assert kept(rule("boat_id_too_long", Fine), boat_id=["Thor", "Odin's"]) == [True, False]


def test_a_column_without_a_description_is_refused_by_name() -> None:
    class Silent(Contract):
        """One row per boat."""

        boat_id: str = pa.Field()

    with pytest.raises(ContractError, match=r"Silent\.boat_id has no description"):
        columns_of(Silent)


@pytest.mark.parametrize("action", [reject, flag, warn])
def test_a_rule_that_does_not_say_what_breaks_it_is_refused_by_name(action: Callable[[Any], Any]) -> None:
    def wordless(_cls: type[Contract]) -> pl.Expr:
        return pl.col("boat_id").is_not_null()

    with pytest.raises(ContractError, match="wordless says nothing"):
        action(wordless)


def test_a_rule_may_use_what_its_class_says() -> None:
    class Base(Contract):
        """One row per boat."""

        boat_id: str = column("Boat")

        @classmethod
        def longest(cls) -> int:
            return 4

        @reject
        def too_long(cls) -> pl.Expr:
            """The name is too long."""
            return pl.col("boat_id").str.len_chars() <= cls.longest()

    class Strict(Base):
        """One row per boat with a short name."""

        @classmethod
        def longest(cls) -> int:
            return 2

    assert kept(rule("too_long", Base), boat_id=["Thor"]) == [True]
    assert kept(rule("too_long", Strict), boat_id=["Thor"]) == [False]
