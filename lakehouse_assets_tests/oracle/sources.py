"""The four sources of crm, as the contract's page lists them.

Belongs here: names of columns, keys and what a file cannot do without. Not here: rules (`judging`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """`version` is the column that orders the versions of an entity, or the time of an event."""

    name: str
    key: str
    version: str | None
    columns: tuple[str, ...]
    required: tuple[str, ...]
    is_event: bool = False
    domain: str = "crm"


LEADS = Source(
    name="leads",
    key="lead_id",
    version="updated_at",
    columns=(
        "lead_id",
        "customer_id",
        "product_id",
        "source",
        "status",
        "deal_value",
        "owner",
        "created_date",
        "closed_date",
        "updated_at",
    ),
    required=("lead_id", "customer_id", "created_date"),
)
CUSTOMERS = Source(
    name="customers",
    key="customer_id",
    version=None,
    columns=(
        "customer_id",
        "customer_name",
        "industry",
        "employee_count",
        "annual_revenue",
        "email",
        "phone",
        "created_date",
    ),
    required=("customer_id",),
)
INTERACTIONS = Source(
    name="interactions",
    key="interaction_id",
    version="interaction_at",
    columns=(
        "interaction_id",
        "customer_id",
        "lead_id",
        "channel",
        "outcome",
        "interaction_at",
        "duration_minutes",
        "response_minutes",
    ),
    required=("interaction_id", "customer_id", "interaction_at"),
    is_event=True,
)
PRODUCTS = Source(
    name="products",
    key="product_id",
    version=None,
    columns=("product_id", "product_name", "category", "list_price"),
    required=("product_id",),
)
SOURCES = {source.name: source for source in (LEADS, CUSTOMERS, INTERACTIONS, PRODUCTS)}
