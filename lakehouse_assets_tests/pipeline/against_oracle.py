"""A lake held against the oracle, table by table and day by day.

Belongs here: reading both sides and telling where they differ. Not here: building the lake (the tests do).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from lakehouse_assets_tests.oracle import Oracle

Row = Mapping[str, Any]
# Sums in another order end in other last digits.
RELATIVE = 1e-9
TIMELESS = {"before_start", "in_future"}


class Comparison:
    """Differences between one lake and one oracle, as lines that name table, tenant, day and row."""

    def __init__(self, lake: Path, oracle: Oracle) -> None:
        self.lake, self.oracle = lake, oracle
        self.differences: list[str] = []
        self.compared = 0
        self._rows: dict[str, dict[tuple[str, date], list[dict[str, Any]]]] = {}

    def rows(self, name: str, tenant: str, on: date) -> list[dict[str, Any]]:
        """A partition of a table of the lake; of one that was never written to, no rows."""
        if name not in self._rows:
            place = self.lake / name
            parts = pl.read_delta(str(place)).partition_by("tenant_id", "date", as_dict=True) if place.is_dir() else {}
            self._rows[name] = {(key[0], key[1]): frame.to_dicts() for key, frame in parts.items()}
        return self._rows[name].get((tenant, on), [])

    def everything(self, tenant: str, days: Iterable[date]) -> None:
        """Compares every layer of a tenant on the days given."""
        for on in days:
            for source in self.oracle.sources:
                self.bronze(source, tenant, on)
                self.silver(source, tenant, on)
                self.quarantine(source, tenant, on)
                self.counts(source, tenant, on)
            self.gold(tenant, on)

    def assert_equal(self, at_least: int) -> None:
        """Fails with the first differences, and where so little was compared that it says nothing."""
        shown = "\n".join(self.differences[:20])
        assert not self.differences, f"{len(self.differences)} differences among {self.compared} rows:\n{shown}"
        assert self.compared >= at_least, f"only {self.compared} rows were compared"

    def bronze(self, source: str, tenant: str, on: date) -> None:
        names = ["_source_file", "_row_number"]
        expected = [
            dict(row.values) | {"_source_file": row.file, "_row_number": row.number}
            for row in self.oracle.bronze(source, tenant, on)
        ]
        self._match(f"bronze/{source}", tenant, on, expected, names)
        malformed = [
            {"_source_file": file.path, "_row_number": number}
            for file in self.oracle.landed_files(source, tenant, on)
            for number in file.malformed
        ]
        self._match(f"quarantine/{source}_files", tenant, on, malformed, names)

    def silver(self, source: str, tenant: str, on: date) -> None:
        rows = self.oracle.silver(source, tenant, on)
        self._match(f"silver/{self.oracle.table_of(source)}", tenant, on, rows, [self.oracle.sources[source].key])

    def quarantine(self, source: str, tenant: str, on: date) -> None:
        """The same rows, and the same verdict where the contract gives it a name."""
        name = f"quarantine/{self.oracle.table_of(source)}"
        expected = {where(row): row["faults"] for row in self.oracle.rejected(source, tenant, on)}
        found = {where(row): set(row["rules"]) for row in self.rows(f"{self.oracle.domain}/{name}", tenant, on)}
        self.compared += len(expected)
        if set(expected) != set(found):
            missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
            self._tell(name, tenant, on, f"missing {missing[:3]}, extra {extra[:3]}")
        for place in set(expected) & set(found):
            named = expected[place] & TIMELESS | {"unparsable" for f in expected[place] if f.startswith("unparsable")}
            told = found[place] & (TIMELESS | {"unparsable"})
            if named != told or not found[place]:
                self._tell(name, tenant, on, f"{place}: {sorted(expected[place])} but {sorted(found[place])}")

    def counts(self, source: str, tenant: str, on: date) -> None:
        columns = ("rows_in", "rows_kept", "rows_rejected", "rows_duplicate", "rows_deleted")
        table = (self.oracle.domain, "silver", self.oracle.table_of(source))
        found = [
            {column: row[column] for column in columns}
            for row in self.rows("platform/silver/partition_ledger", tenant, on)
            if (row["domain"], row["layer"], row["table"]) == table
        ]
        judged = self.oracle.counts(source, tenant, on)
        expected = dict(zip(columns, judged.values(), strict=True))
        self.compared += 1
        if found != [expected]:
            self._tell(f"ledger of {table[2]}", tenant, on, f"{expected} but {found}")

    def gold(self, tenant: str, on: date) -> None:
        for name, key in self.oracle.gold_tables.items():
            self._match(f"gold/{name}", tenant, on, getattr(self.oracle, name)(tenant, on), key)

    def _match(self, name: str, tenant: str, on: date, expected: Sequence[Row], key: Iterable[str]) -> None:
        names = tuple(key)
        rows = self.rows(f"{self.oracle.domain}/{name}", tenant, on)
        right = {tuple(row[n] for n in names): row for row in rows}
        left = {tuple(row[n] for n in names): row for row in expected}
        assert len(left) == len(expected), f"{name}: the oracle gives a key twice"
        self.compared += len(expected)
        if len(right) != len(rows):
            self._tell(name, tenant, on, "a key twice in the lake")
        for missing in sorted(set(left) - set(right), key=str):
            self._tell(name, tenant, on, f"{missing} is missing")
        for extra in sorted(set(right) - set(left), key=str):
            self._tell(name, tenant, on, f"{extra} should not be there")
        for place in set(left) & set(right):
            for column, value in left[place].items():
                if column not in right[place]:
                    self._tell(name, tenant, on, f"has no column {column}")
                elif not equal(value, right[place][column]):
                    self._tell(name, tenant, on, f"{place}.{column}: {value!r} but {right[place][column]!r}")

    def _tell(self, name: str, tenant: str, on: date, what: str) -> None:
        self.differences.append(f"{name} of {tenant} on {on}: {what}")


def where(row: Row) -> tuple[str, int]:
    return row["_source_file"], row["_row_number"]


def equal(expected: Any, found: Any) -> bool:
    if isinstance(expected, float) and found is not None:
        return math.isclose(expected, float(found), rel_tol=RELATIVE, abs_tol=RELATIVE)
    if isinstance(expected, list):
        return expected == sorted(found)
    return bool(expected == found)
