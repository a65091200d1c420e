"""Every rule of customers, products, transactions and app events, broken once, and what a clean row becomes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.house import tables
from lakehouse_assets.lake.names import TableName
from lakehouse_assets_tests.lake.one_row import judged_row

CLEAN = {
    "customers": {
        "customer_id": "C1",
        "source_customer_id": "S1",
        "name": " Ana  Öz ",
        "email": "Ana@Example.COM",
        "signup_date": "2025-12-01",
        "region": "emea west",
    },
    "products": {"product_id": "P1", "product_name": "Heat  Pump", "category": "Heat Pumps"},
    "transaction_facts": {
        "transaction_id": "T1",
        "customer_id": "C1",
        "product_id": "P1",
        "quantity": "2.0",
        "amount": "19.995",
        "transaction_date": "2026-01-14T23:30:00-01:00",
        "payment_method": "Credit Card",
        "invoice_id": "I1",
    },
    "customer_events": {
        "event_id": "E1",
        "customer_id": "C1",
        "session_id": "S1",
        "event_type": "Page-View",
        "event_time": "2026-01-14T10:00:00Z",
        "properties": '{"page": "/ a"}',
    },
}


def judged(table: str, **changes: str | None) -> dict[str, Any]:
    return judged_row("commerce", table, CLEAN[table] | changes)


@pytest.mark.parametrize(
    ("table", "typed"),
    [
        (
            "customers",
            {"name": "Ana Öz", "email": "ana@example.com", "signup_date": date(2025, 12, 1), "region": "EMEA WEST"},
        ),
        ("products", {"product_name": "Heat Pump", "category": "Heat Pumps"}),
        (
            "transaction_facts",
            {
                "quantity": 2,
                "amount": Decimal("20.00"),
                "transaction_date": datetime(2026, 1, 15, 0, 30, tzinfo=UTC),
                "payment_method": "credit_card",
                "is_refund": False,
            },
        ),
        (
            "customer_events",
            {
                "event_type": "page_view",
                "event_time": datetime(2026, 1, 14, 10, tzinfo=UTC),
                "properties": '{"page": "/ a"}',
            },
        ),
    ],
)
def test_a_clean_row_is_typed_and_breaks_no_rule(table: str, typed: dict[str, Any]) -> None:
    row = judged(table)
    assert {name: row[name] for name in typed} == typed
    assert (row["rejected"], row["flagged"], row["warned"]) == ([], [], [])


@pytest.mark.parametrize(
    ("table", "changes", "rejected"),
    [
        ("customers", {"customer_id": " null "}, ["customer_id_is_null"]),
        ("customers", {"signup_date": None}, ["signup_date_is_null"]),
        ("customers", {"signup_date": "2025-02-29"}, ["signup_date_unparsable"]),
        ("customers", {"signup_date": "01/12/2025"}, ["signup_date_unparsable"]),
        ("customers", {"_op": "Delete", "signup_date": None}, []),
        ("customers", {"_op": "delete", "customer_id": None}, ["customer_id_is_null"]),
        ("products", {"product_id": "-"}, ["product_id_is_null"]),
        ("transaction_facts", {"transaction_id": ""}, ["transaction_id_is_null"]),
        ("transaction_facts", {"amount": None}, ["amount_is_null"]),
        ("transaction_facts", {"amount": "ten"}, ["amount_unparsable"]),
        ("transaction_facts", {"amount": "1,000.00"}, ["amount_unparsable"]),
        ("transaction_facts", {"amount": "inf"}, ["amount_unparsable"]),
        ("transaction_facts", {"amount": "99999999.994"}, []),
        ("transaction_facts", {"amount": "99999999.995"}, ["amount_unparsable"]),
        ("transaction_facts", {"amount": "-1e8"}, ["amount_unparsable"]),
        ("transaction_facts", {"quantity": "1.5"}, ["quantity_unparsable"]),
        ("transaction_facts", {"transaction_date": None}, ["transaction_date_is_null"]),
        ("transaction_facts", {"transaction_date": "2026-01-14 25:00"}, ["transaction_date_unparsable"]),
        ("transaction_facts", {"transaction_date": "2024-12-31T23:59:59Z"}, ["before_start"]),
        ("transaction_facts", {"transaction_date": "2026-01-17T00:00:00Z"}, ["in_future"]),
        ("transaction_facts", {"amount": "x", "transaction_id": None}, ["amount_unparsable", "transaction_id_is_null"]),
        ("customer_events", {"event_id": None}, ["event_id_is_null"]),
        ("customer_events", {"event_type": "n/a"}, ["event_type_is_null"]),
        ("customer_events", {"event_time": None}, ["event_time_is_null"]),
        ("customer_events", {"event_time": "soon"}, ["event_time_unparsable"]),
    ],
)
def test_rows_are_rejected_for_every_rule_they_break(
    table: str, changes: dict[str, str | None], rejected: list[str]
) -> None:
    assert judged(table, **changes)["rejected"] == rejected


@pytest.mark.parametrize(
    ("table", "changes", "flagged", "warned", "typed"),
    [
        ("customers", {"email": "ana at example"}, ["invalid_email"], [], {"email": "ana at example"}),
        ("customers", {"email": None}, [], [], {"email": None}),
        ("customers", {"region": " N/A "}, [], [], {"region": "UNKNOWN"}),
        ("transaction_facts", {"customer_id": "-"}, ["guest"], [], {"customer_id": None}),
        ("transaction_facts", {"amount": "-5"}, [], [], {"amount": Decimal(-5), "is_refund": True}),
        ("transaction_facts", {"amount": "0"}, [], ["amount_is_zero"], {"amount": Decimal(0), "is_refund": False}),
        ("transaction_facts", {"amount": "-0.001"}, [], ["amount_is_zero"], {"is_refund": False}),
        ("transaction_facts", {"amount": "1.25e1"}, [], [], {"amount": Decimal("12.50")}),
        ("transaction_facts", {"amount": "0.125"}, [], [], {"amount": Decimal("0.12")}),
        ("transaction_facts", {"quantity": "-3"}, [], [], {"quantity": -3}),
        (
            "transaction_facts",
            {"quantity": None, "product_id": "", "invoice_id": "none", "payment_method": None},
            [],
            [],
            {"quantity": None, "product_id": None, "invoice_id": None, "payment_method": None},
        ),
        ("transaction_facts", {"payment_method": "PayPal"}, [], [], {"payment_method": "paypal"}),
        ("customer_events", {"customer_id": None, "session_id": None}, [], [], {"customer_id": None}),
        ("customer_events", {"properties": None}, [], [], {"properties": None}),
    ],
)
def test_rows_that_break_a_softer_rule_stay(
    table: str, changes: dict[str, str | None], flagged: list[str], warned: list[str], typed: dict[str, Any]
) -> None:
    row = judged(table, **changes)
    assert (row["rejected"], row["flagged"], row["warned"]) == ([], flagged, warned)
    assert {name: row[name] for name in typed} == typed


@pytest.mark.parametrize("name", CLEAN)
def test_the_function_gives_the_contract_its_columns_and_types(name: str) -> None:
    table = tables()[TableName("commerce", "silver", name)]
    assert table.function is not None
    row = table.function(pl.LazyFrame([CLEAN[name]])).collect_schema()
    own = [column for column in table.schema if not column.startswith("_") and column != "quality_flags"]
    assert set(own) - set(row) == set(table.lookups)
    assert dict(row) == {column: dtype for column, dtype in table.schema.items() if column in row}
