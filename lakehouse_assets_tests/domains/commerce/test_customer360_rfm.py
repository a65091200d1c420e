"""Quintiles and segments: ties, few customers, and a segment for each of the 125 combinations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.domains.commerce.rfm import SEGMENTS, segment_of_scores, with_rfm

D = date(2026, 3, 31)
SCORES = ("rfm_recency", "rfm_frequency", "rfm_monetary")


type_of_figures = Sequence[tuple[int | None, int, int]]


def scored(rows: type_of_figures, day: date = D) -> pl.LazyFrame:
    """Scores of customers given by days since the last order, orders and revenue."""
    columns = {
        "date": [day] * len(rows),
        "days_since_last_order": [row[0] for row in rows],
        "orders": [row[1] for row in rows],
        "revenue": [Decimal(row[2]) for row in rows],
    }
    types: dict[str, Any] = {"days_since_last_order": pl.Int64, "orders": pl.Int64, "revenue": pl.Decimal(18, 2)}
    return pl.LazyFrame(columns, schema_overrides=types)


def scores(rows: type_of_figures) -> list[tuple[int | None, ...]]:
    return with_rfm(scored(rows)).select(SCORES).collect().rows()


def test_ten_customers_make_five_pairs_and_five_is_best() -> None:
    found = scores([(n, n + 1, 10 * n) for n in range(10)])
    assert [row[0] for row in found] == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert [row[1] for row in found] == [row[2] for row in found] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_equal_figures_have_equal_scores_by_the_rows_that_are_worse() -> None:
    found = scores([(0, 1, 5)] * 7 + [(0, 2, 5)] * 3)
    assert [row[0] for row in found] == [1] * 10
    assert [row[1] for row in found] == [1] * 7 + [4] * 3


def test_who_has_no_orders_is_not_scored_and_counts_for_no_one() -> None:
    frame = with_rfm(scored([(None, 0, 0)] * 8 + [(3, 1, -5), (1, 2, 5)])).select(*SCORES, "rfm_segment").collect()
    assert frame.rows()[:8] == [(None, None, None, "no_orders")] * 8
    assert frame.rows()[8:] == [(1, 1, 1, "lost"), (3, 3, 3, "loyal")]


def test_a_date_is_scored_among_its_own() -> None:
    rows = [(n, n + 1, n) for n in range(5)]
    both = pl.concat([scored(rows), scored([(90, 1, 0)], D + timedelta(days=1))])
    assert with_rfm(both).select(SCORES).collect().rows() == [*scores(rows), (1, 1, 1)]


ALL = list(product(range(1, 6), repeat=3))


def expected(recency: int, frequency: int, monetary: int) -> str:
    """The table of segments in words of its own."""
    if recency >= 3 and frequency >= 3:
        return "champions" if min(recency, frequency, monetary) >= 4 else "loyal"
    if recency >= 4:
        return "new" if frequency == 1 else "potential_loyal"
    if recency == 3:
        return "needs_attention"
    if frequency >= 3 or monetary >= 4:
        return "at_risk"
    return "hibernating" if recency == 2 else "lost"


@pytest.mark.parametrize("recency", range(1, 6))
def test_every_combination_of_scores_has_its_segment(recency: int) -> None:
    rows = [row for row in ALL if row[0] == recency]
    frame = pl.LazyFrame(rows, schema=SCORES, orient="row").select(segment_of_scores()).collect()
    assert frame.to_series().to_list() == [expected(*row) for row in rows]


def test_no_segment_is_for_nobody() -> None:
    frame = pl.LazyFrame(ALL, schema=SCORES, orient="row").select(segment_of_scores()).collect()
    assert set(frame.to_series()) == set(SEGMENTS)
