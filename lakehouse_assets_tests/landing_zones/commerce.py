"""Made-up landing zones of commerce: customers, products, transactions and app events, as messy as real ones.

Belongs here: what lands, clean and spoilt, from few keys, so that versions, duplicates, deletes and orphans meet. Not
here: what should come of it (`oracle`), landing zones of crm (`population`).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random

type_of_record = dict[str, object]

CUSTOMERS, PRODUCTS, CATEGORIES = 40, 15, ("Pumps", "valves", "Wärme", "", None)
REGIONS = ("emea", "APAC", "Nord  West", "", "n/a")
METHODS = ("CreditCard", "Credit Card", "PayPal", "bank-transfer", "", None)
AMOUNTS = (
    "0",
    "-0.00",
    "1e2",
    "-1.5E1",
    "0.125",
    "0.135",
    "99999999.99",
    "-99999999.994",
    " 12.50 ",
    "\uff11\uff12.\uff15",
)
BAD_AMOUNTS = ("", "ten", "1,200.50", "inf", "1e309", "100000000", "-99999999.995", "0x1F")
BAD_TIMES = ("", "soon", "2025-02-30T10:00:00Z", "2026-01-05 25:00:00", "1970-01-01T00:00:00", "2999-12-31T00:00:00Z")
EVENT_TYPES = ("page_view", "Page-View", "add to cart", "Purchase")


def generate_commerce(root: Path, tenants: Sequence[str], first: date, days: int, *, lines: int, seed: int = 0) -> None:
    """Write the landing zone below the root: so many lines of invoices a tenant and day, and half as many events.

    A tenth of them are late by up to `days`; one row in twenty has a fault or an odd way of writing.
    """
    for tenant in tenants:
        business = _Business(Random(f"{seed} {tenant}"), first)
        for number in range(days):
            on = first + timedelta(days=number)
            if number and business.random.random() < 0.1:
                continue
            landed = {
                "customers.csv": business.customers(in_full=number % 4 == 0),
                "products.csv": business.products(in_full=number % 5 == 0),
                "transactions.csv": business.transactions(on, lines),
                "customer_events.ndjson": business.events(on, lines // 2),
            }
            for name, rows in landed.items():
                folder = root / tenant / "commerce" / name.partition(".")[0] / on.isoformat()
                folder.mkdir(parents=True, exist_ok=True)
                _write(folder / name, rows)


def _write(path: Path, rows: list[type_of_record]) -> None:
    if path.suffix == ".ndjson":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


class _Business:
    """One tenant, day by day."""

    def __init__(self, random: Random, first: date) -> None:
        self.random, self.first = random, first
        self.lines: list[type_of_record] = []
        self.done: list[type_of_record] = []

    def _sometimes(self, share: float) -> bool:
        return self.random.random() < share

    def _customer(self) -> str:
        """A few buy much; the last ones of the numbers never appear as customers."""
        return f"C{int((CUSTOMERS + 4) * self.random.random() ** 2):03d}"

    def _moment(self, on: date) -> str:
        late = self.random.randint(1, 8) if self._sometimes(0.1) else 0
        ahead = int(self._sometimes(0.01))
        clock = time(self.random.randrange(24), self.random.randrange(60), self.random.randrange(60))
        at = datetime.combine(on - timedelta(days=late - ahead), clock)
        return at.isoformat(self.random.choice("T ")) + self.random.choice(("", "Z", "+02:00", "-05:30"))

    def customers(self, *, in_full: bool) -> list[type_of_record]:
        chosen = range(CUSTOMERS) if in_full else self.random.sample(range(CUSTOMERS), 6)
        rows = []
        for number in chosen:
            signed_up = self.first - timedelta(days=400 - 11 * number)
            row: type_of_record = {
                "customer_id": f"C{number:03d}",
                "source_customer_id": self.random.choice((f"S{number // 2}", f"S{number}", "")),
                "name": f"Käufer {number}",
                "email": self.random.choice((f"C{number}@Example.com", "two@@example.com", "")),
                "signup_date": str(signed_up),
                "region": self.random.choice(REGIONS) if self._sometimes(0.2) else REGIONS[number % 3],
                "_op": "delete" if not in_full and self._sometimes(0.15) else "",
            }
            if self._sometimes(0.03):
                row |= self.random.choice(
                    ({"customer_id": " none "}, {"signup_date": "31/12/2025"}, {"signup_date": ""})
                )
            rows.append(row)
        return rows

    def products(self, *, in_full: bool) -> list[type_of_record]:
        chosen = range(PRODUCTS) if in_full else self.random.sample(range(PRODUCTS), 2)
        rows: list[type_of_record] = []
        for number in chosen:
            category = self.random.choice(CATEGORIES) if self._sometimes(0.2) else CATEGORIES[number % 3]
            row: type_of_record = {"product_id": f"P{number}", "product_name": f"Model {number}", "category": category}
            rows.append(row | {"_op": "delete" if not in_full and self._sometimes(0.3) else ""})
        return rows

    def transactions(self, on: date, lines: int) -> list[type_of_record]:
        rows: list[type_of_record] = []
        while len(rows) < lines:
            customer = "" if self._sometimes(0.15) else self._customer()
            invoice = "" if self._sometimes(0.1) else f"I{on:%d}{len(rows)}"
            at = self._moment(on)
            for _ in range(self.random.randint(1, 4)):
                cents = self.random.randint(1, 50_000) * (-1 if self._sometimes(0.1) else 1)
                rows.append(
                    {
                        "transaction_id": f"T{on:%m%d}-{len(rows)}",
                        "customer_id": customer,
                        "product_id": f"P{self.random.randrange(PRODUCTS + 1)}" if self._sometimes(0.95) else "",
                        "quantity": self.random.choice(("1", "2.0", "-3", "")),
                        "amount": f"{cents / 100:.2f}",
                        "transaction_date": at,
                        "payment_method": self.random.choice(METHODS),
                        "invoice_id": invoice,
                    }
                )
        for row in self.random.sample(rows, max(1, lines // 20)):
            row.update(
                self.random.choice(
                    (
                        {"amount": self.random.choice(AMOUNTS)},
                        {"amount": self.random.choice(AMOUNTS)},
                        {"amount": self.random.choice(BAD_AMOUNTS)},
                        {"transaction_date": self.random.choice(BAD_TIMES)},
                        {"quantity": "12.5"},
                        {"transaction_id": "-"},
                    )
                )
            )
        rows += [row | {"amount": "7.77"} for row in self.random.sample(self.lines, min(3, len(self.lines)))]
        self.lines += rows
        return rows

    def events(self, on: date, size: int) -> list[type_of_record]:
        rows: list[type_of_record] = [
            {
                "event_id": f"E{on:%m%d}-{number}",
                "customer_id": None if self._sometimes(0.1) else self._customer(),
                "session_id": self.random.choice((f"S{on:%d}{number // 4}", f"S{number // 4}", None)),
                "event_type": self.random.choice(EVENT_TYPES),
                "event_time": self._moment(on),
                "properties": {"page": f"/ä {number}", "cart": [number, 1.50, None], "new": number % 2 == 0},
            }
            for number in range(size)
        ]
        for row in self.random.sample(rows, max(1, size // 20)):
            faults = ({"event_id": None}, {"event_type": "N/A"}, {"event_time": self.random.choice(BAD_TIMES)})
            row.update(self.random.choice(faults))
        rows += [row | {"event_type": "again"} for row in self.random.sample(self.done, min(2, len(self.done)))]
        self.done += rows
        return rows
