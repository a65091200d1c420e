"""Bronze: the one place where landed files become rows.

Belongs here: reading the files of a chunk, adding those not read before to those that were, and registering them.
Not here: parsing a format (`readers`), cleaning (silver).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, Self

import polars as pl

from lakehouse_assets.lake.errors import UnreconciledError
from lakehouse_assets.lake.fingerprints import Fingerprints
from lakehouse_assets.lake.judge import QUARANTINE_SCHEMA
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import LandingFile
from lakehouse_assets.lake.ledger import FILES_SCHEMA, Entry, entries, landed_files, rows_of
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.readers import FileContent, read, verify_unchanged
from lakehouse_assets.lake.source import BUSINESS_DATE, OPERATION, Source
from lakehouse_assets.lake.spool import spool_folder
from lakehouse_assets.lake.table import Table
from lakehouse_assets.lake.values import code, timestamp


class ReadFile(NamedTuple):
    """A file that was opened for this chunk and the path it is read from."""

    file: LandingFile
    path: Path
    content: FileContent


class Intake(NamedTuple):
    """What a chunk of bronze consists of.

    `rows` and `malformed` have `tenant_id` and `date`; `known` are register rows of files that were read before and did
    not change; `opened` are the files read now.
    """

    rows: pl.LazyFrame
    malformed: pl.LazyFrame
    known: pl.DataFrame
    opened: Sequence[ReadFile]


def known_and_new(register: pl.DataFrame, files: Iterable[LandingFile]) -> tuple[pl.DataFrame, list[LandingFile]]:
    """Split the listed files by whether the register holds them with the same size and modification time."""
    held = {row["path"]: row for row in register.iter_rows(named=True)}
    known, new = [], []
    for file in files:
        row = held.get(file.path)
        if row and row["size_bytes"] == file.size_bytes and row["modified_at"] == file.modified_at:
            known.append(file.path)
        else:
            new.append(file)
    return register.filter(pl.col("path").is_in(known)), new


def with_business_date(rows: pl.LazyFrame, source: Source, start: date) -> pl.LazyFrame:
    """Add the UTC date of the event time; null where it does not parse, lies before the first partition or more than
    a day after the ingest date.
    """
    # In two steps: Polars would read the time anew for each mention of it.
    rows = rows.with_columns(timestamp(str(source.version)).dt.date().alias(BUSINESS_DATE))
    day = pl.col(BUSINESS_DATE)
    inside = (day >= pl.lit(start)) & (day <= pl.col("date") + pl.duration(days=1))
    return rows.with_columns(pl.when(inside).then(day).alias(BUSINESS_DATE))


def frames_of(source: Source, opened: Sequence[ReadFile], start: date) -> list[pl.LazyFrame]:
    """The rows of files as bronze holds them; those of small files, which are in memory, in one piece."""
    placed = [
        (one.content.rows.with_columns(tenant_id=pl.lit(one.file.tenant_id), date=pl.lit(one.file.date)), one.content)
        for one in opened
    ]
    frames = [rows for rows, content in placed if not content.is_held]
    if held := [rows for rows, content in placed if content.is_held]:
        frames.append(pl.concat(held).collect(engine="streaming").rechunk().lazy())
    return [with_business_date(rows, source, start) if source.kind == "event" else rows for rows in frames]


def census(frame: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """Rows of each file by business date, and how many of them delete their key."""
    by = ["_source_file", BUSINESS_DATE] if source.kind == "event" else ["_source_file"]
    deletes = (code(OPERATION) == "delete").sum() if source.kind == "entity" else pl.lit(0, pl.Int64)
    return frame.group_by(by).agg(pl.len().alias("rows"), deletes.alias("deletes"))


def registered(
    table: TableName, source: Source, opened: ReadFile, counted: pl.DataFrame, run_id: str
) -> dict[str, Any]:
    """The register row of a file from the census of its rows.

    Raises UnreconciledError where its records are not all among rows and malformed ones.
    """
    file, content = opened.file, opened.content
    mine = counted.filter(pl.col("_source_file") == file.path)
    rows, malformed = int(mine["rows"].sum()), content.malformed.height
    if rows + malformed != content.records:
        raise UnreconciledError(
            f"file {file.path}: {content.records} records were counted, but {rows} rows and {malformed} malformed"
            " records were read; nothing of its partition was written"
        )
    dated = mine.sort(BUSINESS_DATE) if source.kind == "event" else mine.clear()
    return {
        "domain": table.domain,
        "layer": table.layer,
        "table": table.table,
        "tenant_id": file.tenant_id,
        "date": file.date,
        "path": file.path,
        "size_bytes": file.size_bytes,
        "modified_at": file.modified_at,
        "sha256": content.sha256,
        "encoding": content.encoding,
        "records": content.records,
        "rows": rows,
        "malformed": malformed,
        "deletes": int(mine["deletes"].sum()),
        "refused": content.refused,
        "business_dates": dated[BUSINESS_DATE].to_list() if dated.height else [],
        "business_rows": dated["rows"].to_list() if dated.height else [],
        "run_id": run_id,
    }


class Desk:
    """Opens the files of a chunk and keeps their spooled copies until the rows are written."""

    def __init__(self, house: Lakehouse) -> None:
        self.house = house
        self._spool = spool_folder(house.spool)
        self._open: list[Any] = []

    def __enter__(self) -> Self:
        self._folder = self._spool.__enter__()
        return self

    def __exit__(self, *fault: Any) -> None:  # noqa: PYI036 - passed on as it came
        for local in reversed(self._open):
            local.__exit__(None, None, None)
        self._spool.__exit__(*fault)

    def open(self, file: LandingFile, source: Source) -> ReadFile:
        local = self.house.landing.local(file)
        path = local.__enter__()
        self._open.append(local)
        return ReadFile(file, path, read(file, path, source, self._folder))

    @staticmethod
    def verify(opened: Iterable[ReadFile]) -> None:
        """Raise SourceChangedError where a file is no longer what was read."""
        for one in opened:
            verify_unchanged(one.file, one.path)


def take_in(
    house: Lakehouse,
    table: Table,
    source: Source,
    tenant: str,
    dates: Sequence[date],
    desk: Desk,
    run: dict[str, Any],
    *,
    is_readable: bool = True,
) -> Intake:
    """Gather a chunk of bronze: what the table holds of known files, and the files that are new to it.

    Where what it holds is not readable, all files are read anew.
    """
    listed = house.landing.list(sources=[source], tenants=[tenant], first=dates[0], last=dates[-1]).files
    files = [file for file in listed if file.date in set(dates)]
    register = house.files.read(tenants=[tenant], tables=[table.name]).filter(pl.col("date").is_in(list(dates)))
    trusted = register.filter(pl.col("date").is_in(_vouched(house, table, tenant, dates, register)))
    known, new = known_and_new(trusted if is_readable else trusted.clear(), files)
    opened = [desk.open(file, source) for file in new]
    schema = table.schema
    partition = {"tenant_id": pl.String(), "date": pl.Date()}
    parts = [pl.LazyFrame(schema=pl.Schema({**schema, **partition}))]
    malformed = [pl.LazyFrame(schema=pl.Schema(QUARANTINE_SCHEMA))]
    if known.height:
        # By content as well as by name: a commit that no register knows may have put other rows under the name.
        contents = known.select(pl.struct(_source_file="path", _file_sha256="sha256")).to_series()
        kept = pl.struct("_source_file", "_file_sha256").is_in(contents.implode())
        parts.append(house.lake.scan(table.name, schema, tenants=[tenant], dates=dates).filter(kept))
        quarantine = house.lake.scan(table.name.quarantine, QUARANTINE_SCHEMA, tenants=[tenant], dates=dates)
        malformed.append(quarantine.filter(kept).select(list(QUARANTINE_SCHEMA)))
    parts += frames_of(source, opened, house.start)
    malformed += [_malformed(one, run) for one in opened if one.content.malformed.height]
    columns = [*schema, *partition]
    return Intake(pl.concat([part.select(columns) for part in parts]), pl.concat(malformed), known, opened)


def require_versions(house: Lakehouse, names: Iterable[TableName]) -> None:
    """Raise StorageError where a table has lost a version that the ledger speaks of, for whichever tenant.

    Looked at once for each table, before this process writes to it: a later commit takes the lost one's number.
    """
    new = set(names) - house.complete
    if not new:
        return
    held = house.ledger.read(tables=new)
    newest = held.group_by("domain", "layer", "table").agg(pl.col("table_version").max()).drop_nulls()
    for *name, version in newest.iter_rows():
        house.lake.require(TableName(*name), version)
    house.complete.update(new)


def _vouched(house: Lakehouse, table: Table, tenant: str, dates: Sequence[date], register: pl.DataFrame) -> list[date]:
    """The dates whose rows are there as today's code would read them from the files registered."""
    held = house.ledger.read(tenants=[tenant], tables=[table.name])
    require_versions(house, [table.name])
    built = entries(held).get((table.name, tenant), {})
    found = Fingerprints(house.tables, {table.name: landed_files(register)}, start=house.start, first=dates[0])
    return [
        day for day in dates if day in built and built[day] == Entry(found.of(table, day).hex(), table.code_version)
    ]


def _malformed(opened: ReadFile, run: dict[str, Any]) -> pl.LazyFrame:
    frame = opened.content.malformed.lazy().with_columns(
        pl.lit(opened.file.tenant_id).alias("tenant_id"),
        pl.lit(opened.file.date).alias("date"),
        pl.col("rules").alias("reasons"),
        *(pl.lit(value).alias(name) for name, value in run.items()),
    )
    return frame.select(pl.col(name).cast(dtype) for name, dtype in QUARANTINE_SCHEMA.items())


def survey(house: Lakehouse, table: Table, file: LandingFile) -> pl.DataFrame:
    """What the register would say of a file, read but not landed: for a plan of what is not built yet."""
    source = house.sources[table.name]
    with Desk(house) as desk:
        opened = desk.open(file, source)
        counted = census(frames_of(source, [opened], house.start)[0], source).collect(engine="streaming")
        return rows_of([registered(table.name, source, opened, counted, "plan")], FILES_SCHEMA)
