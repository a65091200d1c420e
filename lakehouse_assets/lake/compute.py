"""From inputs to judged rows: the lazy plan of one chunk of a silver, gold or platinum table.

Belongs here: scanning the inputs of a window, calling the table function, judging, settling. Nothing runs here:
the plan is computed in one pass by `runner`, which also writes it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

import polars as pl

from lakehouse_assets.lake.contract import Rule
from lakehouse_assets.lake.errors import ComputationError
from lakehouse_assets.lake.fingerprints import Fingerprints
from lakehouse_assets.lake.judge import (
    DELETED,
    FLAGS,
    Judged,
    judge,
    mask_of,
    names_of,
    rules_with,
    with_deleted,
    with_raw,
)
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import Entry
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Window
from lakehouse_assets.lake.settle import settle_entities, settle_events
from lakehouse_assets.lake.source import BUSINESS_DATE, Source
from lakehouse_assets.lake.storage import PARTITION_SCHEMA
from lakehouse_assets.lake.table import Table, type_of_function


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The lazy frames of a chunk: `judged` rows, and the `final` ones with their `_flags` still a mask.

    `expected` gives the rows that must be judged per date as the register knows them, None where no one counts.
    """

    judged: Judged
    final: pl.LazyFrame
    rules: tuple[Rule, ...]
    expected: Mapping[date, int] | None = None
    flag_names: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True)
class Chunk:
    """What a plan is made for: a table, a tenant, consecutive dates, and what is known of its inputs."""

    house: Lakehouse
    table: Table
    window: Window
    register: pl.DataFrame
    entries: Mapping[tuple[TableName, str], Mapping[date, Entry]]
    fingerprints: Fingerprints

    @property
    def dates(self) -> list[date]:
        return self.window.dates()

    def scan(self, name: TableName, dates: Sequence[date]) -> pl.LazyFrame:
        schema = self.house.table(name).schema
        return self.house.lake.scan(name, schema, tenants=[self.window.tenant_id], dates=dates)

    def built(self, name: TableName) -> Mapping[date, Entry]:
        return self.entries.get((name, self.window.tenant_id), {})


def plan_chunk(chunk: Chunk) -> Plan:
    """The plan of a chunk of a table that is computed from tables."""
    source = chunk.table.source
    if source is None:
        return _derived(chunk)
    return _events(chunk, source) if source.kind == "event" else _entities(chunk, source)


def _typed(chunk: Chunk, source: Source, bronze: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows through the table function, the text as it landed kept beside."""
    function = cast("type_of_function", chunk.table.function)
    prepared = with_deleted(with_raw(bronze, source), source)
    prepared = prepared.with_columns(pl.col("date").alias("_ingest_date"))
    if source.kind == "event":
        prepared = prepared.with_columns(pl.coalesce(BUSINESS_DATE, "date").alias("date"))
    return function(prepared)


def _bronze_name(chunk: Chunk) -> TableName:
    return next(iter(chunk.table.inputs.values())).table


def _events(chunk: Chunk, source: Source) -> Plan:
    bronze, dates = _bronze_name(chunk), chunk.dates
    exploded = chunk.register.select("date", pl.col("business_dates"), pl.col("business_rows"))
    counted = (
        exploded.explode("business_dates", "business_rows", empty_as_null=False)
        .with_columns(pl.coalesce("business_dates", "date").alias("of"))
        .filter(pl.col("of").is_in(dates))
    )
    expected = dict(counted.group_by("of").agg(pl.col("business_rows").sum()).iter_rows())
    rows = chunk.scan(bronze, sorted(set(counted["date"].to_list())))
    rows = rows.filter(pl.coalesce(BUSINESS_DATE, "date").is_between(dates[0], dates[-1]))
    rules = chunk.table.judged_rules
    judged = judge(_typed(chunk, source, rows), rules)
    settled = settle_events(judged.valid, chunk.table.key, chunk.table.duplicates)
    return _finished(chunk, judged, settled, rules, expected)


def _entities(chunk: Chunk, source: Source) -> Plan:
    bronze, window = _bronze_name(chunk), chunk.window
    landed = chunk.register.group_by("date").agg(pl.col("rows").sum(), pl.col("deletes").sum())
    rows_of = {day: (rows, deletes) for day, rows, deletes in landed.iter_rows()}
    snapshot = _latest_snapshot(chunk)
    rules = chunk.table.judged_rules
    since = sorted(d for d in rows_of if (snapshot is None or d > snapshot) and d <= window.last)
    judged = judge(_typed(chunk, source, chunk.scan(bronze, since)), rules)
    flags = _flag_names(chunk, rules)
    base = deletes = None
    if snapshot is not None:
        base = chunk.scan(chunk.table.name, [snapshot]).with_columns(mask_of("quality_flags", flags[0]).alias(FLAGS))
        base = base.drop("date", "quality_flags")
        earlier = sorted(d for d, (_, deleted) in rows_of.items() if deleted and d <= snapshot)
        if earlier:
            deletes = judge(_typed(chunk, source, chunk.scan(bronze, earlier)), rules).valid.filter(pl.col(DELETED))
    states = ["tenant_id", *chunk.table.schema, FLAGS, DELETED]
    hidden = {"quality_flags"}
    kept = [name for name in states if name not in hidden]
    settled = settle_entities(
        judged.valid.select(kept),
        None if base is None else base.select(name for name in kept if name != DELETED),
        None if deletes is None else deletes.select(kept),
        key=chunk.table.key,
        version=source.version,
        content=[c.name for c in chunk.table.columns if not c.name.startswith("_") and c.name not in hidden],
        first=window.first,
        last=window.last,
    )
    inside = pl.col("date") >= window.first
    counted = Judged(judged.all.filter(inside), judged.valid.filter(inside), judged.rejected.filter(inside))
    expected = {day: rows for day, (rows, _) in rows_of.items() if window.first <= day <= window.last}
    return _finished(chunk, counted, settled, rules, expected)


def _latest_snapshot(chunk: Chunk) -> date | None:
    """The newest date before the chunk whose state the ledger vouches for: built by this code from this bronze."""
    entries = chunk.built(chunk.table.name)
    for day in sorted((d for d in entries if d < chunk.window.first), reverse=True):
        entry = entries[day]
        if entry.is_dropped or entry.code_version != chunk.table.code_version:
            continue
        if entry.input_fingerprint == chunk.fingerprints.of(chunk.table, day).hex():
            return day
    return None


def _flag_names(chunk: Chunk, rules: Sequence[Rule]) -> tuple[list[str], list[str]]:
    return [rule.name for rule in rules_with(rules, "flag")], list(chunk.table.references)


def _finished(
    chunk: Chunk, judged: Judged, settled: pl.LazyFrame, rules: tuple[Rule, ...], expected: Mapping[date, int]
) -> Plan:
    """Add the references' flags, which depend on the date and so come after settling."""
    flags, references = _flag_names(chunk, rules)
    for bit, (name, reference) in enumerate(chunk.table.references.items(), start=len(flags)):
        other = TableName.of_parameter(chunk.table.name.domain, reference.table)
        known = (
            chunk.scan(other, chunk.dates).select("date", reference.column).unique().with_columns(pl.lit(1).alias(name))
        )
        settled = settled.join(known, on=["date", reference.column], how="left")
        missing = pl.col(name).is_null() & pl.col(reference.column).is_not_null()
        added = pl.when(missing).then(pl.lit(1 << bit, pl.UInt64)).otherwise(pl.lit(0, pl.UInt64))
        settled = settled.with_columns((pl.col(FLAGS) | added).alias(FLAGS)).drop(name)
    names = [*flags, *references]
    final = settled.with_columns(names_of(FLAGS, names).alias("quality_flags"))
    return Plan(judged=judged, final=_conform(chunk, final), rules=rules, expected=expected, flag_names=names)


def _derived(chunk: Chunk) -> Plan:
    table, window, house = chunk.table, chunk.window, chunk.house
    function = cast("type_of_function", table.function)
    arguments: dict[str, Any] = {}
    for parameter, given in table.inputs.items():
        arguments[parameter] = chunk.scan(given.table, given.window.union(window.first, window.last, house.start))
    if "window" in inspect.signature(function).parameters:
        arguments["window"] = window
    frame = function(**arguments).with_columns(pl.lit(window.tenant_id).alias("tenant_id"))
    rules = table.judged_rules
    judged = judge(frame, rules)
    return Plan(judged=judged, final=_conform(chunk, judged.valid), rules=rules)


def carried_forward(chunk: Chunk, day: date) -> date | None:
    """A date of the same tenant that was built from the same inputs by the same code."""
    wanted = chunk.fingerprints.of(chunk.table, day).hex()
    for built, entry in chunk.built(chunk.table.name).items():
        if built != day and entry == Entry(wanted, chunk.table.code_version):
            return built
    return None


def _conform(chunk: Chunk, frame: pl.LazyFrame) -> pl.LazyFrame:
    """The contract's columns in its order; raises ComputationError where the function made others."""
    schema = frame.collect_schema()
    wanted = {**chunk.table.schema, **PARTITION_SCHEMA}
    for name, dtype in wanted.items():
        if name not in schema:
            raise ComputationError(f"{chunk.table.name}: the function gives no column '{name}'")
        if schema[name] != dtype:
            raise ComputationError(f"{chunk.table.name}.{name} is {schema[name]}, the contract says {dtype}")
    helpers = [name for name in (FLAGS,) if name in schema]
    return frame.select([*wanted, *helpers])
