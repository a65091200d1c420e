"""Daily revenue against figures worked out by hand and plain decimals, and the check that it adds up."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.domains.commerce.gold import gold_daily_revenue, net_revenue_equals_facts
from lakehouse_assets.house import tables
from lakehouse_assets.lake.judge import judge, quarantined
from lakehouse_assets.lake.names import TableName

D = date(2026, 3, 31)
DAY = timedelta(days=1)
FACTS = pl.Schema({"date": pl.Date(), **tables()[TableName("commerce", "silver", "transaction_facts")].schema})
type_of_row = dict[str, Any]


def sale(
    amount: str, product: str | None = "P1", region: str = "WEST", quantity: int | None = 1, day: date = D
) -> type_of_row:
    return {"date": day, "product_id": product, "region": region, "quantity": quantity, "amount": Decimal(amount)}


def facts(rows: list[type_of_row]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, FACTS)


def revenue(rows: list[type_of_row]) -> list[type_of_row]:
    return gold_daily_revenue(facts(rows)).collect(engine="streaming").to_dicts()


def test_refunds_are_positive_and_taken_off_and_null_quantities_count_nothing() -> None:
    rows = [sale("10.10"), sale("0.20", quantity=None), sale("-4.05", quantity=-2), sale("0.00", quantity=5)]
    assert revenue(rows) == [
        {
            "date": D,
            "product_id": "P1",
            "region": "WEST",
            "transactions": 4,
            "quantity": 4,
            "revenue": Decimal("10.30"),
            "refunds": Decimal("4.05"),
            "net_revenue": Decimal("6.25"),
        }
    ]


def test_a_row_for_each_day_product_and_region_sorted_and_no_product_is_unknown() -> None:
    rows = [
        sale("1", "P2"),
        sale("2", None, quantity=None),
        sale("3", "P1", "EAST"),
        sale("4", "P1", "WEST", day=D - DAY),
        sale("5", "UNKNOWN"),
    ]
    found = [(row["date"], row["product_id"], row["region"], row["net_revenue"]) for row in revenue(rows)]
    assert found == [
        (D - DAY, "P1", "WEST", Decimal(4)),
        (D, "P1", "EAST", Decimal(3)),
        (D, "P2", "WEST", Decimal(1)),
        (D, "UNKNOWN", "WEST", Decimal(7)),
    ]


def test_sums_are_larger_than_an_amount_can_be() -> None:
    [row] = revenue([sale("99999999.99")] * 1000 + [sale("-99999999.99")] * 3)
    assert (row["revenue"], row["refunds"]) == (Decimal("99999999990.00"), Decimal("299999999.97"))


AMOUNTS = st.integers(-(10**10) + 1, 10**10 - 1).map(lambda cents: str(Decimal(cents).scaleb(-2)))
SALES = st.builds(
    sale,
    AMOUNTS,
    st.sampled_from([None, "P1", "P2"]),
    st.sampled_from(["EAST", "UNKNOWN"]),
    st.none() | st.integers(-9, 9),
    st.integers(0, 2).map(lambda n: D + n * DAY),
)


@given(st.lists(SALES, max_size=12))
def test_every_cent_of_every_line_is_in_one_row(rows: list[type_of_row]) -> None:
    found = revenue(rows)
    for day in {row["date"] for row in rows}:
        of_day = [row for row in rows if row["date"] == day]
        booked = [row for row in found if row["date"] == day]
        assert sum(row["net_revenue"] for row in booked) == sum(row["amount"] for row in of_day)
        assert sum(row["revenue"] for row in booked) == sum(row["amount"] for row in of_day if row["amount"] > 0)
        assert sum(row["transactions"] for row in booked) == len(of_day)
    assert all(row["net_revenue"] == row["revenue"] - row["refunds"] for row in found)
    alone = [row for n in range(3) for row in revenue([r for r in rows if r["date"] == D + n * DAY])]
    assert found == alone


def test_the_contract_is_kept() -> None:
    table = tables()[TableName("commerce", "gold", "daily_revenue")]
    frame = gold_daily_revenue(facts([sale("-1"), sale("2", None)]))
    schema = frame.collect_schema()
    assert {column: schema[column] for column in table.schema} == dict(table.schema)
    assert judge(frame, table.judged_rules).rejected.collect().is_empty()


def test_a_row_that_is_rejected_keeps_its_cents_in_the_quarantine() -> None:
    table = tables()[TableName("commerce", "gold", "daily_revenue")]
    row = {"product_id": "P1", "region": "WEST", "transactions": 1, "quantity": 1, "refunds": Decimal("-0.10")}
    row |= {"revenue": Decimal("9999999999999999.99"), "net_revenue": Decimal("0.30"), "date": D, "tenant_id": "acme"}
    frame = pl.LazyFrame([row], {"tenant_id": pl.String, "date": pl.Date, **table.schema})
    rejected = judge(frame, table.judged_rules).rejected
    [kept] = quarantined(rejected, table.judged_rules, None, {}).collect().to_dicts()
    assert kept["rules"] == ["is_negative"]
    raw = json.loads(kept["raw"])
    assert (raw["refunds"], raw["revenue"], raw["net_revenue"]) == ("-0.10", "9999999999999999.99", "0.30")


@pytest.mark.parametrize(
    ("booked", "sold", "told"),
    [
        (["1.10", "-0.10"], ["0.50", "0.50"], []),
        (["1.01"], ["1.00"], [(D, Decimal("1.01"), Decimal("1.00"))]),
        ([], ["1.00"], [(D, Decimal(0), Decimal("1.00"))]),
        (["1.00"], [], [(D, Decimal("1.00"), Decimal(0))]),
        ([], ["1.00", "-1.00"], []),
        ([], [], []),
    ],
    ids=["equal", "a cent off", "nothing booked", "nothing sold", "nothing to book", "nothing at all"],
)
def test_the_check_tells_the_days_that_do_not_add_up(
    booked: list[str], sold: list[str], told: list[tuple[Any, ...]]
) -> None:
    schema = pl.Schema({"date": pl.Date(), "net_revenue": pl.Decimal(18, 2)})
    gold = pl.LazyFrame([{"date": D, "net_revenue": Decimal(amount)} for amount in booked], schema)
    found = net_revenue_equals_facts(gold, facts([sale(amount) for amount in sold]))
    assert found.select("date", "net_revenue", "amount").collect().rows() == told
