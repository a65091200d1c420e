"""A landed file and what became of it, for the tests of the readers; every outcome is reconciled."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lakehouse_assets.lake import readers
from lakehouse_assets.lake.landing import LandingFile
from lakehouse_assets.lake.landing_root import moment_of
from lakehouse_assets.lake.readers import FileContent, read, verify_unchanged
from lakehouse_assets.lake.source import FILE_COLUMNS, Source

DAY = date(2026, 1, 31)
COLUMNS = ("lead_id", "customer_id", "status", "note", "updated_at")
LEADS = Source(
    domain="crm",
    name="leads",
    kind="entity",
    key=("lead_id",),
    version="updated_at",
    columns=dict.fromkeys(COLUMNS, "as landed"),
    required=("lead_id", "customer_id"),
    description="leads of a tenant",
)
HEADER = ",".join(COLUMNS)


class Outcome(NamedTuple):
    """A file's content, collected: `rows` and `malformed` by row number, `texts` as the malformed records landed."""

    content: FileContent
    rows: dict[int, dict[str, Any]]
    malformed: list[dict[str, Any]]
    file: LandingFile

    @property
    def values(self) -> dict[int, tuple[str | None, ...]]:
        """The source's own columns, without `_op`."""
        return {number: tuple(row[column] for column in COLUMNS) for number, row in self.rows.items()}

    @property
    def faults(self) -> list[tuple[list[str], int | None, int | None]]:
        """Rules, row number and line of each malformed record."""
        return [(fault["rules"], fault["_row_number"], fault["line_number"]) for fault in self.malformed]

    @property
    def texts(self) -> list[str]:
        return [json.loads(fault["raw"])["text"] for fault in self.malformed]


def land(root: Path, name: str, data: bytes | str) -> tuple[LandingFile, Path]:
    """Put a file into acme's folder of leads."""
    relative = f"acme/crm/leads/{DAY}/{name}"
    path = root / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return listed(path, relative), path


def listed(path: Path, relative: str) -> LandingFile:
    """The file as a listing shows it now."""
    status = path.stat()
    moment = moment_of(status)
    return LandingFile("acme", "crm", "leads", DAY, path.name, relative, status.st_size, moment)


def read_landed(root: Path, name: str, data: bytes | str, source: Source = LEADS) -> Outcome:
    """Land a file, read it, and check what holds for every file: nothing lost, nothing twice, all traceable.

    It is read both as a small file, in memory, and as a large one, scanned when it is collected.
    """
    file, path = land(root, name, data)
    spool = root / "_spool"
    spool.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "SMALL_BYTES", 0)
        scanned = read(file, path, source, spool).rows.collect(engine="streaming")
    for left in spool.iterdir():
        left.unlink()
    content = read(file, path, source, spool)
    rows = content.rows.collect(engine="streaming")
    verify_unchanged(file, path)
    assert_frame_equal(rows, scanned, check_row_order=False)
    malformed = content.malformed.to_dicts()
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

    assert dict(rows.schema) == dict.fromkeys(source.text_columns, pl.String()) | FILE_COLUMNS
    assert content.records == rows.height + len(malformed)
    assert content.sha256 == sha256
    numbers = rows["_row_number"].to_list() + [fault["_row_number"] for fault in malformed]
    assert content.refused or sorted(numbers) == list(range(1, content.records + 1))
    for landed in [*rows.to_dicts(), *malformed]:
        assert (landed["_source_file"], landed["_file_sha256"]) == (file.path, sha256)
    assert set(rows["_ingested_at"]) <= {file.modified_at}
    for fault in malformed:
        raw = json.loads(fault["raw"])
        assert raw["line_number"] == fault["line_number"]
        assert fault["rules"]
    if content.refused:
        assert (rows.height, len(malformed)) == (0, 1)
        assert content.refused.startswith(f"{file.path}: ")
        assert json.loads(malformed[0]["raw"])["reason"] == content.refused
    return Outcome(content, {row["_row_number"]: row for row in rows.to_dicts()}, malformed, file)
