"""Customer 360 of commerce by the formulas of the contract's page, one customer and one day at a time.

Belongs here: the formulas. Not here: which rows are there on a day (`silver`, `commerce`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

DAY = timedelta(days=1)
CENT = Decimal("0.01")
type_of_row = dict[str, Any]
type_of_tables = Mapping[str, Sequence[type_of_row]]


def customer360(day: date, given: type_of_tables) -> list[type_of_row]:
    """One customer at a time, as of one day. `given` holds tables by name, with rows of other days too."""
    rows = [
        of_customer(customer, day, given)
        for customer in sorted(given["customers"], key=lambda row: str(row["customer_id"]))
        if customer["date"] == day
    ]
    ordered = [row for row in rows if row["orders"]]
    for row in rows:
        row.update(dict.fromkeys(("rfm_recency", "rfm_frequency", "rfm_monetary")))
    for row in ordered:
        row["rfm_recency"] = quintile(
            [-other["days_since_last_order"] for other in ordered], -row["days_since_last_order"]
        )
        row["rfm_frequency"] = quintile([other["orders"] for other in ordered], row["orders"])
        row["rfm_monetary"] = quintile([other["revenue"] for other in ordered], row["revenue"])
    return rows


def quintile(all_of_them: Sequence[Decimal | int], one: Decimal | int) -> int:
    return 1 + 5 * sum(other < one for other in all_of_them) // len(all_of_them)


def of_customer(customer: type_of_row, day: date, given: type_of_tables) -> type_of_row:
    def trailing(table: str, days: int) -> list[type_of_row]:
        rows = (row for row in given[table] if row["customer_id"] == customer["customer_id"])
        return [row for row in rows if timedelta(0) <= day - row["date"] < days * DAY]

    def money(rows: list[type_of_row]) -> Decimal:
        return sum((row["amount"] for row in rows), Decimal("0.00"))

    lines, done = trailing("facts", 365), trailing("events", 30)
    month = [row for row in lines if (row["date"].year, row["date"].month) == (day.year, day.month)]
    orders, revenue = len(invoices(lines)), money(lines)
    newest = max((row["transaction_date"] for row in lines), default=None)
    recent = [row for row in lines if (day - row["date"]).days < 30]
    return {
        **customer,
        "tenure_days": (day - customer["signup_date"]).days,
        "year_month": f"{day:%Y-%m}",
        "orders": orders,
        "revenue": revenue,
        "refunds": -money([row for row in lines if row["amount"] < 0]),
        "avg_order_value": (revenue / orders).quantize(CENT, ROUND_HALF_EVEN) if orders else None,
        "last_order_at": newest,
        "days_since_last_order": (day - newest.date()).days if newest else None,
        "revenue_30d": money(recent),
        "revenue_90d": money([row for row in lines if (day - row["date"]).days < 90]),
        "revenue_mtd": money(month),
        "orders_mtd": len(invoices(month)),
        "active_days_30d": len({row["date"] for row in recent + done}),
        "events_30d": len(done),
        "sessions_30d": len({row["session_id"] for row in done} - {None}),
        "devices": list(holders(day, given["assignments"]).values()).count(customer["customer_id"]),
        "anomalies_30d": len(trailing("anomalies", 30)),
        "favourite_category": favourite(lines, day, given["products"]),
    }


def holders(day: date, assignments: Sequence[type_of_row]) -> dict[str, str]:
    """Who has each device at midnight after the day: the later assignment takes it from the earlier."""
    midnight = datetime.combine(day + DAY, time(), UTC)
    having: dict[str, str] = {}
    for row in sorted((row for row in assignments if row["date"] == day), key=lambda row: row["assigned_from"]):
        if row["assigned_from"] < midnight and (row["assigned_to"] or midnight) >= midnight:
            having[row["device_id"]] = row["customer_id"]
    return having


def invoices(lines: list[type_of_row]) -> set[str]:
    return {row["invoice_id"] or row["transaction_id"] for row in lines}


def favourite(lines: list[type_of_row], day: date, products: Sequence[type_of_row]) -> str | None:
    categories = {row["product_id"]: row["category"] for row in products if row["date"] == day}
    bought: defaultdict[str, int] = defaultdict(int)
    net: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in lines:
        category = categories.get(row["product_id"])
        if category is not None:
            bought[category] += row["amount"] >= 0
            net[category] += row["amount"]
    ranked = sorted((-count, -net[name], name) for name, count in bought.items() if count)
    return ranked[0][2] if ranked else None
