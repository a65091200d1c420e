"""The formulas of the gold tables, against figures worked out by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from lakehouse_assets_tests.oracle import Oracle
from lakehouse_assets_tests.oracle.by_hand import START, Land, jan


@pytest.fixture
def shop(land: Land, tmp_path: Path) -> Oracle:
    """Three customers: a busy one, one with deals only, a silent one; an orphan's rows count for nobody."""
    land("customers", 20, "C1,Busy,Retail,10,1000,,,", "C2,Deals,,,,,,", "C3,Silent,,,,,,")
    land(
        "leads",
        20,
        "L1,C1,,,closed_won,1000.125,,2026-01-01,2026-01-20,",
        "L2,C1,,,closed_won,0.375,,2026-01-01,2026-01-14,",
        "L3,C1,,,closed_lost,,,2026-01-01,2026-01-13,",
        "L4,C1,,,proposal,500,,2026-01-20,,",
        "L5,C2,,,closed_won,2001,,2026-01-20,,",
        "L6,C2,,,odd,,,2026-01-20,,",
        "L7,C9,,,closed_lost,9,,2026-01-20,2026-01-20,",
    )
    land(
        "interactions",
        20,
        "I1,C1,L1,call,positive,2026-01-14T10:00:00Z,10,1",
        "I2,C1,L1,call,negative,2026-01-12T10:00:00Z,20,",
        "I3,C1,L3,email,positive,2026-01-11T10:00:00Z,,4",
        "I4,C1,L8,email,,2026-01-13T10:00:00Z,,2",
        "I5,C9,L5,meeting,positive,2026-01-20T10:00:00Z,,9",
        "I6,C9,,email,positive,2026-01-20T10:00:00Z,,7",
    )
    return Oracle(tmp_path, START)


def test_customer_features_follow_the_formulas(shop: Oracle) -> None:
    busy, deals, silent = shop.customer_features("acme", jan(20))
    # 2 of 4 positive, 2 of 4 calls, six days ago: 2.5 + 1 + 3
    assert busy["engagement_score"] == 6.5
    assert (busy["total_interactions"], busy["num_calls"], busy["num_emails"], busy["num_whatsapp"]) == (4, 2, 2, 0)
    assert (busy["num_positive_outcomes"], busy["num_negative_outcomes"]) == (2, 1)
    assert (busy["days_since_last_interaction"], busy["last_interaction_date"]) == (6, jan(14))
    # 1000.125 and 0.375 are 1000.12 and 0.38 in cents
    assert busy["total_revenue"] == 1000.50
    assert busy["avg_deal_value"] == pytest.approx((1000.12 + 0.38 + 500) / 3, abs=1e-12)
    assert (busy["num_closed_won"], busy["num_closed_lost"], busy["num_open_deals"]) == (2, 1, 1)
    assert (busy["win_rate"], busy["conversion_rate"]) == (2 / 3, 2 / 4)
    # revenue 100·1000.5/2001 = 50, activity 100: 15 + 20 + 16.25 + 16.67
    assert busy["lead_score"] == pytest.approx(67.9166666667)
    assert busy["lead_score_v0"] == pytest.approx(0.30015 + 8 + 162.5 + 40 / 3)
    assert busy["lead_quality"] == "warm"
    # Both channels have one positive of two; email is the older one
    assert busy["preferred_channel"] == "call"
    assert deals["lead_score"] == pytest.approx(30 + 25)
    assert (deals["lead_quality"], deals["num_open_deals"], deals["conversion_rate"]) == ("cool", 1, 0.5)
    assert (silent["total_revenue"], silent["avg_deal_value"], silent["win_rate"]) == (0.0, None, 0.0)
    assert (silent["preferred_channel"], silent["days_since_last_interaction"]) == (None, None)
    assert (silent["engagement_score"], silent["lead_score"], silent["lead_quality"]) == (0.0, 0.0, "cold")


def test_features_look_back_365_days_and_recency_ends_at_seven(shop: Oracle) -> None:
    a_week_later = shop.customer_features("acme", jan(21))[0]
    assert (a_week_later["days_since_last_interaction"], a_week_later["engagement_score"]) == (7, 5.0)
    last_day, gone = (shop.customer_features("acme", date(2027, 1, day))[0] for day in (13, 14))
    assert (last_day["total_interactions"], last_day["days_since_last_interaction"]) == (1, 364)
    assert (gone["total_interactions"], gone["last_interaction_date"]) == (0, None)


@pytest.mark.parametrize(
    "rows, expected",
    [
        ([("call", "positive", "09:00"), ("email", "neutral", "18:00")], "call"),  # the higher share
        ([("call", "positive", "09:00"), ("email", "positive", "08:00"), ("email", "positive", "07:00")], "email"),
        ([("call", "negative", "09:00"), ("meeting", "neutral", "10:30")], "meeting"),  # the later on the same day
        ([("whatsapp", "neutral", "09:00"), ("email", "neutral", "09:00")], "email"),  # the first by name
    ],
)
def test_the_preferred_channel_is_decided_by_share_then_positives_then_time_then_name(
    rows: list[tuple[str, str, str]], expected: str, land: Land, tmp_path: Path
) -> None:
    land("customers", 5, "C1,,,,,,,")
    land("interactions", 5, *(f"I{n},C1,,{ch},{out},2026-01-05T{at}:00Z,," for n, (ch, out, at) in enumerate(rows)))
    [features] = Oracle(tmp_path, START).customer_features("acme", jan(5))
    assert features["preferred_channel"] == expected


def test_top_customers_are_ranked_by_revenue_then_id(shop: Oracle) -> None:
    rows = shop.top_customers("acme", jan(20))
    assert [(row["rank"], row["customer_id"], row["total_revenue"]) for row in rows] == [
        (1, "C2", 2001.0),
        (2, "C1", 1000.5),
        (3, "C3", 0.0),
    ]


def test_the_sales_summary_counts_the_day_and_the_trailing_weeks(shop: Oracle) -> None:
    assert shop.sales_summary("acme", jan(20)) == [
        {
            "revenue": 1000.12,
            "deals_created": 4,
            "deals_won": 1,
            "deals_lost": 1,
            "win_rate": 0.5,
            "avg_deal_value": 1000.12,
            "revenue_7d": 1000.5,
            "revenue_30d": 1000.5,
            "win_rate_30d": 0.5,
            "interactions": 2,
            "top_channel": "email",
        }
    ]
    [quiet] = shop.sales_summary("acme", jan(21))
    assert (quiet["revenue"], quiet["revenue_7d"], quiet["win_rate"], quiet["top_channel"]) == (
        0.0,
        1000.12,
        None,
        None,
    )
    [nothing_yet] = shop.sales_summary("acme", jan(2))
    assert (nothing_yet["deals_created"], nothing_yet["win_rate_30d"], nothing_yet["avg_deal_value"]) == (0, None, None)


def test_channel_performance_covers_thirty_days(shop: Oracle) -> None:
    call, email, meeting = shop.channel_performance("acme", jan(20))
    assert call == {
        "channel": "call",
        "interactions": 2,
        "customers": 1,
        "positive_rate": 0.5,
        "conversion_rate": 1.0,
        "avg_deal_value": 1000.12,
        "avg_response_minutes": 1.0,
        "median_response_minutes": 1.0,
        "avg_duration_minutes": 15.0,
    }
    # L3 is lost, L8 is no lead: no deal won of one lead touched
    assert (email["customers"], email["conversion_rate"], email["avg_deal_value"]) == (2, 0.0, None)
    assert (email["avg_response_minutes"], email["median_response_minutes"]) == (pytest.approx(13 / 3), 4.0)
    assert email["avg_duration_minutes"] is None
    assert (meeting["conversion_rate"], meeting["avg_deal_value"]) == (1.0, 2001.0)
    later = shop.channel_performance("acme", date(2026, 2, 12))
    assert [(row["channel"], row["interactions"]) for row in later] == [("call", 1), ("email", 1), ("meeting", 1)]
