"""States of entities and events by their day: versions, deletes, duplicates, faults and flags."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from lakehouse_assets_tests.oracle import Oracle
from lakehouse_assets_tests.oracle.by_hand import LEADS, START, Land, counts, faults, jan


def test_the_newest_updated_at_wins_and_a_lead_without_one_is_the_oldest(land: Land, tmp_path: Path) -> None:
    land("leads", 1, "L1,C1,,,new,1,,2026-01-01,,2026-01-01T10:00:00Z", "L2,C1,,,new,1,,2026-01-01,,")
    land("leads", 2, "L1,C1,,,proposal,2,,2026-01-01,,2026-01-01T09:00:00Z", "L2,C1,,,proposal,2,,2026-01-01,,")
    land("leads", 3, "L1,C1,,,proposal,3,,2026-01-01,,", "L2,C1,,,qualified,3,,2026-01-01,,2025-01-01T00:00:00Z")
    land("leads", 4, "L1,C1,,,won?,4,,2026-01-01,,2026-01-01T12:00:00+02:00", "L2,C1,,,new,4,,2026-01-01,,")
    oracle = Oracle(tmp_path, START)
    values = {day: [row["deal_value"] for row in oracle.silver("leads", "acme", jan(day))] for day in (1, 2, 3, 4, 5)}
    # On the 4th, 12:00+02:00 is 10:00 UTC, as old as the first: the later landing wins.
    assert values == {1: [1, 1], 2: [1, 2], 3: [1, 3], 4: [4, 3], 5: [4, 3]}
    assert counts(oracle, "leads", 2) == (2, 1, 0, 1, 0)
    assert counts(oracle, "leads", 5) == (0, 0, 0, 0, 0)


def test_landing_order_is_day_then_file_name_then_row(land: Land, tmp_path: Path) -> None:
    land("products", 2, "P1,first day 2,,1", "P1,second row,,1", name="a.csv")
    land("products", 2, "P1,last file,,1", name="b.csv")
    land("products", 1, "P1,day one,,1", name="z.csv")
    oracle = Oracle(tmp_path, START)
    assert [row["product_name"] for row in oracle.silver("products", "acme", jan(2))] == ["last file"]
    assert counts(oracle, "products", 2) == (3, 1, 0, 2, 0)


def test_what_lands_again_unchanged_is_a_duplicate_and_the_older_row_stays(land: Land, tmp_path: Path) -> None:
    land("products", 1, "P1,Pump,Hardware,5.0", "P2,Valve,,1")
    land("products", 2, "P1, Pump ,HARDWARE,5", "P2,Valve,,2")
    land("products", 3, "P1,Other,,1", "P1,Pump,hardware,5.00", "P2,Valve,,2")
    oracle = Oracle(tmp_path, START)
    provenance = [(row["product_id"], row["_ingest_date"]) for row in oracle.silver("products", "acme", jan(3))]
    assert provenance == [("P1", jan(1)), ("P2", jan(2))]
    assert counts(oracle, "products", 2) == (2, 1, 0, 1, 0)
    assert counts(oracle, "products", 3) == (3, 0, 0, 3, 0)


def test_a_deleted_key_comes_back_with_a_newer_version_only(land: Land, tmp_path: Path) -> None:
    header = "_op," + LEADS
    land("leads", 1, ",L1,C1,,,new,1,,2026-01-01,,2026-01-01T10:00:00Z", header=header)
    land("leads", 2, "Delete,L1,,,,,,,,,2026-01-02T10:00:00Z", header=header)
    land("leads", 3, ",L1,C1,,,new,3,,2026-01-01,,2026-01-02T09:00:00Z", header=header)
    land("leads", 4, ",L1,C1,,,new,4,,2026-01-01,,2026-01-02T10:00:00Z", header=header)
    land("leads", 5, "delete,L1,,,,,,,,,2026-01-02T08:00:00Z", "delete,,,,,,,,,,", header=header)
    oracle = Oracle(tmp_path, START)
    values = {day: [row["deal_value"] for row in oracle.silver("leads", "acme", jan(day))] for day in range(1, 6)}
    assert values == {1: [1], 2: [], 3: [], 4: [4], 5: [4]}
    assert [counts(oracle, "leads", day) for day in range(2, 6)] == [
        (1, 0, 0, 0, 1),
        (1, 0, 0, 1, 0),
        (1, 1, 0, 0, 0),
        (2, 0, 1, 0, 1),
    ]
    assert faults(oracle, "leads", 5) == [{"null:lead_id"}]


def test_a_delete_file_needs_the_key_only(land: Land, tmp_path: Path) -> None:
    land("customers", 1, "C1,Acme,,,,,,")
    land("customers", 2, "C1,delete", header="customer_id,_op")
    oracle = Oracle(tmp_path, START)
    assert oracle.silver("customers", "acme", jan(2)) == []
    assert counts(oracle, "customers", 2) == (1, 0, 0, 0, 1)


@pytest.mark.parametrize(
    "row, expected",
    [
        (",C1,,,new,1,,2026-01-01,,", {"null:lead_id"}),
        ("L1,n/a,,,new,1,,2026-01-01,,", {"null:customer_id"}),
        ("L1,C1,,,new,1,,,,", {"null:created_date"}),
        ("L1,C1,,,new,1,,2026-13-01,,", {"unparsable:created_date"}),
        ("L1,C1,,,new,1,,2026-01-01,soon,", {"unparsable:closed_date"}),
        ("L1,C1,,,new,1,,2026-01-01,,now", {"unparsable:updated_at"}),
        ("L1,C1,,,new,-0.01,,2026-01-01,,", {"negative:deal_value"}),
        ("L1,C1,,,new,1e309,,2026-01-01,,", {"unparsable:deal_value"}),
        ("L1,C1,,,new,1,,2026-01-02,2026-01-01,", {"closed_before_created"}),
        (",,,,new,x,,,,", {"null:lead_id", "null:customer_id", "null:created_date", "unparsable:deal_value"}),
    ],
)
def test_leads_are_rejected_with_every_fault(row: str, expected: set[str], land: Land, tmp_path: Path) -> None:
    land("leads", 1, "L1,C1,,,new,7,,2026-01-01,,")
    land("leads", 2, row)
    oracle = Oracle(tmp_path, START)
    assert faults(oracle, "leads", 2) == [expected]
    assert [lead["deal_value"] for lead in oracle.silver("leads", "acme", jan(2))] == [7]


@pytest.mark.parametrize(
    "row, expected",
    [
        ("-,Acme,,,,,,", {"null:customer_id"}),
        ("C1,Acme,,-1,,,,", {"negative:employee_count"}),
        ("C1,Acme,,12.5,,,,", {"unparsable:employee_count"}),
        ("C1,Acme,,,-1,,,", {"negative:annual_revenue"}),
        ("C1,Acme,,,much,,,", {"unparsable:annual_revenue"}),
        ("C1,Acme,,,,,,2026-1-1", {"unparsable:created_date"}),
    ],
)
def test_customers_are_rejected_with_every_fault(row: str, expected: set[str], land: Land, tmp_path: Path) -> None:
    land("customers", 1, row)
    assert faults(Oracle(tmp_path, START), "customers", 1) == [expected]


def test_customers_are_typed_and_flagged(land: Land, tmp_path: Path) -> None:
    land("customers", 1, "C1,  Grüner  Punkt,HandeL,250.0,0,Info@Example.COM,+44 20 7946 0018,2025-12-01")
    land("customers", 1, "C2,,,,,nobody@nowhere,call reception,", name="other.csv")
    clean, flagged = Oracle(tmp_path, START).silver("customers_clean", "acme", jan(1))
    assert clean == {
        "customer_id": "C1",
        "customer_name": "Grüner Punkt",
        "customer_name_normalized": "grüner punkt",
        "industry": "handel",
        "employee_count": 250,
        "annual_revenue": 0.0,
        "email": "info@example.com",
        "phone": "+442079460018",
        "created_date": date(2025, 12, 1),
        "quality_flags": [],
        "_ingest_date": jan(1),
        "_source_file": "acme/crm/customers/2026-01-01/customers.csv",
        "_row_number": 1,
    }
    assert flagged["quality_flags"] == ["invalid_email", "invalid_phone", "missing_revenue"]
    assert (flagged["industry"], flagged["phone"], flagged["annual_revenue"]) == ("unknown", "call reception", None)


def test_leads_are_flagged_by_the_customers_of_the_same_day(land: Land, tmp_path: Path) -> None:
    land("leads", 1, "L1,C1,,,Closed-Won,,,2026-01-01,,", "L2,C2,,,maybe,,,2026-01-01,,", "L3,C2,,,,,,2026-01-01,,")
    land("customers", 2, "C1,,,,,,,", "C2,,,,,,,")
    oracle = Oracle(tmp_path, START)
    first, second = ([row["quality_flags"] for row in oracle.silver("leads", "acme", jan(day))] for day in (1, 2))
    assert first == [["closed_without_date", "orphan_customer"], *[["orphan_customer", "unknown_status"]] * 2]
    assert second == [["closed_without_date"], ["unknown_status"], ["unknown_status"]]


def test_events_belong_to_the_utc_day_of_their_time_whenever_they_landed(land: Land, tmp_path: Path) -> None:
    land("interactions", 5, "I1,C1,,call,positive,2026-01-05T23:30:00-02:00,,", "I2,C1,,,,2026-01-03 12:00:00,,")
    land("interactions", 9, "I3,C1,,Fax,,2026-01-03T08:00:00Z,1,2")
    oracle = Oracle(tmp_path, START)
    assert [row["interaction_id"] for row in oracle.silver("interactions", "acme", jan(6))] == ["I1"]
    third = oracle.silver("interactions", "acme", jan(3))
    assert [(row["interaction_id"], row["channel"], row["_ingest_date"]) for row in third] == [
        ("I2", "other", jan(5)),
        ("I3", "other", jan(9)),
    ]
    assert counts(oracle, "interactions", 5) == (0, 0, 0, 0, 0)
    earlier = Oracle(tmp_path, START, until=jan(8))
    assert [row["interaction_id"] for row in earlier.silver("interactions", "acme", jan(3))] == ["I2"]


def test_the_newest_landing_of_an_id_stays_and_then_the_lowest_id_of_the_same_contact(
    land: Land, tmp_path: Path
) -> None:
    land(
        "interactions",
        2,
        "I2,C1,,call,neutral,2026-01-02T10:00:00Z,,",
        "I3,C1,,Call,positive,2026-01-02T12:00:00+02:00,,",
        "I1,C1,,email,positive,2026-01-02T10:00:00Z,,",
        "I4,C1,,call,positive,2026-01-02T11:00:00Z,-1,",
        "I2,C1,,call,neutral,2026-01-03T10:00:00Z,,",
    )
    land("interactions", 4, "I2,C1,,call,negative,2026-01-02T10:00:00Z,,", "I4,C1,,call,,2026-01-02T11:00:00Z,,-5")
    oracle = Oracle(tmp_path, START)
    rows = oracle.silver("interactions", "acme", jan(2))
    assert [(row["interaction_id"], row["outcome"]) for row in rows] == [("I1", "positive"), ("I2", "negative")]
    # Six rows speak of the 2nd: I1, I2 kept; the older I2 and I3 duplicates; both I4 negative.
    assert counts(oracle, "interactions", 2) == (6, 2, 2, 2, 0)
    assert counts(oracle, "interactions", 3) == (1, 1, 0, 0, 0)


def test_events_without_a_day_of_their_own_are_rejected_with_the_day_they_landed(land: Land, tmp_path: Path) -> None:
    land(
        "interactions",
        5,
        "I1,C1,,call,,tomorrow,,",
        "I2,C1,,call,,,,",
        "I3,C1,,call,,2025-12-31T23:59:59Z,,",
        "I4,C1,,call,,2026-01-07T00:00:00Z,-1,",
        "I5,C1,,call,,2026-01-06T23:59:59Z,,",
        "I6,,,call,,2026-01-04T10:00:00Z,x,",
    )
    oracle = Oracle(tmp_path, START)
    assert faults(oracle, "interactions", 5) == [
        {"unparsable:interaction_at"},
        {"null:interaction_at"},
        {"before_start"},
        {"in_future", "negative:duration_minutes"},
    ]
    assert faults(oracle, "interactions", 4) == [{"null:customer_id", "unparsable:duration_minutes"}]
    assert counts(oracle, "interactions", 6) == (1, 1, 0, 0, 0)


def test_a_day_is_refused_above_a_fifth_of_rejects_from_fifty_rows_on(land: Land, tmp_path: Path) -> None:
    at_limit = [f"P{n},,,{-1 if n < 10 else 1}" for n in range(50)]
    land("products", 1, *at_limit)
    land("products", 2, *at_limit, "P99,,,-1")
    land("products", 3, *["P1,,,-1"] * 49)
    oracle = Oracle(tmp_path, START)
    assert [oracle.is_refused("products", "acme", jan(day)) for day in (1, 2, 3)] == [False, True, False]
