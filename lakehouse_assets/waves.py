"""Waves: the runs of a plan that can start together, because none of them reads what another one builds.

Belongs here: which runs those are, and how a run is asked for. Not here: when a wave starts, and what is done about
runs that failed (`automation`, `nights`).

The daemon's queue does not order runs, so what reads a wave is asked for when the wave has ended.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import blake2b

import dagster as dg

from lakehouse_assets.backfill import run_tags
from lakehouse_assets.house import tables
from lakehouse_assets.lake.keys import asset_key
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition, Rectangle
from lakehouse_assets.lake.plan import BuildPlan, Group

# A tick has a minute. Larger news is landed in bronze first, and the next tick knows its dates from there.
MOST_BYTES_TO_SURVEY = 64 * 2**20
UNFINISHED_RUNS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def first_groups(build: Mapping[TableName, Collection[Partition]]) -> Iterator[Group]:
    """The groups of a plan that read nothing that another group builds."""
    waiting: set[TableName] = set()
    for group in BuildPlan(build={name: set(found) for name, found in build.items()}).groups():
        reads = {upstream for name in group.tables for upstream in tables()[name].reads} - set(group.tables)
        waiting.update(group.tables)
        if not reads & waiting:
            yield group


def run_request(
    names: Sequence[TableName], rectangle: Rectangle, origin: str, salt: str, tags: Mapping[str, str] | None = None
) -> dg.RunRequest:
    """A run of these tables over a rectangle; its key names them and the salt, so that the same is started once."""
    tagged = run_tags(rectangle, origin) | dict(tags or {})
    asked = json.dumps([[str(name) for name in names], sorted(tagged.items()), salt])
    key = f"{origin}-{rectangle.first}-{rectangle.last}-{blake2b(asked.encode(), digest_size=8).hexdigest()}"
    return dg.RunRequest(run_key=key, tags=tagged, asset_selection=[asset_key(name) for name in names])


def assets_of(*layers: str) -> dg.AssetSelection:
    """The tables of these layers, all where none is named, as assets."""
    return dg.AssetSelection.assets(*(asset_key(name) for name in tables() if not layers or name.layer in layers))
