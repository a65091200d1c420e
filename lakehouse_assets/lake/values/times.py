"""Dates and times, ISO 8601.

Belongs here: calendar dates and points in time. Not here: business calendars and time zones by name.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import polars as pl

from lakehouse_assets.lake.values.words import change_where, expression, plain_first, tidy

_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_NO_SECONDS = r"^.{10}([Tt ][0-9]{2}:[0-9]{2}([Zz+-].*)?)?$"
# Years that no offset moves past the first or the last one.
_PLAIN_DATE = r"^[1-8][0-9]{3}-[0-9]{2}-[0-9]{2}$"
_PLAIN_TIME = (
    r"^[1-8][0-9]{3}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"([.,][0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?$"
)
_TIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"([.,][0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?$"
)
_UTC = ("", "Z", "z")


def date(column: str | pl.Expr) -> pl.Expr:
    """A Date from YYYY-MM-DD, years 0001 to 9999, and from nothing else; an impossible one is null."""

    def dates(values: pl.Series) -> pl.Series:
        values = tidy(values)
        values = values.set(~values.str.contains(_DATE), None)
        parsed = values.str.to_date("%Y-%m-%d", strict=False)
        return parsed.set(parsed.dt.year() < 1, None)

    text = expression(column)
    plain = pl.when(text.str.contains(_PLAIN_DATE)).then(_day(text))
    return plain_first(column, plain, dates, pl.Date())


def timestamp(column: str | pl.Expr) -> pl.Expr:
    """A time in UTC, microseconds, from ISO 8601: `T` or a space, seconds and fraction as given, an offset or UTC.

    A date alone is its midnight. Digits past microseconds are cut. Null: hours without minutes, 24:00, leap
    seconds, impossible dates, and what its offset moves out of the years 0001 to 9999.
    """
    return plain_first(column, _plain_timestamp(expression(column)), _timestamps, pl.Datetime("us", "UTC"))


def _day(text: pl.Expr) -> pl.Expr:
    return text.str.head(10).str.to_date("%Y-%m-%d", strict=False, cache=False)


def _plain_timestamp(text: pl.Expr) -> pl.Expr:
    """The time of a text whose parts stand where they stand in `2026-01-31T10:20:30`; null for any other."""

    def number(part: pl.Expr) -> pl.Expr:
        return part.cast(pl.Int64, strict=False)

    def part(start: int) -> pl.Expr:
        return number(text.str.slice(start, 2))

    seconds = part(11) * 3600 + part(14) * 60 + part(17)
    fraction = number(text.str.slice(19).str.extract(r"^[.,]([0-9]{1,6})").str.pad_end(6, "0")).fill_null(0)
    offset = text.str.tail(6).replace_strict(*_offsets(), default=0, return_dtype=pl.Int64)
    moment = _day(text).cast(pl.Int64) * 86_400 + seconds - offset
    found = (moment * 1_000_000 + fraction).cast(pl.Datetime("us", "UTC"))
    return pl.when(text.str.contains(_PLAIN_TIME)).then(found)


@cache
def _offsets() -> tuple[pl.Series, pl.Series]:
    """Every offset and its seconds ahead of UTC: looking one up is cheaper than reading it."""
    texts = [f"{hours:02}:{minutes:02}" for hours, minutes in product(range(24), range(60))]
    seconds = [60 * minutes for minutes in range(24 * 60)]
    return (
        pl.Series([sign + text for sign in "+-" for text in texts]),
        pl.Series(seconds + [-ahead for ahead in seconds], dtype=pl.Int64),
    )


def _timestamps(values: pl.Series) -> pl.Series:
    values = _with_seconds(tidy(values))
    values = values.set(~values.str.contains(_TIME), None)
    parsed = values.str.head(19).str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us", cache=False)
    rest = values.str.slice(19)
    tailed = (~rest.is_in(_UTC)).arg_true()
    if not tailed.is_empty():
        parsed = parsed.scatter(tailed, parsed.gather(tailed) + _tail(rest.gather(tailed)))
    return parsed.set(~parsed.dt.year().is_between(1, 9999), None).dt.replace_time_zone("UTC")


def _with_seconds(values: pl.Series) -> pl.Series:
    """The same times written out: a `T`, hours, minutes and seconds."""
    short = values.str.slice(16, 1) != ":"
    if short.any():
        short &= values.str.contains(_NO_SECONDS)
        midnight = values.str.len_bytes() == 10
        values = change_where(values, midnight, lambda v: v + "T00:00:00")
        values = change_where(values, short & ~midnight, lambda v: v.str.head(16) + ":00" + v.str.slice(16))
    other_mark = values.str.slice(10, 1).is_in([" ", "t"])
    return change_where(values, other_mark, lambda v: v.str.head(10) + "T" + v.str.slice(11))


def _tail(rest: pl.Series) -> pl.Series:
    """What fraction and offset add: `.5+02:00` is half a second less two hours."""
    fraction = rest.str.extract(r"^[.,]([0-9]{1,6})").str.pad_end(6, "0").cast(pl.Int64).fill_null(0)
    if not rest.str.contains_any(["+", "-"]).any():
        return fraction.cast(pl.Duration("us"))
    offset = rest.str.extract(r"([+-].*)$")
    distinct = offset.unique().drop_nulls()
    seconds = pl.Series([_offset(text) for text in distinct], dtype=pl.Int64)
    ahead = offset.replace_strict(distinct, seconds, default=0, return_dtype=pl.Int64)
    return (fraction - ahead * 1_000_000).cast(pl.Duration("us"))


def _offset(text: str) -> int:
    """Seconds ahead of UTC: `+02:00`, `+0200` and `+02` are 7,200."""
    seconds = int(text[1:3]) * 3600 + int(text[3:].removeprefix(":") or 0) * 60
    return -seconds if text[0] == "-" else seconds
