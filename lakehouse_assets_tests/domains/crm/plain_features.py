"""The formulas of customer figures once more, in plain Python, to hold the queries against."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

DAY = timedelta(days=1)
type_of_row = dict[str, Any]


def in_plain_python(
    day: date, customers: list[type_of_row], leads: list[type_of_row], interactions: list[type_of_row]
) -> list[type_of_row]:
    """The formulas of the contract once more, in fractions and one customer at a time."""
    rows = []
    for one in sorted(row["customer_id"] for row in customers if row["date"] == day):
        own = [row for row in leads if row["date"] == day and row["customer_id"] == one]
        had = [r for r in interactions if r["customer_id"] == one and timedelta(0) <= day - r["date"] < 365 * DAY]
        won = [row for row in own if row["status"] == "closed_won"]
        lost = [row for row in own if row["status"] == "closed_lost"]
        valued = [cents(row["deal_value"]) for row in own if row["deal_value"] is not None]
        revenue = sum((cents(row["deal_value"]) for row in won if row["deal_value"] is not None), Fraction(0))
        latest = max((row["date"] for row in had), default=date.min)
        positive = [row for row in had if row["outcome"] == "positive"]
        calls = [row for row in had if row["channel"] == "call"]
        engagement = Fraction(0)
        if had:
            recency = 10 if (day - latest).days < 7 else 5
            engagement = Fraction(5 * len(positive) + 2 * len(calls), len(had)) + Fraction(3 * recency, 10)

        def standing(channel: str, had: list[type_of_row] = had) -> tuple[Any, ...]:
            through = [row for row in had if row["channel"] == channel]
            wins = sum(row["outcome"] == "positive" for row in through)
            recent = max(row["interaction_at"] for row in through)
            return (-Fraction(wins, len(through)), -wins, -recent.timestamp(), channel)

        rows.append(
            {
                "date": day,
                "customer_id": one,
                "num_closed_won": len(won),
                "num_closed_lost": len(lost),
                "num_open_deals": len(own) - len(won) - len(lost),
                "total_revenue": revenue,
                "avg_deal_value": sum(valued) / len(valued) if valued else None,
                "total_interactions": len(had),
                "num_calls": len(calls),
                "num_emails": sum(row["channel"] == "email" for row in had),
                "num_whatsapp": sum(row["channel"] == "whatsapp" for row in had),
                "num_positive_outcomes": len(positive),
                "num_negative_outcomes": sum(row["outcome"] == "negative" for row in had),
                "last_interaction_date": latest if had else None,
                "preferred_channel": min({row["channel"] for row in had}, key=standing, default=None),
                "days_since_last_interaction": (day - latest).days if had else None,
                "win_rate": Fraction(len(won), len(won) + len(lost)) if won or lost else Fraction(0),
                "conversion_rate": Fraction(len(won), len(own)) if own else Fraction(0),
                "engagement_score": engagement,
            }
        )
    top_revenue = max((row["total_revenue"] for row in rows), default=0)
    top_interactions = max((row["total_interactions"] for row in rows), default=0)
    for row in rows:
        by_revenue = 100 * row["total_revenue"] / top_revenue if top_revenue else Fraction(0)
        by_interactions = Fraction(100 * row["total_interactions"], top_interactions) if top_interactions else 0
        engagement, win_rate = row["engagement_score"], row["win_rate"]
        score = Fraction(3, 10) * by_revenue + Fraction(1, 5) * by_interactions
        score += Fraction(5, 2) * engagement + 25 * win_rate
        row["lead_score"] = score
        row["lead_score_v0"] = (
            row["total_revenue"] / 100_000 * 30 + 2 * row["total_interactions"] + 25 * engagement + 20 * win_rate
        )
        row["lead_quality"] = "hot" if score >= 80 else "warm" if score >= 60 else "cool" if score >= 40 else "cold"
    return rows


def cents(value: float) -> Fraction:
    return Fraction(Decimal(repr(value)).quantize(Decimal("0.01"), ROUND_HALF_EVEN))
