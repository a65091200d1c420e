"""The oracle against cases worked out by hand: what the lakehouse is compared with is itself tested here."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets_tests.oracle import Oracle, cleaning

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


@pytest.fixture
def land(tmp_path: Path) -> Land:
    """Lands rows of a source on a day of January 2026 for the tenant acme, below a clean file's header."""

    def _land(source: str, day: int, *rows: str, name: str | None = None, header: str | None = None) -> None:
        folder = tmp_path / "acme" / "crm" / source / jan(day).isoformat()
        folder.mkdir(parents=True, exist_ok=True)
        lines = [HEADERS[source] if header is None else header, *rows]
        (folder / (name or f"{source}.csv")).write_text("\n".join(lines) + "\n", encoding="utf-8")

    return _land


def counts(oracle: Oracle, table: str, day: int) -> tuple[int, ...]:
    """judged, kept, rejected, duplicate, deleted"""
    return tuple(oracle.counts(table, "acme", jan(day)).values())


def faults(oracle: Oracle, table: str, day: int) -> list[set[str]]:
    return [row["faults"] for row in oracle.rejected(table, "acme", jan(day))]


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw, expected",
    [
        ("  \uff21cme\u00a0 \t Ltd ", "Acme Ltd"),
        ("Œuvres & Cie", "Œuvres & Cie"),
        ("N/a", None),
        (" - ", None),
        ("NaN", None),
        ("NONE", None),
        ("", None),
        ("nil", "nil"),
    ],
)
def test_text_is_nfkc_trimmed_and_collapsed_and_words_for_nothing_are_null(raw: str, expected: str | None) -> None:
    assert cleaning.text(raw) == expected


@pytest.mark.parametrize(
    "raw, expected",
    [("Closed-Won", "closed_won"), ("WhatsApp", "whatsapp"), (" CLOSED   (Lost", "closed_lost"), ("null", None)],
)
def test_codes_join_letters_and_digits_by_one_underscore(raw: str, expected: str | None) -> None:
    assert cleaning.code(raw) == expected


@pytest.mark.parametrize(
    "raw, expected",
    [
        ("Müller & Söhne GmbH.", "müller söhne gmbh"),
        ("O'Brien-Ōta \uff12", "obrienōta 2"),
        ("株式会社　ヤマト", "株式会社 ヤマト"),
        ("!!!", None),
    ],
)
def test_names_for_matching_keep_letters_digits_and_spaces_of_any_script(raw: str, expected: str | None) -> None:
    assert cleaning.name_for_matching(raw) == expected


@pytest.mark.parametrize(
    "raw, expected",
    [("\uff11\uff12\uff0e\uff15", 12.5), ("-3", -3.0), ("2.5e3", 2500.0), (" 7 ", 7.0), ("n/a", None), ("1e-400", 0.0)],
)
def test_numbers_are_decimal_or_exponent(raw: str, expected: float | None) -> None:
    assert cleaning.number(raw) == expected


@pytest.mark.parametrize("raw, expected", [("250.0", 250), ("2.5e2", 250), ("9223372036854775807", 2**63 - 1)])
def test_whole_numbers_may_be_written_as_decimals(raw: str, expected: int) -> None:
    assert cleaning.integer(raw) == expected


@pytest.mark.parametrize(
    "raw, expected",
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05.1234567", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02T00:30:00+05:30", datetime(2026, 1, 1, 19, 0, tzinfo=UTC)),
        ("2026-01-01T23:30-0100", datetime(2026, 1, 2, 0, 30, tzinfo=UTC)),
        ("none", None),
    ],
)
def test_times_are_utc_whatever_their_offset(raw: str, expected: datetime | None) -> None:
    assert cleaning.moment(raw) == expected


@pytest.mark.parametrize(
    "parse, raw",
    [
        (cleaning.number, "1e309"),
        (cleaning.number, "inf"),
        (cleaning.number, "1,200"),
        (cleaning.number, "1_200"),
        (cleaning.number, "0x10"),
        (cleaning.number, "$5"),
        (cleaning.integer, "12.5"),
        (cleaning.integer, "1e30"),
        (cleaning.day, "2026-02-30"),
        (cleaning.day, "05/01/2026"),
        (cleaning.day, "20260105"),
        (cleaning.day, "2026-01-05T00:00:00"),
        (cleaning.moment, "2026-01-05 25:00:00"),
        (cleaning.moment, "2026-02-30T10:00:00Z"),
        (cleaning.moment, "yesterday"),
        (cleaning.moment, "9999-12-31T23:30:00-01:00"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_refused_and_never_guessed(parse: Callable[[str], Any], raw: str) -> None:
    with pytest.raises(cleaning.Unparsable):
        parse(raw)


@pytest.mark.parametrize("value, expected", [(0.125, "0.12"), (0.375, "0.38"), (2.675, "2.68"), (10.0, "10.00")])
def test_money_is_rounded_half_to_even(value: float, expected: str) -> None:
    assert str(cleaning.cents(value)) == expected


# --- files ------------------------------------------------------------------------------------------------------------


def test_columns_are_found_by_name_and_the_unknown_are_kept_apart(land: Land, tmp_path: Path) -> None:
    land("products", 1, '"a,\nb",P1,red', header=" Product_Name ,PRODUCT_ID,Colour")
    [row] = Oracle(tmp_path, START).bronze("products", "acme", jan(1))
    assert row.values == {
        "product_id": "P1",
        "product_name": "a,\nb",
        "category": None,
        "list_price": None,
        "_op": None,
    }
    assert (row.extra, row.number, row.file) == ({"colour": "red"}, 1, "acme/crm/products/2026-01-01/products.csv")


def test_short_and_long_rows_are_counted_and_take_a_row_number(land: Land, tmp_path: Path) -> None:
    land("products", 1, "P1,Pump,hardware", "", "P2,Valve,hardware,5,6", "P3,Seal,hardware,1")
    oracle = Oracle(tmp_path, START)
    assert oracle.bronze_counts("products", "acme", jan(1)) == {"records": 3, "rows": 1, "malformed": 2, "refused": 0}
    assert [row.number for row in oracle.bronze("products", "acme", jan(1))] == [3]


def test_a_file_without_a_required_column_is_refused_and_no_other(land: Land, tmp_path: Path) -> None:
    land("products", 1, "Pump,5", "Valve,6", header="product_name,list_price")
    land("products", 1, "P1", name="other.csv", header="product_id")
    oracle = Oracle(tmp_path, START)
    assert oracle.bronze_counts("products", "acme", jan(1)) == {"records": 3, "rows": 1, "malformed": 0, "refused": 2}
    assert [file.refused for file in oracle.landed_files("products", "acme", jan(1))] == [None, "no column product_id"]


def test_every_encoding_compression_and_format_gives_the_same_text(land: Land, tmp_path: Path) -> None:
    land("products", 1, "P1,Pompe à vélo,,1.50")
    folder = tmp_path / "acme/crm/products/2026-01-01"
    plain = (folder / "products.csv").read_text(encoding="utf-8")
    (folder / "a.csv.gz").write_bytes(gzip.compress(plain.encode()))
    (folder / "b.csv").write_bytes(plain.encode("utf-8-sig"))
    (folder / "c.csv").write_bytes(plain.replace("\n", "\r\n").encode("latin-1"))
    one = '{"product_id": "P1", "product_name": "Pompe à vélo", "category": "", "list_price": 1.50}'
    (folder / "d.ndjson").write_text(one + '\n{"broken": \n', encoding="utf-8")
    (folder / "e.json").write_text(f"[{one}, 5]", encoding="utf-8")
    (folder / "f.json").write_text(one, encoding="utf-8")
    for ignored in (".g.csv", "_h.csv", "i.csv.tmp", "j.csv.part"):
        (folder / ignored).write_text(plain, encoding="utf-8")
    oracle = Oracle(tmp_path, START)
    rows = oracle.bronze("products", "acme", jan(1))
    assert [row.values for row in rows] == [rows[0].values] * 7
    assert rows[0].values["product_name"] == "Pompe à vélo"
    assert rows[0].values["list_price"] == "1.50"
    assert oracle.bronze_counts("products", "acme", jan(1))["malformed"] == 2


def test_folders_that_are_no_tenant_no_date_or_before_the_start_are_left_alone(land: Land, tmp_path: Path) -> None:
    land("products", 1, "P1,,,")
    for folder in ("acme/crm/products/2025-12-31", "acme/crm/products/2026-02-30", "ACME/crm/products/2026-01-01"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "products.csv").write_text(HEADERS["products"] + "\nP9,,,\n")
    oracle = Oracle(tmp_path, START)
    assert oracle.tenants() == ["acme"]
    assert oracle.ingest_dates("acme") == [jan(1)]


# --- entities ---------------------------------------------------------------------------------------------------------


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


# --- events -----------------------------------------------------------------------------------------------------------


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


# --- gold -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(land: Land, tmp_path: Path) -> Oracle:
    """Three customers: a busy one, one with deals only, a silent one; an orphan's rows count for nobody."""
    land("customers", 20, "C1,Busy,Retail,10,1000,,,", "C2,Deals,,,,,,", "C3,Silent,,,,,,")
    land(
        "leads",
        20,
        "L1,C1,,,closed_won,1000.125,,2026-01-01,2026-01-20,",
        "L2,C1,,,closed_won,0.375,,2026-01-01,2026-01-14,",
        "L3,C1,,,closed_lost,,,2026-01-01,2026-01-13,",
        "L4,C1,,,proposal,500,,2026-01-20,,",
        "L5,C2,,,closed_won,2001,,2026-01-20,,",
        "L6,C2,,,odd,,,2026-01-20,,",
        "L7,C9,,,closed_lost,9,,2026-01-20,2026-01-20,",
    )
    land(
        "interactions",
        20,
        "I1,C1,L1,call,positive,2026-01-14T10:00:00Z,10,1",
        "I2,C1,L1,call,negative,2026-01-12T10:00:00Z,20,",
        "I3,C1,L3,email,positive,2026-01-11T10:00:00Z,,4",
        "I4,C1,L8,email,,2026-01-13T10:00:00Z,,2",
        "I5,C9,L5,meeting,positive,2026-01-20T10:00:00Z,,9",
        "I6,C9,,email,positive,2026-01-20T10:00:00Z,,7",
    )
    return Oracle(tmp_path, START)


def test_customer_features_follow_the_formulas(shop: Oracle) -> None:
    busy, deals, silent = shop.customer_features("acme", jan(20))
    # 2 of 4 positive, 2 of 4 calls, six days ago: 2.5 + 1 + 3
    assert busy["engagement_score"] == 6.5
    assert (busy["total_interactions"], busy["num_calls"], busy["num_emails"], busy["num_whatsapp"]) == (4, 2, 2, 0)
    assert (busy["num_positive_outcomes"], busy["num_negative_outcomes"]) == (2, 1)
    assert (busy["days_since_last_interaction"], busy["last_interaction_date"]) == (6, jan(14))
    # 1000.125 and 0.375 are 1000.12 and 0.38 in cents
    assert busy["total_revenue"] == 1000.50
    assert busy["avg_deal_value"] == pytest.approx((1000.12 + 0.38 + 500) / 3, abs=1e-12)
    assert (busy["num_closed_won"], busy["num_closed_lost"], busy["num_open_deals"]) == (2, 1, 1)
    assert (busy["win_rate"], busy["conversion_rate"]) == (2 / 3, 2 / 4)
    # revenue 100·1000.5/2001 = 50, activity 100: 15 + 20 + 16.25 + 16.67
    assert busy["lead_score"] == pytest.approx(67.9166666667)
    assert busy["lead_score_v0"] == pytest.approx(0.30015 + 8 + 162.5 + 40 / 3)
    assert busy["lead_quality"] == "warm"
    # Both channels have one positive of two; email is the older one
    assert busy["preferred_channel"] == "call"
    assert deals["lead_score"] == pytest.approx(30 + 25)
    assert (deals["lead_quality"], deals["num_open_deals"], deals["conversion_rate"]) == ("cool", 1, 0.5)
    assert (silent["total_revenue"], silent["avg_deal_value"], silent["win_rate"]) == (0.0, None, 0.0)
    assert (silent["preferred_channel"], silent["days_since_last_interaction"]) == (None, None)
    assert (silent["engagement_score"], silent["lead_score"], silent["lead_quality"]) == (0.0, 0.0, "cold")


def test_features_look_back_365_days_and_recency_ends_at_seven(shop: Oracle) -> None:
    a_week_later = shop.customer_features("acme", jan(21))[0]
    assert (a_week_later["days_since_last_interaction"], a_week_later["engagement_score"]) == (7, 5.0)
    last_day, gone = (shop.customer_features("acme", date(2027, 1, day))[0] for day in (13, 14))
    assert (last_day["total_interactions"], last_day["days_since_last_interaction"]) == (1, 364)
    assert (gone["total_interactions"], gone["last_interaction_date"]) == (0, None)


@pytest.mark.parametrize(
    "rows, expected",
    [
        ([("call", "positive", "09:00"), ("email", "neutral", "18:00")], "call"),  # the higher share
        ([("call", "positive", "09:00"), ("email", "positive", "08:00"), ("email", "positive", "07:00")], "email"),
        ([("call", "negative", "09:00"), ("meeting", "neutral", "10:30")], "meeting"),  # the later on the same day
        ([("whatsapp", "neutral", "09:00"), ("email", "neutral", "09:00")], "email"),  # the first by name
    ],
)
def test_the_preferred_channel_is_decided_by_share_then_positives_then_time_then_name(
    rows: list[tuple[str, str, str]], expected: str, land: Land, tmp_path: Path
) -> None:
    land("customers", 5, "C1,,,,,,,")
    land("interactions", 5, *(f"I{n},C1,,{ch},{out},2026-01-05T{at}:00Z,," for n, (ch, out, at) in enumerate(rows)))
    [features] = Oracle(tmp_path, START).customer_features("acme", jan(5))
    assert features["preferred_channel"] == expected


def test_top_customers_are_ranked_by_revenue_then_id(shop: Oracle) -> None:
    rows = shop.top_customers("acme", jan(20))
    assert [(row["rank"], row["customer_id"], row["total_revenue"]) for row in rows] == [
        (1, "C2", 2001.0),
        (2, "C1", 1000.5),
        (3, "C3", 0.0),
    ]


def test_the_sales_summary_counts_the_day_and_the_trailing_weeks(shop: Oracle) -> None:
    assert shop.sales_summary("acme", jan(20)) == [
        {
            "revenue": 1000.12,
            "deals_created": 4,
            "deals_won": 1,
            "deals_lost": 1,
            "win_rate": 0.5,
            "avg_deal_value": 1000.12,
            "revenue_7d": 1000.5,
            "revenue_30d": 1000.5,
            "win_rate_30d": 0.5,
            "interactions": 2,
            "top_channel": "email",
        }
    ]
    [quiet] = shop.sales_summary("acme", jan(21))
    assert (quiet["revenue"], quiet["revenue_7d"], quiet["win_rate"], quiet["top_channel"]) == (
        0.0,
        1000.12,
        None,
        None,
    )
    [nothing_yet] = shop.sales_summary("acme", jan(2))
    assert (nothing_yet["deals_created"], nothing_yet["win_rate_30d"], nothing_yet["avg_deal_value"]) == (0, None, None)


def test_channel_performance_covers_thirty_days(shop: Oracle) -> None:
    call, email, meeting = shop.channel_performance("acme", jan(20))
    assert call == {
        "channel": "call",
        "interactions": 2,
        "customers": 1,
        "positive_rate": 0.5,
        "conversion_rate": 1.0,
        "avg_deal_value": 1000.12,
        "avg_response_minutes": 1.0,
        "median_response_minutes": 1.0,
        "avg_duration_minutes": 15.0,
    }
    # L3 is lost, L8 is no lead: no deal won of one lead touched
    assert (email["customers"], email["conversion_rate"], email["avg_deal_value"]) == (2, 0.0, None)
    assert (email["avg_response_minutes"], email["median_response_minutes"]) == (pytest.approx(13 / 3), 4.0)
    assert email["avg_duration_minutes"] is None
    assert (meeting["conversion_rate"], meeting["avg_deal_value"]) == (1.0, 2001.0)
    later = shop.channel_performance("acme", date(2026, 2, 12))
    assert [(row["channel"], row["interactions"]) for row in later] == [("call", 1), ("email", 1), ("meeting", 1)]
