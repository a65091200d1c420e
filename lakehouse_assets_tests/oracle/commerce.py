"""What the lakehouse must answer about customers, products, transactions and app events of commerce.

Belongs here: flags and regions that depend on other rows of the day, revenue by day, and what customer 360 is computed
from. Not here: the rules of a row (`commerce_rules`), the formulas of customer 360 (`customer360`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from lakehouse_assets_tests.oracle import customer360
from lakehouse_assets_tests.oracle.answers import Oracle
from lakehouse_assets_tests.oracle.commerce_rules import RULES, SOURCES
from lakehouse_assets_tests.oracle.judging import Judged, Row, type_of_rules
from lakehouse_assets_tests.oracle.silver import newest, traced, type_of_settling
from lakehouse_assets_tests.oracle.sources import Source

UNKNOWN = "UNKNOWN"


class CommerceOracle(Oracle):
    """The answers about commerce.

    Args:
        root: The landing root.
        start: The first daily partition.
        until: The last ingest date to look at; everything when None.
        devices: Gives the lake's own rows of `silver/device_assignments` and `gold/anomaly_alerts` of a tenant and a
            day, which the oracle knows nothing of; none where it is not given.
    """

    domain = "commerce"
    sources: Mapping[str, Source] = SOURCES
    rules: type_of_rules = RULES
    settle: type_of_settling = staticmethod(newest)
    gold_tables: Mapping[str, tuple[str, ...]] = {
        "daily_revenue": ("product_id", "region"),
        "customer360": ("customer_id",),
    }

    def __init__(
        self,
        root: Path,
        start: date,
        *,
        until: date | None = None,
        devices: Callable[[str, str, date], list[Row]] | None = None,
    ) -> None:
        super().__init__(root, start, until=until)
        self.devices = devices or (lambda *_: [])

    def table_of(self, source: str) -> str:
        return "transaction_facts" if source == "transactions" else source

    def silver(self, table: str, tenant: str, on: date) -> list[Row]:
        source = self._named(table)
        if source.is_event:
            rows = self._events(source.name, tenant).kept.get(on, [])
        else:
            rows = list(self.state(source.name, tenant, on).values())
        customers, products = self.state("customers", tenant, on), self.state("products", tenant, on)
        if source.name == "customers":
            shown = with_shared_ids(rows)
        elif source.name == "products":
            shown = [traced(judged, []) for judged in rows]
        else:
            shown = [referring(judged, customers, products) for judged in rows]
        return sorted(shown, key=lambda row: str(row[source.key]))

    def daily_revenue(self, tenant: str, on: date) -> list[Row]:
        groups = defaultdict(list)
        for row in self.silver("transactions", tenant, on):
            groups[row["product_id"] or UNKNOWN, row["region"]].append(row)
        return [
            {
                "product_id": product,
                "region": region,
                "transactions": len(rows),
                "quantity": sum(row["quantity"] or 0 for row in rows),
                "revenue": sum((row["amount"] for row in rows if row["amount"] >= 0), Decimal(0)),
                "refunds": -sum((row["amount"] for row in rows if row["amount"] < 0), Decimal(0)),
                "net_revenue": sum((row["amount"] for row in rows), Decimal(0)),
            }
            for (product, region), rows in sorted(groups.items())
        ]

    def customer360(self, tenant: str, on: date) -> list[Row]:
        """All columns but `rfm_segment`, whose table is the project's own."""

        def dated(rows: list[Row], day: date) -> list[Row]:
            return [{**row, "date": day} for row in rows]

        def trailing(source: str, days: int) -> list[Row]:
            kept = self._events(source, tenant).kept
            window = [on - timedelta(days=back) for back in range(days)]
            return [row for day in window for row in dated([judged.row for judged in kept.get(day, [])], day)]

        def state(source: str) -> list[Row]:
            return dated([judged.row for judged in self.state(source, tenant, on).values()], on)

        alerts = [on - timedelta(days=back) for back in range(30)]
        given = {
            "customers": [
                {name: row[name] for name in ("date", "customer_id", "region", "signup_date")}
                for row in state("customers")
            ],
            "products": state("products"),
            "assignments": dated(self.devices("silver/device_assignments", tenant, on), on),
            "facts": trailing("transactions", 365),
            "events": trailing("customer_events", 30),
            "anomalies": [
                row for day in alerts for row in dated(self.devices("gold/anomaly_alerts", tenant, day), day)
            ],
        }
        rows = customer360.customer360(on, given)
        return [{name: row[name] for name in row if name not in {"date", "signup_date"}} for row in rows]


def with_shared_ids(customers: list[Judged]) -> list[Row]:
    counts = Counter(judged.row["source_customer_id"] for judged in customers)
    del counts[None]
    return [
        traced(judged, ["shared_source_id"] if counts[judged.row["source_customer_id"]] > 1 else [])
        for judged in customers
    ]


def referring(judged: Judged, customers: Mapping[str, Judged], products: Mapping[str, Judged]) -> Row:
    """A row with what customers and products of its day say of it."""
    flags = []
    customer, product = judged.row["customer_id"], judged.row.get("product_id")
    if customer is not None and customer not in customers:
        flags.append("orphan_customer")
    if product is not None and product not in products:
        flags.append("orphan_product")
    row = traced(judged, flags)
    if "amount" in row:
        row["region"] = customers[customer].row["region"] if customer in customers else UNKNOWN
    return row
