"""Dates and times against the standard library, and the forms that ISO 8601 has and has not."""

# ruff: noqa: RUF001 (letters that look alike are what is tested)

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.lake import values
from lakehouse_assets_tests.lake.values.reading import one, parsed


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        (values.date("v"), "2024-02-29", date(2024, 2, 29)),
        (values.date("v"), "２０２４-02-29 ", date(2024, 2, 29)),
        (values.date("v"), "2026-02-29", None),
        (values.date("v"), "2026-1-5", None),
        (values.date("v"), "05/01/2026", None),
        (values.date("v"), "20260105", None),
        (values.date("v"), "2026-01-05T00:00:00", None),
        (values.date("v"), "0000-01-05", None),
        (values.date("v"), "٢٠٢٦-٠١-٠٥", None),
    ],
)
def test_examples_of_dates(expression: pl.Expr, value: str, expected: object) -> None:
    assert one(expression, value) == expected


MOMENT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-01T12:30:00Z", MOMENT),
        ("2026-03-01t12:30:00z", MOMENT),
        ("2026-03-01 12:30:00", MOMENT),
        ("  2026-03-01 \u00a0 12:30:00", MOMENT),
        ("2026-03-01T12:30", MOMENT),
        ("2026-03-01T12:30Z", MOMENT),
        ("2026-03-01 14:30+02:00", MOMENT),
        ("2026-03-01T14:30:00+0200", MOMENT),
        ("2026-03-01T14:30:00+02", MOMENT),
        ("2026-02-28T23:00:00.0-13:30", MOMENT),
        ("2026-03-01T12:30:00,25", MOMENT + timedelta(milliseconds=250)),
        ("2026-03-01T12:30:00.1234569Z", MOMENT + timedelta(microseconds=123456)),
        ("2026-03-01T12:30:00.000000999+00:00", MOMENT),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-02-29T12:30:00Z", None),
        ("2026-03-01T24:00:00Z", None),
        ("2026-12-31T23:59:60Z", None),
        ("2026-03-01T12:60:00Z", None),
        ("2026-03-01T12", None),
        ("2026-03-01T12:30:00+24:00", None),
        ("2026-03-01T12:30:00 UTC", None),
        ("2026-03-01T12:30:00.Z", None),
        ("20260301T123000Z", None),
        ("1772368200", None),
        ("0001-01-01T00:00:00+02:00", None),
        ("9999-12-31T23:00:00-02:00", None),
        ("2026-03-01T12:30:00Zebra", None),
        ("n/a", None),
        (None, None),
    ],
)
def test_times_are_iso_8601_in_utc(value: str | None, expected: datetime | None) -> None:
    assert one(values.timestamp("v"), value) == expected


@given(
    st.lists(
        st.tuples(
            st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31)),  # noqa: DTZ001
            st.sampled_from(["seconds", "milliseconds", "microseconds", "minutes"]),
            st.sampled_from("T t"),
            st.none() | st.integers(-1439, 1439),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_times_agree_with_the_standard_library(
    written: list[tuple[datetime, str, str, int | None, bool]],
) -> None:
    texts, expected = [], []
    for moment, precision, mark, offset, colon in written:
        text = moment.isoformat(sep=mark, timespec=precision)
        if offset is not None:
            sign = "-" if offset < 0 else "+"
            text += f"{sign}{abs(offset) // 60:02}{':' if colon else ''}{abs(offset) % 60:02}"
        texts.append(text)
        expected.append(datetime.fromisoformat(text.replace("t", "T")))
    utc = [at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC) for at in expected]
    assert parsed(values.timestamp("v"), list(texts)) == utc


@given(st.lists(st.dates().map(str) | st.from_regex(r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]\Z"), max_size=8))
def test_dates_agree_with_the_standard_library(words: list[str]) -> None:
    def date_of(word: str) -> date | None:
        try:
            return date.fromisoformat(word)
        except ValueError:
            return None

    assert parsed(values.date("v"), list(words)) == [date_of(word) for word in words]
