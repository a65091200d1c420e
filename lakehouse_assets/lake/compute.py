"""From inputs to judged rows: the lazy plan of one chunk of a silver, gold or platinum table.

Belongs here: scanning the inputs of a window, calling the table function, judging, settling. Nothing is written here:
`runner` computes the plan.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, cast

import polars as pl

from lakehouse_assets.lake.errors import ComputationError
from lakehouse_assets.lake.judge import (
    BROKEN,
    DELETED,
    FLAGS,
    WARNED,
    Judged,
    judge,
    mask_of,
    may_delete,
    with_deleted,
    with_raw,
)
from lakehouse_assets.lake.ledger import Entry
from lakehouse_assets.lake.live_files import PARTITION_SCHEMA
from lakehouse_assets.lake.settle import settle_entities, settle_events
from lakehouse_assets.lake.source import BUSINESS_DATE, Source
from lakehouse_assets.lake.standing import complete, flag_names, row_flags
from lakehouse_assets.lake.step import Chunk, Plan
from lakehouse_assets.lake.table import EARLIER, WINDOW, Table, type_of_function


def plan_chunk(chunk: Chunk) -> Plan:
    """The plan of a chunk of a table that is computed from tables."""
    source = chunk.table.source
    if source is None:
        carried = carried_forward(chunk)
        return _derived(chunk) if carried is None else _copied(chunk, carried)
    return _events(chunk, source) if source.kind == "event" else _entities(chunk, source)


def _typed(chunk: Chunk, source: Source, bronze: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows through the table function, the text as it landed kept beside."""
    function = cast("type_of_function", chunk.table.function)
    prepared = with_deleted(with_raw(bronze, source), source)
    prepared = prepared.with_columns(pl.col("date").alias("_ingest_date"))
    if source.kind == "event":
        prepared = prepared.with_columns(pl.coalesce(BUSINESS_DATE, "date").alias("date"))
    # What judging, settling and the quarantine read beside the contract's columns.
    kept = {name: dtype for name, dtype in prepared.collect_schema().items() if name not in source.columns}
    added = {"quality_flags", *chunk.table.lookups}
    promised = {name: dtype for name, dtype in chunk.table.schema.items() if name not in added}
    return _checked(chunk.table, function(prepared), {**promised, **kept})


def _checked(table: Table, given: object, promised: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """What a table function returned, if it is a lazy frame of the promised columns; else raises ComputationError."""
    if not isinstance(given, pl.LazyFrame):
        raise ComputationError(f"{table.name}: the function returns a {type(given).__name__}, not a LazyFrame")
    try:
        schema = given.collect_schema()
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        raise ComputationError(f"{table.name}: the function cannot run: {reason}") from error
    for name, dtype in promised.items():
        if name not in schema:
            raise ComputationError(
                f"{table.name}: the function gives no column '{name}': it gives {', '.join(schema) or 'none'}"
            )
        if schema[name] != dtype:
            raise ComputationError(f"{table.name}.{name} is {schema[name]}, the contract says {dtype}")
    if lacking := [name for name in table.judged_columns if name not in schema and name not in PARTITION_SCHEMA]:
        rule = table.judged_columns[lacking[0]]
        raise ComputationError(f"{table.name}: the function gives no column '{lacking[0]}', which rule {rule} reads")
    return given


def _events(chunk: Chunk, source: Source) -> Plan:
    dates = chunk.dates
    exploded = chunk.register.select("date", pl.col("business_dates"), pl.col("business_rows"))
    counted = (
        exploded.explode("business_dates", "business_rows", empty_as_null=False)
        .with_columns(pl.coalesce("business_dates", "date").alias("of"))
        .filter(pl.col("of").is_in(dates))
    )
    expected = dict(counted.group_by("of").agg(pl.col("business_rows").sum()).iter_rows())
    inside = pl.coalesce(BUSINESS_DATE, "date").is_between(dates[0], dates[-1])
    landed = sorted(set(counted["date"].to_list()))
    chunk.require(chunk.bronze_name, landed)
    rows = chunk.landed(landed, inside)
    table, rules = chunk.table, chunk.table.judged_rules
    judged = judge(_typed(chunk, source, rows), rules)

    def finish(valid: pl.LazyFrame) -> pl.LazyFrame:
        return _completed(chunk, settle_events(valid, table.key, table.duplicates))

    return _settled(chunk, judged, finish, expected)


def _entities(chunk: Chunk, source: Source) -> Plan:
    window = chunk.window
    landed = chunk.register.group_by("date").agg(pl.col("rows").sum(), pl.col("deletes").sum())
    rows_of = {day: (rows, deletes) for day, rows, deletes in landed.iter_rows()}
    snapshot = _latest_snapshot(chunk)
    table, rules = chunk.table, chunk.table.judged_rules
    since = sorted(d for d in rows_of if (snapshot is None or d > snapshot) and d <= window.last)
    chunk.require(chunk.bronze_name, since)
    judged = judge(_typed(chunk, source, chunk.landed(since)), rules)
    kept = _kept(chunk)
    base = deletes = None
    if snapshot is not None:
        flags = mask_of("quality_flags", row_flags(chunk.table)).alias(FLAGS)
        base = chunk.scan(table.name, [snapshot]).with_columns(flags).select(name for name in kept if name != DELETED)
        earlier = sorted(d for d, (_, deleted) in rows_of.items() if deleted and d <= snapshot)
        if earlier:
            again = judge(_typed(chunk, source, chunk.landed(earlier, may_delete())), rules).valid
            deletes = again.filter(pl.col(DELETED)).select(kept)

    def finish(valid: pl.LazyFrame) -> pl.LazyFrame:
        states = settle_entities(
            valid,
            base,
            deletes,
            key=table.key,
            version=source.version,
            content=[c.name for c in table.columns if not c.name.startswith("_") and c.name != "quality_flags"],
            first=window.first,
            last=window.last,
        )
        return _completed(chunk, states)

    inside = pl.col("date") >= window.first
    # Replayed rows change the state; they were counted on their own dates.
    counted = Judged(judged.all.filter(inside), judged.valid, judged.rejected.filter(inside))
    expected = {day: rows for day, (rows, _) in rows_of.items() if window.first <= day <= window.last}
    return _settled(chunk, counted, finish, expected)


def _kept(chunk: Chunk) -> list[str]:
    """The columns of valid rows that settling and the table need."""
    date_column = ["date"] if chunk.table.kind == "event" else []
    found = ["tenant_id", *date_column, *chunk.table.schema, FLAGS, DELETED]
    added = {"quality_flags", *chunk.table.lookups}
    return [name for name in dict.fromkeys(found) if name not in added]


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


def _completed(chunk: Chunk, settled: pl.LazyFrame) -> pl.LazyFrame:
    """The rows that stand with what other tables and other rows of their date say of them."""
    return _conform(chunk, complete(chunk.table, settled, lambda name: chunk.scan(name, chunk.dates)))


def _settled(
    chunk: Chunk, judged: Judged, finish: Callable[[pl.LazyFrame], pl.LazyFrame], expected: Mapping[date, int]
) -> Plan:
    return Plan(
        judged=judged,
        finish=finish,
        rules=chunk.table.judged_rules,
        settled=True,
        kept=_kept(chunk),
        expected=expected,
        flag_names=flag_names(chunk.table),
    )


def _derived(chunk: Chunk) -> Plan:
    table, window, house = chunk.table, chunk.window, chunk.house
    function = cast("type_of_function", table.function)
    arguments: dict[str, Any] = {}
    for parameter, given in table.inputs.items():
        arguments[parameter] = chunk.scan(given.table, given.window.union(window.first, window.last, house.start))
    parameters = inspect.signature(function).parameters
    if WINDOW in parameters:
        arguments[WINDOW] = window
    if EARLIER in parameters:
        arguments[EARLIER] = _earlier(chunk)
    frame = _checked(table, function(**arguments), {**table.schema, "date": pl.Date()})
    frame = frame.with_columns(pl.lit(window.tenant_id).alias("tenant_id"))
    rules = table.judged_rules
    return Plan(judged=judge(frame, rules), finish=partial(_conform, chunk), rules=rules)


def _earlier(chunk: Chunk) -> pl.LazyFrame:
    """The table's own rows on the newest date before the chunk that this code built."""
    code = chunk.table.code_version
    built = chunk.built(chunk.table.name).items()
    known = [
        day for day, entry in built if day < chunk.window.first and entry.code_version == code and not entry.is_dropped
    ]
    return chunk.scan(chunk.table.name, [max(known)] if known else [])


def _copied(chunk: Chunk, sources: Sequence[date]) -> Plan:
    """Each date as its source among the dates that were built before from the same inputs."""
    parts = [
        chunk.scan(chunk.table.name, [source]).with_columns(pl.lit(day).alias("date"))
        for source, day in zip(sources, chunk.dates, strict=True)
    ]
    nothing = pl.lit(0, pl.UInt64)
    judged = pl.concat(parts).with_columns(nothing.alias(BROKEN), nothing.alias(FLAGS), nothing.alias(WARNED))
    empty = judged.filter(pl.lit(value=False))
    return Plan(judged=Judged(judged, judged, empty), finish=partial(_conform, chunk), rules=chunk.table.judged_rules)


def raised(chunk: Chunk, dates: Sequence[date]) -> dict[str, list[dict[str, Any]]]:
    """What the table's alerts say of dates that have been written: for each the dates that break it, with figures."""
    found = {}
    for name, alert in chunk.table.alerts_by_name.items():
        arguments: dict[str, Any] = {}
        for parameter in inspect.signature(alert).parameters:
            given = chunk.table.inputs.get(parameter)
            read = given.window.union(min(dates), max(dates), chunk.house.start) if given and dates else dates
            arguments[parameter] = chunk.scan(given.table if given else chunk.table.name, read)
        broken = alert(**arguments).filter(pl.col("date").is_in(dates)).sort("date")
        found[name] = broken.collect(engine="streaming").to_dicts()
    return found


def carried_forward(chunk: Chunk) -> list[date] | None:
    """For each date of the chunk one outside it that was built from the same inputs by the same code; None where any
    has none.

    A date that is up to date has none: whoever asks for it wants it computed. Nor is a date taken whose rows were set
    aside in part: they would be set aside for it only.
    """
    if not chunk.table.carries_forward:
        return None
    built, code = chunk.built(chunk.table.name), chunk.table.code_version
    set_aside = chunk.house.lake.files(chunk.table.name.quarantine, tenant_id=[chunk.window.tenant_id])["date"]
    unusable = {*chunk.dates, *set_aside}
    source_of = {entry: day for day, entry in built.items() if day not in unusable}
    wanted = {day: Entry(chunk.fingerprints.of(chunk.table, day).hex(), code) for day in chunk.dates}
    found = [None if built.get(day) == entry else source_of.get(entry) for day, entry in wanted.items()]
    sources = [day for day in found if day is not None]
    return sources if len(sources) == len(found) else None


def _conform(chunk: Chunk, frame: pl.LazyFrame) -> pl.LazyFrame:
    """The contract's columns in its order, and the flags."""
    return frame.select([*chunk.table.schema, *PARTITION_SCHEMA, FLAGS])
