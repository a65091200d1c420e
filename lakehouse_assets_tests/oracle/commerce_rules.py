"""Sources of commerce that the oracle answers about, and the rules of their rows, as the contract's page lists them.

Belongs here: columns, keys and the rules of a single row. Not here: rules that need other rows (`commerce`).
"""

from __future__ import annotations

from lakehouse_assets_tests.oracle import cleaning
from lakehouse_assets_tests.oracle.judging import Judged, type_of_rules
from lakehouse_assets_tests.oracle.sources import Source

CUSTOMERS = Source(
    name="customers",
    key="customer_id",
    version=None,
    columns=("customer_id", "source_customer_id", "name", "email", "signup_date", "region"),
    required=("customer_id", "signup_date"),
    domain="commerce",
)
PRODUCTS = Source(
    name="products",
    key="product_id",
    version=None,
    columns=("product_id", "product_name", "category"),
    required=("product_id",),
    domain="commerce",
)
TRANSACTIONS = Source(
    name="transactions",
    key="transaction_id",
    version="transaction_date",
    columns=(
        "transaction_id",
        "customer_id",
        "product_id",
        "quantity",
        "amount",
        "transaction_date",
        "payment_method",
        "invoice_id",
    ),
    required=("transaction_id", "amount", "transaction_date"),
    is_event=True,
    domain="commerce",
)
CUSTOMER_EVENTS = Source(
    name="customer_events",
    key="event_id",
    version="event_time",
    columns=("event_id", "customer_id", "session_id", "event_type", "event_time", "properties"),
    required=("event_id", "event_type", "event_time"),
    is_event=True,
    domain="commerce",
)
SOURCES = {source.name: source for source in (CUSTOMERS, PRODUCTS, TRANSACTIONS, CUSTOMER_EVENTS)}


def customer(judged: Judged) -> None:
    for column in ("customer_id", "source_customer_id", "name"):
        judged.parse(column, cleaning.text)
    email = judged.parse("email", cleaning.text)
    judged.row["email"] = email and email.lower()
    judged.parse("signup_date", cleaning.day)
    judged.row["region"] = (judged.parse("region", cleaning.text) or "UNKNOWN").upper()
    judged.require("customer_id", "signup_date")
    if email is not None and not cleaning.is_email(email.lower()):
        judged.flags.append("invalid_email")


def product(judged: Judged) -> None:
    for column in ("product_id", "product_name", "category"):
        judged.parse(column, cleaning.text)
    judged.require("product_id")


def transaction(judged: Judged) -> None:
    for column in ("transaction_id", "customer_id", "product_id", "invoice_id"):
        judged.parse(column, cleaning.text)
    judged.parse("quantity", cleaning.integer)
    amount = judged.parse("amount", cleaning.amount)
    judged.parse("transaction_date", cleaning.moment)
    judged.parse("payment_method", cleaning.code)
    judged.require("transaction_id", "amount", "transaction_date")
    judged.row["is_refund"] = amount is not None and amount < 0
    if judged.row["customer_id"] is None:
        judged.flags.append("guest")


def customer_event(judged: Judged) -> None:
    for column in ("event_id", "customer_id", "session_id"):
        judged.parse(column, cleaning.text)
    judged.parse("event_type", cleaning.code)
    judged.parse("event_time", cleaning.moment)
    judged.row["properties"] = judged.record.values["properties"]
    judged.require("event_id", "event_type", "event_time")


RULES: type_of_rules = {
    "customers": customer,
    "products": product,
    "transactions": transaction,
    "customer_events": customer_event,
}
