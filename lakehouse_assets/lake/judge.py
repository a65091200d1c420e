"""Judging: which rows break which rules, as expressions that run inside the stream that writes.

Belongs here: bit masks of broken rules, and their names and counts. Not here: what a rule is (`contract`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import add, and_
from typing import Any, NamedTuple

import polars as pl

from lakehouse_assets.lake.contract import Rule, type_of_action
from lakehouse_assets.lake.source import BUSINESS_DATE, OPERATION, Source
from lakehouse_assets.lake.values import code, tidy

BROKEN = "_broken"
FLAGS = "_flags"
WARNED = "_warned"
DELETED = "_deleted"
RAW = "raw:"
DERIVED_RAW_EXCLUDES = (pl.Binary(),)


class Judged(NamedTuple):
    """A frame split by its reject rules; both parts keep the columns they came with."""

    all: pl.LazyFrame
    valid: pl.LazyFrame
    rejected: pl.LazyFrame


def with_raw(bronze: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """Keep the text as it landed beside what the table function makes of it."""
    return bronze.with_columns(pl.col(name).alias(RAW + name) for name in source.text_columns)


def source_rules(rules: Sequence[Rule], source: Source, schema: Mapping[str, pl.DataType]) -> tuple[Rule, ...]:
    """The contract's rules for rows of a source.

    Added are `unparsable` for typed columns and the bounds of event times; of a delete, only key and version count.
    """
    typed = [name for name in source.columns if name in schema and _is_parsed(schema[name])]
    judged: list[Rule] = []
    for name in typed:
        kept = _or_where(pl.col(name).is_not_null(), RAW + name, says=False)
        judged.append(Rule("unparsable", name, "reject", f"{name} does not parse as {schema[name]}", kept))
    for rule in rules:
        if rule.name == "is_null" and rule.column in typed:
            judged.append(rule._replace(kept=_or_where(rule.kept, RAW + rule.column, says=True)))
        else:
            judged.append(rule)
    if source.kind == "event" and source.version is not None:
        return (*judged, *_event_time_rules(source.version))
    identity = {*source.key, source.version}
    deleted = pl.col(DELETED)
    return tuple(r if r.column in identity or r.action == "flag" else r._replace(kept=deleted | r.kept) for r in judged)


def _or_where(kept: pl.Expr, raw: str, *, says: bool) -> pl.Expr:
    """Also kept are rows whose raw text says something, or nothing; the text is cleaned for these rows only."""

    def either(given: Sequence[pl.Series]) -> pl.Series:
        held, texts = given[0].fill_null(value=False), given[1]
        rows = (~held).arg_true()
        if rows.is_empty():
            return held
        found = tidy(texts.gather(rows))
        return held.clone().scatter(rows, found.is_not_null() if says else found.is_null())

    return pl.map_batches([kept, raw], either, return_dtype=pl.Boolean(), is_elementwise=True)


def _is_parsed(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype.is_temporal()


def _event_time_rules(event_time: str) -> tuple[Rule, Rule]:
    undated = pl.col(BUSINESS_DATE).is_null() & pl.col(event_time).is_not_null()
    ahead = pl.col(event_time).dt.date() > pl.col("_ingest_date") + pl.duration(days=1)
    return (
        Rule("before_start", None, "reject", f"{event_time} lies before the first partition", ~undated | ahead),
        Rule(
            "in_future", None, "reject", f"{event_time} lies more than a day after the ingest date", ~undated | ~ahead
        ),
    )


def with_deleted(frame: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """Mark the rows of an entity source that delete their key."""
    is_delete = (code(OPERATION) == "delete").fill_null(value=False) if source.kind == "entity" else pl.lit(value=False)
    return frame.with_columns(is_delete.alias(DELETED))


def may_delete() -> pl.Expr:
    """Whether a row of bronze may be a delete: cheap to ask of many rows, most of which are none."""
    return pl.col(OPERATION).str.contains(r"(?i)delete|[^\x00-\x7f]")


def mask(rules: Iterable[Rule], action: type_of_action) -> pl.Expr:
    """Bit i is set where the i-th rule of the action is broken."""
    kept = [rule.kept.fill_null(value=True) for rule in rules_with(rules, action)]
    if not kept:
        return pl.lit(0, pl.UInt64)
    return pl.map_batches(kept, _masks, return_dtype=pl.UInt64(), is_elementwise=True)


def _masks(given: Sequence[pl.Series]) -> pl.Series:
    """Bits of broken rules: few rows break any, and only of these it is asked which."""
    size = next((len(one) for one in given if len(one) != 1), 1)  # a constant has length 1, whatever beside it
    kept = [one.new_from_index(0, size) if len(one) != size else one for one in given]
    broken = (~reduce(and_, kept)).arg_true()
    masks = pl.repeat(0, size, dtype=pl.UInt64, eager=True)
    if broken.is_empty():
        return masks
    bits = (one.gather(broken).not_().cast(pl.UInt64) * 2**bit for bit, one in enumerate(kept))
    return masks.scatter(broken, reduce(add, bits))


def rules_with(rules: Iterable[Rule], action: type_of_action) -> list[Rule]:
    """The rules of an action, in the order of their bits."""
    return [rule for rule in rules if rule.action == action]


def judge(frame: pl.LazyFrame, rules: Sequence[Rule]) -> Judged:
    """Split a frame by its rules, in the stream: nothing is computed here."""
    annotated = frame.with_columns(
        mask(rules, "reject").alias(BROKEN), mask(rules, "flag").alias(FLAGS), mask(rules, "warn").alias(WARNED)
    ).cache()
    return Judged(annotated, annotated.filter(pl.col(BROKEN) == 0), annotated.filter(pl.col(BROKEN) != 0))


def names_of(column: str, names: Sequence[str]) -> pl.Expr:
    """The sorted names of the bits set in a mask column, as List(String)."""

    def look_up(masks: pl.Series) -> pl.Series:
        distinct = masks.unique().sort()
        lists = [sorted({names[b] for b in range(len(names)) if m >> b & 1}) for m in distinct.to_list()]
        found = pl.Series(masks.name, lists, dtype=pl.List(pl.String))
        return found.gather(distinct.search_sorted(masks)) if len(masks) else found

    return pl.col(column).map_batches(look_up, return_dtype=pl.List(pl.String), is_elementwise=True)


def mask_of(column: str, names: Sequence[str]) -> pl.Expr:
    """The mask whose bits are the names in a List(String) column: the inverse of `names_of`."""
    bits = [
        pl.when(pl.col(column).list.contains(name)).then(pl.lit(1 << bit, pl.UInt64)).otherwise(pl.lit(0, pl.UInt64))
        for bit, name in enumerate(names)
    ]
    return pl.sum_horizontal(bits) if bits else pl.lit(0, pl.UInt64)


def quarantined(
    rejected: pl.LazyFrame, rules: Sequence[Rule], source: Source | None, run: Mapping[str, Any]
) -> pl.LazyFrame:
    """Rejected rows as they go to the quarantine table; `run` gives run_id and quarantined_at."""
    reject = rules_with(rules, "reject")
    if source is not None:
        raw = [pl.col(RAW + name).alias(name) for name in source.text_columns] + [pl.col("_extra")]
        trace = [pl.col(name) for name in ("_source_file", "_row_number", "_file_sha256")]
    else:
        schema = rejected.collect_schema()
        hidden = {"tenant_id", "date", BROKEN, FLAGS, WARNED}
        raw = [pl.col(n) for n, t in schema.items() if n not in hidden and t not in DERIVED_RAW_EXCLUDES]
        nothing: dict[str, pl.DataType] = {
            "_source_file": pl.String(),
            "_row_number": pl.Int64(),
            "_file_sha256": pl.String(),
        }
        trace = [pl.lit(None, dtype).alias(name) for name, dtype in nothing.items()]
    return rejected.select(
        "tenant_id",
        "date",
        names_of(BROKEN, [rule.name for rule in reject]).alias("rules"),
        names_of(BROKEN, [f"{rule.column}: {rule.name}" if rule.column else rule.name for rule in reject]).alias(
            "reasons"
        ),
        pl.struct(raw).struct.json_encode().alias("raw"),
        *trace,
        *(pl.lit(value).alias(name) for name, value in run.items()),
    )


QUARANTINE_SCHEMA: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "date": pl.Date(),
    "rules": pl.List(pl.String()),
    "reasons": pl.List(pl.String()),
    "raw": pl.String(),
    "_source_file": pl.String(),
    "_row_number": pl.Int64(),
    "_file_sha256": pl.String(),
    "run_id": pl.String(),
    "quarantined_at": pl.Datetime("us", "UTC"),
}


def rule_counts(masks: Iterable[tuple[int, int]], rules: Sequence[Rule]) -> dict[str, int]:
    """Rows per rule id from (mask, rows) pairs."""
    counts = dict.fromkeys((rule.id for rule in rules), 0)
    for bits, rows in masks:
        for bit, rule in enumerate(rules):
            if bits >> bit & 1:
                counts[rule.id] += rows
    return counts
