"""Windows over dates, and rectangles that cover a set of partitions: exactly, in order, none too large."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.lake.partitions import (
    SAME_DATE,
    MaturedMonthEnds,
    Partition,
    Rectangle,
    Window,
    days,
    rectangles,
    runs_of_dates,
    trailing,
    type_of_window,
)

START = date(2024, 1, 1)
DATES = st.integers(0, 120).map(lambda number: START + timedelta(days=number))
TENANTS = ("zeta", "acme", "globex", "beta", "omega")  # in the order of registration, which is not the alphabet's
PARTITIONS = st.sets(
    st.builds(Partition, st.sampled_from(TENANTS), st.integers(0, 5).map(lambda number: START + timedelta(days=number)))
)
WINDOWS = st.one_of(
    st.just(SAME_DATE),
    st.integers(1, 40).map(lambda count: trailing(days=count)),
    st.builds(MaturedMonthEnds, horizon=st.integers(0, 60), history=st.integers(1, 40)),
)


@given(PARTITIONS, st.integers(1, 30))
def test_rectangles_cover_exactly_what_was_asked_for(partitions: set[Partition], at_most: int) -> None:
    found = rectangles(partitions, TENANTS, at_most=at_most)
    covered = [partition for rectangle in found for partition in rectangle.partitions()]
    assert len(covered) == len(set(covered))
    assert set(covered) == partitions
    for rectangle in found:
        assert 0 < len(rectangle) <= at_most
        assert len(rectangle) == len(rectangle.partitions())


@given(PARTITIONS, st.integers(1, 30))
def test_a_rectangle_holds_tenants_as_they_were_registered_one_after_the_other(
    partitions: set[Partition], at_most: int
) -> None:
    for rectangle in rectangles(partitions, TENANTS, at_most=at_most):
        position = TENANTS.index(rectangle.tenants[0])
        assert rectangle.tenants == TENANTS[position : position + len(rectangle.tenants)]


@given(PARTITIONS, st.integers(1, 30))
def test_earlier_dates_of_a_tenant_come_in_earlier_rectangles(partitions: set[Partition], at_most: int) -> None:
    found = rectangles(partitions, TENANTS, at_most=at_most)
    for tenant in TENANTS:
        mine = [rectangle for rectangle in found if tenant in rectangle.tenants]
        assert all(before.last < after.first for before, after in pairwise(mine))


@pytest.mark.parametrize(
    ("tenants", "dates", "at_most", "runs"),
    [
        pytest.param(1, 365, 3000, 1, id="a year of a tenant"),
        pytest.param(5, 365, 3000, 1, id="a year of five"),
        pytest.param(5, 365, 1000, 2, id="cut by dates where that is too much"),
        pytest.param(5, 2, 3, 4, id="cut by tenants where there are more than fit"),
    ],
)
def test_there_are_no_more_rectangles_than_the_limit_makes(tenants: int, dates: int, at_most: int, runs: int) -> None:
    asked = Rectangle(START, START + timedelta(days=dates - 1), TENANTS[:tenants]).partitions()
    assert len(rectangles(asked, TENANTS, at_most=at_most)) == runs


def test_a_tenant_that_is_not_registered_is_not_left_out_silently() -> None:
    with pytest.raises(KeyError, match="nobody"):
        rectangles([Partition("acme", START), Partition("nobody", START)], TENANTS)


@given(WINDOWS, DATES, st.integers(0, 50))
def test_a_range_reads_what_its_dates_read(window: type_of_window, first: date, length: int) -> None:
    last = first + timedelta(days=length)
    one_by_one = {read for day in days(first, last) for read in window.dates(day, START)}
    together = window.union(first, last, START)
    assert set(together) == one_by_one
    assert together == sorted(one_by_one), "once each, in order"


@given(WINDOWS, DATES)
def test_nothing_is_read_from_before_the_start_or_from_the_future(window: type_of_window, day: date) -> None:
    assert all(START <= read <= day for read in window.dates(day, START))


def test_trailing_days_end_with_the_date_itself() -> None:
    assert trailing(days=3).dates(date(2024, 3, 1), START) == [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]
    assert trailing(days=365).dates(date(2024, 1, 2), START) == [date(2024, 1, 1), date(2024, 1, 2)]


@pytest.mark.parametrize(
    ("day", "matured"),
    [
        pytest.param(date(2024, 3, 1), [], id="a day too early"),
        pytest.param(date(2024, 3, 2), [date(2024, 1, 31)], id="on the day"),
        pytest.param(date(2024, 3, 31), [date(2024, 1, 31), date(2024, 2, 29)], id="a leap year's February"),
    ],
)
def test_a_month_end_matures_after_its_horizon(day: date, matured: list[date]) -> None:
    assert MaturedMonthEnds(horizon=31).snapshots(day, START) == matured


def test_a_matured_month_end_is_read_with_its_history_or_with_its_outcome() -> None:
    day, january = date(2024, 2, 20), date(2024, 1, 31)
    assert MaturedMonthEnds(horizon=10).dates(day, START) == [january, date(2024, 2, 10)]
    assert MaturedMonthEnds(horizon=10, history=3).dates(day, START) == days(date(2024, 1, 29), january)


def test_month_ends_go_on_past_the_year() -> None:
    ends = MaturedMonthEnds(horizon=0).snapshots(date(2025, 2, 1), date(2024, 11, 30))
    assert ends == [date(2024, 11, 30), date(2024, 12, 31), date(2025, 1, 31)]


@given(st.sets(DATES))
def test_runs_of_dates_are_as_long_as_they_can_be(dates: set[date]) -> None:
    runs = list(runs_of_dates(dates))
    assert [day for first, last in runs for day in days(first, last)] == sorted(dates)
    assert all(after[0] - before[1] > timedelta(days=1) for before, after in pairwise(runs))


def test_a_window_of_a_chunk_has_its_dates() -> None:
    assert Window("acme", date(2024, 2, 28), date(2024, 3, 1)).dates() == days(date(2024, 2, 28), date(2024, 3, 1))
