"""Customer 360 against figures worked out by hand, a computation in plain Python, and each date alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.domains.commerce.customer360 import Inputs, customer_figures
from lakehouse_assets.domains.commerce.gold import gold_customer360
from lakehouse_assets.domains.commerce.rfm import with_rfm
from lakehouse_assets.house import tables
from lakehouse_assets.lake.judge import judge
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Window
from lakehouse_assets_tests.oracle.customer360 import customer360, type_of_row

D = date(2026, 3, 31)
DAY = timedelta(days=1)
TIME = pl.Datetime("us", "UTC")
MONEY = pl.Decimal(10, 2)
SCHEMAS: dict[str, dict[str, Any]] = {
    "customers": {"date": pl.Date, "customer_id": pl.String, "signup_date": pl.Date},
    "products": {"date": pl.Date, "product_id": pl.String, "category": pl.String},
    "assignments": {
        "date": pl.Date,
        "device_id": pl.String,
        "customer_id": pl.String,
        "assigned_from": TIME,
        "assigned_to": TIME,
    },
    "facts": {
        "date": pl.Date,
        "transaction_id": pl.String,
        "customer_id": pl.String,
        "product_id": pl.String,
        "amount": MONEY,
        "transaction_date": TIME,
        "invoice_id": pl.String,
    },
    "events": {"date": pl.Date, "customer_id": pl.String, "session_id": pl.String},
    "anomalies": {"date": pl.Date, "customer_id": pl.String},
}


def figures(tables: dict[str, list[type_of_row]], first: date = D, last: date | None = None) -> list[type_of_row]:
    frames = {name: pl.LazyFrame(tables.get(name, []), schema) for name, schema in SCHEMAS.items()}
    computed = with_rfm(customer_figures(Inputs(**frames), first, last or first))
    return computed.sort("date", "customer_id").collect(engine="streaming").to_dicts()


def at(day: date, hour: int = 12) -> datetime:
    return datetime.combine(day, time(hour), UTC)


def customer(customer_id: str, day: date = D) -> type_of_row:
    return {"date": day, "customer_id": customer_id, "signup_date": date(2025, 1, 1)}


def line(
    amount: str,
    invoice: str | None = None,
    day: date = D,
    product: str | None = "P1",
    customer_id: str | None = "C1",
    hour: int = 12,
    number: str = "T1",
) -> type_of_row:
    return {
        "date": day,
        "transaction_id": number,
        "customer_id": customer_id,
        "product_id": product,
        "amount": Decimal(amount),
        "transaction_date": at(day, hour),
        "invoice_id": invoice,
    }


def product(product_id: str, category: str | None, day: date = D) -> type_of_row:
    return {"date": day, "product_id": product_id, "category": category}


def event(session: str | None, day: date = D, customer_id: str | None = "C1") -> type_of_row:
    return {"date": day, "customer_id": customer_id, "session_id": session}


def assignment(device: str, start: datetime, end: datetime | None, day: date = D, owner: str = "C1") -> type_of_row:
    return {"date": day, "device_id": device, "customer_id": owner, "assigned_from": start, "assigned_to": end}


def test_a_customer_of_whom_nothing_is_known_has_zeros() -> None:
    [row] = figures(
        {"customers": [customer("C1")], "facts": [line("5", customer_id="C2"), line("7", customer_id=None)]}
    )
    zero = Decimal(0)
    assert row == {
        **customer("C1"),
        "tenure_days": 454,
        "year_month": "2026-03",
        "orders": 0,
        "orders_mtd": 0,
        "revenue": zero,
        "refunds": zero,
        "revenue_30d": zero,
        "revenue_90d": zero,
        "revenue_mtd": zero,
        "avg_order_value": None,
        "last_order_at": None,
        "days_since_last_order": None,
        "active_days_30d": 0,
        "events_30d": 0,
        "sessions_30d": 0,
        "devices": 0,
        "anomalies_30d": 0,
        "favourite_category": None,
        "rfm_recency": None,
        "rfm_frequency": None,
        "rfm_monetary": None,
        "rfm_segment": "no_orders",
    }


def test_money_and_orders_count_as_long_as_their_windows_say() -> None:
    lines = [
        line("1.01", "I1", D - 364 * DAY),
        line("100", "I0", D - 365 * DAY),
        line("2.02", "I1", D - 90 * DAY),
        line("4.04", "I2", D - 89 * DAY),
        line("8.08", None, D - 30 * DAY, number="T2"),
        line("-16.16", "I3", D - 29 * DAY, hour=9),
        line("32.32", "I3", D - 29 * DAY, hour=8),
        line("64.64", "I4", D + DAY),
    ]
    [row] = figures({"customers": [customer("C1")], "facts": lines})
    wanted = {
        "orders": 4,
        "revenue": Decimal("31.31"),
        "refunds": Decimal("16.16"),
        "avg_order_value": Decimal("7.83"),
        "last_order_at": at(D - 29 * DAY, 9),
        "days_since_last_order": 29,
        "revenue_90d": Decimal("28.28"),
        "revenue_30d": Decimal("16.16"),
        "revenue_mtd": Decimal("24.24"),
        "orders_mtd": 2,
        "active_days_30d": 1,
    }
    assert {name: row[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("amounts", "mean"),
    [(["0.01", "0.04"], "0.02"), (["0.01", "0.06"], "0.04"), (["-0.01", "-0.02"], "-0.02"), (["10", "0", "0"], "3.33")],
)
def test_the_mean_of_orders_is_rounded_half_even(amounts: list[str], mean: str) -> None:
    lines = [line(amount, number=f"T{n}") for n, amount in enumerate(amounts)]
    [row] = figures({"customers": [customer("C1")], "facts": lines})
    assert row["avg_order_value"] == Decimal(mean)


def test_events_sessions_and_alerts_of_thirty_days() -> None:
    events = [
        event("S1"),
        event("S1", D - DAY),
        event(None, D - DAY),
        event("S2", D - 29 * DAY),
        event("S3", D - 30 * DAY),
    ]
    alerts = [event("", D - 29 * DAY), event("", D - 29 * DAY), event("", D - 30 * DAY), event("", D, "C2")]
    anomalies = [{name: row[name] for name in ("date", "customer_id")} for row in alerts]
    facts = [line("1", day=D - DAY), line("1", day=D - 2 * DAY)]
    [row] = figures({"customers": [customer("C1")], "events": events, "anomalies": anomalies, "facts": facts})
    assert (row["events_30d"], row["sessions_30d"], row["active_days_30d"], row["anomalies_30d"]) == (4, 2, 4, 2)


def test_devices_are_those_assigned_at_the_end_of_the_date() -> None:
    end = at(D + DAY, 0)
    assigned = [
        assignment("a", at(D, 23), None),
        assignment("b", at(D - DAY), end),
        assignment("c", at(D - DAY), end - timedelta(microseconds=1)),
        assignment("d", end, None),
        assignment("a", at(D - 9 * DAY), end),
        assignment("e", at(D), None, owner="C2"),
    ]
    assert figures({"customers": [customer("C1")], "assignments": assigned})[0]["devices"] == 2


def test_a_device_that_is_assigned_twice_is_with_whoever_got_it_last() -> None:
    assigned = [
        assignment("a", at(D - 2 * DAY), None, owner="C1"),
        assignment("a", at(D - DAY), None, owner="C2"),
        assignment("a", at(D - DAY, 18), at(D), owner="C1"),
        assignment("a", at(D, 18), None, D + DAY, owner="C1"),
        assignment("b", at(D - 2 * DAY), None, owner="C2"),
        assignment("b", at(D - DAY), None, owner="C2"),
    ]
    given = {"customers": [customer("C1"), customer("C2")], "assignments": assigned}
    assert [row["devices"] for row in figures(given)] == [0, 2]
    plain = customer360(D, {name: given.get(name, []) for name in SCHEMAS})
    assert [row["devices"] for row in plain] == [0, 2]


@pytest.mark.parametrize(
    ("lines", "category"),
    [
        ([line("1", product="P1"), line("1", product="P1"), line("99", product="P2")], "pumps"),
        ([line("1", product="P1"), line("99", product="P2")], "valves"),
        ([line("1", product="P1"), line("1", product="P2")], "pumps"),
        ([line("5", product="P1"), line("-5", product="P1"), line("1", product="P2")], "valves"),
        ([line("-5", product="P1"), line("-5", product="P1"), line("0", product="P2")], "valves"),
        (
            [line("1", product="P3"), line("1", product="P3"), line("1", product="P9"), line("1", product="P2")],
            "valves",
        ),
        ([line("-1", product="P1"), line("1", product="P3"), line("1", product=None)], None),
        ([line("9", product="P1", day=D - 365 * DAY), line("1", product="P2", day=D - 364 * DAY)], "valves"),
    ],
    ids=[
        "most lines",
        "then most money",
        "then by name",
        "refunds are money and no lines",
        "no lines of purchase",
        "no category is none",
        "nothing",
        "in the year",
    ],
)
def test_favourite_category(lines: list[type_of_row], category: str | None) -> None:
    products = [product("P1", "pumps"), product("P2", "valves"), product("P3", None), product("P9", "x", D - DAY)]
    [row] = figures({"customers": [customer("C1")], "products": products, "facts": lines})
    assert row["favourite_category"] == category


IDS = st.sampled_from(["C1", "C2", "C3"])
OFFSETS = st.sampled_from([-366, -365, -364, -363, -355, -91, -90, -89, -80, -31, -30, -29, -28, -2, -1, *range(10)])
DATES = OFFSETS.map(lambda offset: D + offset * DAY)
AMOUNTS = st.sampled_from(["0.01", "0.02", "-0.01", "0.00", "10.00", "-3.33", "99999999.99"])
HOURS = st.sampled_from([0, 12, 23])
TIMES = st.builds(at, DATES, HOURS)
LINES = st.builds(
    line,
    AMOUNTS,
    st.none() | st.sampled_from(["I1", "I2", "T1"]),
    DATES,
    st.none() | st.sampled_from(["P1", "P2", "P3"]),
    st.none() | IDS,
    HOURS,
    st.sampled_from(["T1", "T2", "T3"]),
)
EVENTS = st.lists(st.builds(event, st.none() | st.sampled_from(["S1", "S2"]), DATES, st.none() | IDS), max_size=15)
CATEGORIES = st.none() | st.sampled_from(["a", "b"])


@st.composite
def tenants(draw: st.DrawFn) -> tuple[date, dict[str, list[type_of_row]]]:
    """A range of dates with its snapshots, which change from day to day, and rows around the edges of windows."""
    days = [D + offset * DAY for offset in range(draw(st.integers(1, 9)))]
    usual = draw(st.fixed_dictionaries(dict.fromkeys(("P1", "P2", "P3"), CATEGORIES)))
    changed = st.dictionaries(st.sampled_from(["P1", "P2", "P3"]), CATEGORIES, max_size=1)
    return days[-1], {
        "customers": [customer(one, day) for day in days for one in sorted(draw(st.sets(IDS)))],
        "products": [product(one, category, day) for day in days for one, category in (usual | draw(changed)).items()],
        "assignments": [
            *(
                assignment(f"d{n}", start, end, day, owner)
                for day in days
                for n, start, end, owner in draw(
                    st.lists(
                        st.tuples(st.integers(1, 2), TIMES, st.none() | TIMES, IDS),
                        max_size=3,
                        unique_by=lambda drawn: drawn[:2],
                    )
                )
            ),
        ],
        "facts": draw(st.lists(LINES, max_size=30)),
        "events": draw(EVENTS),
        "anomalies": [{name: row[name] for name in ("date", "customer_id")} for row in draw(EVENTS)],
    }


@given(tenants())
@settings(max_examples=60, deadline=None)
def test_a_range_gives_each_date_the_rows_that_plain_python_gives_it_alone(
    tenant: tuple[date, dict[str, list[type_of_row]]],
) -> None:
    last, tables = tenant
    together = figures(tables, D, last)
    days = [D + offset * DAY for offset in range((last - D).days + 1)]
    assert together == [row for day in days for row in figures(tables, day)]
    plain = [row for day in days for row in customer360(day, tables)]
    assert [{name: row[name] for name in row if name != "rfm_segment"} for row in together] == plain


def test_the_table_keeps_its_contract_and_is_sorted_by_its_key() -> None:
    table = tables()[TableName("commerce", "gold", "customer360")]
    silver = {parameter: tables()[read.table].schema for parameter, read in table.inputs.items()}
    days = [D, D + DAY]
    rows: dict[str, list[type_of_row]] = {name: [] for name in silver}
    rows["silver_customers"] = [customer(one, day) | {"region": "W"} for day in reversed(days) for one in ("C2", "C1")]
    rows["silver_transaction_facts"] = [line("-1")]
    given = {name: pl.LazyFrame(rows[name], {"date": pl.Date, **schema}) for name, schema in silver.items()}
    frame = gold_customer360(**given, window=Window("acme", *days))
    schema = frame.collect_schema()
    assert {column: schema[column] for column in table.schema} == dict(table.schema)
    assert judge(frame, table.judged_rules).rejected.collect().is_empty()
    found = frame.select("date", "customer_id", "revenue", "days_since_last_order").collect().rows()
    refund = Decimal(-1)
    assert found == [(D, "C1", refund, 0), (D, "C2", 0, None), (D + DAY, "C1", refund, 1), (D + DAY, "C2", 0, None)]
