"""Which file is broken, once an error has shown that one is: of a table's rows or of its log.

Belongs here: looking at the files one by one, to name the culprit. Not here: reading them for a result (`storage`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
import polars as pl
from obstore.exceptions import BaseError

from lakehouse_assets.lake.errors import LandingError
from lakehouse_assets.lake.landing_root import open_store

if TYPE_CHECKING:
    from obstore.store import ObjectStore

LOG = "_delta_log"
HINT = "_last_checkpoint"
COMMIT = re.compile(r"(\d{20})\.json")
CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\b.*\.parquet")
# What Polars raises on bytes that are no Parquet; a panic is no Exception.
UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


def broken_log(uri: str, options: Mapping[str, str]) -> str | None:
    """The first file of a table's log that is missing or cannot be read, and what is wrong; None where all can."""
    try:
        store = open_store(uri if "://" in uri else f"file://{uri}", options if "://" in uri else {})
        names = {meta["path"].rpartition("/")[2] for batch in obstore.list(store, prefix=LOG) for meta in batch}
        for name, fault in _faults_of_log(uri, options, store, names):
            return f"{LOG}/{name} {fault}"
    except (BaseError, LandingError):
        return None  # what kept the table from being opened keeps from looking, too, and has been told
    return None


def _faults_of_log(
    uri: str, options: Mapping[str, str], store: ObjectStore, names: Collection[str]
) -> Iterator[tuple[str, str]]:
    checkpoints = {int(found[1]): name for name in names if (found := CHECKPOINT.fullmatch(name))}
    commits = {int(found[1]) for name in names if (found := COMMIT.fullmatch(name))}
    if HINT in names and not checkpoints:
        yield HINT, "names a checkpoint that is missing"
    for name in checkpoints.values():
        if fault := _fault_of_parquet(f"{uri}/{LOG}/{name}", options):
            yield name, f"cannot be read, {fault}"
    first = max(checkpoints, default=-1) + 1
    for version in range(first, max(commits, default=first) + 1):
        name = f"{version:020}.json"
        if version not in commits:
            yield name, "is missing"
        elif fault := _fault_of_commit(bytes(obstore.get(store, f"{LOG}/{name}").bytes())):
            yield name, fault


def broken_files(uri: str, options: Mapping[str, str], files: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Those of a table's live files that cannot be read to their end, each with what is wrong."""
    for path in files["path"]:
        if fault := _fault_of_parquet(f"{uri}/{path}", options):
            yield path, fault


def emptied_commit(uri: str) -> str | None:
    """A commit of a table in a folder that has no content, as a machine that loses its power may leave it.

    delta-rs takes it for one that changes nothing. A commit before the last checkpoint is not read any more.
    """
    if "://" in uri:
        return None
    paths = sorted(Path(uri, LOG).iterdir(), reverse=True)
    first = next((path.name[:20] for path in paths if CHECKPOINT.fullmatch(path.name)), "")
    commits = (path for path in paths if COMMIT.fullmatch(path.name) and path.name[:20] > first)
    return next((f"{LOG}/{path.name} is empty" for path in commits if not path.stat().st_size), None)


def _fault_of_commit(content: bytes) -> str | None:
    if not content:
        return "is empty"
    try:
        for line in content.decode().splitlines():
            json.loads(line)
    except ValueError as error:
        return f"is no JSON, {str(error).partition(chr(10))[0]}"
    return None


def _fault_of_parquet(uri: str, options: Mapping[str, str]) -> str | None:
    try:
        scan = pl.scan_parquet(uri, hive_partitioning=False, storage_options=dict(options) or None)
        scan.select(pl.all().null_count()).collect(engine="streaming")
    except UNREADABLE as error:
        return str(error).partition("\n")[0]
    return None
