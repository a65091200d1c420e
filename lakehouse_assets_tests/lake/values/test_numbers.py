"""Numbers against exact references in plain Python, and the contract's own examples."""

# ruff: noqa: RUF001 (letters that look alike are what is tested)

from __future__ import annotations

import math
import re
import unicodedata
from decimal import ROUND_HALF_EVEN, Context, Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.lake import values
from lakehouse_assets_tests.lake.values.reading import one, parsed

NUMERALS = st.lists(
    st.from_regex(r"\A[ +-]?[0-9]{0,20}[.,_]?[0-9]{0,4}([eE][+-]?[0-9]{1,3})?\Z")
    | st.sampled_from(["inf", "-Infinity", "nan", "1e309", "0x10", "1_000", "1,234", "１２", "", ".", "e5", "--1"])
    | st.integers(-(2**64), 2**64).map(str)
    | st.integers(-(2**64), 2**64).map(lambda whole: f"{whole}.000")
    | st.floats(allow_nan=False, allow_infinity=False).map(repr),
    max_size=8,
)


def exact_of(value: str | None) -> Decimal | None:
    word = unicodedata.normalize("NFKC", value or "").strip()
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", word, re.ASCII):
        return None
    return Decimal(word)


def number_of(value: str | None) -> float | None:
    exact = exact_of(value)
    return None if exact is None or not math.isfinite(float(exact)) else float(exact)


def integer_of(value: str | None) -> int | None:
    exact = exact_of(value)
    if exact is None or abs(exact) >= 2**64 or exact != exact.to_integral_value(context=Context(prec=500)):
        return None
    return int(exact) if -(2**63) <= int(exact) < 2**63 else None


def money_of(value: str | None) -> Decimal | None:
    exact = exact_of(value)
    if exact is None or abs(exact) > 10**20:
        return None
    rounded = exact.quantize(Decimal("0.01"), ROUND_HALF_EVEN, Context(prec=500))
    return rounded if abs(rounded) < 10**16 else None


@given(NUMERALS)
def test_numbers_are_finite_and_plain(words: list[str]) -> None:
    assert parsed(values.number("v"), list(words)) == [number_of(word) for word in words]


@given(NUMERALS)
def test_integers_are_exact_up_to_the_ends_of_int64(words: list[str]) -> None:
    assert parsed(values.integer("v"), list(words)) == [integer_of(word) for word in words]


@given(NUMERALS)
def test_decimals_round_half_even_from_finer_input(words: list[str]) -> None:
    assert parsed(values.decimal("v", 18, 2), list(words)) == [money_of(word) for word in words]


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        (values.number("v"), "１２", 12.0),
        (values.number("v"), "1e-400", 0.0),
        (values.number("v"), "1,234", None),
        (values.integer("v"), "250.0", 250),
        (values.integer("v"), "2.5e2", 250),
        (values.integer("v"), "12.5", None),
        (values.integer("v"), "9007199254740993", 9007199254740993),
        (values.integer("v"), "9223372036854775807.0", 2**63 - 1),
        (values.integer("v"), "9.223372036854775807e18", 2**63 - 1),
        (values.integer("v"), "9223372036854775808", None),
        (values.integer("v"), "1e99999999999999999999", None),
        (values.integer("v"), "0e999999999", 0),
        (values.decimal("v", 18, 2), "0.125", Decimal("0.12")),
        (values.decimal("v", 18, 2), "0.135", Decimal("0.14")),
        (values.decimal("v", 18, 2), "9999999999999999.995", None),
        (values.decimal("v", 10, 2), "99999999.994", Decimal("99999999.99")),
        (values.decimal("v", 10, 2), "-99999999.995", None),
        (values.decimal("v", 10, 2), "100000000", None),
        (values.decimal("v", 10, 2), "1.5e-1", Decimal("0.15")),
        (values.decimal("v", 10, 2), " １.５E3 ", Decimal(1500)),
        (values.decimal("v", 10, 2), "9999999999e-2", Decimal("99999999.99")),
        (values.decimal("v", 10, 2), "9999999999.5e-2", None),
        (values.decimal("v", 10, 2), "0.12500000000000000000000000000000000000000001", Decimal("0.13")),
        (values.decimal("v", 10, 2), "0e99999999999", Decimal(0)),
        (values.decimal("v", 10, 2), "1e-99999999999999999999", Decimal(0)),
        (values.decimal("v", 10, 2), "1e99999999999999999999", None),
        (values.decimal("v", 10, 2), "1,5", None),
        (values.decimal("v", 10, 2), "inf", None),
    ],
)
def test_examples_of_numbers(expression: pl.Expr, value: str, expected: object) -> None:
    assert one(expression, value) == expected


@given(st.lists(st.none() | st.floats(0, 1e12).map(lambda amount: round(amount, 3)), max_size=8))
def test_sums_are_exact_in_cents_and_in_any_order(amounts: list[float | None]) -> None:
    cents = [Decimal(repr(a)).quantize(Decimal("0.01"), ROUND_HALF_EVEN) for a in amounts if a is not None]
    frame = pl.LazyFrame({"v": [*amounts, *reversed(amounts)]}, schema={"v": pl.Float64})
    assert frame.select(values.exact_sum("v")).collect().item() == float(2 * sum(cents))


def test_sums_of_what_has_no_cents_lose_nothing() -> None:
    frame = pl.LazyFrame({"v": [1e40, 2e40, 0.5]})
    assert frame.select(values.exact_sum("v")).collect().item() == 3e40
    assert frame.clear().select(values.exact_sum("v")).collect().item() == 0.0
