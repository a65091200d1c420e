"""Sales by day and by channel against hand-computed rows, plain Python, and each date alone."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.domains.crm.sales import channel_figures, daily_sales

D = date(2026, 3, 31)
DAY = timedelta(days=1)
LEADS = pl.Schema(
    {
        "date": pl.Date,
        "lead_id": pl.String,
        "status": pl.String,
        "deal_value": pl.Float64,
        "created_date": pl.Date,
        "closed_date": pl.Date,
    }
)
INTERACTIONS = pl.Schema(
    {
        "date": pl.Date,
        "customer_id": pl.String,
        "lead_id": pl.String,
        "channel": pl.String,
        "outcome": pl.String,
        "duration_minutes": pl.Float64,
        "response_minutes": pl.Float64,
    }
)
type_of_row = dict[str, Any]


def lead(lead_id: str, status: str, value: float | None, closed: date | None = None, day: date = D) -> type_of_row:
    return {
        "date": day,
        "lead_id": lead_id,
        "status": status,
        "deal_value": value,
        "created_date": D - 40 * DAY,
        "closed_date": closed,
    }


def contact(
    channel: str,
    day: date = D,
    customer_id: str = "C1",
    lead_id: str | None = None,
    outcome: str = "neutral",
    response: float | None = None,
) -> type_of_row:
    return {
        "date": day,
        "customer_id": customer_id,
        "lead_id": lead_id,
        "channel": channel,
        "outcome": outcome,
        "duration_minutes": None if response is None else response / 3,
        "response_minutes": response,
    }


def sales(leads: list[type_of_row], contacts: list[type_of_row], first: date, last: date) -> list[type_of_row]:
    computed = daily_sales(pl.LazyFrame(leads, LEADS), pl.LazyFrame(contacts, INTERACTIONS), first, last)
    return computed.collect(engine="streaming").to_dicts()


def channels(leads: list[type_of_row], contacts: list[type_of_row], first: date, last: date) -> list[type_of_row]:
    computed = channel_figures(pl.LazyFrame(leads, LEADS), pl.LazyFrame(contacts, INTERACTIONS), first, last)
    return computed.collect(engine="streaming").to_dicts()


def test_a_day_without_sales_is_a_row_of_zeros_and_of_rates_that_are_null() -> None:
    row = {
        "revenue": 0.0,
        "revenue_7d": 0.0,
        "revenue_30d": 0.0,
        "deals_created": 0,
        "deals_won": 0,
        "deals_lost": 0,
        "win_rate_30d": None,
        "interactions": 0,
        "top_channel": None,
        "win_rate": None,
        "avg_deal_value": None,
    }
    assert sales([], [], D, D + DAY) == [{"date": D} | row, {"date": D + DAY} | row]


def test_sales_computed_by_hand() -> None:
    leads = [
        lead("L1", "closed_won", 0.1, D),
        lead("L2", "closed_won", 0.2, D),
        lead("L3", "closed_won", None, D),
        lead("L4", "closed_lost", 50.0, D),
        lead("L5", "closed_won", 10.0, D - 6 * DAY),
        lead("L6", "closed_won", 100.0, D - 7 * DAY),
        lead("L7", "closed_lost", 100.0, D - 29 * DAY),
        lead("L8", "closed_won", 1000.0, D - 30 * DAY),
        lead("L9", "closed_won", 5000.0, D + DAY),
        lead("L10", "closed_won", 7000.0, None),
        lead("L11", "proposal", 9000.0) | {"created_date": D},
    ]
    contacts = [contact("email"), contact("call"), contact("call"), contact("email"), contact("meeting")]
    assert sales(leads, contacts, D, D) == [
        {
            "date": D,
            "revenue": 0.3,
            "revenue_7d": 10.3,
            "revenue_30d": 110.3,
            "deals_created": 1,
            "deals_won": 3,
            "deals_lost": 1,
            "win_rate_30d": pytest.approx(5 / 7),
            "interactions": 5,
            "top_channel": "call",
            "win_rate": 0.75,
            "avg_deal_value": pytest.approx(0.15),
        }
    ]


def test_channels_computed_by_hand() -> None:
    leads = [lead("L1", "closed_won", 100.0), lead("L2", "closed_won", None), lead("L3", "proposal", 900.0)]
    contacts = [
        contact("call", D, "C1", "L1", "positive", 3.0),
        contact("call", D - 29 * DAY, "C1", "L1", "negative", 6.0),
        contact("call", D - DAY, "C2", "L2", "positive", 12.0),
        contact("call", D - DAY, "C2", "L3", "unknown"),
        contact("call", D - DAY, "C3", "gone"),
        contact("call", D - 30 * DAY, "C4", "L3", "positive", 600.0),
        contact("email", D - 2 * DAY, "C1"),
        contact("meeting", D + DAY, "C1"),
    ]
    nothing = {
        "conversion_rate": None,
        "avg_deal_value": None,
        "avg_response_minutes": None,
        "median_response_minutes": None,
        "avg_duration_minutes": None,
    }
    assert channels(leads, contacts, D, D) == [
        {
            "date": D,
            "channel": "call",
            "interactions": 5,
            "customers": 3,
            "positive_rate": 0.4,
            "conversion_rate": pytest.approx(2 / 3),
            "avg_deal_value": 100.0,
            "avg_response_minutes": 7.0,
            "median_response_minutes": 6.0,
            "avg_duration_minutes": pytest.approx(7 / 3, rel=1e-6),
        },
        {"date": D, "channel": "email", "interactions": 1, "customers": 1, "positive_rate": 0.0} | nothing,
    ]


def test_a_touched_lead_counts_for_thirty_days() -> None:
    leads = [
        lead(one, status, None, day=day)
        for day in (D, D + DAY)
        for one, status in [("L1", "closed_won"), ("L2", "new")]
    ]
    contacts = [contact("call", D - 29 * DAY, lead_id="L1"), contact("call", D - DAY, lead_id="L2")]
    assert [row["conversion_rate"] for row in channels(leads, contacts, D, D + DAY)] == [0.5, 0.0]


def sales_in_plain_python(day: date, leads: list[type_of_row], contacts: list[type_of_row]) -> type_of_row:
    own = [row for row in leads if row["date"] == day]

    def closed(status: str, days: int) -> list[type_of_row]:
        return [
            row
            for row in own
            if row["status"] == status and row["closed_date"] and 0 <= (day - row["closed_date"]).days < days
        ]

    def revenue(days: int) -> float:
        values = [row["deal_value"] for row in closed("closed_won", days)]
        return float(sum(Decimal(repr(value)) for value in values if value is not None))

    won, lost = len(closed("closed_won", 1)), len(closed("closed_lost", 1))
    valued = [row for row in closed("closed_won", 1) if row["deal_value"] is not None]
    won_30d, lost_30d = len(closed("closed_won", 30)), len(closed("closed_lost", 30))
    used = [row["channel"] for row in contacts if row["date"] == day]
    return {
        "date": day,
        "revenue": revenue(1),
        "revenue_7d": revenue(7),
        "revenue_30d": revenue(30),
        "deals_created": sum(row["created_date"] == day for row in own),
        "deals_won": won,
        "deals_lost": lost,
        "win_rate_30d": won_30d / (won_30d + lost_30d) if won_30d + lost_30d else None,
        "interactions": len(used),
        "top_channel": min(set(used), key=lambda name: (-used.count(name), name), default=None),
        "win_rate": won / (won + lost) if won + lost else None,
        "avg_deal_value": revenue(1) / len(valued) if valued else None,
    }


def channels_in_plain_python(day: date, leads: list[type_of_row], contacts: list[type_of_row]) -> list[type_of_row]:
    rows = []
    recent = [row for row in contacts if 0 <= (day - row["date"]).days < 30]
    state = {row["lead_id"]: row for row in leads if row["date"] == day}
    for channel in sorted({row["channel"] for row in recent}):
        through = [row for row in recent if row["channel"] == channel]
        touched = [state[one] for one in {row["lead_id"] for row in through} if one in state]
        won = [row for row in touched if row["status"] == "closed_won"]
        values = [row["deal_value"] for row in won if row["deal_value"] is not None]
        responses = [row["response_minutes"] for row in through if row["response_minutes"] is not None]
        durations = [row["duration_minutes"] for row in through if row["duration_minutes"] is not None]
        rows.append(
            {
                "date": day,
                "channel": channel,
                "interactions": len(through),
                "customers": len({row["customer_id"] for row in through}),
                "positive_rate": sum(row["outcome"] == "positive" for row in through) / len(through),
                "conversion_rate": len(won) / len(touched) if touched else None,
                "avg_deal_value": sum(values) / len(values) if values else None,
                "avg_response_minutes": sum(responses) / len(responses) if responses else None,
                "median_response_minutes": median(responses) if responses else None,
                "avg_duration_minutes": sum(durations) / len(durations) if durations else None,
            }
        )
    return rows


def about(row: type_of_row) -> type_of_row:
    return {name: pytest.approx(v, rel=1e-6, abs=1e-6) if isinstance(v, float) else v for name, v in row.items()}


OFFSETS = st.sampled_from([-60, -30, -29, -28, -8, -7, -6, -1, *range(8)])
LEAD_IDS = st.sampled_from(["L1", "L2", "L3", "L4"])


@st.composite
def tenants(draw: st.DrawFn) -> tuple[list[date], list[type_of_row], list[type_of_row]]:
    """A range of dates, snapshots of leads that change from day to day, and interactions around its edges."""
    days = [D + offset * DAY for offset in range(draw(st.integers(1, 6)))]
    statuses = st.sampled_from(["new", "closed_won", "closed_won", "closed_lost"])
    values = st.none() | st.sampled_from([0.1, 0.2, 1000.25, 99_999.5])
    leads = [
        lead(
            one, draw(statuses), draw(values), D + closed * DAY if (closed := draw(st.none() | OFFSETS)) else None, day
        )
        | {"created_date": D + draw(OFFSETS) * DAY}
        for day in days
        for one in sorted(draw(st.sets(LEAD_IDS)))
    ]
    contacts = st.builds(
        contact,
        channel=st.sampled_from(["call", "email", "other"]),
        day=OFFSETS.map(lambda offset: D + offset * DAY),
        customer_id=st.sampled_from(["C1", "C2", "C3"]),
        lead_id=st.none() | LEAD_IDS,
        outcome=st.sampled_from(["positive", "neutral"]),
        response=st.none() | st.sampled_from([0.1, 0.2, 7.5, 1e6]),
    )
    return days, leads, draw(st.lists(contacts, max_size=25))


@given(tenants())
@settings(max_examples=30, deadline=None)
def test_a_range_gives_each_date_the_sales_that_plain_python_gives_it_alone(
    tenant: tuple[list[date], list[type_of_row], list[type_of_row]],
) -> None:
    days, leads, contacts = tenant
    together = sales(leads, contacts, days[0], days[-1])
    assert together == [row for day in days for row in sales(of(leads, day), of(contacts, day), day, day)]
    assert together == [about(sales_in_plain_python(day, leads, contacts)) for day in days]


@given(tenants())
@settings(max_examples=30, deadline=None)
def test_a_range_gives_each_date_the_channels_that_plain_python_gives_it_alone(
    tenant: tuple[list[date], list[type_of_row], list[type_of_row]],
) -> None:
    days, leads, contacts = tenant
    together = channels(leads, contacts, days[0], days[-1])
    assert together == [row for day in days for row in channels(of(leads, day), contacts, day, day)]
    assert together == [about(row) for day in days for row in channels_in_plain_python(day, leads, contacts)]


def of(rows: list[type_of_row], day: date) -> list[type_of_row]:
    return [row for row in rows if row["date"] == day]
