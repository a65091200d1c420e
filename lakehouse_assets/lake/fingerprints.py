"""Fingerprints: what every partition's content follows from, as a Merkle tree from landed files to gold.

Belongs here: one definition of a partition's input fingerprint, used both to plan (from the files that landed) and to
record (from what was in fact read). Equal fingerprints and code mean equal rows, however the runs were grouped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from lakehouse_assets.lake.ledger import EMPTY, Entry, LandedFile, digest, output_digest
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import MaturedMonthEnds, SinceMonthEnd, Trailing, type_of_window
from lakehouse_assets.lake.table import Table

SIZE = len(EMPTY)


@dataclass
class Digests:
    """Output digests of one table by date, as one buffer: windows are slices of it."""

    first: int
    buffer: bytearray = field(default_factory=bytearray)

    def put(self, day: date, value: bytes) -> None:
        at = (day.toordinal() - self.first) * SIZE
        if len(self.buffer) < at:
            self.buffer.extend(EMPTY * ((at - len(self.buffer)) // SIZE))
        self.buffer[at : at + SIZE] = value

    def get(self, day: date) -> bytes:
        at = (day.toordinal() - self.first) * SIZE
        return bytes(self.buffer[at : at + SIZE]) or EMPTY if at >= 0 else EMPTY

    def last(self, day: date, count: int) -> bytes:
        """The digests of the `count` days up to `day`, those before the first or never put as empty."""
        end = (day.toordinal() - self.first + 1) * SIZE
        begin = end - count * SIZE
        inside = bytes(self.buffer[max(begin, 0) : max(end, 0)])
        before = EMPTY * (max(0, min(0, end) - begin) // SIZE if end <= 0 else max(0, -begin) // SIZE)
        return (before + inside).ljust(count * SIZE, b"\0")


class Fingerprints:
    """The input fingerprints of one tenant's partitions.

    `files` gives the files of each source's bronze table; `bronze_code` the code that read a date of it.
    """

    def __init__(
        self,
        tables: Mapping[TableName, Table],
        files: Mapping[TableName, Iterable[LandedFile]],
        *,
        start: date,
        first: date,
    ) -> None:
        self.tables = tables
        self.start = start
        self.first = first
        self.outputs: dict[TableName, Digests] = {}
        self._matured: dict[tuple[TableName, MaturedMonthEnds, int], bytes] = {}
        self._chains: dict[TableName, list[bytes]] = defaultdict(list)
        self.by_ingest: dict[TableName, dict[date, list[LandedFile]]] = {}
        self.by_business: dict[TableName, dict[date, list[LandedFile]]] = {}
        for name, landed in files.items():
            ingest: dict[date, list[LandedFile]] = defaultdict(list)
            business: dict[date, list[LandedFile]] = defaultdict(list)
            for file in sorted(landed, key=lambda landed_file: landed_file.path):
                ingest[file.date].append(file)
                for day in file.business_dates:
                    business[file.date if day is None else day].append(file)
            self.by_ingest[name], self.by_business[name] = ingest, business

    def output(self, name: TableName) -> Digests:
        return self.outputs.setdefault(name, Digests(self.first.toordinal()))

    def of(self, table: Table, day: date, code: Mapping[date, Entry] | None = None) -> bytes:
        """The input fingerprint of a partition, from the outputs put so far and the files.

        `code` gives the entries of the source's bronze partitions where they may not be of today's code.
        """
        if table.kind == "bronze":
            return self._of_bronze(table.name, day)
        if table.source is None:
            read = [self._of_window(name, window, day) for name, window in table.reads.items()]
            return EMPTY if table.sparse and not any(map(any, read)) else digest(*read)
        bronze = next(iter(table.inputs.values())).table
        landed = self._of_events(bronze, day, code) if table.kind == "event" else self._of_states(bronze, day)
        if landed == EMPTY or len(table.reads) == 1:
            return landed
        return digest(landed, *(self.output(n).get(day) for n in table.reads if n != bronze))

    def _of_bronze(self, name: TableName, day: date) -> bytes:
        files = self.by_ingest.get(name, {}).get(day, ())
        bounds = str(self.start)
        return digest(bounds, *(part for f in files for part in (f.path, f.sha256))) if files else EMPTY

    def _of_events(self, bronze: TableName, day: date, code: Mapping[date, Entry] | None) -> bytes:
        files = sorted(set(self.by_business.get(bronze, {}).get(day, ())), key=lambda f: f.path)
        if not files:
            return EMPTY
        parts = [str(self.start)]
        for file in files:
            version = self.tables[bronze].code_version
            if code is not None:
                version = code[file.date].code_version if file.date in code else ""
            parts += [file.path, file.sha256, version]
        return digest(*parts)

    def _of_states(self, bronze: TableName, day: date) -> bytes:
        """The chain over all landings up to the day: a day without one has its predecessor's."""
        outputs, chain = self.output(bronze), self._chains[bronze]
        for ordinal in range(self.first.toordinal() + len(chain), day.toordinal() + 1):
            before = chain[-1] if chain else EMPTY
            landed = outputs.get(date.fromordinal(ordinal))
            chain.append(digest(before, landed) if landed != EMPTY else before)
        position = (day - self.first).days
        return chain[position] if position >= 0 else EMPTY

    def _of_window(self, name: TableName, window: type_of_window, day: date) -> bytes:
        outputs = self.output(name)
        if isinstance(window, Trailing):
            return outputs.last(day, window.count)
        if isinstance(window, MaturedMonthEnds):
            key = (name, window, len(window.snapshots(day, self.start)))
            if key not in self._matured:
                read = window.dates(day, self.start)
                self._matured[key] = b"".join(outputs.get(d) for d in read)
            return self._matured[key]
        if isinstance(window, SinceMonthEnd):
            return b"".join(outputs.get(d) for d in window.dates(day, self.start))
        return outputs.get(day)


def put_entries(found: Fingerprints, name: TableName, built: Mapping[date, Entry]) -> None:
    """Take a table's outputs from what the ledger says was built."""
    outputs = found.output(name)
    for day, entry in built.items():
        outputs.put(day, output_digest(entry.code_version, entry.input_fingerprint))
