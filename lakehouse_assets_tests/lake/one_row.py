"""One row of a source through its silver table, as a step judges it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

from lakehouse_assets.house import tables
from lakehouse_assets.lake.bronze import with_business_date
from lakehouse_assets.lake.judge import BROKEN, FLAGS, WARNED, judge, names_of, rules_with, with_deleted, with_raw
from lakehouse_assets.lake.names import TableName

LANDED = date(2026, 1, 15)
START = date(2025, 1, 1)


def judged_row(domain: str, name: str, values: Mapping[str, str | None]) -> dict[str, Any]:
    """The row's typed columns, and the ids of the rules for which it is `rejected`, `flagged` and `warned` of.

    It landed on `LANDED` in a lake that begins at `START`.
    """
    table = tables()[TableName(domain, "silver", name)]
    assert table.source is not None
    assert table.function is not None
    row = dict.fromkeys(table.source.text_columns) | dict(values)
    bronze = pl.LazyFrame([row], dict.fromkeys(row, pl.String())).with_columns(date=LANDED, _ingest_date=LANDED)
    if table.kind == "event":
        bronze = with_business_date(bronze, table.source, START)
    typed = table.function(with_deleted(with_raw(bronze, table.source), table.source))
    rules = table.judged_rules
    found = judge(typed, rules).all.with_columns(
        names_of(BROKEN, [rule.id for rule in rules_with(rules, "reject")]).alias("rejected"),
        names_of(FLAGS, [rule.id for rule in rules_with(rules, "flag")]).alias("flagged"),
        names_of(WARNED, [rule.id for rule in rules_with(rules, "warn")]).alias("warned"),
    )
    return found.collect(engine="streaming").row(0, named=True)
