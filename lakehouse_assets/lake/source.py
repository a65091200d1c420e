"""What a source is: the declaration that bronze is generated from.

Belongs here: the shape of what lands. Not here: reading files (`landing`, `readers`) and cleaning (a domain's
`silver`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from lakehouse_assets.lake.errors import ContractError

# Written by the reader beside the source's own columns, in every bronze table.
FILE_COLUMNS: dict[str, pl.DataType] = {
    "_source_file": pl.String(),  # path below the landing root
    "_row_number": pl.Int64(),  # record in its file, from 1, malformed ones counted
    "_ingested_at": pl.Datetime("us", "UTC"),  # the file's modification time
    "_file_sha256": pl.String(),
    "_extra": pl.String(),  # unknown columns as a JSON object, null where none
}
OPERATION = "_op"
BUSINESS_DATE = "_business_date"
PARTITION_COLUMNS = ("tenant_id", "date")
# Names that files, Delta tables and SQL all take as they are. The lake's own begin with _ or hold a colon.
COLUMN_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source of a domain: one row per record in its files.

    `kind` is `event` (facts that happened at `version`, a time) or `entity` (states of a thing, the
    newest `version` wins; None means that the landing order decides). `columns` maps each column in a clean
    file's order to its description. A file without one of `required` is refused whole; one that has the
    `_op` column needs only the key. `content` names the column that is the text of the landed file itself: such a
    source takes text files, each with a JSON file of its other columns beside it.
    Raises ContractError where the parts contradict each other.
    """

    domain: str
    name: str
    kind: Literal["event", "entity"]
    key: tuple[str, ...]
    version: str | None
    columns: dict[str, str]
    required: tuple[str, ...]
    description: str
    # Not in repr, which is part of the code versions of the tables that name a source; `meaning` has it.
    content: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        place = f"source {self.domain}/{self.name}"
        named = {*self.key, *self.required, *(name for name in (self.version, self.content) if name)}
        if unknown := sorted(named - set(self.columns)):
            raise ContractError(f"{place} names columns it does not have: {unknown}")
        if self.kind == "event" and self.version is None:
            raise ContractError(f"event {place} names no event time: give it as version")
        if not self.key:
            raise ContractError(f"{place} has no key: name the columns that tell its rows apart")
        if self.content in {*self.key, *self.required}:
            raise ContractError(f"{place}: '{self.content}' is the content of files, and neither key nor required")
        lower = [name.lower() for name in self.columns]
        for name in self.columns:
            if not COLUMN_PATTERN.fullmatch(name):
                raise ContractError(f"{place}: '{name}' is no name of a column: write letters, digits and _")
            if name.lower() in PARTITION_COLUMNS:
                raise ContractError(f"{place} has a column {name}, which every table has for its partitions")
            if lower.count(name.lower()) > 1:
                raise ContractError(f"{place} has two columns {name}: files name them in any letter case")

    @property
    def meaning(self) -> tuple[object, ...]:
        """What decides the rows, descriptions left out."""
        told = (self.domain, self.name, self.kind, self.key, self.version, tuple(self.columns), self.required)
        # What is not used leaves the code versions as they were.
        return (*told, self.content) if self.content else told

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns taken as text from the files: the source's own, and `_op` for entities."""
        return (*self.columns, OPERATION) if self.kind == "entity" else tuple(self.columns)

    @property
    def bronze_schema(self) -> pl.Schema:
        """Bronze without its partition columns."""
        schema: dict[str, pl.DataType] = dict.fromkeys(self.text_columns, pl.String()) | FILE_COLUMNS
        if self.kind == "event":
            schema[BUSINESS_DATE] = pl.Date()
        return pl.Schema(schema)
