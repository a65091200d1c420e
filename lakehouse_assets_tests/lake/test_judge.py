"""Judging: every row knows all rules that it breaks, and the counts are those of pandera itself."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.house import tables
from lakehouse_assets.lake.contract import Rule, type_of_action
from lakehouse_assets.lake.judge import (
    BROKEN,
    DELETED,
    FLAGS,
    QUARANTINE_SCHEMA,
    WARNED,
    judge,
    mask,
    mask_of,
    names_of,
    quarantined,
    rule_counts,
    rules_with,
    source_rules,
    with_deleted,
    with_raw,
)
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.source import BUSINESS_DATE, Source
from lakehouse_assets.lake.table import Table
from lakehouse_assets.lake.values import timestamp
from lakehouse_assets_tests.lake.toy import GAUGES, READINGS, S_GAUGES, S_READINGS, TABLES, day, gauge, reading

RUN = {"run_id": "run", "quarantined_at": datetime(2025, 1, 9, tzinfo=UTC)}
SOURCED = [name for name, found in tables().items() if found.source is not None and found.contract is not None]


def rule(name: str, kept: pl.Expr, action: type_of_action = "reject") -> Rule:
    return Rule(name, None, action, name, kept)


def bronze(source: Source, rows: Sequence[dict[str, object]]) -> pl.LazyFrame:
    """Records as bronze holds them, landed on the third day."""
    on = day(3)
    records = [
        {name: None if row.get(name) is None else str(row[name]) for name in source.text_columns} for row in rows
    ]
    frame = pl.DataFrame(records, schema=dict.fromkeys(source.text_columns, pl.String())).with_columns(
        pl.lit("file.csv").alias("_source_file"),
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("_row_number"),
        pl.lit("sha").alias("_file_sha256"),
        pl.lit(None, pl.String).alias("_extra"),
        pl.lit("acme").alias("tenant_id"),
        pl.lit(on).alias("date"),
        pl.lit(on).alias("_ingest_date"),
    )
    if source.kind == "event":
        moment = timestamp(str(source.version)).dt.date()
        inside = moment.is_between(day(1), on + timedelta(days=1))
        frame = frame.with_columns(pl.when(inside).then(moment).alias(BUSINESS_DATE))
    return frame.lazy()


def typed(found: Table, rows: Sequence[dict[str, object]]) -> pl.LazyFrame:
    """Records through a table's function."""
    assert found.source is not None
    assert found.function is not None
    return found.function(with_deleted(with_raw(bronze(found.source, rows), found.source), found.source))


def verdicts(found: Table, rows: Sequence[dict[str, object]]) -> list[list[str]]:
    """The ids of the reject rules that each record breaks."""
    ids = [one.id for one in rules_with(found.judged_rules, "reject")]
    judged = judge(typed(found, rows), found.judged_rules).all.select(names_of(BROKEN, ids)).collect()
    return [list(names) for names in judged[BROKEN]]


@given(st.lists(st.tuples(st.booleans(), st.none() | st.booleans(), st.booleans()), max_size=8))
def test_a_mask_has_the_bit_of_every_broken_rule_and_null_is_kept(rows: list[tuple[bool, bool | None, bool]]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.Boolean, "b": pl.Boolean, "c": pl.Boolean}, orient="row")
    rules = [rule("a", pl.col("a")), rule("c", pl.col("c"), "flag"), rule("b", pl.col("b"))]
    found = frame.select(mask(rules, "reject").alias("reject"), mask(rules, "flag").alias("flag"))
    assert found["reject"].to_list() == [(a is False) * 1 + (b is False) * 2 for a, b, _ in rows]
    assert found["flag"].to_list() == [(c is False) * 1 for _, _, c in rows]


@given(st.lists(st.integers(0, 2**7 - 1), max_size=12), st.permutations("abcdefg"))
def test_names_and_masks_are_each_others_inverse(masks: list[int], names: list[str]) -> None:
    frame = pl.DataFrame({"bits": pl.Series(masks, dtype=pl.UInt64)})
    told = frame.select("bits", names_of("bits", names).alias("names"))
    assert told["names"].to_list() == [sorted(n for i, n in enumerate(names) if bits >> i & 1) for bits in masks]
    assert told.select(mask_of("names", names)).to_series().to_list() == masks


def test_rules_of_the_same_name_are_told_once() -> None:
    frame = pl.DataFrame({"bits": pl.Series([3], dtype=pl.UInt64)})
    assert frame.select(names_of("bits", ["unparsable", "unparsable"])).item().to_list() == ["unparsable"]


def test_sixty_four_rules_fit_into_a_mask() -> None:
    rules = [rule(f"r{number}", pl.col("a") != number) for number in range(64)]
    frame = pl.LazyFrame({"a": [0, 63, 64]})
    found = judge(frame, rules)
    assert found.all.collect()[BROKEN].to_list() == [1, 1 << 63, 0]
    assert found.valid.collect()["a"].to_list() == [64]


def test_no_rules_reject_nothing() -> None:
    found = judge(pl.LazyFrame({"a": [1]}), [])
    assert found.valid.collect().height == 1
    assert found.rejected.collect().height == 0


@given(st.lists(st.integers(-3, 3) | st.none(), max_size=20))
def test_valid_and_rejected_rows_are_all_rows(values: list[int | None]) -> None:
    rules = [rule("positive", pl.col("a") > 0), rule("odd", pl.col("a") % 2 == 1, "flag")]
    found = judge(pl.LazyFrame({"a": pl.Series(values, dtype=pl.Int64)}), rules)
    valid, rejected = found.valid.collect(), found.rejected.collect()
    assert valid["a"].to_list() == [value for value in values if value is None or value > 0]
    assert rejected["a"].to_list() == [value for value in values if value is not None and value <= 0]


@pytest.mark.parametrize("values", [[], [1], [1, -1, None]], ids=str)
@pytest.mark.parametrize("is_kept", [True, False])
@pytest.mark.parametrize("beside", [[rule("positive", pl.col("a") > 0)], []], ids=["beside a column", "alone"])
def test_a_rule_may_say_the_same_of_every_row(values: list[int | None], is_kept: bool, beside: list[Rule]) -> None:
    frame = pl.LazyFrame({"a": values}, schema={"a": pl.Int64})
    found = judge(frame, [rule("constant", pl.lit(value=is_kept)), *beside])
    kept = [value for value in values if is_kept and not (beside and value == -1)]
    assert found.valid.collect()["a"].to_list() == kept
    assert found.valid.collect(engine="streaming")["a"].to_list() == kept
    assert found.rejected.collect().height == len(values) - len(kept)


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 5))))
def test_counts_add_up_over_masks(masks: list[tuple[int, int]]) -> None:
    rules = [rule(name, pl.lit(value=True)) for name in "abc"]
    expected = {name: sum(rows for bits, rows in masks if bits >> bit & 1) for bit, name in enumerate("abc")}
    assert rule_counts(masks, rules) == expected


# The contracts of sources, judged by us and by pandera.

COLUMNS: dict[str, type_of_action] = {BROKEN: "reject", FLAGS: "flag", WARNED: "warn"}
PANDERA_NAMES = {"not_nullable": "is_null", "greater_than_or_equal_to": "is_negative", "isin": "not_allowed"}
VALUES: dict[type[pl.DataType], list[Any]] = {
    pl.String: [None, "closed_won", "unknown", "email", "odd", "x@y.org", ""],
    pl.Float64: [None, -1.5, 0.0, 12.0],
    pl.Decimal: [None, Decimal("-1.50"), Decimal(0), Decimal(12)],
    pl.Int64: [None, -1, 0, 7],
    pl.Boolean: [None, False, True],
    pl.Date: [None, date(2025, 1, 1), date(2025, 2, 1)],
    pl.Datetime: [None, datetime(2025, 1, 1, tzinfo=UTC)],
}


def dirty(found: Table) -> pl.DataFrame:
    """A frame in which every column holds every kind of value, at random."""
    assert found.source is not None
    dice = random.Random(found.name.table)
    columns = [column for column in found.columns if not column.name.startswith(("_", "quality"))]
    data: dict[str, pl.Series] = {}
    for column in columns:
        values = VALUES[type(column.dtype)]
        data[column.name] = pl.Series([dice.choice(values) for _ in range(400)], dtype=column.dtype)
    for name in found.source.text_columns:
        data[f"raw:{name}"] = pl.Series([dice.choice(["", "odd", "new", "+1 212 555 0100"]) for _ in range(400)])
    return pl.DataFrame(data)


def counted_by_pandera(found: Table, frame: pl.DataFrame) -> dict[str, int]:
    """Rows that break each check, by pandera's own validation of an eager frame."""
    assert found.contract is not None
    schema = copy.deepcopy(found.contract.to_schema())
    for check in schema.checks:
        check.raise_warning = False  # or flags are told as warnings only
    with pytest.raises(pa.errors.SchemaErrors) as caught:
        schema.validate(frame, lazy=True)
    counts: dict[str, int] = {}
    for context, column, check in caught.value.failure_cases.select("schema_context", "column", "check").iter_rows():
        name = PANDERA_NAMES.get(str(check).split("(")[0], check)
        rule_id = name if context == "DataFrameSchema" else f"{column}_{name}"
        counts[rule_id] = counts.get(rule_id, 0) + 1
    return counts


@pytest.mark.parametrize("name", SOURCED, ids=str)
def test_every_count_is_that_of_pandera_on_dirty_rows(name: TableName) -> None:
    found = tables()[name]
    frame = dirty(found)
    judged = judge(frame.lazy(), found.rules).all.collect()
    ours: dict[str, int] = {}
    for column, action in COLUMNS.items():
        masks = judged.group_by(column).len()
        ours |= rule_counts(masks.iter_rows(), rules_with(found.rules, action))
    assert ours == counted_by_pandera(found, frame)
    assert all(ours.values()), "every rule is broken somewhere"


# Rules that come with a source.


@pytest.mark.parametrize(
    ("record", "broken"),
    [
        pytest.param(reading(1, day(2)), [], id="a clean record"),
        pytest.param(reading(1, day(2), level="deep"), ["level_unparsable"], id="a text for a number"),
        pytest.param(reading(1, day(2), level="1e309"), ["level_unparsable"], id="a number without end"),
        pytest.param(reading(1, day(2), level="n/a"), [], id="a word for nothing is null"),
        pytest.param(reading(1, day(2), level=-11), ["below_the_bed"], id="a rule"),
        pytest.param(
            reading(1, day(2), level=101, mood="sad"), ["level_above_maximum", "mood_not_allowed"], id="two rules"
        ),
        pytest.param(reading(1, "soon"), ["read_at_unparsable"], id="a time that does not parse is not also missing"),
        pytest.param(reading(1, ""), ["read_at_is_null"], id="a missing time is not also unparsable"),
        pytest.param(reading(1, date(2020, 1, 1)), ["before_start"], id="before the first partition"),
        pytest.param(reading(1, day(4)), [], id="a clock that is ahead by a day"),
        pytest.param(reading(1, day(5)), ["in_future"], id="two days after the ingest date"),
        pytest.param(reading(1, day(2)) | {"reading_id": " "}, ["reading_id_is_null"], id="no key"),
    ],
)
def test_a_record_of_events_breaks_these_rules_and_no_others(record: dict[str, object], broken: list[str]) -> None:
    assert verdicts(TABLES[S_READINGS], [record]) == [broken]


@pytest.mark.parametrize(
    ("record", "broken"),
    [
        pytest.param(gauge(1, height="tall"), ["height_unparsable"], id="an update"),
        pytest.param(gauge(1, height="tall", operation="delete"), [], id="a delete needs no height"),
        pytest.param(gauge(1, height=-3, operation=" Delete "), [], id="in any letter case"),
        pytest.param(gauge(1, height=-3, operation="upsert"), ["height_is_negative"], id="another operation"),
        pytest.param({"_op": "delete"}, ["gauge_id_is_null"], id="a delete of nothing"),
        pytest.param(gauge(1, at="soon", operation="delete"), ["changed_at_unparsable"], id="a delete at no time"),
    ],
)
def test_of_a_delete_only_key_and_version_are_judged(record: dict[str, object], broken: list[str]) -> None:
    assert verdicts(TABLES[S_GAUGES], [record]) == [broken]


def test_flags_stay_with_the_row() -> None:
    found = TABLES[S_READINGS]
    judged = judge(typed(found, [reading(1, day(2), level=0), reading(2, day(2), level=60)]), found.judged_rules)
    flags = [one.name for one in rules_with(found.judged_rules, "flag")]
    valid = judged.valid.with_columns(names_of(FLAGS, flags)).collect()
    assert dict(valid.select("reading_id", FLAGS).rows()) == {"r1": ["frozen"], "r2": []}
    assert valid["_warned"].to_list() == [0, 1]


def test_text_columns_are_not_held_to_parse() -> None:
    ids = {one.id for one in source_rules((), GAUGES, TABLES[S_GAUGES].schema)}
    assert ids == {"height_unparsable", "changed_at_unparsable"}


def test_a_rejected_record_goes_to_quarantine_as_it_landed() -> None:
    found = TABLES[S_READINGS]
    rows = [reading(1, day(2)), reading(2, day(2), level=" 1e309 ", mood='Säd, "very"')]
    judged = judge(typed(found, rows), found.judged_rules)
    aside = quarantined(judged.rejected, found.judged_rules, READINGS, RUN).collect()
    assert aside.schema == pl.Schema(QUARANTINE_SCHEMA)
    (row,) = aside.to_dicts()
    assert row["rules"] == ["not_allowed", "unparsable"]
    assert row["reasons"] == ["level: unparsable", "mood: not_allowed"]
    landed = {name: str(value) for name, value in rows[1].items()}
    assert json.loads(row["raw"]) == landed | {"_extra": None}
    assert (row["_source_file"], row["_row_number"], row["_file_sha256"]) == ("file.csv", 2, "sha")
    assert (row["run_id"], row["tenant_id"], row["date"]) == ("run", "acme", day(3))


def test_a_rejected_row_of_a_computed_table_goes_with_all_that_was_computed() -> None:
    values: dict[str, Any] = {"rank": 1, "at": datetime(2025, 1, 1, tzinfo=UTC), "names": ["a"], "share": 0.5}
    rules = [rule("never", pl.lit(value=False))]
    frame = pl.LazyFrame([{"tenant_id": "acme", "date": day(1), **values}])
    aside = quarantined(judge(frame, rules).rejected, rules, None, RUN).collect()
    assert aside.schema == pl.Schema(QUARANTINE_SCHEMA)
    assert json.loads(aside["raw"][0]) == values | {"at": "2025-01-01T00:00:00+00:00"}
    assert aside["_source_file"].to_list() == [None]


def test_deletes_are_marked_for_entities_only() -> None:
    rows = [gauge(1, operation="delete"), gauge(2), gauge(3, operation="DELETE "), {**gauge(4), "_op": None}]
    assert with_deleted(bronze(GAUGES, rows), GAUGES).collect()[DELETED].to_list() == [True, False, True, False]
    assert with_deleted(bronze(READINGS, [reading(1, day(1))]), READINGS).collect()[DELETED].to_list() == [False]
