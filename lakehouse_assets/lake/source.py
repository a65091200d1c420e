"""What a source is: the declaration that bronze is generated from.

Belongs here: the shape of what lands. Not here: reading files (`landing`, `readers`) and cleaning (a domain's
`silver`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

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


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source of a domain: one row per record in its files.

    `kind` is `event` (facts that happened at `version`, a time) or `entity` (states of a thing, the
    newest `version` wins; None means that the landing order decides). `columns` maps each column in a clean
    file's order to its description. A file without one of `required` is refused whole; one that has the
    `_op` column needs only the key.
    """

    domain: str
    name: str
    kind: Literal["event", "entity"]
    key: tuple[str, ...]
    version: str | None
    columns: dict[str, str]
    required: tuple[str, ...]
    description: str

    def __post_init__(self) -> None:
        named = {*self.key, *self.required, *([self.version] if self.version else [])}
        if unknown := sorted(named - set(self.columns)):
            raise ValueError(f"source {self.domain}/{self.name} names columns it does not have: {unknown}")
        if self.kind == "event" and self.version is None:
            raise ValueError(f"event source {self.domain}/{self.name} names no event time")

    @property
    def meaning(self) -> tuple[object, ...]:
        """What decides the rows, descriptions left out."""
        return (self.domain, self.name, self.kind, self.key, self.version, tuple(self.columns), self.required)

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
