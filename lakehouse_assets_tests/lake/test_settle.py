"""Which rows stand: held against a replay, day by day, in plain Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.lake.judge import DELETED
from lakehouse_assets.lake.settle import settle_entities, settle_events
from lakehouse_assets.lake.table import Duplicates
from lakehouse_assets_tests.lake.toy import day

LAST = 6
SCHEMA = {
    "key": pl.String(),
    "part": pl.Int64(),
    "version": pl.Datetime("us", "UTC"),
    "value": pl.Float64(),
    DELETED: pl.Boolean(),
    "_ingest_date": pl.Date(),
    "_source_file": pl.String(),
    "_row_number": pl.Int64(),
}
EVENTS = {
    "date": pl.Date(),
    "key": pl.String(),
    "on": pl.String(),
    "_source_file": pl.String(),
    "_row_number": pl.Int64(),
}


class Version(NamedTuple):
    """A valid row of an entity source, as SCHEMA has it."""

    key: str
    part: int
    version: datetime | None
    value: float | None
    deleted: bool
    ingest_date: date
    source_file: str
    row_number: int

    @property
    def rank(self) -> datetime:
        return self.version or datetime.min.replace(tzinfo=UTC)

    def says_the_same(self, other: Version | None) -> bool:
        return other is not None and other[2:5] == self[2:5]


def landed(number: int, *, versioned: bool, draw: st.DrawFn) -> Version:
    on = day(draw(st.integers(1, LAST)))
    stamp = draw(st.none() | st.integers(0, 3)) if versioned else None
    return Version(
        key=draw(st.sampled_from("ab")),
        part=draw(st.integers(1, 2)),
        version=None if stamp is None else datetime(2025, 1, 1, stamp, tzinfo=UTC),
        value=draw(st.sampled_from([None, 1.0, 2.0])),
        deleted=draw(st.integers(0, 3)) == 0,
        ingest_date=on,
        source_file=f"acme/lake/things/{on}/{draw(st.sampled_from(['a', 'b']))}.csv",
        row_number=number,
    )


@st.composite
def landings(draw: st.DrawFn, *, versioned: bool) -> list[Version]:
    """Rows of four keys over six days, in no order: ties, gaps, deletes and versions that come late are common."""
    return [landed(number, versioned=versioned, draw=draw) for number in range(draw(st.integers(0, 16)))]


STORIES = st.booleans().flatmap(lambda versioned: st.tuples(landings(versioned=versioned), st.just(versioned)))


def replayed(rows: Iterable[Version], *, versioned: bool) -> dict[date, set[Version]]:
    """The state of every key as of the end of each day, by taking in one row after the other."""
    state: dict[tuple[str, int], Version] = {}
    newest: dict[tuple[str, int], datetime] = {}
    ordered = sorted(rows, key=lambda row: (row.source_file, row.row_number))
    by_day = {on: list(found) for on, found in groupby(ordered, key=lambda row: row.ingest_date)}
    states = {}
    for on in (day(number) for number in range(1, LAST + 1)):
        winners: dict[tuple[str, int], Version] = {}
        for row in by_day.get(on, ()):
            identity = (row.key, row.part)
            if not versioned or row.rank >= newest.get(identity, row.rank):
                newest[identity] = row.rank
                winners[identity] = row
        for identity, row in winners.items():
            if row.deleted:
                state.pop(identity, None)
            elif not row.says_the_same(state.get(identity)):
                state[identity] = row
        states[on] = set(state.values())
    return states


def frame(rows: Iterable[Version]) -> pl.LazyFrame:
    return pl.LazyFrame(list(rows), schema=SCHEMA, orient="row")


def settled(
    versions: Iterable[Version],
    first: date,
    last: date,
    *,
    versioned: bool,
    base: Iterable[Version] | None = None,
    deletes: Iterable[Version] | None = None,
) -> dict[date, set[Version]]:
    found = settle_entities(
        frame(versions),
        None if base is None else frame(base).drop(DELETED),
        None if deletes is None else frame(deletes),
        key=("key", "part"),
        version="version" if versioned else None,
        content=["version", "value"],
        first=first,
        last=last,
    ).collect(engine="streaming")
    assert found.select("key", "part", "date").is_unique().all(), "a key twice in a day"
    states: dict[date, set[Version]] = {on: set() for on in _dates(first, last)}
    for *row, on in found.select(*SCHEMA, "date").iter_rows():
        states[on].add(Version(*row))
    return states


def _dates(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)


@settings(max_examples=60)
@given(STORIES, st.integers(1, LAST), st.integers(1, LAST))
def test_every_day_holds_what_a_replay_would_leave(story: tuple[list[Version], bool], one: int, other: int) -> None:
    rows, versioned = story
    first, last = day(min(one, other)), day(max(one, other))
    expected = {on: state for on, state in replayed(rows, versioned=versioned).items() if first <= on <= last}
    assert settled([r for r in rows if r.ingest_date <= last], first, last, versioned=versioned) == expected


@settings(max_examples=60)
@given(STORIES, st.integers(1, LAST - 1), st.data())
def test_a_range_may_be_split_anywhere(story: tuple[list[Version], bool], snapshot: int, data: st.DataObject) -> None:
    rows, versioned = story
    first, last = data.draw(st.integers(snapshot + 1, LAST)), day(LAST)
    at_once = settled(rows, day(1), last, versioned=versioned)
    later = settled(
        [row for row in rows if row.ingest_date > day(snapshot)],
        day(first),
        last,
        versioned=versioned,
        base=at_once[day(snapshot)],
        deletes=[row for row in rows if row.deleted and row.ingest_date <= day(snapshot)],
    )
    assert later == {on: state for on, state in at_once.items() if on >= day(first)}


def version(number: int, value: float, on: int, *, stamp: int | None = None, deleted: bool = False) -> Version:
    moment = None if stamp is None else datetime(2025, 1, 1, stamp, tzinfo=UTC)
    return Version("a", 1, moment, value, deleted, day(on), f"acme/lake/things/{day(on)}/a.csv", number)


def values_by_day(rows: list[Version], *, versioned: bool = True) -> list[list[float | None]]:
    states = settled(rows, day(1), day(3), versioned=versioned)
    return [[row.value for row in states[day(number)]] for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([version(1, 7, on=1)], [[7], [7], [7]], id="a day without a landing carries the state forward"),
        pytest.param([version(1, 7, on=2)], [[], [7], [7]], id="nothing before the first landing"),
        pytest.param(
            [version(1, 7, on=1, stamp=5), version(2, 8, on=2, stamp=4)],
            [[7], [7], [7]],
            id="an older version comes late",
        ),
        pytest.param(
            [version(1, 7, on=1, stamp=5), version(2, 8, on=2, stamp=5)],
            [[7], [8], [8]],
            id="of equal ones the last landed",
        ),
        pytest.param(
            [version(1, 7, on=1, stamp=0), version(2, 8, on=2)], [[7], [7], [7]], id="no version is older than any"
        ),
        pytest.param(
            [version(1, 7, on=1, stamp=5), version(2, 7, on=2, stamp=6, deleted=True)], [[7], [], []], id="a delete"
        ),
        pytest.param(
            [version(1, 7, on=1, stamp=5), version(2, 7, on=2, stamp=4, deleted=True)],
            [[7], [7], [7]],
            id="a delete of an older version",
        ),
        pytest.param(
            [version(1, 7, on=1, stamp=6, deleted=True), version(2, 8, on=2, stamp=5), version(3, 9, on=3, stamp=7)],
            [[], [], [9]],
            id="what is deleted stays deleted until a newer version lands",
        ),
    ],
)
def test_the_newest_version_wins(rows: list[Version], expected: list[list[float | None]]) -> None:
    assert values_by_day(rows) == expected


def test_without_versions_the_landing_order_decides() -> None:
    rows = [version(2, 8, on=1), version(1, 7, on=1), version(3, 8, on=2, deleted=True), version(4, 9, on=3)]
    assert values_by_day(rows, versioned=False) == [[8], [], [9]]


def test_a_version_that_changes_nothing_leaves_the_row_that_was_there() -> None:
    rows = [version(1, 7, on=1), version(2, 7, on=2)]
    states = settled(rows, day(1), day(2), versioned=False)
    assert states[day(2)] == {rows[0]}


def test_a_delete_that_its_own_day_takes_back_is_not_carried_past_a_snapshot() -> None:
    """The row of the first day stays, though it landed before the delete."""
    rows = [version(1, 7, on=1), version(2, 7, on=2, deleted=True), version(3, 7, on=2), version(4, 9, on=4)]
    at_once = settled(rows, day(1), day(3), versioned=False)
    assert at_once[day(2)] == {rows[0]}
    later = settled([], day(3), day(3), versioned=False, base=at_once[day(2)], deletes=[rows[1]])
    assert later == {day(3): {rows[0]}}


class Event(NamedTuple):
    """A valid row of an event source, as EVENTS has it."""

    date: date
    key: str
    on: str
    source_file: str
    row_number: int


def standing(rows: Iterable[Event], duplicates: Duplicates | None) -> set[Event]:
    """The rows that stand: the newest landing of a key, then the lowest key of what is written down twice."""
    newest: dict[tuple[Any, ...], Event] = {}
    for row in sorted(rows, key=lambda row: (row.source_file, row.row_number)):
        newest[row.date, row.key] = row
    if duplicates is None:
        return set(newest.values())
    lowest: dict[tuple[Any, ...], Event] = {}
    for row in sorted(newest.values(), key=lambda row: row.key, reverse=True):
        lowest[row.date, row.on] = row
    return set(lowest.values())


EVENT_ROWS = st.lists(
    st.tuples(st.integers(1, 2), st.sampled_from("abcd"), st.sampled_from("xy"), st.sampled_from(["a.csv", "b.csv"])),
    max_size=14,
)


@settings(max_examples=60)
@given(EVENT_ROWS, st.sampled_from([None, Duplicates(on=("on",), lowest="key")]))
def test_of_an_event_the_newest_landing_stands(
    rows: list[tuple[int, str, str, str]], duplicates: Duplicates | None
) -> None:
    events = [Event(day(on), key, other, file, number) for number, (on, key, other, file) in enumerate(rows)]
    valid = pl.LazyFrame(events, schema=EVENTS, orient="row")
    found = settle_events(valid, ("key",), duplicates).collect(engine="streaming").select(list(EVENTS))
    assert found.height == len({Event(*row) for row in found.iter_rows()})
    assert {Event(*row) for row in found.iter_rows()} == standing(events, duplicates)
