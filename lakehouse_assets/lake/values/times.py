"""Dates and times, ISO 8601.

Belongs here: calendar dates and points in time. Not here: business calendars and time zones by name.
"""

from __future__ import annotations

import polars as pl

from lakehouse_assets.lake.values.words import by_batch, change_where, read_plain_first

_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_NO_SECONDS = r"^.{10}([Tt ][0-9]{2}:[0-9]{2}([Zz+-].*)?)?$"
_TIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"([.,][0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?$"
)
_UTC = ("", "Z", "z")


def date(column: str | pl.Expr) -> pl.Expr:
    """A Date from YYYY-MM-DD, years 0001 to 9999, and from nothing else; an impossible one is null."""

    def dates(values: pl.Series) -> pl.Series:
        values = values.set(~values.str.contains(_DATE), None)
        parsed = values.str.to_date("%Y-%m-%d", strict=False)
        return parsed.set(parsed.dt.year() < 1, None)

    return by_batch(column, lambda values: read_plain_first(values, dates), pl.Date())


def timestamp(column: str | pl.Expr) -> pl.Expr:
    """A time in UTC, microseconds, from ISO 8601: `T` or a space, seconds and fraction as given, an offset or UTC.

    A date alone is its midnight. Digits past microseconds are cut. Null: hours without minutes, 24:00, leap
    seconds, impossible dates, and what its offset moves out of the years 0001 to 9999.
    """
    return by_batch(column, lambda values: read_plain_first(values, _timestamps), pl.Datetime("us", "UTC"))


def _timestamps(values: pl.Series) -> pl.Series:
    """Times as they are written most, and those that gave null once more, written out."""
    found = _written_out(values)
    left = (found.is_null() & values.is_not_null()).arg_true()
    return found if left.is_empty() else found.clone().scatter(left, _written_out(_with_seconds(values.gather(left))))


def _written_out(values: pl.Series) -> pl.Series:
    fits = values.str.contains(_TIME)
    moments = values.str.head(19)
    parsed = _parsed(moments, "T")
    spaced = (fits & parsed.is_null()).arg_true()
    if not spaced.is_empty():
        parsed = parsed.scatter(spaced, _parsed(moments.gather(spaced), " "))
    rest = values.str.slice(19)
    tailed = (fits & ~rest.is_in(_UTC)).arg_true()
    if not tailed.is_empty():
        parsed = parsed.scatter(tailed, parsed.gather(tailed) + _tail(rest.gather(tailed)))
    return parsed.set(~(fits & parsed.dt.year().is_between(1, 9999)), None).dt.replace_time_zone("UTC")


def _parsed(moments: pl.Series, mark: str) -> pl.Series:
    return moments.str.to_datetime(f"%Y-%m-%d{mark}%H:%M:%S", strict=False, time_unit="us", cache=False)


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
    fine = rest.str.head(1).is_in([".", ","]).arg_true()
    added = pl.repeat(0, len(rest), dtype=pl.Int64, eager=True)
    if not fine.is_empty():
        fractions = rest.gather(fine)
        digits = fractions.str.extract(r"^.([0-9]{1,6})").str.pad_end(6, "0").cast(pl.Int64)
        added = added.scatter(fine, digits)
        rest = rest.clone().scatter(fine, fractions.str.extract(r"([+-].*)$"))
    ahead = rest.str.head(6)
    return (added - _seconds(ahead) * 1_000_000).cast(pl.Duration("us"))


def _seconds(offsets: pl.Series) -> pl.Series:
    """Seconds ahead of UTC; 0 for null and `Z`."""
    distinct = offsets.unique().drop_nulls()
    seconds = [0 if text in _UTC else _offset(text) for text in distinct]
    return offsets.replace_strict(distinct, seconds, default=0, return_dtype=pl.Int64)


def _offset(text: str) -> int:
    """Seconds ahead of UTC: `+02:00`, `+0200` and `+02` are 7,200."""
    seconds = int(text[1:3]) * 3600 + int(text[3:].removeprefix(":") or 0) * 60
    return -seconds if text[0] == "-" else seconds
