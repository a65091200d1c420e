"""crm silver: the sources cleaned, typed and judged.

Belongs here: what a lead, a customer, an interaction and a product is once it can be trusted. Not here: duplicates,
versions and deletes, which the lake settles from what the sources declare.
"""

from __future__ import annotations

from typing import Annotated

import polars as pl

from lakehouse_assets.domains.crm.sources import CUSTOMERS, INTERACTIONS, LEADS, PRODUCTS
from lakehouse_assets.lake.contract import Contract, column, flag, reject
from lakehouse_assets.lake.table import Duplicates, Reference, table
from lakehouse_assets.lake.values import (
    cleaned,
    code,
    date,
    email_is_valid,
    integer,
    lower_text,
    normalized_name,
    number,
    one_of,
    phone,
    text,
    timestamp,
)

OPEN_STATUSES = ("new", "contacted", "qualified", "proposal", "negotiation")
CLOSED_STATUSES = ("closed_won", "closed_lost")
UNKNOWN = "unknown"
STATUSES = (*OPEN_STATUSES, *CLOSED_STATUSES, UNKNOWN)
OTHER = "other"
CHANNELS = ("call", "email", "whatsapp", "meeting", OTHER)
OUTCOMES = ("positive", "neutral", "negative", UNKNOWN)


class LeadsClean(Contract):
    """One row per lead: its newest valid version as of the date."""

    lead_id: str = column("Lead", key=True)
    customer_id: str = column("Customer that the lead is about")
    product_id: str = column("Product that is offered", nullable=True)
    source: str = column("Where the lead came from, as a code", nullable=True)
    status: str = column("Stage; closed_won and closed_lost are closed, all others open", isin=list(STATUSES))
    deal_value: float = column("Value of the deal", unit="USD", nullable=True, ge=0)
    owner: str = column("Person who works on the lead", nullable=True)
    created_date: pl.Date = column("Day on which the lead was created")
    closed_date: pl.Date = column("Day on which the lead was won or lost", nullable=True)
    updated_at: Annotated[pl.Datetime, "us", "UTC"] = column("Time of this version, null is the oldest", nullable=True)

    @reject
    def closed_before_created(cls) -> pl.Expr:
        """The closing lies before the creation."""
        return pl.col("closed_date") >= pl.col("created_date")

    @flag
    def unknown_status(cls) -> pl.Expr:
        """The status is missing, or none of the stages."""
        return code("raw:status").is_in(STATUSES).fill_null(value=False)

    @flag
    def closed_without_date(cls) -> pl.Expr:
        """The lead is closed and does not say when."""
        return pl.col("closed_date").is_not_null() | ~pl.col("status").is_in(CLOSED_STATUSES)


@table(LeadsClean, source=LEADS, references={"orphan_customer": Reference("customer_id", "silver_customers_clean")})
def silver_leads_clean(bronze_leads: pl.LazyFrame) -> pl.LazyFrame:
    """A lead whose stage nobody knows is still a lead: it stays, as unknown, and counts as open."""
    return bronze_leads.with_columns(
        text("lead_id"),
        text("customer_id"),
        text("product_id"),
        code("source"),
        one_of(code("status"), STATUSES, UNKNOWN),
        number("deal_value"),
        text("owner"),
        date("created_date"),
        date("closed_date"),
        timestamp("updated_at"),
    )


class CustomersClean(Contract):
    """One row per customer: its newest valid version as of the date."""

    customer_id: str = column("Customer", key=True)
    customer_name: str = column("Name as it is shown", nullable=True)
    customer_name_normalized: str = column(
        "Name to match on: lower case letters, digits and single spaces", nullable=True
    )
    industry: str = column("Industry, in lower case; unknown where the source says none")
    employee_count: int = column("People employed", nullable=True, ge=0)
    annual_revenue: float = column(
        "Revenue in a year; null where the source says none", unit="USD", nullable=True, ge=0
    )
    email: str = column("E-mail address of the contact, in lower case", nullable=True)
    phone: str = column("Phone number as E.164 where it parses, else as it landed", nullable=True)
    created_date: pl.Date = column("Day on which the customer was created", nullable=True)

    @flag
    def invalid_email(cls) -> pl.Expr:
        """The e-mail address is not well formed."""
        return email_is_valid("email")

    @flag
    def invalid_phone(cls) -> pl.Expr:
        """The phone number does not parse: no country code, or a length that the country does not have."""
        return phone("raw:phone").is_not_null() | cleaned("raw:phone").is_null()

    @flag
    def missing_revenue(cls) -> pl.Expr:
        """The annual revenue is not known."""
        return pl.col("annual_revenue").is_not_null()


@table(CustomersClean, source=CUSTOMERS)
def silver_customers_clean(bronze_customers: pl.LazyFrame) -> pl.LazyFrame:
    """A contact that cannot be reached is a flaw of the contact, not of the customer: flagged and kept."""
    return bronze_customers.with_columns(
        text("customer_id"),
        text("customer_name"),
        normalized_name("customer_name").alias("customer_name_normalized"),
        lower_text("industry").fill_null(UNKNOWN),
        integer("employee_count"),
        number("annual_revenue"),
        lower_text("email"),
        pl.coalesce(phone("phone"), text("phone")),
        date("created_date"),
    )


class InteractionsClean(Contract):
    """One row per call, message or meeting, on its business date in UTC."""

    interaction_id: str = column("Interaction", key=True)
    customer_id: str = column("Customer that took part")
    lead_id: str = column("Lead that it was about", nullable=True)
    channel: str = column("Channel; other where the source says none or something else", isin=list(CHANNELS))
    outcome: str = column("How it ended; unknown where the source says none or something else", isin=list(OUTCOMES))
    interaction_at: Annotated[pl.Datetime, "us", "UTC"] = column("Time at which it began")
    duration_minutes: float = column("How long it took", unit="minutes", nullable=True, ge=0)
    response_minutes: float = column("How long the answer took", unit="minutes", nullable=True, ge=0)


@table(
    InteractionsClean,
    source=INTERACTIONS,
    references={"orphan_customer": Reference("customer_id", "silver_customers_clean")},
    duplicates=Duplicates(on=("customer_id", "interaction_at", "channel"), lowest="interaction_id"),
)
def silver_interactions_clean(bronze_interactions: pl.LazyFrame) -> pl.LazyFrame:
    """Two interactions of a customer through one channel at one moment are one, written down twice."""
    return bronze_interactions.with_columns(
        text("interaction_id"),
        text("customer_id"),
        text("lead_id"),
        one_of(code("channel"), CHANNELS, OTHER),
        one_of(code("outcome"), OUTCOMES, UNKNOWN),
        timestamp("interaction_at"),
        number("duration_minutes"),
        number("response_minutes"),
    )


class ProductsClean(Contract):
    """One row per product: its newest valid version as of the date."""

    product_id: str = column("Product", key=True)
    product_name: str = column("Name of the product", nullable=True)
    category: str = column("Category, in lower case", nullable=True)
    list_price: float = column("Price before discounts", unit="USD", nullable=True, ge=0)


@table(ProductsClean, source=PRODUCTS)
def silver_products_clean(bronze_products: pl.LazyFrame) -> pl.LazyFrame:
    """A product without a price is on offer all the same."""
    return bronze_products.with_columns(
        text("product_id"), text("product_name"), lower_text("category"), number("list_price")
    )
