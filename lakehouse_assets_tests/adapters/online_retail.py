"""Lays days of UCI's Online Retail out as a landing zone: each day one drop of transactions, customers and products.

`python -m lakehouse_assets_tests.adapters.online_retail --from <folder> --to <landing root> --tenant <tenant>`

A day is a file `<YYYY-MM-DD>.csv` of lines of invoices that have no id. Each becomes a transaction: its id is the day
and the line's place in the file, so that a line that stands twice is two lines of the invoice, which is what a shop
books when a till scans one article twice. Its amount is quantity × unit price, multiplied as decimals. A cancellation
(an invoice that starts with C) has negative quantities and so is a refund. A customer lands on the first day it buys,
with its country as region; a product on the first day it is sold, and once more when it gets its first name.

Belongs here: the shape of those files. Not here: what is made of them (`online_retail_report`).
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from lakehouse_assets_tests.adapters.errors import AdapterError

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
TRANSACTIONS = (
    *("transaction_id", "customer_id", "product_id", "quantity"),
    *("amount", "transaction_date", "payment_method", "invoice_id"),
)
CUSTOMERS = ("customer_id", "source_customer_id", "name", "email", "signup_date", "region")
PRODUCTS = ("product_id", "product_name", "category")


class Line(NamedTuple):
    """A line of a day's file, as it stands there; `number` is its place, counted from 1."""

    day: date
    number: int
    invoice: str
    product: str
    description: str
    quantity: Decimal
    at: str
    price: Decimal
    customer: str
    country: str

    @property
    def amount(self) -> Decimal:
        """Of as many decimals as both factors have together: nothing is rounded here."""
        return self.quantity * self.price


def day_files(source: Path) -> list[Path]:
    """The files of a folder in the order of their days. Raises AdapterError where there is none."""
    found = sorted(source.glob("????-??-??.csv"))
    if not found:
        raise AdapterError(f"{source} holds no file <YYYY-MM-DD>.csv")
    return found


def read_day(path: Path) -> list[Line]:
    """All lines of a day's file. Raises AdapterError, with file and line, for one that is not of its shape."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise AdapterError(f"{path.name}: the columns are {rows.fieldnames}, not {', '.join(COLUMNS)}")
        day = date.fromisoformat(path.stem)
        return [_line(path, day, number, row) for number, row in enumerate(rows, 1)]


def _line(path: Path, day: date, number: int, row: Mapping[str, str]) -> Line:
    try:
        quantity, price = Decimal(row["Quantity"]), Decimal(row["UnitPrice"])
    except InvalidOperation as error:
        raise AdapterError(f"{path.name}, line {number}: quantity and price must be numbers") from error
    return Line(
        day,
        number,
        row["InvoiceNo"],
        row["StockCode"],
        row["Description"].strip(),
        quantity,
        row["InvoiceDate"],
        price,
        # Written by something that took customers for floats: 17850.0.
        row["CustomerID"].removesuffix(".0"),
        row["Country"],
    )


class LandingZone:
    """A tenant's landing zone that days are laid out in, oldest first: it knows who and what has landed."""

    def __init__(self, root: Path, tenant: str) -> None:
        self.folder = root / tenant / "commerce"
        self.customers: set[str] = set()
        self.names: dict[str, str] = {}

    def lay_out(self, path: Path) -> list[Line]:
        """Write the drops of a day's file, and return its lines."""
        lines = read_day(path)
        self._drop(path.stem, "transactions", TRANSACTIONS, map(_transaction, lines))
        self._drop(path.stem, "customers", CUSTOMERS, self._new_customers(lines))
        self._drop(path.stem, "products", PRODUCTS, self._new_products(lines))
        return lines

    def _new_customers(self, lines: Sequence[Line]) -> Iterator[Sequence[object]]:
        for line in lines:
            if line.customer and line.customer not in self.customers:
                self.customers.add(line.customer)
                yield line.customer, "", "", "", line.day, line.country

    def _new_products(self, lines: Sequence[Line]) -> Iterator[Sequence[object]]:
        found: dict[str, str] = {}
        for line in lines:
            found[line.product] = found.get(line.product) or line.description
        for product, name in found.items():
            if product not in self.names or (name and not self.names[product]):
                self.names[product] = name
                yield product, name, ""

    def _drop(self, day: str, source: str, columns: Sequence[str], rows: Iterator[Sequence[object]]) -> None:
        kept = list(rows)
        if not kept:
            return
        folder = self.folder / source / day
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{source}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([columns, *kept])


def _transaction(line: Line) -> Sequence[object]:
    number = f"{line.day}-{line.number:06}"
    return number, line.customer, line.product, line.quantity, line.amount, line.at, "", line.invoice


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="online_retail", description="Lay days of Online Retail out as a landing zone"
    )
    parser.add_argument("--from", dest="source", type=Path, required=True, help="folder of the days' CSV files")
    parser.add_argument("--to", dest="landing", type=Path, required=True, help="the landing root")
    parser.add_argument("--tenant", required=True)
    given = parser.parse_args()
    zone = LandingZone(given.landing, given.tenant)
    lines = sum(len(zone.lay_out(path)) for path in day_files(given.source))
    print(f"{lines} lines of invoices below {zone.folder}")  # noqa: T201


if __name__ == "__main__":
    main()
