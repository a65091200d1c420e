"""Faults and odd ways of writing, for a few rows of a clean frame of text.

Belongs here: single values that break or strain a rule of the contract. Not here: faults that take several rows, as
duplicates and late corrections (`population`), or a whole line (`writing`).
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from lakehouse_assets_tests.landing_zones.spec import Spec

FULL_WIDTH = {digit: chr(ord(digit) + 0xFEE0) for digit in "0123456789"}


def loud(column: str) -> pl.Expr:
    # Not `pl.format`, which panics in Polars 2.1 on a column of several chunks that holds nulls.
    return pl.lit("\u3000 ") + pl.col(column).str.to_uppercase() + pl.lit("  ")


def full_width(column: str) -> pl.Expr:
    return pl.col(column).str.replace_many(list(FULL_WIDTH), list(FULL_WIDTH.values()))


def values(column: str, *texts: str) -> list[tuple[str, pl.Expr]]:
    return [(column, pl.lit(text)) for text in texts]


def number_faults(column: str) -> list[tuple[str, pl.Expr]]:
    """Not finite, not plain, negative; and three that are a number or nothing after all."""
    texts = ("-1", "-0.01", "ten", "1e309", "-inf", "1,200.50", "0x1F", "12.5.1", "N/A", " 4.5E1 ", "NaN")
    return [*values(column, *texts), (column, full_width(column))]


def date_faults(column: str) -> list[tuple[str, pl.Expr]]:
    return values(column, "2025-02-30", "2026-13-01", "31/12/2025", "20260105", "soon", "2026-1-5")


def faults(source: str, spec: Spec, on: date) -> list[tuple[str, pl.Expr]]:
    """The columns of a source and what may stand in them; each is as likely as any other."""
    if source == "interactions":
        too_early = f"{spec.start - timedelta(days=1)}T23:59:59Z"
        too_late = f"{on + timedelta(days=2)}T00:00:00Z"
        odd_times = ("", "null", "2025-02-30T10:00:00Z", "2026-01-05 25:00:00", "05.01.2026 10:00", "whenever")
        return [
            *values("interaction_id", "", " none "),
            *values("customer_id", "", "C-nobody", "n/a"),
            *values("interaction_at", *odd_times, too_early, too_late, "1970-01-01T00:00:00", "2999-12-31T00:00:00Z"),
            *number_faults("duration_minutes"),
            *number_faults("response_minutes"),
            *values("channel", "fax", "", "Whats-App", "-", "smoke signal"),
            *values("outcome", "great", "", "NULL", "not-sure"),
            ("channel", loud("channel")),
            ("outcome", loud("outcome")),
            ("customer_id", loud("customer_id")),
            ("customer_id", full_width("customer_id")),
            ("lead_id", pl.lit("L-nothing")),
        ]
    if source == "leads":
        return [
            *values("lead_id", "", "-"),
            *values("customer_id", "", "C-nobody", "NA"),
            *values("created_date", "", "none"),
            *date_faults("created_date"),
            *date_faults("closed_date"),
            *values("closed_date", "1999-12-31", ""),
            *values("updated_at", "", "2025-02-30T00:00:00Z", "just now", "2026-01-01T10:00:00+99:00"),
            *number_faults("deal_value"),
            *values("status", "on hold", "", "n/a", "Closed-Won", " CLOSED  lost", "unknown"),
            ("status", loud("status")),
            ("lead_id", loud("lead_id")),
        ]
    if source == "customers":
        return [
            *values("customer_id", "", "None"),
            *number_faults("employee_count"),
            *values("employee_count", "12.5", "250.0", "2.5e2", "1e30"),
            *number_faults("annual_revenue"),
            *values("email", "not-an-email", "two@@example.com", "", " Sales@EXAMPLE.com "),
            *values("phone", "call me", "12345", ""),
            *values("industry", "", "  RETAIL ", "nan"),
            *date_faults("created_date"),
            ("customer_name", loud("customer_name")),
        ]
    return [*values("product_id", "", "null"), *number_faults("list_price"), ("category", loud("category"))]


def spoil(frame: pl.DataFrame, source: str, spec: Spec, on: date, rng: np.random.Generator) -> pl.DataFrame:
    """The frame with a fault in its dirty share of rows; deletes are left as they are."""
    dirty = rng.random(frame.height) < spec.dirty
    choices = faults(source, spec, on)
    frame = frame.with_row_index("_index")
    spoiled = frame.filter(dirty)
    chosen = pl.Series(rng.integers(len(choices), size=spoiled.height))
    for column in {column for column, _ in choices}:
        value = pl.col(column)
        for kind, (target, wrong) in enumerate(choices):
            if target == column:
                value = pl.when(pl.lit(chosen) == kind).then(wrong).otherwise(value)
        spoiled = spoiled.with_columns(value.alias(f"{column}_spoiled"))
    columns = {column for column, _ in choices}
    spoiled = spoiled.with_columns(pl.col(f"{column}_spoiled").alias(column) for column in sorted(columns))
    return pl.concat([frame.filter(~dirty), spoiled.select(frame.columns)]).sort("_index").drop("_index")
