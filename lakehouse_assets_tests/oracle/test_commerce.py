"""The oracle's answers about commerce, against rows worked out by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from lakehouse_assets_tests.oracle import cleaning
from lakehouse_assets_tests.oracle.by_hand import START, jan
from lakehouse_assets_tests.oracle.commerce import CommerceOracle

CUSTOMERS = "customer_id,source_customer_id,name,email,signup_date,region"
TRANSACTIONS = "transaction_id,customer_id,product_id,quantity,amount,transaction_date,payment_method,invoice_id"


def land(root: Path, source: str, day: int, *rows: str) -> None:
    header = {"customers": CUSTOMERS, "products": "product_id,product_name,category", "transactions": TRANSACTIONS}
    folder = root / "acme" / "commerce" / source / str(jan(day))
    folder.mkdir(parents=True)
    (folder / f"{source}.csv").write_text("\n".join([header[source], *rows]) + "\n")


@pytest.fixture
def shop(tmp_path: Path) -> CommerceOracle:
    land(tmp_path, "customers", 1, "C1,S1,Ana,a@example.com,2025-12-01,west", "C2,S1,,x@,2025-12-31,", "C3,S2,,,never,")
    land(tmp_path, "customers", 3, "C1,S9,Ana,a@example.com,2025-12-01,East")
    land(tmp_path, "products", 1, "P1,Pump,Pumps", "P2,Valve,Valves")
    land(
        tmp_path,
        "transactions",
        2,
        "T1,C1,P1,2,10.005,2026-01-02T10:00:00Z,PayPal,I1",
        "T2,C1,P2,1,-3,2026-01-02T11:00:00Z,Credit Card,I1",
        "T3,,P9,,4,2026-01-01,,",
        "T4,C7,,1,5,2026-01-02,,",
        "T5,C1,P1,1,100000000,2026-01-02,,",
    )
    land(tmp_path, "transactions", 3, "T1,C1,P1,2,20,2026-01-02T10:00:00Z,PayPal,I1")
    return CommerceOracle(tmp_path, START)


def test_amounts_have_ten_digits() -> None:
    assert [cleaning.amount(raw) for raw in ("0.125", "0.135", "-1e2", "-")] == [
        *(Decimal("0.12"), Decimal("0.14"), Decimal(-100)),
        None,
    ]
    for raw in ("99999999.995", "1e30", "ten", "inf"):
        with pytest.raises(cleaning.Unparsable):
            cleaning.amount(raw)


def test_customers_share_an_id_until_one_changes(shop: CommerceOracle) -> None:
    flags = {day: [row["quality_flags"] for row in shop.silver("customers", "acme", jan(day))] for day in (1, 3)}
    assert flags == {1: [["shared_source_id"], ["invalid_email", "shared_source_id"]], 3: [[], ["invalid_email"]]}
    assert [row["region"] for row in shop.silver("customers", "acme", jan(2))] == ["WEST", "UNKNOWN"]
    assert [row["faults"] for row in shop.rejected("customers", "acme", jan(1))] == [{"unparsable:signup_date"}]


def test_transactions_are_the_newest_with_the_region_of_their_day(shop: CommerceOracle) -> None:
    rows = shop.silver("transaction_facts", "acme", jan(2))
    assert [(row["transaction_id"], row["amount"], row["region"], row["is_refund"]) for row in rows] == [
        ("T1", Decimal(20), "WEST", False),
        ("T2", Decimal(-3), "WEST", True),
        ("T4", Decimal(5), "UNKNOWN", False),
    ]
    assert [row["payment_method"] for row in rows] == ["paypal", "credit_card", None]
    assert [row["quality_flags"] for row in rows] == [[], [], ["orphan_customer"]]
    [guest] = shop.silver("transaction_facts", "acme", jan(1))
    assert guest["quality_flags"] == ["guest", "orphan_product"]
    assert tuple(shop.counts("transaction_facts", "acme", jan(2)).values()) == (5, 3, 1, 1, 0)


def test_revenue_by_product_and_region(shop: CommerceOracle) -> None:
    shown = [tuple(row.values()) for row in shop.daily_revenue("acme", jan(2))]
    assert shown == [
        ("P1", "WEST", 1, 2, Decimal(20), Decimal(0), Decimal(20)),
        ("P2", "WEST", 1, 1, Decimal(0), Decimal(3), Decimal(-3)),
        ("UNKNOWN", "UNKNOWN", 1, 1, Decimal(5), Decimal(0), Decimal(5)),
    ]
    assert shop.daily_revenue("acme", date(2026, 1, 9)) == []


def test_a_customer_as_a_whole(shop: CommerceOracle) -> None:
    ana, other = shop.customer360("acme", jan(3))
    wanted = {"region": "EAST", "tenure_days": 33, "orders": 1, "revenue": Decimal(17), "refunds": Decimal(3)}
    wanted |= {"favourite_category": "Pumps", "rfm_recency": 1, "days_since_last_order": 1, "orders_mtd": 1}
    assert {name: ana[name] for name in wanted} == wanted
    assert (other["customer_id"], other["orders"], other["avg_order_value"]) == ("C2", 0, None)
