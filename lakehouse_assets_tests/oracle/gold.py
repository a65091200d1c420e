"""The gold tables of crm by the formulas of the contract's page, one tenant and one day at a time.

Belongs here: the formulas. Not here: which rows are there on a day (`silver`, `answers`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from statistics import fmean, median
from typing import Any

from lakehouse_assets_tests.oracle.cleaning import cents
from lakehouse_assets_tests.oracle.judging import Row

KEPT = ("customer_id", "customer_name", "industry", "employee_count", "annual_revenue")


@dataclass(frozen=True)
class Input:
    """Leads and customers as of the day, interactions of the window that ends with it."""

    customers: list[Row]
    leads: list[Row]
    interactions: list[Row]


def customer_features(given: Input, on: date) -> list[Row]:
    leads, interactions = by_customer(given.leads), by_customer(given.interactions)
    rows = []
    for customer in given.customers:
        key = customer["customer_id"]
        kept = {name: customer[name] for name in KEPT}
        rows.append(kept | contacts(interactions[key], on) | deals(leads[key]))
    most_revenue = max((row["total_revenue"] for row in rows), default=0.0)
    most_interactions = max((row["total_interactions"] for row in rows), default=0)
    for row in rows:
        row.update(score(row, most_revenue, most_interactions))
    return sorted(rows, key=lambda row: str(row["customer_id"]))


def contacts(interactions: list[Row], on: date) -> Row:
    """What a customer's interactions of the trailing 365 days say."""
    total = len(interactions)
    channels = Counter(row["channel"] for row in interactions)
    outcomes = Counter(row["outcome"] for row in interactions)
    last = max((row["interaction_at"].date() for row in interactions), default=None)
    days = (on - last).days if last else None
    engagement = 0.0
    if days is not None:
        recency = 10 if days < 7 else 5
        engagement = 5 * outcomes["positive"] / total + 2 * channels["call"] / total + 3 * recency / 10
    return {
        "total_interactions": total,
        "num_calls": channels["call"],
        "num_emails": channels["email"],
        "num_whatsapp": channels["whatsapp"],
        "num_positive_outcomes": outcomes["positive"],
        "num_negative_outcomes": outcomes["negative"],
        "engagement_score": engagement,
        "preferred_channel": preferred_channel(interactions),
        "days_since_last_interaction": days,
        "last_interaction_date": last,
    }


def preferred_channel(interactions: list[Row]) -> str | None:
    """Highest positive share; then most positives, then the most recent, then the first name."""
    by_channel = defaultdict(list)
    for row in interactions:
        by_channel[row["channel"]].append(row)

    def rank(channel: str) -> tuple[Any, ...]:
        rows = by_channel[channel]
        positives = sum(row["outcome"] == "positive" for row in rows)
        newest = max(row["interaction_at"] for row in rows)
        return Fraction(positives, len(rows)), positives, newest

    # `max` returns the first of equals, and so the first name.
    return max(sorted(by_channel), key=rank, default=None)


def deals(leads: list[Row]) -> Row:
    """What a customer's leads say, as of the day."""
    won = [lead for lead in leads if lead["status"] == "closed_won"]
    lost = [lead for lead in leads if lead["status"] == "closed_lost"]
    return {
        "total_revenue": float(money(won)),
        "num_closed_won": len(won),
        "num_closed_lost": len(lost),
        "num_open_deals": len(leads) - len(won) - len(lost),
        "conversion_rate": share(len(won), len(leads)) or 0.0,
        "win_rate": share(len(won), len(won) + len(lost)) or 0.0,
        "avg_deal_value": average_value(leads),
    }


def score(row: Row, most_revenue: float, most_interactions: int) -> Row:
    revenue = 100 * row["total_revenue"] / most_revenue if most_revenue else 0.0
    activity = 100 * row["total_interactions"] / most_interactions if most_interactions else 0.0
    engagement, win_rate = row["engagement_score"], row["win_rate"]
    points = 0.30 * revenue + 0.20 * activity + 0.25 * 10 * engagement + 0.25 * 100 * win_rate
    first_version = row["total_revenue"] / 100000 * 30 + 2 * row["total_interactions"] + 25 * engagement + 20 * win_rate
    return {"lead_score": points, "lead_quality": quality(points), "lead_score_v0": first_version}


def quality(points: float) -> str:
    rounded = round(points, 9)
    return "hot" if rounded >= 80 else "warm" if rounded >= 60 else "cool" if rounded >= 40 else "cold"


def top_customers(features: list[Row]) -> list[Row]:
    columns = (
        "customer_id",
        "customer_name",
        "industry",
        "total_revenue",
        "lead_score",
        "lead_quality",
        "engagement_score",
        "win_rate",
        "preferred_channel",
    )
    best = sorted(features, key=lambda row: (-row["total_revenue"], row["customer_id"]))[:50]
    return [{"rank": rank} | {name: row[name] for name in columns} for rank, row in enumerate(best, start=1)]


def sales_summary(given: Input, on: date) -> list[Row]:
    """One row, also for a day on which nothing happened."""
    won_today, lost_today = closed(given.leads, "won", on), closed(given.leads, "lost", on)
    month_won, month_lost = closed(given.leads, "won", on, days=30), closed(given.leads, "lost", on, days=30)
    channels = Counter(row["channel"] for row in given.interactions)
    return [
        {
            "revenue": float(money(won_today)),
            "deals_created": sum(lead["created_date"] == on for lead in given.leads),
            "deals_won": len(won_today),
            "deals_lost": len(lost_today),
            "win_rate": share(len(won_today), len(won_today) + len(lost_today)),
            "avg_deal_value": average_value(won_today),
            "revenue_7d": float(money(closed(given.leads, "won", on, days=7))),
            "revenue_30d": float(money(month_won)),
            "win_rate_30d": share(len(month_won), len(month_won) + len(month_lost)),
            "interactions": len(given.interactions),
            "top_channel": min(channels, key=lambda name: (-channels[name], name), default=None),
        }
    ]


def closed(leads: list[Row], how: str, on: date, *, days: int = 1) -> list[Row]:
    """The leads that closed as won or lost in the days up to one day."""
    first = on - timedelta(days=days - 1)
    ended = [lead for lead in leads if lead["status"] == f"closed_{how}" and lead["closed_date"]]
    return [lead for lead in ended if first <= lead["closed_date"] <= on]


def channel_performance(given: Input) -> list[Row]:
    leads = {lead["lead_id"]: lead for lead in given.leads}
    by_channel = defaultdict(list)
    for row in given.interactions:
        by_channel[row["channel"]].append(row)
    result = []
    for channel, rows in sorted(by_channel.items()):
        # Leads are the state as of the day: an id that is no lead by then was not one that could be won.
        touched = [leads[key] for key in sorted({row["lead_id"] for row in rows if row["lead_id"] in leads})]
        won = [lead for lead in touched if lead["status"] == "closed_won"]
        response = [row["response_minutes"] for row in rows if row["response_minutes"] is not None]
        duration = [row["duration_minutes"] for row in rows if row["duration_minutes"] is not None]
        result.append(
            {
                "channel": channel,
                "interactions": len(rows),
                "customers": len({row["customer_id"] for row in rows}),
                "positive_rate": share(sum(row["outcome"] == "positive" for row in rows), len(rows)),
                "conversion_rate": share(len(won), len(touched)),
                "avg_deal_value": average_value(won),
                "avg_response_minutes": fmean(response) if response else None,
                "median_response_minutes": median(response) if response else None,
                "avg_duration_minutes": fmean(duration) if duration else None,
            }
        )
    return result


def by_customer(rows: list[Row]) -> defaultdict[str, list[Row]]:
    grouped: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["customer_id"]].append(row)
    return grouped


def money(leads: list[Row]) -> Decimal:
    """The exact sum of the values of leads, each rounded to cents first."""
    return sum((cents(lead["deal_value"]) for lead in leads if lead["deal_value"] is not None), Decimal(0))


def average_value(leads: list[Row]) -> float | None:
    valued = [lead for lead in leads if lead["deal_value"] is not None]
    return float(money(valued) / len(valued)) if valued else None


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
