"""Every rule of the sources' silver tables, broken once, and the columns as a clean row leaves them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.domains.crm.silver import (
    silver_customers_clean,
    silver_interactions_clean,
    silver_leads_clean,
    silver_products_clean,
)
from lakehouse_assets.house import tables
from lakehouse_assets.lake.bronze import with_business_date
from lakehouse_assets.lake.judge import BROKEN, FLAGS, judge, names_of, rules_with, with_deleted, with_raw
from lakehouse_assets.lake.names import TableName

LANDED = date(2026, 1, 15)
START = date(2025, 1, 1)
FUNCTIONS = {
    "leads": silver_leads_clean,
    "customers": silver_customers_clean,
    "interactions": silver_interactions_clean,
    "products": silver_products_clean,
}
CLEAN = {
    "leads": {
        "lead_id": "L1",
        "customer_id": "C1",
        "product_id": "P1",
        "source": "Trade-Fair",
        "status": "Closed-Won",
        "deal_value": "1e3",
        "owner": " Ana  Öz ",
        "created_date": "2026-01-01",
        "closed_date": "2026-01-09",
        "updated_at": "2026-01-09 10:00:00+02:00",
    },
    "customers": {
        "customer_id": "C1",
        "customer_name": " ACME  Söhne & Co. ",
        "industry": "Health  Care",
        "employee_count": "250.0",
        "annual_revenue": "1250000.5",
        "email": "Info@Example.COM",
        "phone": "+49 (0)30 1234567",
        "created_date": "2025-12-01",
    },
    "interactions": {
        "interaction_id": "I1",
        "customer_id": "C1",
        "lead_id": "L1",
        "channel": "WhatsApp",
        "outcome": "POSITIVE",
        "interaction_at": "2026-01-14T23:30:00-01:00",
        "duration_minutes": "12.5",
        "response_minutes": "0",
    },
    "products": {"product_id": "P1", "product_name": "Pump", "category": "Heat Pumps", "list_price": "99.90"},
}


def judged(source: str, **changes: str | None) -> dict[str, Any]:
    """A clean row of the source with some values changed: its typed columns, `rejected` and `flagged` for what."""
    table = tables()[TableName("crm", "silver", f"{source}_clean")]
    assert table.source is not None
    row = dict.fromkeys(table.source.text_columns) | CLEAN[source] | changes
    bronze = pl.LazyFrame([row], dict.fromkeys(row, pl.String())).with_columns(date=LANDED, _ingest_date=LANDED)
    if table.kind == "event":
        bronze = with_business_date(bronze, table.source, START)
    typed = FUNCTIONS[source](with_deleted(with_raw(bronze, table.source), table.source))
    rules = table.judged_rules
    found = judge(typed, rules).all.with_columns(
        names_of(BROKEN, [rule.id for rule in rules_with(rules, "reject")]).alias("rejected"),
        names_of(FLAGS, [rule.id for rule in rules_with(rules, "flag")]).alias("flagged"),
    )
    return found.collect().row(0, named=True)


@pytest.mark.parametrize(
    ("source", "typed"),
    [
        (
            "leads",
            {
                "source": "trade_fair",
                "status": "closed_won",
                "deal_value": 1000.0,
                "owner": "Ana Öz",
                "created_date": date(2026, 1, 1),
                "closed_date": date(2026, 1, 9),
                "updated_at": datetime(2026, 1, 9, 8, tzinfo=UTC),
            },
        ),
        (
            "customers",
            {
                "customer_name": "ACME Söhne & Co.",
                "customer_name_normalized": "acme söhne co",
                "industry": "health care",
                "employee_count": 250,
                "annual_revenue": 1250000.5,
                "email": "info@example.com",
                "phone": "+49301234567",
                "created_date": date(2025, 12, 1),
            },
        ),
        (
            "interactions",
            {
                "channel": "whatsapp",
                "outcome": "positive",
                "interaction_at": datetime(2026, 1, 15, 0, 30, tzinfo=UTC),
                "duration_minutes": 12.5,
                "response_minutes": 0.0,
            },
        ),
        ("products", {"product_name": "Pump", "category": "heat pumps", "list_price": 99.9}),
    ],
)
def test_a_clean_row_is_typed_and_breaks_no_rule(source: str, typed: dict[str, Any]) -> None:
    row = judged(source)
    assert {name: row[name] for name in typed} == typed
    assert (row["rejected"], row["flagged"]) == ([], [])


@pytest.mark.parametrize(
    ("source", "changes", "rejected"),
    [
        ("leads", {"lead_id": " NULL "}, ["lead_id_is_null"]),
        ("leads", {"customer_id": None}, ["customer_id_is_null"]),
        ("leads", {"created_date": None}, ["created_date_is_null"]),
        ("leads", {"created_date": "01/02/2026"}, ["created_date_unparsable"]),
        ("leads", {"created_date": "2026-02-30"}, ["created_date_unparsable"]),
        ("leads", {"closed_date": "soon"}, ["closed_date_unparsable"]),
        ("leads", {"closed_date": "2025-12-31"}, ["closed_before_created"]),
        ("leads", {"updated_at": "yesterday"}, ["updated_at_unparsable"]),
        ("leads", {"updated_at": None}, []),
        ("leads", {"deal_value": "-0.01"}, ["deal_value_is_negative"]),
        ("leads", {"deal_value": "1,000"}, ["deal_value_unparsable"]),
        ("leads", {"deal_value": "inf"}, ["deal_value_unparsable"]),
        ("leads", {"deal_value": "n/a"}, []),
        ("leads", {"deal_value": "-1", "lead_id": None}, ["deal_value_is_negative", "lead_id_is_null"]),
        ("leads", {"_op": "Delete", "created_date": None, "deal_value": "-1"}, []),
        ("leads", {"_op": "delete", "updated_at": "yesterday"}, ["updated_at_unparsable"]),
        ("leads", {"_op": "delete", "lead_id": None}, ["lead_id_is_null"]),
        ("customers", {"customer_id": "-"}, ["customer_id_is_null"]),
        ("customers", {"employee_count": "-1"}, ["employee_count_is_negative"]),
        ("customers", {"employee_count": "12.5"}, ["employee_count_unparsable"]),
        ("customers", {"annual_revenue": "-5"}, ["annual_revenue_is_negative"]),
        ("customers", {"annual_revenue": "a lot"}, ["annual_revenue_unparsable"]),
        ("interactions", {"interaction_id": ""}, ["interaction_id_is_null"]),
        ("interactions", {"customer_id": "none"}, ["customer_id_is_null"]),
        ("interactions", {"interaction_at": None}, ["interaction_at_is_null"]),
        ("interactions", {"interaction_at": "2026-01-14 25:00"}, ["interaction_at_unparsable"]),
        ("interactions", {"interaction_at": "2024-12-31T23:59:59Z"}, ["before_start"]),
        ("interactions", {"interaction_at": "2026-01-16T23:59:59Z"}, []),
        ("interactions", {"interaction_at": "2026-01-17T00:00:00Z"}, ["in_future"]),
        ("interactions", {"duration_minutes": "-1"}, ["duration_minutes_is_negative"]),
        ("interactions", {"response_minutes": "1e309"}, ["response_minutes_unparsable"]),
        ("products", {"product_id": None}, ["product_id_is_null"]),
        ("products", {"list_price": "-1"}, ["list_price_is_negative"]),
        ("products", {"list_price": "99,90"}, ["list_price_unparsable"]),
    ],
)
def test_rows_are_rejected_for_every_rule_they_break(
    source: str, changes: dict[str, str | None], rejected: list[str]
) -> None:
    assert judged(source, **changes)["rejected"] == rejected


@pytest.mark.parametrize(
    ("source", "changes", "flagged", "typed"),
    [
        ("leads", {"status": None}, ["unknown_status"], {"status": "unknown"}),
        ("leads", {"status": "on hold"}, ["unknown_status"], {"status": "unknown"}),
        ("leads", {"status": "Unknown"}, [], {"status": "unknown"}),
        ("leads", {"closed_date": None}, ["closed_without_date"], {"status": "closed_won"}),
        ("leads", {"closed_date": None, "status": "new"}, [], {"status": "new"}),
        ("customers", {"industry": "N/A"}, [], {"industry": "unknown"}),
        ("customers", {"email": "Not-An-Email"}, ["invalid_email"], {"email": "not-an-email"}),
        ("customers", {"email": None}, [], {"email": None}),
        ("customers", {"phone": " 030  1234567 "}, ["invalid_phone"], {"phone": "030 1234567"}),
        ("customers", {"phone": "+999 1234567"}, ["invalid_phone"], {"phone": "+999 1234567"}),
        ("customers", {"phone": "-"}, [], {"phone": None}),
        ("customers", {"annual_revenue": "NA"}, ["missing_revenue"], {"annual_revenue": None}),
        (
            "customers",
            {"annual_revenue": None, "phone": "x", "email": "y"},
            ["invalid_email", "invalid_phone", "missing_revenue"],
            {},
        ),
        ("interactions", {"channel": "Fax", "outcome": "so so"}, [], {"channel": "other", "outcome": "unknown"}),
        ("interactions", {"channel": None, "outcome": None}, [], {"channel": "other", "outcome": "unknown"}),
    ],
)
def test_rows_that_break_a_flag_rule_stay_and_say_so(
    source: str, changes: dict[str, str | None], flagged: list[str], typed: dict[str, Any]
) -> None:
    row = judged(source, **changes)
    assert (row["rejected"], row["flagged"]) == ([], flagged)
    assert {name: row[name] for name in typed} == typed


@pytest.mark.parametrize("source", FUNCTIONS)
def test_the_function_gives_the_contract_its_columns_and_types(source: str) -> None:
    table = tables()[TableName("crm", "silver", f"{source}_clean")]
    assert table.contract is not None
    row = pl.LazyFrame([CLEAN[source]]).pipe(FUNCTIONS[source]).collect_schema()
    declared = {column.name: column.dtype for column in table.columns if column.name in row}
    assert dict(row) == declared
