"""Money from the text of a file to gold and SQL: every cent of sales, refunds and corrections is found again.

Whatever lands, Σ net revenue of a day is Σ amount of its transactions, and what customers, guests and strangers paid
together is the same sum.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import NamedTuple

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.sql import query
from lakehouse_assets_tests.faults.rounds import THOROUGH, rounds
from lakehouse_assets_tests.pipeline.commerce_house import CUSTOMER360, FACTS, REVENUE, commerce_house
from lakehouse_assets_tests.pipeline.crm_landings import build_all

FIRST, DAYS = date(2026, 1, 30), 4
LAST = FIRST + timedelta(days=DAYS - 1)
CENT, LIMIT = Decimal("0.01"), Decimal(10**8)
COLUMNS = ("transaction_id", "customer_id", "product_id", "quantity", "amount", "transaction_date", "invoice_id")


class Line(NamedTuple):
    """A line of an invoice as it lands; a later one with the same number and day corrects it."""

    number: int
    customer: str
    amount: str
    day: date
    late: int

    @property
    def landed(self) -> date:
        return min(self.day + timedelta(days=self.late), LAST)

    @property
    def paid(self) -> Decimal | None:
        """The amount in cents, half-even; none where it needs more than ten digits."""
        paid = Decimal(self.amount).quantize(CENT, ROUND_HALF_EVEN)
        return paid if abs(paid) < LIMIT else None


def written(value: Decimal, style: str) -> str:
    """The same number, plain or with an exponent."""
    return f"{value:e}" if style == "exponent" else f"{value:f}"


CENTS = st.integers(-(10**10) - 2, 10**10 + 2).map(lambda cents: Decimal(cents).scaleb(-2))
TIES = st.integers(-(10**7), 10**7).map(lambda half: (Decimal(2 * half) + 1).scaleb(-3) * 5)
FINER = st.decimals(-1000, 1000, places=6, allow_nan=False)
AMOUNTS = st.builds(written, CENTS | TIES | FINER, st.sampled_from(["plain", "plain", "exponent"]))
LINES = st.builds(
    Line,
    st.integers(1, 40),
    st.sampled_from(["C1", "C2", "C9", ""]),
    AMOUNTS,
    st.integers(0, DAYS - 1).map(lambda offset: FIRST + timedelta(days=offset)),
    st.sampled_from([0, 0, 0, 1, 2]),
)


def land(root: Path, source: str, day: date, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    folder = root / "acme" / "commerce" / source / str(day)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{source}.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def land_all(root: Path, lines: list[Line]) -> None:
    signed_up = [(one, FIRST, "east") for one in ("C1", "C2")]
    land(root, "customers", FIRST, ("customer_id", "signup_date", "region"), signed_up)
    for day in sorted({line.landed for line in lines}):
        rows = [
            (f"{line.day}-{line.number}", line.customer, f"P{line.number % 3}", 1, line.amount, line.day, line.number)
            for line in lines
            if line.landed == day
        ]
        land(root, "transactions", day, COLUMNS, rows)


def standing(lines: list[Line]) -> list[Line]:
    """The lines that no later valid one corrects."""
    in_order = sorted(lines, key=lambda line: line.landed)
    return list({(line.day, line.number): line for line in in_order if line.paid is not None}.values())


def total(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((amount for amount in amounts if amount is not None), Decimal(0))


def asked(house: Lakehouse, statement: str) -> list[tuple[object, ...]]:
    return query(statement, root=house.lake.root, tables=house.tables, tenant="acme").rows()


@given(st.lists(LINES, min_size=1, max_size=60))
@settings(max_examples=rounds(4, 80), derandomize=not THOROUGH, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_cent_that_landed_is_in_gold(lines: list[Line]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = commerce_house(Path(folder) / "landing", Path(folder) / "lake", FIRST)
        land_all(Path(folder) / "landing", lines)
        # A day with many amounts beyond ten digits would be refused; few of them are rejected one by one.
        build_all(house, FIRST, LAST, ["acme"], [REVENUE, CUSTOMER360])
        kept = standing(lines)
        days = [FIRST + timedelta(days=offset) for offset in range(DAYS)]
        paid = {day: total(line.paid for line in kept if line.day == day) for day in days}
        refunded = {
            day: -total(min(line.paid or Decimal(0), Decimal(0)) for line in kept if line.day == day) for day in days
        }
        facts, revenue = pl.read_delta(house.lake.uri(FACTS)), pl.read_delta(house.lake.uri(REVENUE))
        for day in days:
            of_day = revenue.filter(date=day)
            assert total(facts.filter(date=day)["amount"]) == paid[day]
            assert total(of_day["net_revenue"]) == total(of_day["revenue"]) - total(of_day["refunds"]) == paid[day]
            assert total(of_day["refunds"]) == refunded[day]
        spent = f"SELECT customer_id, revenue FROM {CUSTOMER360} WHERE date = DATE '{LAST}' ORDER BY customer_id"
        of_customers = [(one, total(line.paid for line in kept if line.customer == one)) for one in ("C1", "C2")]
        assert asked(house, spent) == of_customers
        everything = total(paid.values())
        assert asked(house, f"SELECT sum(net_revenue) FROM {REVENUE}") == [(everything if kept else None,)]
        strangers = total(line.paid for line in kept if line.customer in {"C9", ""})
        assert total(amount for _, amount in of_customers) + strangers == everything
