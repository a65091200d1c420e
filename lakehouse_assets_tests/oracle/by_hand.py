"""Landings small enough to work out by hand: all in January 2026, all of the tenant acme.

Belongs here: what the tests of the oracle share. Not here: made-up landing zones of any size (`landing_zones`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from lakehouse_assets_tests.oracle import Oracle

START = date(2026, 1, 1)
LEADS = "lead_id,customer_id,product_id,source,status,deal_value,owner,created_date,closed_date,updated_at"
CUSTOMERS = "customer_id,customer_name,industry,employee_count,annual_revenue,email,phone,created_date"
INTERACTIONS = "interaction_id,customer_id,lead_id,channel,outcome,interaction_at,duration_minutes,response_minutes"
HEADERS = {
    "leads": LEADS,
    "customers": CUSTOMERS,
    "interactions": INTERACTIONS,
    "products": "product_id,product_name,category,list_price",
}
Land = Callable[..., None]


def jan(day: int) -> date:
    return date(2026, 1, day)


def counts(oracle: Oracle, table: str, day: int) -> tuple[int, ...]:
    """judged, kept, rejected, duplicate, deleted"""
    return tuple(oracle.counts(table, "acme", jan(day)).values())


def faults(oracle: Oracle, table: str, day: int) -> list[set[str]]:
    return [row["faults"] for row in oracle.rejected(table, "acme", jan(day))]
