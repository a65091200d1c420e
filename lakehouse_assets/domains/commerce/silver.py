"""commerce silver: customers, products, transactions and app events, cleaned, typed and judged.

Belongs here: what each of them is once it can be trusted. Not here: telemetry and its devices (`silver_telemetry`),
documents (`silver_documents`); duplicates, versions and lookups, which the lake settles from what is declared.
"""

from __future__ import annotations

from typing import Annotated

import polars as pl

from lakehouse_assets.domains.commerce.sources import CUSTOMER_EVENTS, CUSTOMERS, PRODUCTS, TRANSACTIONS
from lakehouse_assets.lake.contract import Contract, column, flag, warn
from lakehouse_assets.lake.table import Lookup, Reference, table
from lakehouse_assets.lake.values import code, date, decimal, email_is_valid, integer, lower_text, text, timestamp

UNKNOWN = "UNKNOWN"


class Customers(Contract):
    """One row per customer: its newest valid version as of the date."""

    customer_id: str = column("Customer", key=True)
    source_customer_id: str = column("The same person in the CRM; several customers may share one", nullable=True)
    name: str = column("Full name", nullable=True)
    email: str = column("E-mail address, in lower case", nullable=True)
    signup_date: pl.Date = column("Day of the first registration")
    region: str = column("Region in upper case; UNKNOWN where the source says none")

    @flag
    def invalid_email(cls) -> pl.Expr:
        """The e-mail address is not well formed."""
        return email_is_valid("email")


@table(Customers, source=CUSTOMERS, shared={"shared_source_id": "source_customer_id"})
def silver_customers(bronze_customers: pl.LazyFrame) -> pl.LazyFrame:
    """Accounts that share a person are all kept, and say so: which of them to join is for people to decide."""
    return bronze_customers.with_columns(
        text("customer_id"),
        text("source_customer_id"),
        text("name"),
        lower_text("email"),
        date("signup_date"),
        text("region").str.to_uppercase().fill_null(UNKNOWN),
    )


class Products(Contract):
    """One row per product: its newest valid version as of the date."""

    product_id: str = column("Product", key=True)
    product_name: str = column("Name of the product", nullable=True)
    category: str = column("Category, in the source's own letters", nullable=True)


@table(Products, source=PRODUCTS)
def silver_products(bronze_products: pl.LazyFrame) -> pl.LazyFrame:
    """A product without a category can be sold, and counts for none."""
    return bronze_products.with_columns(text("product_id"), text("product_name"), text("category"))


class TransactionFacts(Contract):
    """One row per line of an invoice, on its business date in UTC."""

    transaction_id: str = column("Line of an invoice", key=True)
    customer_id: str = column("Customer that bought; null for a guest", nullable=True)
    product_id: str = column("Product that was bought", nullable=True)
    quantity: int = column("Pieces; negative when they came back", nullable=True)
    amount: Annotated[pl.Decimal, 10, 2] = column("Value of the line; negative for a refund", unit="USD")
    transaction_date: Annotated[pl.Datetime, "us", "UTC"] = column("Time of the sale")
    payment_method: str = column("How it was paid, as a code", nullable=True)
    invoice_id: str = column("Invoice that the line stands on", nullable=True)
    region: str = column("The customer's region as of the date; UNKNOWN for guests and unknown customers")
    is_refund: bool = column("Whether money went back: the amount is negative")

    @flag
    def guest(cls) -> pl.Expr:
        """Nobody was logged in."""
        return pl.col("customer_id").is_not_null()

    @warn
    def amount_is_zero(cls) -> pl.Expr:
        """The line has no value: a gift, or a correction of stock."""
        return pl.col("amount") != 0


@table(
    TransactionFacts,
    source=TRANSACTIONS,
    references={
        "orphan_customer": Reference("customer_id", "silver_customers"),
        "orphan_product": Reference("product_id", "silver_products"),
    },
    lookups={"region": Lookup("customer_id", "silver_customers", "region", otherwise=UNKNOWN)},
)
def silver_transaction_facts(bronze_transactions: pl.LazyFrame) -> pl.LazyFrame:
    """Money that came in or went out is kept, whoever paid and whatever was bought."""
    return bronze_transactions.with_columns(
        text("transaction_id"),
        text("customer_id"),
        text("product_id"),
        integer("quantity"),
        decimal("amount", 10, 2),
        timestamp("transaction_date"),
        code("payment_method"),
        text("invoice_id"),
    ).with_columns((pl.col("amount") < 0).fill_null(value=False).alias("is_refund"))


class CustomerEvents(Contract):
    """One row per thing done in the app, on its business date in UTC."""

    event_id: str = column("Event", key=True)
    customer_id: str = column("Customer that did it; null when nobody was logged in", nullable=True)
    session_id: str = column("Session of the app", nullable=True)
    event_type: str = column("What was done, as a code")
    event_time: Annotated[pl.Datetime, "us", "UTC"] = column("When it was done")
    properties: str = column("Whatever the app told beside, JSON as it landed", nullable=True)


@table(
    CustomerEvents,
    source=CUSTOMER_EVENTS,
    references={"orphan_customer": Reference("customer_id", "silver_customers")},
)
def silver_customer_events(bronze_customer_events: pl.LazyFrame) -> pl.LazyFrame:
    """What the app tells beside is for those who ask for it: kept as it is, and not judged."""
    return bronze_customer_events.with_columns(
        text("event_id"), text("customer_id"), text("session_id"), code("event_type"), timestamp("event_time")
    )
