"""Numbers: floats, integers and exact decimals, and exact sums.

Belongs here: plain decimal and exponent notation, finite. Not here: currencies, units, separators of thousands.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

import polars as pl

from lakehouse_assets.lake.values.words import expression, plain_first, tidy

_WHOLE = r"^([+-]?[0-9]+)\.0*$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
# Times any number of rows, it has 38 digits with 9 behind the point.
LARGEST_COUNTED = 1e15
_INT64 = range(-(2**63), 2**63)


def number(column: str | pl.Expr) -> pl.Expr:
    """A finite Float64: `12`, `-1.5`, `.5`, `1e3`. Null for `1,234`, `0x10`, `1_000`, `inf` and `1e309`."""

    def numbers(values: pl.Series) -> pl.Series:
        parsed = tidy(values).cast(pl.Float64, strict=False)
        return parsed.set(~parsed.is_finite(), None)

    parsed = expression(column).cast(pl.Float64, strict=False)
    plain = pl.when(parsed.is_finite()).then(parsed)
    return plain_first(column, plain, numbers, pl.Float64())


def integer(column: str | pl.Expr) -> pl.Expr:
    """An Int64, exact in its whole range: `250`, `250.0` and `2.5e2` are 250; `12.5` is none."""

    def integers(values: pl.Series) -> pl.Series:
        values = tidy(values)
        parsed = values.cast(pl.Int64, strict=False)
        left = (values.is_not_null() & parsed.is_null()).arg_true()
        if left.is_empty():
            return parsed
        others = values.gather(left)
        whole = others.str.extract(_WHOLE).cast(pl.Int64, strict=False)
        rare = (whole.is_null() & others.str.contains(_NUMBER)).arg_true()
        exact = pl.Series([_whole(word) for word in others.gather(rare)], dtype=pl.Int64)
        return parsed.scatter(left, whole.scatter(rare, exact))

    return plain_first(column, expression(column).cast(pl.Int64, strict=False), integers, pl.Int64())


def _whole(word: str) -> int | None:
    """The integer that a number in any notation is, without the rounding of a float."""
    try:
        value = Decimal(word)
    except InvalidOperation:  # an exponent past what a Decimal holds
        return None
    if not value:
        return 0
    if not 0 <= value.adjusted() <= 18:
        return None
    whole = int(value)
    return whole if whole == value and whole in _INT64 else None


def decimal(column: str | pl.Expr, precision: int, scale: int) -> pl.Expr:
    """An exact Decimal, half-even from finer input; null where it needs more than `precision` digits."""
    dtype = pl.Decimal(precision, scale)

    def decimals(values: pl.Series) -> pl.Series:
        values = tidy(values)
        parsed = values.cast(dtype, strict=False)
        # Exponents that the cast does not take: `0e999999999` is zero all the same.
        rare = (parsed.is_null() & values.str.contains(_NUMBER)).arg_true()
        exact = pl.Series([_rounded(word, precision, scale) for word in values.gather(rare)], dtype=dtype)
        return parsed if rare.is_empty() else parsed.scatter(rare, exact)

    return plain_first(column, expression(column).cast(dtype, strict=False), decimals, dtype)


def _rounded(word: str, precision: int, scale: int) -> Decimal | None:
    """A number in any notation as a decimal of so many digits, None where it needs more."""
    mantissa, _, exponent = word.lower().partition("e")
    if not mantissa.strip("+-.0"):
        return Decimal(0)
    try:
        value = Decimal(word)
    except InvalidOperation:  # an exponent past what a Decimal holds
        return Decimal(0) if exponent.startswith("-") else None
    try:
        return value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_EVEN, Context(prec=precision))
    except InvalidOperation:
        return None


def exact_sum(value: str | pl.Expr, scale: int = 2, times: pl.Expr | None = None) -> pl.Expr:
    """The sum of Float64 amounts as Float64, the same in any order: each to `scale` digits, half-even, as written.

    Money has 2 digits. Amounts too large to have any beside 38 digits are added as floats. With `times`, each amount
    counts so many times.
    """
    value = expression(value)
    exact = value.cast(pl.String).cast(pl.Decimal(38, scale), strict=False)
    if times is None:
        return exact.sum().cast(pl.Float64) + value.filter(exact.is_null()).sum()
    # The product has to fit, too.
    exact = pl.when(value.abs() < LARGEST_COUNTED).then(exact)
    return (exact * times).sum().cast(pl.Float64) + (value * times).filter(exact.is_null()).sum()
