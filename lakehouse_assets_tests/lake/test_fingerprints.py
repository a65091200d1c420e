"""Fingerprints: equal where the inputs are, other where any of them is, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.lake.fingerprints import SIZE, Digests, Fingerprints, put_entries
from lakehouse_assets.lake.ledger import EMPTY, Entry, LandedFile, digest, output_digest
from lakehouse_assets.lake.names import TableName
from lakehouse_assets_tests.lake.toy import (
    B_GAUGES,
    B_READINGS,
    LEVELS,
    MEMORY,
    PEAK,
    S_GAUGES,
    S_READINGS,
    START,
    TABLES,
    day,
)

LAST = 45  # the first month end has matured by then
FIRST_ORDINAL = day(3).toordinal()


@given(
    st.dictionaries(st.integers(0, 12), st.binary(min_size=SIZE, max_size=SIZE)),
    st.integers(-8, 20),
    st.integers(1, 15),
)
def test_a_window_is_a_slice_of_what_was_put(put: dict[int, bytes], end: int, count: int) -> None:
    """Days before the first, between those put and after the last are empty."""
    digests = Digests(FIRST_ORDINAL)
    for offset, value in put.items():
        digests.put(date.fromordinal(FIRST_ORDINAL + offset), value)
    last = date.fromordinal(FIRST_ORDINAL + end)
    naive = [put.get(offset, EMPTY) for offset in range(end - count + 1, end + 1)]
    assert digests.last(last, count) == b"".join(naive)
    assert digests.get(last) == naive[-1]


def test_what_is_put_again_replaces_what_was_there() -> None:
    digests = Digests(FIRST_ORDINAL)
    for value in (b"1" * SIZE, b"2" * SIZE):
        digests.put(day(4), value)
    assert digests.last(day(5), 3) == EMPTY + b"2" * SIZE + EMPTY


def file(number: int, *, sha: str = "", dates: Iterable[int | None] = (), name: str = "a") -> LandedFile:
    """A file of the n-th day, with rows of these days."""
    business = frozenset(None if on is None else day(on) for on in dates)
    return LandedFile(day(number), f"acme/lake/things/{day(number)}/{name}.csv", sha or f"{name}{number}", business)


type_of_tree = dict[TableName, dict[date, bytes]]


def tree(
    gauges: Iterable[LandedFile] = (),
    readings: Iterable[LandedFile] = (),
    *,
    code: Mapping[TableName, str] | None = None,
    start: date = START,
) -> type_of_tree:
    """The fingerprints of all tables and days, computed upstream first, as a plan does."""
    found = Fingerprints(TABLES, {B_GAUGES: gauges, B_READINGS: readings}, start=start, first=START)
    fingerprints: type_of_tree = {}
    for name, table in TABLES.items():
        for number in range(1, LAST + 1):
            of = found.of(table, day(number))
            fingerprints.setdefault(name, {})[day(number)] = of
            found.output(name).put(day(number), output_digest((code or {}).get(name, table.code_version), of.hex()))
    return fingerprints


def changed(one: type_of_tree, other: type_of_tree) -> dict[TableName, list[int]]:
    """The days, by number, on which each table differs."""
    days = {name: [n for n in range(1, LAST + 1) if one[name][day(n)] != other[name][day(n)]] for name in one}
    return {name: numbers for name, numbers in days.items() if numbers}


def upto(first: int, last: int = LAST) -> list[int]:
    return list(range(first, last + 1))


GAUGES_LANDED = [file(1), file(10)]
READINGS_LANDED = [file(1, dates=[1]), file(2, dates=[1, 2]), file(20, dates=[20])]
USUAL = tree(GAUGES_LANDED, READINGS_LANDED)


def test_the_same_landings_have_the_same_fingerprints_in_any_order() -> None:
    assert tree(reversed(GAUGES_LANDED), reversed(READINGS_LANDED)) == USUAL


def test_what_nothing_landed_for_is_empty() -> None:
    nothing = tree()
    for name in (B_GAUGES, B_READINGS, S_GAUGES, S_READINGS):
        assert set(nothing[name].values()) == {EMPTY}
    assert USUAL[B_GAUGES][day(2)] == EMPTY
    assert USUAL[S_READINGS][day(3)] == EMPTY


def test_a_day_without_a_landing_has_the_states_of_the_day_before() -> None:
    states = USUAL[S_GAUGES]
    moved = [number for number in range(2, LAST + 1) if states[day(number)] != states[day(number - 1)]]
    assert moved == [10]


def test_a_late_reading_changes_its_date_and_the_windows_that_hold_it() -> None:
    late = tree(GAUGES_LANDED, [*READINGS_LANDED, file(22, name="late", dates=[6])])
    assert changed(USUAL, late) == {B_READINGS: [22], S_READINGS: [6], LEVELS: [6, 7, 8], PEAK: [6, 7, 8]}


def test_a_reading_without_a_date_changes_the_day_on_which_it_landed() -> None:
    undated = tree(GAUGES_LANDED, [*READINGS_LANDED, file(30, dates=[None])])
    assert changed(USUAL, undated) == {B_READINGS: [30], S_READINGS: [30], LEVELS: [30, 31, 32], PEAK: [30, 31, 32]}


def test_a_file_that_holds_two_dates_changes_both() -> None:
    corrected = [READINGS_LANDED[0], file(2, dates=[1, 2], sha="corrected"), READINGS_LANDED[2]]
    found = changed(USUAL, tree(GAUGES_LANDED, corrected))
    assert (found[B_READINGS], found[S_READINGS], found[LEVELS]) == ([2], [1, 2], [1, 2, 3, 4])


def test_a_late_gauge_changes_all_states_since_and_what_reads_them() -> None:
    late = tree([*GAUGES_LANDED, file(40, name="b")], READINGS_LANDED)
    assert changed(USUAL, late) == {B_GAUGES: [40], S_GAUGES: upto(40), LEVELS: upto(40), PEAK: upto(40)}


def test_a_gauge_landed_before_a_month_end_changes_what_has_matured_since() -> None:
    late = tree([*GAUGES_LANDED, file(31, name="b")], READINGS_LANDED)
    found = changed(USUAL, late)
    assert found[MEMORY] == upto(36), "day 31 is the month end, and lies five days back from day 36 on"
    assert S_READINGS not in found, "a day without readings has no gauge to look up"


def test_gauges_that_readings_refer_to_change_the_readings_of_the_same_day() -> None:
    found = changed(USUAL, tree([*GAUGES_LANDED, file(2, name="b")], READINGS_LANDED))
    assert found[S_READINGS] == [2, 20], "the days that have readings"


def test_a_file_taken_away_changes_what_it_had_changed() -> None:
    late = [*READINGS_LANDED, file(22, name="late", dates=[6])]
    assert changed(tree(GAUGES_LANDED, late), tree(GAUGES_LANDED, READINGS_LANDED)) == changed(
        USUAL, tree(GAUGES_LANDED, late)
    )


def test_changed_code_changes_what_reads_its_rows_and_not_the_inputs_of_its_own() -> None:
    found = changed(USUAL, tree(GAUGES_LANDED, READINGS_LANDED, code={S_READINGS: "anew"}))
    assert found == {LEVELS: [1, 2, 3, 4, 20, 21, 22], PEAK: [1, 2, 3, 4, 20, 21, 22]}


def test_the_first_partition_is_an_input_of_what_lands() -> None:
    found = changed(USUAL, tree(GAUGES_LANDED, READINGS_LANDED, start=day(2)))
    assert found[B_READINGS] == [1, 2, 20]
    assert found[S_READINGS] == [1, 2, 20]


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.sampled_from("abc"), st.frozensets(st.none() | st.integers(1, 9), max_size=3)),
        unique_by=lambda landed: landed[:2],
        max_size=6,
    ),
    st.integers(0, 5),
)
def test_one_file_changes_its_own_dates_whatever_else_has_landed(
    landed: list[tuple[int, str, frozenset[int | None]]], which: int
) -> None:
    files = [file(on, name=name, dates=dates) for on, name, dates in landed]
    without = [one for number, one in enumerate(files) if number != which]
    expected = {one.date if on is None else on for one in files if one not in without for on in one.business_dates}
    found = changed(tree(readings=files), tree(readings=without))
    assert {day(number) for number in found.get(S_READINGS, [])} == expected
    assert {day(number) for number in found.get(B_READINGS, [])} == {one.date for one in files if one not in without}


def test_what_was_read_by_older_code_is_not_what_a_plan_asks_for() -> None:
    """The ledger says which code read each date of bronze; a plan takes today's for granted."""
    found = Fingerprints(TABLES, {B_READINGS: READINGS_LANDED}, start=START, first=START)
    readings, on = TABLES[S_READINGS], day(1)
    planned = found.of(readings, on)
    today = {day(n): Entry("00", TABLES[B_READINGS].code_version) for n in (1, 2)}
    assert found.of(readings, on, today) == planned
    assert found.of(readings, on, today | {day(2): Entry("00", "older")}) != planned
    assert found.of(readings, on, {day(1): today[day(1)]}) != planned, "a date that bronze has not read"


def test_the_ledger_says_what_was_read() -> None:
    found = Fingerprints(TABLES, {}, start=START, first=START)
    built = {day(1): Entry(digest("one").hex(), "code"), day(3): Entry(EMPTY.hex(), "code")}
    put_entries(found, B_GAUGES, built)
    outputs = found.output(B_GAUGES)
    assert [outputs.get(day(n)) for n in (1, 2, 3)] == [output_digest("code", digest("one").hex()), EMPTY, EMPTY]
    states = [found.of(TABLES[S_GAUGES], day(n)) for n in (1, 2, 3)]
    assert states[0] != EMPTY
    assert all(before == after for before, after in pairwise(states))
