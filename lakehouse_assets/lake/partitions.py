"""Tenant × date: windows over dates, and the rectangles that cover a set of partitions.

Belongs here: arithmetic on partitions, free of storage. The mapping to Dagster's own classes is in `assets`.
"""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from lakehouse_assets.lake.errors import ContractError

DAY = timedelta(days=1)


class Partition(NamedTuple):
    """One tenant and date: what is built, replaced and judged as a whole."""

    tenant_id: str
    date: date


class Window(NamedTuple):
    """The dates that a table function is asked to produce for one tenant, both ends included."""

    tenant_id: str
    first: date
    last: date

    def dates(self) -> list[date]:
        return days(self.first, self.last)


def days(first: date, last: date) -> list[date]:
    """Every date from `first` to `last`, both included; empty when they are reversed."""
    return [first + DAY * offset for offset in range((last - first).days + 1)]


def _check_days(what: str, given: int, *, least: int) -> None:
    if type(given) is not int or given < least:
        raise ContractError(f"{what} is {given!r}: give a whole number of days, at least {least}")


@dataclass(frozen=True)
class SameDate:
    """An input of which date D reads the partition D."""

    def dates(self, day: date, start: date) -> list[date]:
        return [day] if day >= start else []

    def union(self, first: date, last: date, start: date) -> list[date]:
        """The dates that the dates first … last read together."""
        return days(max(first, start), last)

    def __str__(self) -> str:
        return "same date"


@dataclass(frozen=True)
class Trailing:
    """An input of which date D reads the partitions D − days + 1 … D."""

    count: int

    def __post_init__(self) -> None:
        _check_days("trailing(days=…)", self.count, least=1)

    def dates(self, day: date, start: date) -> list[date]:
        return self.union(day, day, start)

    def union(self, first: date, last: date, start: date) -> list[date]:
        return days(max(first - DAY * (self.count - 1), start), last)

    def __str__(self) -> str:
        return f"trailing {self.count} days"


@dataclass(frozen=True)
class MaturedMonthEnds:
    """An input read as of each month end t that lies at least `horizon` days before D.

    Reads t and t + horizon, and the `history` days up to t.
    """

    horizon: int
    history: int = 1

    def __post_init__(self) -> None:
        _check_days("MaturedMonthEnds(horizon=…)", self.horizon, least=0)
        _check_days("MaturedMonthEnds(history=…)", self.history, least=1)

    def snapshots(self, day: date, start: date) -> list[date]:
        """The month ends t with start ≤ t and t + horizon ≤ D, oldest first."""
        found, year, month = [], start.year, start.month
        while (end := date(year, month, calendar.monthrange(year, month)[1])) + DAY * self.horizon <= day:
            found.append(end)
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        return found

    def dates(self, day: date, start: date) -> list[date]:
        read: set[date] = set()
        for snapshot in self.snapshots(day, start):
            read.update(Trailing(self.history).dates(snapshot, start))
            if self.history == 1:
                read.add(snapshot + DAY * self.horizon)
        return sorted(read)

    def union(self, first: date, last: date, start: date) -> list[date]:
        # What has matured by a day has matured by every later day.
        return self.dates(last, start) if first <= last else []

    def __str__(self) -> str:
        read = (
            f"each with the {self.history} days up to it"
            if self.history > 1
            else f"each as of then and {self.horizon} days on"
        )
        return f"month ends at least {self.horizon} days old, {read}"


@dataclass(frozen=True)
class SinceMonthEnd:
    """An input of which date D reads the last day of the month before D's, and every date from then to D."""

    def dates(self, day: date, start: date) -> list[date]:
        return self.union(day, day, start)

    def union(self, first: date, last: date, start: date) -> list[date]:
        return days(max(first.replace(day=1) - DAY, start), last)

    def __str__(self) -> str:
        return "from the end of the month before to the same date"


type_of_window = SameDate | Trailing | MaturedMonthEnds | SinceMonthEnd
SAME_DATE = SameDate()


def trailing(*, days: int) -> Trailing:
    """The window D − days + 1 … D. Raises ContractError for less than a day."""
    return Trailing(days)


def since_month_end() -> SinceMonthEnd:
    """The window of the last day of the month before D's, and of every date from then to D."""
    return SinceMonthEnd()


class Rectangle(NamedTuple):
    """A date range × tenants that follow one another in registration order: what one run can cover."""

    first: date
    last: date
    tenants: tuple[str, ...]

    def __len__(self) -> int:
        return ((self.last - self.first).days + 1) * len(self.tenants)

    def partitions(self) -> list[Partition]:
        return [Partition(tenant, day) for tenant in self.tenants for day in days(self.first, self.last)]


def runs_of_dates(dates: Iterable[date]) -> Iterator[tuple[date, date]]:
    """The consecutive stretches of a set of dates, in order."""
    ordered = sorted(set(dates))
    begin = 0
    for position, day in enumerate(ordered):
        if position + 1 == len(ordered) or ordered[position + 1] - day != DAY:
            yield ordered[begin], day
            begin = position + 1


def rectangles(partitions: Iterable[Partition], order: Sequence[str], *, at_most: int = 3000) -> list[Rectangle]:
    """Cover a set of partitions exactly by rectangles of at most `at_most`, earliest dates first.

    `order` is the tenants' registration order; a tenant that is not in it raises KeyError.
    """
    dates_of: dict[str, set[date]] = defaultdict(set)
    for tenant, day in partitions:
        dates_of[tenant].add(day)
    position = {tenant: index for index, tenant in enumerate(order)}
    stretches: dict[tuple[date, date], list[str]] = defaultdict(list)
    for tenant, dates in dates_of.items():
        for stretch in runs_of_dates(dates):
            stretches[stretch].append(tenant)
    found: list[Rectangle] = []
    for (first, last), tenants in stretches.items():
        for neighbours in _neighbours(sorted(tenants, key=position.__getitem__), position):
            found.extend(_split(Rectangle(first, last, neighbours), at_most))
    return sorted(found, key=lambda r: (r.first, r.last, position[r.tenants[0]]))


def _neighbours(tenants: list[str], position: dict[str, int]) -> Iterator[tuple[str, ...]]:
    group: list[str] = []
    for tenant in tenants:
        if group and position[tenant] != position[group[-1]] + 1:
            yield tuple(group)
            group = []
        group.append(tenant)
    yield tuple(group)


def _split(rectangle: Rectangle, at_most: int) -> Iterator[Rectangle]:
    """Cut by dates, so that a later piece finds the earlier dates of all its tenants built."""
    tenants = [rectangle.tenants[i : i + at_most] for i in range(0, len(rectangle.tenants), at_most)]
    for group in tenants:
        step = max(1, at_most // len(group))
        begin = rectangle.first
        while begin <= rectangle.last:
            end = min(begin + DAY * (step - 1), rectangle.last)
            yield Rectangle(begin, end, group)
            begin = end + DAY
