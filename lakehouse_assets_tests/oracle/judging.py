"""One record to a typed row with its faults and flags, for each table of the silver layer.

Belongs here: the rules of a single row. Not here: rules that need other rows, as duplicates and orphans (`silver`).
A fault is named after what is wrong, `unparsable` first and then the column, as several columns may be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from lakehouse_assets_tests.oracle import cleaning
from lakehouse_assets_tests.oracle.reading import Record
from lakehouse_assets_tests.oracle.sources import Source

STATUSES = {"new", "contacted", "qualified", "proposal", "negotiation", "closed_won", "closed_lost", "unknown"}
CLOSED = {"closed_won", "closed_lost"}
CHANNELS = {"call", "email", "whatsapp", "meeting"}
OUTCOMES = {"positive", "neutral", "negative"}
Row = dict[str, Any]


@dataclass(slots=True)
class Judged:
    """A record as a row: valid where `faults` is empty. `at` is the version of an entity or the time of an event."""

    record: Record
    row: Row
    faults: set[str] = field(default_factory=set)
    flags: list[str] = field(default_factory=list)
    is_delete: bool = False
    at: datetime | None = None
    business_date: date | None = None

    def parse(self, column: str, parser: Callable[[str | None], Any]) -> Any:
        """The value of a column, which joins the row; a value that does not parse is a fault."""
        try:
            value = parser(self.record.values.get(column))
        except cleaning.Unparsable:
            self.faults.add(f"unparsable:{column}")
            value = None
        self.row[column] = value
        return value

    def require(self, *columns: str) -> None:
        for column in columns:
            if self.row[column] is None and f"unparsable:{column}" not in self.faults:
                self.faults.add(f"null:{column}")

    def never_negative(self, *columns: str) -> None:
        for column in columns:
            value = self.row[column]
            if value is not None and value < 0:
                self.faults.add(f"negative:{column}")


def judge(source: Source, record: Record, start: date, rules: type_of_rules) -> Judged:
    """The record judged by its table's rules, a function for each source; a delete needs its key and version only."""
    judged = Judged(record, {})
    if not source.is_event and cleaning.code(record.values.get("_op")) == "delete":
        judged.is_delete = True
        judged.parse(source.key, cleaning.text)
        judged.require(source.key)
        judged.at = judged.parse(source.version, cleaning.moment) if source.version else None
        return judged
    rules[source.name](judged)
    if source.version:
        judged.at = judged.row[source.version]
    if source.is_event and judged.at is not None:
        place_in_time(judged, start)
    return judged


type_of_rules = Mapping[str, Callable[[Judged], None]]


def place_in_time(judged: Judged, start: date) -> None:
    assert judged.at is not None
    on = judged.at.date()
    if on < start:
        judged.faults.add("before_start")
    elif on > judged.record.ingest_date + timedelta(days=1):
        judged.faults.add("in_future")
    else:
        judged.business_date = on


def lead(judged: Judged) -> None:
    for column in ("lead_id", "customer_id", "product_id", "owner"):
        judged.parse(column, cleaning.text)
    judged.parse("source", cleaning.code)
    status = judged.parse("status", cleaning.code)
    if status not in STATUSES:
        status = judged.row["status"] = "unknown"
        judged.flags.append("unknown_status")
    judged.parse("deal_value", cleaning.number)
    created, closed = judged.parse("created_date", cleaning.day), judged.parse("closed_date", cleaning.day)
    judged.parse("updated_at", cleaning.moment)
    judged.require("lead_id", "customer_id", "created_date")
    judged.never_negative("deal_value")
    if created and closed and closed < created:
        judged.faults.add("closed_before_created")
    if status in CLOSED and closed is None:
        judged.flags.append("closed_without_date")


def customer(judged: Judged) -> None:
    judged.parse("customer_id", cleaning.text)
    name = judged.parse("customer_name", cleaning.text)
    judged.row["customer_name_normalized"] = cleaning.name_for_matching(name)
    judged.row["industry"] = (judged.parse("industry", cleaning.text) or "unknown").lower()
    judged.parse("employee_count", cleaning.integer)
    revenue = judged.parse("annual_revenue", cleaning.number)
    email = judged.parse("email", cleaning.text)
    judged.row["email"] = email and email.lower()
    judged.row["phone"], callable_number = cleaning.phone(judged.record.values.get("phone"))
    judged.parse("created_date", cleaning.day)
    judged.require("customer_id")
    judged.never_negative("employee_count", "annual_revenue")
    if email is not None and not cleaning.is_email(email.lower()):
        judged.flags.append("invalid_email")
    if not callable_number:
        judged.flags.append("invalid_phone")
    if revenue is None:
        judged.flags.append("missing_revenue")


def product(judged: Judged) -> None:
    judged.parse("product_id", cleaning.text)
    judged.parse("product_name", cleaning.text)
    category = judged.parse("category", cleaning.text)
    judged.row["category"] = category and category.lower()
    judged.parse("list_price", cleaning.number)
    judged.require("product_id")
    judged.never_negative("list_price")


def interaction(judged: Judged) -> None:
    for column in ("interaction_id", "customer_id", "lead_id"):
        judged.parse(column, cleaning.text)
    if judged.parse("channel", cleaning.code) not in CHANNELS:
        judged.row["channel"] = "other"
    if judged.parse("outcome", cleaning.code) not in OUTCOMES:
        judged.row["outcome"] = "unknown"
    judged.parse("interaction_at", cleaning.moment)
    judged.parse("duration_minutes", cleaning.number)
    judged.parse("response_minutes", cleaning.number)
    judged.require("interaction_id", "customer_id", "interaction_at")
    judged.never_negative("duration_minutes", "response_minutes")


CRM: type_of_rules = {"leads": lead, "customers": customer, "products": product, "interactions": interaction}
