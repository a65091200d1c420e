"""Versions of a source's rows by ingest date: what was known when, which restated silver no longer tells.

A row that is rejected is no version; it is counted and set aside where the source's own table is built. Of a day of
which that table is refused, the valid rows are versions all the same.

Belongs here: the rows of bronze that were valid, as the table of their source would have judged them. Not here: which
of several versions counts on a date (the table that reads them), and silver itself (`compute`, `settle`).
"""

from __future__ import annotations

import polars as pl

from lakehouse_assets.lake.contract import Contract, columns_of, rules_of
from lakehouse_assets.lake.judge import judge, source_rules, with_deleted, with_raw
from lakehouse_assets.lake.settle import LANDING_ORDER
from lakehouse_assets.lake.source import BUSINESS_DATE, Source
from lakehouse_assets.lake.table import type_of_function

BUSINESS, INGEST = "business_date", "date"


def valid_versions(
    function: type_of_function, contract: type[Contract], source: Source, bronze: pl.LazyFrame
) -> pl.LazyFrame:
    """The valid rows of an event source's bronze, one per ingest date `date`, `business_date` and key.

    They are typed by `function` and judged by `contract`, those of the table that is cleaned from the source; of
    several in a day the last that landed stands. Columns that the lake looks up elsewhere are not in it.
    """
    prepared = with_deleted(with_raw(bronze, source), source).with_columns(
        pl.col(INGEST).alias("_ingest_date"), pl.coalesce(BUSINESS_DATE, INGEST).alias("date")
    )
    typed = function(prepared)
    schema = typed.collect_schema()
    promised = {column.name: column.dtype for column in columns_of(contract)}
    # What is looked up comes after judging, here as there.
    rules = [rule for rule in rules_of(contract) if rule.column is None or rule.column in schema]
    valid = judge(typed, source_rules(rules, source, promised)).valid
    versions = valid.select(
        pl.col("_ingest_date").alias(INGEST),
        pl.col("date").alias(BUSINESS),
        *(name for name in promised if name in schema),
        *LANDING_ORDER,
    )
    newest = versions.sort(LANDING_ORDER).unique([INGEST, BUSINESS, *source.key], keep="last", maintain_order=True)
    return newest.drop(LANDING_ORDER)
