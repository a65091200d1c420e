"""The committed sample landing zone: what it promises to hold, found by the oracle."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import pytest

from lakehouse_assets_tests.oracle import Oracle
from lakehouse_assets_tests.oracle.sources import SOURCES

LANDING = Path(__file__).parent.parent / "data" / "landing"
START = date(2024, 1, 1)
# Events reach back to November; nothing is later than the day after the last landing.
DAYS = [date(2025, 11, 1) + timedelta(days=n) for n in range(70)]
TENANTS = ("acme", "globex", "initech")

FAULTS = {
    "leads": {
        "null:lead_id",
        "null:customer_id",
        "null:created_date",
        "unparsable:created_date",
        "unparsable:updated_at",
        "unparsable:closed_date",
        "unparsable:deal_value",
        "negative:deal_value",
        "closed_before_created",
    },
    "customers": {
        "null:customer_id",
        "unparsable:employee_count",
        "negative:employee_count",
        "unparsable:annual_revenue",
        "negative:annual_revenue",
        "unparsable:created_date",
    },
    "interactions": {
        "null:interaction_id",
        "null:customer_id",
        "null:interaction_at",
        "unparsable:interaction_at",
        "unparsable:duration_minutes",
        "negative:duration_minutes",
        "unparsable:response_minutes",
        "negative:response_minutes",
        "before_start",
        "in_future",
    },
    "products": {"null:product_id", "unparsable:list_price", "negative:list_price"},
}
FLAGS = {
    "leads": {"unknown_status", "closed_without_date", "orphan_customer"},
    "customers": {"invalid_email", "invalid_phone", "missing_revenue"},
    "interactions": {"orphan_customer"},
    "products": set[str](),
}


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle(LANDING, START)


@cache
def text_of(path: str) -> bytes:
    return (LANDING / path).read_bytes()


def total(oracle: Oracle, source: str, tenant: str, what: str) -> int:
    return sum(oracle.counts(source, tenant, day)[what] for day in DAYS)


def test_three_tenants_land_over_four_days(oracle: Oracle) -> None:
    assert oracle.tenants() == list(TENANTS)
    landed = {tenant: [day.day for day in oracle.ingest_dates(tenant)] for tenant in TENANTS}
    assert landed == {"acme": [5, 6, 7, 8], "globex": [5, 6, 7, 8], "initech": [5, 8]}


def test_acme_has_the_61_records_of_the_source_document(oracle: Oracle) -> None:
    records = {
        source: sum(oracle.bronze_counts(source, "acme", day)["records"] for day in oracle.ingest_dates("acme"))
        for source in SOURCES
    }
    assert records == {"leads": 15, "customers": 13, "interactions": 25, "products": 8}
    assert sum(records.values()) == 61


@pytest.mark.parametrize("source", SOURCES)
def test_every_reject_rule_is_broken_somewhere(oracle: Oracle, source: str) -> None:
    rejected = [row for tenant in TENANTS for day in DAYS for row in oracle.rejected(source, tenant, day)]
    assert {fault for row in rejected for fault in row["faults"]} == FAULTS[source]


@pytest.mark.parametrize("source", SOURCES)
def test_every_flag_is_raised_somewhere(oracle: Oracle, source: str) -> None:
    rows = [row for tenant in TENANTS for day in DAYS for row in oracle.silver(source, tenant, day)]
    assert {flag for row in rows for flag in row["quality_flags"]} == FLAGS[source]


@pytest.mark.parametrize("tenant", TENANTS)
@pytest.mark.parametrize("source", SOURCES)
def test_every_landed_row_is_judged_once_and_no_partition_is_refused(oracle: Oracle, source: str, tenant: str) -> None:
    landed = sum(oracle.bronze_counts(source, tenant, day)["rows"] for day in DAYS)
    assert landed == total(oracle, source, tenant, "judged") > 0
    assert not any(oracle.is_refused(source, tenant, day) for day in DAYS)


@pytest.mark.parametrize(
    "tenant, source, day, duplicates",
    [
        ("acme", "products", 5, 1),  # word for word
        ("acme", "customers", 5, 1),  # the same once it is cleaned
        ("acme", "leads", 7, 1),  # a version older than the one that is there
        ("globex", "customers", 7, 12),  # a full extract of what is known
        ("globex", "leads", 7, 2),  # older than a correction, older than a delete
        ("acme", "interactions", 3, 1),  # an id again, with another outcome
        ("globex", "interactions", 5, 1),  # a contact under a second id
    ],
)
def test_every_kind_of_duplicate_appears(oracle: Oracle, tenant: str, source: str, day: int, duplicates: int) -> None:
    assert oracle.counts(source, tenant, date(2026, 1, day))["duplicate"] == duplicates


def test_malformed_records_of_every_kind_are_set_aside(oracle: Oracle) -> None:
    files = [
        file
        for source in SOURCES
        for tenant in TENANTS
        for day in DAYS
        for file in oracle.landed_files(source, tenant, day)
    ]
    malformed = {file.path.removeprefix("globex/crm/"): file.malformed for file in files if file.malformed}
    assert malformed == {
        "leads/2026-01-06/leads.ndjson": [2],
        "interactions/2026-01-05/interactions.csv": [68, 84],
        "interactions/2026-01-07/interactions.json": [11],
    }
    assert [file.path for file in files if file.refused] == []


def test_a_correction_a_delete_and_a_return_are_in_the_states_of_leads(oracle: Oracle) -> None:
    states = {
        key: [
            next((row["status"] for row in oracle.silver("leads", "globex", day) if row["lead_id"] == key), None)
            for day in (date(2026, 1, n) for n in range(5, 9))
        ]
        for key in ("GL-004", "GL-009", "GL-012")
    }
    assert states["GL-004"] == ["contacted", "closed_won", "closed_won", "closed_won"]
    assert [status is None for status in states["GL-009"]] == [False, True, True, False]
    assert [status is None for status in states["GL-012"]] == [False, True, True, True]
    assert total(oracle, "leads", "globex", "deleted") == 2
    assert total(oracle, "customers", "globex", "deleted") == 1


def test_rows_land_weeks_late_and_a_clock_runs_ahead(oracle: Oracle) -> None:
    delays = Counter(
        (row["_ingest_date"] - day).days
        for tenant in ("acme", "globex")
        for day in DAYS
        for row in oracle.silver("interactions", tenant, day)
        if row["_ingest_date"] > date(2026, 1, 5) or row["_ingest_date"] < day  # the first landing brings history
    )
    assert (delays[-1], delays[1], delays[21], max(delays)) == (1, 4, 2, 24)


def test_days_without_a_landing_carry_the_state_forward(oracle: Oracle) -> None:
    for source in ("customers", "leads", "products"):
        fifth, sixth = (oracle.silver(source, "initech", date(2026, 1, day)) for day in (5, 6))
        assert fifth == sixth != []


def test_formats_and_encodings_are_what_the_readme_says(oracle: Oracle) -> None:
    assert text_of("globex/crm/customers/2026-01-05/customers.csv").startswith(b"\xef\xbb\xbf")
    assert text_of("globex/crm/leads/2026-01-05/leads.csv.gz").startswith(b"\x1f\x8b")
    latin = text_of("globex/crm/customers/2026-01-06/customers_south.csv")
    with pytest.raises(UnicodeDecodeError):
        latin.decode()
    names = {row["customer_id"]: row["customer_name"] for row in oracle.silver("customers", "globex", date(2026, 1, 8))}
    assert (names["G001"], names["G015"]) == ("Østerbro Boligforening", "Café Müller & Söhne")
    assert names["G025"] == "Two-line Address Works"
    assert {row.extra["campaign"] for row in oracle.bronze("interactions", "globex", date(2026, 1, 6))} == {"winter"}
    endings = {path.name.partition(".")[2] for path in LANDING.glob("*/crm/**/*") if path.is_file()}
    assert endings == {"csv", "csv.gz", "csv.part", "json", "ndjson", "ndjson.gz", "parquet"}


def test_the_gold_of_the_last_day_is_worth_looking_at(oracle: Oracle) -> None:
    features = {tenant: oracle.customer_features(tenant, date(2026, 1, 8)) for tenant in TENANTS}
    assert {tenant: len(rows) for tenant, rows in features.items()} == {"acme": 10, "globex": 16, "initech": 3}
    assert {row["lead_quality"] for rows in features.values() for row in rows} == {"hot", "warm", "cool", "cold"}
    best = oracle.top_customers("acme", date(2026, 1, 8))[0]
    assert (best["customer_name"], best["total_revenue"], best["lead_quality"]) == (
        "Nordwind Energie GmbH",
        60500.0,
        "hot",
    )
