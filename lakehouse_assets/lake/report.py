"""What a step did, partition by partition: the figures behind checks, metadata, receipts and the ledger.

Belongs here: records and their arithmetic. Not here: how Dagster shows them (`assets`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.sink import Written

# A partition with fewer judged rows is never refused: a single slip would already be a large share.
LEAST_JUDGED = 50


@dataclass(kw_only=True)
class PartitionReport:
    """The figures of one built partition. `refused` says why it was not written, None where it was."""

    tenant_id: str
    date: date
    rows_in: int = 0
    rows_kept: int = 0
    rows_rejected: int = 0
    rows_duplicate: int = 0
    rows_deleted: int = 0
    rows_written: int = 0
    rows_expected: int | None = None
    rules: dict[str, int] = field(default_factory=dict)
    input_fingerprint: str = ""
    refused: str | None = None
    refused_files: tuple[str, ...] = ()

    @property
    def partition(self) -> Partition:
        return Partition(self.tenant_id, self.date)

    @property
    def quality_score(self) -> float:
        """Rows that broke no reject rule ÷ rows judged; 1 where none was judged."""
        return 1.0 - self.rows_rejected / self.rows_in if self.rows_in else 1.0

    @property
    def is_reconciled(self) -> bool:
        """Every row that came in is kept, rejected, a duplicate or deleted, and as many came in as upstream holds."""
        out = self.rows_kept + self.rows_rejected + self.rows_duplicate + self.rows_deleted
        return out == self.rows_in and self.rows_expected in (None, self.rows_in)

    def over(self, share: float) -> bool:
        return self.rows_in >= LEAST_JUDGED and self.rows_rejected > share * self.rows_in

    def figures(self) -> dict[str, Any]:
        """The figures that the ledger and the receipt hold."""
        return {
            "date": self.date,
            "rows_in": self.rows_in,
            "rows_kept": self.rows_kept,
            "rows_rejected": self.rows_rejected,
            "rows_duplicate": self.rows_duplicate,
            "rows_deleted": self.rows_deleted,
            "rows_written": self.rows_written,
            "quality_score": self.quality_score,
            "input_fingerprint": self.input_fingerprint,
        }


@dataclass(frozen=True, kw_only=True)
class ChunkReport:
    """One chunk: consecutive dates of one tenant, written by one commit."""

    table: TableName
    partitions: Sequence[PartitionReport]
    table_version: int
    quarantine_version: int | None
    bytes_written: int
    # The files of rejected rows.
    set_aside: Sequence[Written] = ()
    # Of each alert of the table, the dates that break it with their figures.
    alerts: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def written(self) -> list[PartitionReport]:
        return [partition for partition in self.partitions if partition.refused is None]


@dataclass(kw_only=True)
class StepReport:
    """One step: all chunks of a run in one table. `failed` gives the reason for each partition that is not built."""

    table: TableName
    run_id: str
    started_at: datetime
    chunks: list[ChunkReport] = field(default_factory=list)
    failed: dict[Partition, str] = field(default_factory=dict)

    @property
    def written(self) -> list[PartitionReport]:
        return [partition for chunk in self.chunks for partition in chunk.written]

    @property
    def judged(self) -> list[PartitionReport]:
        """Every partition that was judged, refused ones included."""
        return [partition for chunk in self.chunks for partition in chunk.partitions]

    def total(self, figure: str) -> int:
        return sum(int(getattr(partition, figure)) for partition in self.judged)

    @property
    def rules(self) -> dict[str, int]:
        """Rows that broke each rule, over the whole step."""
        counts: dict[str, int] = {}
        for partition in self.judged:
            for rule, rows in partition.rules.items():
                counts[rule] = counts.get(rule, 0) + rows
        return counts


def receipt(
    run: Mapping[str, Any],
    code_version: str,
    inputs: Mapping[str, int],
    partitions: Sequence[PartitionReport],
    quarantine_version: int | None,
) -> dict[str, Any]:
    """What a commit says of itself: enough to write the ledger anew, and to follow a figure to its inputs."""
    rules: dict[str, int] = {}
    for partition in partitions:
        for rule, rows in partition.rules.items():
            rules[rule] = rules.get(rule, 0) + rows
    figures = [partition.figures() for partition in partitions]
    return {
        "run_id": run["run_id"],
        "built_at": run["quarantined_at"].isoformat(),
        "code_version": code_version,
        "inputs": dict(inputs),
        "tenant_id": partitions[0].tenant_id if partitions else None,
        "columns": list(figures[0]) if figures else [],
        "partitions": [[v.isoformat() if isinstance(v, date) else v for v in row.values()] for row in figures],
        "rules": {rule: rows for rule, rows in rules.items() if rows},
        "quarantine_version": quarantine_version,
    }
