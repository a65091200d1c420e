"""What every reader gives back: a file's rows, its malformed records, and the count that both add up to.

Belongs here: the shapes that the formats share, and how a file's column names meet a source's. Not here: any format.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from lakehouse_assets.lake.errors import LakeError
from lakehouse_assets.lake.landing import LandingFile
from lakehouse_assets.lake.landing_root import EPOCH, MICROSECOND
from lakehouse_assets.lake.source import FILE_COLUMNS, OPERATION, Source

MALFORMED_SCHEMA = pl.Schema(
    {
        "raw": pl.String(),  # JSON: line_number, text, and for a refused file the reason
        "rules": pl.List(pl.String()),
        "_source_file": pl.String(),
        "_row_number": pl.Int64(),  # null where the whole file is refused
        "line_number": pl.Int64(),  # physical line, from 1; null where the format has none
        "_file_sha256": pl.String(),
    }
)
HEAD_CHARACTERS = 2000
NAMES_SHOWN = 30


class FileContent(NamedTuple):
    """One file, read. `records` = rows + malformed, always; a refused file is one malformed record.

    `rows`: the source's text columns and FILE_COLUMNS, one row per record. Unless the file is small, it is read (or its
    copy in the spool) when `rows` is collected, so both must stay until then. `records` is counted on the file's bytes,
    apart from the parse of `rows`.
    `refused` is the reason where nothing of the file lands; `is_held` says that the rows are in memory.
    """

    rows: pl.LazyFrame
    malformed: pl.DataFrame
    records: int
    sha256: str
    encoding: str
    refused: str | None = None
    is_held: bool = False


class FileRefusedError(LakeError):
    """The whole file goes to quarantine. Raised and caught among the readers."""

    def __init__(self, rule: str, reason: str, *, line_number: int | None = None, text: str = "") -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason
        self.line_number = line_number
        self.text = text[:HEAD_CHARACTERS]


@dataclass
class Faults:
    """Collects malformed records; what has come together is kept as a frame, which is a tenth of Python's objects."""

    texts: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    lines: list[int | None] = field(default_factory=list)
    frames: list[pl.DataFrame] = field(default_factory=list)

    def add(self, rules: list[str], text: str, row_number: int, line_number: int | None) -> None:
        self.texts.append(text)
        self.rules.append(",".join(rules))
        self.rows.append(row_number)
        self.lines.append(line_number)
        if len(self.texts) == 10_000:
            self._pack()

    def frame(self, file: LandingFile, sha256: str) -> pl.DataFrame:
        """All of them, as `MALFORMED_SCHEMA`."""
        if self.texts:
            self._pack()
        if not self.frames:
            return pl.DataFrame(schema=MALFORMED_SCHEMA)
        found = pl.concat(self.frames).with_columns(_source_file=pl.lit(file.path), _file_sha256=pl.lit(sha256))
        return found.select(MALFORMED_SCHEMA.names())

    def _pack(self) -> None:
        types = MALFORMED_SCHEMA
        frame = pl.DataFrame(
            {
                "text": pl.Series(self.texts, dtype=pl.String),
                "rules": pl.Series(self.rules, dtype=pl.String).str.split(","),
                "_row_number": pl.Series(self.rows, dtype=types["_row_number"]),
                "line_number": pl.Series(self.lines, dtype=types["line_number"]),
            }
        )
        self.frames.append(frame.with_columns(raw=pl.struct("line_number", "text").struct.json_encode()).drop("text"))
        self.texts, self.rules, self.rows, self.lines = [], [], [], []


def refusal(error: FileRefusedError, file: LandingFile, sha256: str, encoding: str, source: Source) -> FileContent:
    """The content of a file that is refused: no rows, one malformed record with the file's head and the reason."""
    raw = pl.struct(
        line_number=pl.lit(error.line_number, pl.Int64), text=pl.lit(error.text), reason=pl.lit(error.reason)
    )
    malformed = pl.select(
        raw=raw.struct.json_encode(),
        rules=pl.lit([error.rule]),
        _source_file=pl.lit(file.path),
        _row_number=pl.lit(None, pl.Int64),
        line_number=pl.lit(error.line_number, pl.Int64),
        _file_sha256=pl.lit(sha256),
    )
    return FileContent(no_rows(source), malformed, 1, sha256, encoding, error.reason)


def no_rows(source: Source) -> pl.LazyFrame:
    """Rows of a file that has none."""
    texts: dict[str, pl.DataType] = dict.fromkeys(source.text_columns, pl.String())
    return pl.LazyFrame(schema=texts | FILE_COLUMNS)


def fold(name: str) -> str:
    """The form in which column names are compared: trimmed, letter case aside."""
    return name.strip().casefold()


def match_columns(
    names: Sequence[str], source: Source, file: LandingFile, line_number: int | None = None
) -> dict[str, int]:
    """The position in the file of each of the source's columns that it has. `line_number` is where its names stand.

    Raises FileRefusedError where a name stands twice or a required column is missing.
    """
    positions: dict[str, int] = {}
    for position, name in enumerate(map(fold, names)):
        if name and positions.setdefault(name, position) != position:
            reason = f"{file.path}: two columns are named '{name}': leave one out"
            raise FileRefusedError("duplicate_header", reason, line_number=line_number)
    found = {column: positions[fold(column)] for column in source.text_columns if fold(column) in positions}
    check_required(found, names, source, file, line_number)
    return found


def check_required(
    found: Collection[str], names: Sequence[str], source: Source, file: LandingFile, line_number: int | None = None
) -> None:
    """Raise FileRefusedError where a required column is missing; a file with operations needs only the key."""
    required = source.key if OPERATION in found else source.required
    missing = [column for column in required if column not in found]
    if not missing:
        return
    shown = ", ".join(f"'{name}'" for name in names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
    needed = ", ".join(f"'{column}'" for column in missing)
    hint = ""
    if len(names) == 1 and (wrong := next((mark for mark in (";", "\t", "|") if mark in names[0]), None)):
        hint = f"; it looks separated by {wrong!r}: separate by commas"
    reason = f"{file.path}: no column {needed}; it has {shown or 'none'}{hint}"
    raise FileRefusedError("missing_column", reason, line_number=line_number)


def unknown_columns(names: Sequence[str], known: Mapping[str, int]) -> dict[int, str]:
    """Position and name of each column that the source does not have; one without a name is named by its place."""
    taken = set(known.values())
    return {i: name.strip() or f"column_{i + 1}" for i, name in enumerate(names) if i not in taken}


def file_columns(file: LandingFile, sha256: str, row_number: pl.Expr, extra: pl.Expr | None) -> dict[str, pl.Expr]:
    """The columns that a reader writes beside the source's own."""
    # A literal moment costs Polars more than the rest of a small file; a number does not.
    moment = pl.lit((file.modified_at - EPOCH) // MICROSECOND, pl.Int64)
    return {
        "_source_file": pl.lit(file.path),
        "_row_number": row_number.cast(pl.Int64),
        "_ingested_at": moment.cast(FILE_COLUMNS["_ingested_at"]),
        "_file_sha256": pl.lit(sha256),
        "_extra": pl.lit(None, pl.String) if extra is None else extra,
    }
