"""Features as each date knew them: by hand, against plain Python, each date alone, and as a model takes them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.domains.commerce.gold_ml import gold_ml_customer_features
from lakehouse_assets.lake.partitions import Window
from lakehouse_assets_tests.oracle import customer360

D = date(2026, 3, 31)
DAY = timedelta(days=1)
TIME = pl.Datetime("us", "UTC")
DATE, TEXT = pl.Date, pl.String
SCHEMAS: dict[str, dict[str, Any]] = {
    "silver_customers": {"date": DATE, "customer_id": TEXT, "region": TEXT, "signup_date": DATE},
    "silver_products": {"date": DATE, "product_id": TEXT, "category": TEXT},
    "silver_device_assignments": {
        "date": DATE,
        "device_id": TEXT,
        "customer_id": TEXT,
        "assigned_from": TIME,
        "assigned_to": TIME,
    },
    "silver_transaction_versions": {
        "date": DATE,
        "transaction_id": TEXT,
        "business_date": DATE,
        "customer_id": TEXT,
        "product_id": TEXT,
        "invoice_id": TEXT,
        "amount": pl.Decimal(10, 2),
    },
    "silver_event_versions": {
        **dict.fromkeys(("date", "business_date"), DATE),
        **dict.fromkeys(("event_id", "customer_id", "session_id"), TEXT),
    },
    "silver_anomalies_as_known": {"date": DATE, "device_id": TEXT, "metric_type": TEXT, "window_start": TIME},
}
type_of_row = dict[str, Any]
type_of_tables = dict[str, list[type_of_row]]


def features(tables: type_of_tables, first: date = D, last: date | None = None) -> pl.DataFrame:
    frames = {name: pl.LazyFrame(tables.get(name, []), schema) for name, schema in SCHEMAS.items()}
    found = gold_ml_customer_features(**frames, window=Window("acme", first, last or first))
    return found.collect(engine="streaming")


def customer(customer_id: str = "C1", day: date = D, region: str = "EMEA") -> type_of_row:
    return {"date": day, "customer_id": customer_id, "region": region, "signup_date": date(2025, 1, 1)}


def product(product_id: str, category: str | None, day: date = D) -> type_of_row:
    return {"date": day, "product_id": product_id, "category": category}


def sale(
    number: str,
    amount: str,
    ago: int = 0,
    landed: int | None = None,
    customer_id: str | None = "C1",
    invoice: str | None = None,
    product_id: str | None = "P1",
) -> type_of_row:
    """A line of `ago` days before D that landed `landed` days before D, on its own day where nothing else is said."""
    return {
        "date": D - (ago if landed is None else landed) * DAY,
        "transaction_id": number,
        "business_date": D - ago * DAY,
        "customer_id": customer_id,
        "product_id": product_id,
        "invoice_id": invoice,
        "amount": Decimal(amount),
    }


def event(
    number: str, ago: int = 0, landed: int | None = None, session: str | None = "S1", customer_id: str | None = "C1"
) -> type_of_row:
    return {
        "date": D - (ago if landed is None else landed) * DAY,
        "event_id": number,
        "business_date": D - ago * DAY,
        "customer_id": customer_id,
        "session_id": session,
    }


def anomaly(ago: int, landed: int | None = None, device: str = "D1") -> type_of_row:
    return {
        "date": D - (ago if landed is None else landed) * DAY,
        "device_id": device,
        "metric_type": "temperature",
        "window_start": noon(D - ago * DAY),
    }


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def assignment(start: date, end: date | None = None, owner: str = "C1", day: date = D) -> type_of_row:
    return {
        "date": day,
        "device_id": "D1",
        "customer_id": owner,
        "assigned_from": noon(start),
        "assigned_to": noon(end) if end else None,
    }


def test_a_customer_of_whom_nothing_is_known_has_zeros_and_no_ratio() -> None:
    given = {"silver_customers": [customer()], "silver_transaction_versions": [sale("T1", "5", customer_id=None)]}
    [row] = features(given).to_dicts()
    assert row == {
        "date": D,
        "snapshot_date": D,
        "feature_version": "1",
        "customer_id": "C1",
        "recency_days": None,
        "frequency": 0,
        "monetary": Decimal(0),
        "tenure_days": 454,
        "revenue_30d": Decimal(0),
        "revenue_prior_30d": Decimal(0),
        "revenue_trend": None,
        "events_30d": 0,
        "sessions_30d": 0,
        "anomalies_30d": 0,
        "region": "EMEA",
        "region_one_hot": [1],
        "region_levels": ["EMEA"],
        "favourite_category": None,
        "favourite_category_one_hot": [],
        "favourite_category_levels": [],
    }


def test_features_worked_out_by_hand() -> None:
    given = {
        "silver_customers": [customer(), customer("C2", region="APAC")],
        "silver_products": [product("P1", "pumps"), product("P2", "valves"), product("P3", None)],
        "silver_transaction_versions": [
            sale("T1", "100.10", ago=29, invoice="I1"),
            sale("T2", "-0.10", ago=29, invoice="I1", product_id="P2"),
            sale("T3", "30", ago=30, product_id="P2"),
            sale("T4", "10", ago=59, product_id="P2"),
            sale("T5", "1", ago=60, product_id="P2"),
            sale("T6", "7", ago=364, invoice="I2", product_id="P3"),
            sale("T7", "9999", ago=365),
            sale("T8", "9999", ago=-1, landed=0),
        ],
        "silver_event_versions": [event("E1"), event("E2", ago=29), event("E3", ago=3, session=None), event("E4", 30)],
        "silver_anomalies_as_known": [anomaly(0), anomaly(29), anomaly(30), anomaly(5, device="D9")],
        "silver_device_assignments": [assignment(D - 29 * DAY)],
    }
    first, second = features(given).to_dicts()
    assert {name: first[name] for name in list(first) if not name.endswith("_levels")} == {
        "date": D,
        "snapshot_date": D,
        "feature_version": "1",
        "customer_id": "C1",
        "recency_days": 29,
        "frequency": 5,
        "monetary": Decimal("148.00"),
        "tenure_days": 454,
        "revenue_30d": Decimal("100.00"),
        "revenue_prior_30d": Decimal("40.00"),
        "revenue_trend": 2.5,
        "events_30d": 3,
        "sessions_30d": 1,
        "anomalies_30d": 2,
        "region": "EMEA",
        "region_one_hot": [0, 1],
        "favourite_category": "valves",
        "favourite_category_one_hot": [0, 1],
    }
    assert (second["region_one_hot"], second["favourite_category_one_hot"]) == ([1, 0], [0, 0])
    assert second["favourite_category_levels"] == ["pumps", "valves"]


@pytest.mark.parametrize(
    ("versions", "monetary", "recency"),
    [
        ([sale("T1", "5", ago=3), sale("T1", "7", ago=3, landed=1)], "7", 3),
        ([sale("T1", "5", ago=3), sale("T1", "7", ago=3, landed=-1)], "5", 3),
        ([sale("T1", "7", ago=3, landed=-1)], "0", None),
        ([sale("T1", "7", ago=400, landed=0)], "0", None),
        ([sale("T1", "5", ago=3), sale("T1", "5", ago=3, landed=0, customer_id="C2")], "0", None),
        ([sale("T1", "5", ago=3), sale("T1", "5", ago=3, landed=0, customer_id=None), sale("T2", "1", ago=9)], "1", 9),
        ([sale("T1", "5", ago=3), sale("T1", "6", ago=4, landed=0)], "11", 3),
    ],
    ids=[
        "a correction counts once it has landed",
        "and not before",
        "what lands later is not known",
        "what lands too late is out of the window",
        "a correction gives it to another customer",
        "or to a guest, so that an older one is the last",
        "a line on another date is another row, as in silver",
    ],
)
def test_versions(versions: list[type_of_row], monetary: str, recency: int | None) -> None:
    [row] = features({"silver_customers": [customer()], "silver_transaction_versions": versions}).to_dicts()
    assert (row["monetary"], row["recency_days"]) == (Decimal(monetary), recency)


def test_an_older_order_is_the_last_again_once_the_newer_turns_out_to_be_of_another() -> None:
    days = [D + offset * DAY for offset in range(4)]
    versions = [sale("T1", "1", ago=9), sale("T2", "5", ago=3), sale("T2", "5", ago=3, landed=-2, customer_id="C2")]
    given = {"silver_customers": [customer("C1", day) for day in days], "silver_transaction_versions": versions}
    assert features(given, D, days[-1])["recency_days"].to_list() == [3, 4, 11, 12]


def test_an_anomaly_is_of_whom_the_date_knows_to_have_had_the_device() -> None:
    tomorrow = D + DAY
    given = {
        "silver_customers": [customer(c, day) for c in ("C1", "C2") for day in (D, tomorrow)],
        "silver_anomalies_as_known": [anomaly(2), anomaly(1), anomaly(3, landed=-1)],
        "silver_device_assignments": [
            assignment(D - 9 * DAY),
            assignment(D - 9 * DAY, day=tomorrow),
            assignment(D - DAY, owner="C2", day=tomorrow),
        ],
    }
    rows = features(given, D, tomorrow).rows_by_key(["customer_id", "date"], named=True, unique=True)
    assert {key: row["anomalies_30d"] for key, row in rows.items()} == {
        ("C1", D): 2,
        ("C1", tomorrow): 2,
        ("C2", D): 0,
        ("C2", tomorrow): 1,
    }


def test_a_model_takes_the_one_hot_lists_as_a_matrix() -> None:
    regions = ["EMEA", "APAC", "EMEA", "UNKNOWN"]
    rows = features({"silver_customers": [customer(f"C{n}", region=r) for n, r in enumerate(regions)]})
    matrix = np.stack([row.to_numpy() for row in rows["region_one_hot"]])
    assert rows["region_levels"].unique().to_list() == [["APAC", "EMEA", "UNKNOWN"]]
    assert matrix.tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]


LAST_OFFSET = 8
CUSTOMERS = st.sampled_from(["C1", "C2", None])
AGO = st.sampled_from([367, 366, 365, 364, 363, 62, 60, 59, 58, 33, 31, 30, 29, 28, 3, 2, 1, 0, -1, -4, -LAST_OFFSET])
LATE = st.sampled_from([-1, 0, 0, 0, 1, 2, 5, 30])
SALES = st.builds(
    lambda number, amount, ago, late, customer_id, invoice, product_id: sale(
        number, amount, ago, ago - late, customer_id, invoice, product_id
    ),
    st.sampled_from(["T1", "T2", "T3", "T4"]),
    st.sampled_from(["0", "5", "12.50", "-5", "-7.25"]),
    AGO,
    LATE,
    CUSTOMERS,
    st.sampled_from(["I1", "I2", None]),
    st.sampled_from(["P1", "P2", "P3", None]),
)
EVENTS = st.builds(
    lambda number, ago, late, session, customer_id: event(number, ago, ago - late, session, customer_id),
    st.sampled_from(["E1", "E2", "E3"]),
    AGO,
    LATE,
    st.sampled_from(["S1", "S2", None]),
    CUSTOMERS,
)


@st.composite
def tenants(draw: st.DrawFn) -> tuple[date, type_of_tables]:
    days = [D + offset * DAY for offset in range(draw(st.integers(1, LAST_OFFSET)))]

    def one_of_a_day(rows: list[type_of_row], key: str) -> list[type_of_row]:
        return list({(row["date"], row["business_date"], row[key]): row for row in rows}.values())

    categories = st.sampled_from(["pumps", "valves", None])
    return days[-1], {
        "silver_customers": [
            customer(one, day, draw(st.sampled_from(["EMEA", "APAC"]))) for day in days for one in ("C1", "C2")
        ],
        "silver_products": [product(p, draw(categories), day) for day in days for p in draw(st.sets(PRODUCTS))],
        "silver_transaction_versions": one_of_a_day(draw(st.lists(SALES, max_size=25)), "transaction_id"),
        "silver_event_versions": one_of_a_day(draw(st.lists(EVENTS, max_size=12)), "event_id"),
    }


PRODUCTS = st.sampled_from(["P1", "P2", "P3"])


def in_plain_python(day: date, tables: type_of_tables) -> list[type_of_row]:
    """The oracle of customer 360 on what silver would have held at the end of the day."""

    def known(name: str, key: str) -> list[type_of_row]:
        landed = [row for row in tables[name] if row["date"] <= day]
        newest = {(row["business_date"], row[key]): row for row in sorted(landed, key=lambda row: row["date"])}
        return [row | {"date": row["business_date"]} for row in newest.values()]

    lines = known("silver_transaction_versions", "transaction_id")
    facts = [row | {"transaction_date": noon(row["date"])} for row in lines]
    given = {"facts": facts, "events": known("silver_event_versions", "event_id"), "anomalies": [], "assignments": []}
    given |= {"customers": tables["silver_customers"], "products": tables["silver_products"]}
    found = []
    for row in customer360.customer360(day, given):
        before = [
            line["amount"]
            for line in lines
            if line["customer_id"] == row["customer_id"] and 30 <= (day - line["date"]).days < 60
        ]
        prior = sum(before, Decimal("0.00"))
        regions = sorted({other["region"] for other in tables["silver_customers"] if other["date"] == day})
        found.append(
            {
                "customer_id": row["customer_id"],
                "recency_days": row["days_since_last_order"],
                "frequency": row["orders"],
                "monetary": row["revenue"],
                "revenue_30d": row["revenue_30d"],
                "revenue_prior_30d": prior,
                "revenue_trend": float(row["revenue_30d"]) / float(prior) if prior else None,
                "events_30d": row["events_30d"],
                "sessions_30d": row["sessions_30d"],
                "favourite_category": row["favourite_category"],
                "region_one_hot": [int(region == row["region"]) for region in regions],
            }
        )
    return found


@given(tenants())
@settings(max_examples=60, deadline=None)
def test_a_range_gives_each_date_what_plain_python_knows_on_it_alone(tenant: tuple[date, type_of_tables]) -> None:
    last, tables = tenant
    days = [D + offset * DAY for offset in range((last - D).days + 1)]
    together = features(tables, D, last).to_dicts()
    # What landed later is there to be overlooked.
    assert together == [row for day in days for row in features(tables, day).to_dicts()]
    expected = [row for day in days for row in in_plain_python(day, tables)]
    assert [{name: row[name] for name in expected[0]} for row in together] == expected
