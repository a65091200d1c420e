"""Settings: the environment, read in one place, as typed values.

Belongs here: every `LAKEHOUSE_…`. Not here: what is done with the values, and the variables of Dagster and of the
object stores' own programs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lakehouse_assets.lake.errors import SelectionError, SettingsError
from lakehouse_assets.lake.landing_root import understood
from lakehouse_assets.lake.retention import Keep, parse_keep

# Options of object stores are taken over by their own names, as delta-rs, Polars and DuckDB read them.
STORE_PREFIXES = ("AWS_", "AZURE_")
REMOTE = "://"
# What a lake's path cannot hold: Delta and DuckDB take `%` for the beginning of an escape and a backslash for a slash.
UNREADABLE = ("%", "\\")


class Settings(BaseModel):
    """Where the landing zone and the lake are, how much a run takes on at once, and how long layers are kept.

    Without a retention, nothing is dropped by itself.
    """

    model_config = ConfigDict(frozen=True, validate_default=True)

    landing: str = "data/landing"
    root: str = "data/lake"
    start_date: date = date(2024, 1, 1)
    chunk_bytes: int = Field(default=256 * 2**20, gt=0)
    alert_webhook: str | None = None
    retention: dict[str, Keep] | None = None
    storage_options: dict[str, str] = Field(default_factory=dict)

    @field_validator("landing", "root")
    @classmethod
    def _absolute(cls, place: str) -> str:
        if REMOTE in place:
            return place
        return str(Path(place).expanduser().resolve())

    @field_validator("root")
    @classmethod
    def _readable(cls, place: str) -> str:
        if REMOTE not in place and (found := [sign for sign in UNREADABLE if sign in place]):
            raise ValueError(f"{place} holds {' and '.join(found)}, which Delta reads as another folder: rename it")
        return place

    @field_validator("retention", mode="before")
    @classmethod
    def _kept(cls, texts: object) -> object:
        try:
            return parse_keep(texts.split()) if isinstance(texts, str) else texts
        except SelectionError as error:
            raise ValueError(str(error)) from error

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read `LAKEHOUSE_…`; what is not set keeps its default."""
        given = os.environ if environment is None else environment
        names = {
            "landing": "LAKEHOUSE_LANDING",
            "root": "LAKEHOUSE_ROOT",
            "start_date": "LAKEHOUSE_START_DATE",
            "chunk_bytes": "LAKEHOUSE_CHUNK_BYTES",
            "alert_webhook": "LAKEHOUSE_ALERT_WEBHOOK",
            "retention": "LAKEHOUSE_RETENTION",
        }
        values: dict[str, object] = {field: given[name] for field, name in names.items() if given.get(name)}
        options = {k.lower(): v for k, v in given.items() if k.startswith(STORE_PREFIXES) and v}
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            faults = [f"{names.get(str(fault['loc'][0]), fault['loc'][0])}: {fault['msg']}" for fault in error.errors()]
            raise SettingsError("; ".join(faults)) from error
        places = [place for place in (settings.landing, settings.root) if REMOTE in place]
        known = {name: value for place in places for name, value in understood(place, options).items()}
        return settings.model_copy(update={"storage_options": known})
