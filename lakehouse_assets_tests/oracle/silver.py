"""The silver layer of one tenant: states of entities day by day, events by business date.

Belongs here: versions, deletes, duplicates, orphans and the counts that account for every row. Not here: the rules of
a single row (`judging`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from lakehouse_assets_tests.oracle.judging import Judged, Row
from lakehouse_assets_tests.oracle.sources import Source

OLDEST = datetime.min.replace(tzinfo=UTC)
# Of the valid rows of a day and the name of their key, those that stand.
type_of_settling = Callable[[list[Judged], str], list[Judged]]
OUTCOMES = ("kept", "rejected", "duplicate", "deleted")


@dataclass
class Tally:
    """What became of the rows judged for one day; `judged` is the sum of the rest."""

    counts: Counter[str] = field(default_factory=Counter)
    rejected: list[Judged] = field(default_factory=list)

    def as_counts(self) -> dict[str, int]:
        return {"judged": sum(self.counts.values())} | {name: self.counts[name] for name in OUTCOMES}

    def reject(self, judged: Judged) -> None:
        self.counts["rejected"] += 1
        self.rejected.append(judged)


class Entities:
    """Every state that each key of an entity source ever had, from one pass over its landings."""

    def __init__(self, source: Source, landed: Iterable[Judged]) -> None:
        self.source = source
        self.tallies: dict[date, Tally] = defaultdict(Tally)
        self.history: dict[str, list[tuple[date, Judged | None]]] = defaultdict(list)
        self._newest: dict[str, Judged] = {}
        by_day: dict[date, list[Judged]] = defaultdict(list)
        for judged in landed:
            by_day[judged.record.ingest_date].append(judged)
        for on in sorted(by_day):
            self._live_through(on, by_day[on])

    def _live_through(self, on: date, landed: list[Judged]) -> None:
        tally = self.tallies[on]
        upserts: dict[str, list[Judged]] = defaultdict(list)
        touched = set()
        for judged in landed:
            if judged.faults:
                tally.reject(judged)
                continue
            key = judged.row[self.source.key]
            touched.add(key)
            if judged.is_delete:
                tally.counts["deleted"] += 1
            else:
                upserts[key].append(judged)
            if key not in self._newest or order(judged) > order(self._newest[key]):
                self._newest[key] = judged
        for key in touched:
            before, after = self._last(key), self._newest[key]
            state = None if after.is_delete else after
            # What lands again unchanged is a duplicate, and the row that was there before stays.
            changed = (state and state.row) != (before and before.row)
            if changed:
                self.history[key].append((on, state))
            kept = int(changed and state is not None)
            tally.counts["kept"] += kept
            tally.counts["duplicate"] += len(upserts[key]) - kept

    def _last(self, key: str) -> Judged | None:
        return self.history[key][-1][1] if self.history[key] else None

    def state(self, on: date) -> dict[str, Judged]:
        """The newest valid version of each key landed on or before a day, deletes removed."""
        found = {}
        for key, changes in self.history.items():
            current = next((state for since, state in reversed(changes) if since <= on), None)
            if current is not None:
                found[key] = current
        return found


class Events:
    """The events of a source by business date; those without one by their ingest date, as rejected."""

    def __init__(self, source: Source, landed: Iterable[Judged], settle: type_of_settling) -> None:
        self.tallies: dict[date, Tally] = defaultdict(Tally)
        self.kept: dict[date, list[Judged]] = {}
        valid: dict[date, list[Judged]] = defaultdict(list)
        for judged in landed:
            on = judged.business_date or judged.record.ingest_date
            if judged.faults:
                self.tallies[on].reject(judged)
            else:
                valid[on].append(judged)
        for on, candidates in valid.items():
            self.kept[on] = settle(candidates, source.key)
            self.tallies[on].counts["kept"] += len(self.kept[on])
            self.tallies[on].counts["duplicate"] += len(candidates) - len(self.kept[on])


def without_duplicates(candidates: list[Judged], key: str) -> list[Judged]:
    """The newest landing of each key, then the lowest id of each customer, time and channel."""
    lowest: dict[tuple[Any, ...], Judged] = {}
    for judged in sorted(newest(candidates, key), key=lambda judged: str(judged.row[key])):
        same = (judged.row["customer_id"], judged.row["interaction_at"], judged.row["channel"])
        lowest.setdefault(same, judged)
    return list(lowest.values())


def newest(candidates: list[Judged], key: str) -> list[Judged]:
    """The newest landing of each key."""
    in_order = sorted(candidates, key=lambda judged: judged.record.landing_order)
    return list({judged.row[key]: judged for judged in in_order}.values())


def order(judged: Judged) -> tuple[Any, ...]:
    """Versions from the oldest to the newest: version, where the source has one, then the landing order."""
    return (judged.at or OLDEST, *judged.record.landing_order)


def published(judged: Judged, customers: dict[str, Judged] | None) -> Row:
    """A row as silver shows it; with the customers of its day where it refers to one."""
    orphan = customers is not None and judged.row["customer_id"] not in customers
    return traced(judged, ["orphan_customer"] if orphan else [])


def traced(judged: Judged, flags: Iterable[str]) -> Row:
    """A row with all its flags and where it came from."""
    return judged.row | {
        "quality_flags": sorted([*judged.flags, *flags]),
        "_ingest_date": judged.record.ingest_date,
        "_source_file": judged.record.file,
        "_row_number": judged.record.number,
    }
