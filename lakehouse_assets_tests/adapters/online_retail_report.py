"""Lands days of UCI's Online Retail one by one, lets the landing sensor build the lake, and writes whether it adds up.

`python -m lakehouse_assets_tests.adapters.online_retail_report --from <folder> --to docs/real_data/online_retail.md`

Belongs here: carrying it out, and the report. Not here: the files and what they become (`online_retail`).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import dagster as dg
import polars as pl

from lakehouse_assets.automation import evaluate_landing
from lakehouse_assets.backfill import QUIET, register_tenants
from lakehouse_assets.house import open_house
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets_tests.adapters.online_retail import LandingZone, Line, day_files

TENANT = "retail"
MOST_TICKS = 12
CENT = Decimal("0.01")
FACTS, REVENUE, CUSTOMERS = (
    TableName("commerce", layer, table)
    for layer, table in (("silver", "transaction_facts"), ("gold", "daily_revenue"), ("gold", "customer360"))
)


class SensorError(Exception):
    """A run that the sensor asked for has failed, or the sensor does not come to rest."""


@dataclass(frozen=True)
class Day:
    """One day in the files, and the same in the lake."""

    day: date
    lines: int
    facts: int
    runs: int
    net: Decimal
    refunds: Decimal
    net_in_lake: Decimal
    refunds_in_lake: Decimal
    guests: int
    guests_in_lake: int

    @property
    def agrees(self) -> bool:
        here = (self.lines, self.net, self.refunds, self.guests)
        return here == (self.facts, self.net_in_lake, self.refunds_in_lake, self.guests_in_lake)


def land_day_by_day(source: Path, landing: Path, instance: dg.DagsterInstance) -> list[tuple[Sequence[Line], int]]:
    """Land each day in turn and let the sensor build what follows from it; the day's lines, and how many runs it took.

    The lakehouse is the environment's. Raises SensorError where a run fails.
    """
    zone, cursor = LandingZone(landing, TENANT), None
    told: list[tuple[Sequence[Line], int]] = []
    for path in day_files(source):
        lines = zone.lay_out(path)
        runs, cursor = until_quiet(open_house(), instance, cursor)
        told.append((lines, runs))
    return told


def until_quiet(house: Lakehouse, instance: dg.DagsterInstance, cursor: str | None) -> tuple[int, str]:
    """Tick, carry out what the tick asks for, and tick again until it asks for nothing: the runs, and the cursor."""
    from lakehouse_assets.definitions import build_defs

    job, runs = build_defs().resolve_implicit_global_asset_job_def(), 0
    for _ in range(MOST_TICKS):
        requests, tenants, cursor, _ = evaluate_landing(house, instance, cursor)
        register_tenants(instance, tenants)
        if not requests:
            return runs, cursor
        for request in requests:
            done = job.execute_in_process(
                asset_selection=request.asset_selection,
                tags=request.tags,
                instance=instance,
                raise_on_error=False,
                run_config=QUIET,
            )
            runs += 1
            if not done.success:
                raise SensorError(f"run {request.run_key} failed")
    raise SensorError(f"the sensor asks for runs after {MOST_TICKS} ticks")


def compared(told: Iterable[tuple[Sequence[Line], int]], house: Lakehouse) -> list[Day]:
    """Each day by plain sums over its lines, beside the lake's facts and revenue."""
    facts, revenue = (pl.read_delta(house.lake.uri(name)) for name in (FACTS, REVENUE))
    found = []
    for lines, runs in told:
        day = lines[0].day
        amounts = [line.amount.quantize(CENT, ROUND_HALF_EVEN) for line in lines]
        kept, booked = facts.filter(date=day), revenue.filter(date=day)
        found.append(
            Day(
                day=day,
                lines=len(lines),
                facts=kept.height,
                runs=runs,
                net=sum(amounts, Decimal(0)),
                refunds=-sum((amount for amount in amounts if amount < 0), Decimal(0)),
                net_in_lake=sum(booked["net_revenue"], Decimal(0)),
                refunds_in_lake=sum(booked["refunds"], Decimal(0)),
                guests=sum(not line.customer for line in lines),
                guests_in_lake=kept.filter(pl.col("quality_flags").list.contains("guest")).height,
            )
        )
    return found


def customers_agree(told: Iterable[tuple[Sequence[Line], int]], house: Lakehouse) -> tuple[int, int]:
    """How many customers 360 has on the last day, and for how many orders and revenue are those of the lines."""
    orders: dict[str, set[str]] = {}
    money: dict[str, Decimal] = {}
    last = date.min
    for lines, _ in told:
        for line in lines:
            last = max(last, line.day)
            if line.customer:
                orders.setdefault(line.customer, set()).add(line.invoice)
                money[line.customer] = money.get(line.customer, Decimal(0)) + line.amount.quantize(CENT)
    shown = pl.read_delta(house.lake.uri(CUSTOMERS)).filter(date=last).select("customer_id", "orders", "revenue").rows()
    agreeing = sum(len(orders[who]) == count and money[who] == revenue for who, count, revenue in shown)
    return len(orders), agreeing if len(shown) == len(orders) else 0


INTRODUCTION = """\
# A shop's first {count} trading days (UCI Online Retail)

Generated by `python -m lakehouse_assets_tests.adapters.online_retail_report --from <folder> --to <this file>`; the
files (UCI Machine Learning Repository, Chen 2015, CC BY 4.0) are not in this repository.

Each day was laid out as one drop of transactions, customers and products by
`python -m lakehouse_assets_tests.adapters.online_retail`, and the landing sensor ticked until it asked for nothing
more, before the next day landed: {runs} runs. The files hold {lines:,} lines of invoices. {repeated:,} of them repeat
another line of their day word for word, and each is kept as a line of its invoice: a till that scans an article twice
books it twice. {cancelled:,} are of cancellations, and {refunds:,} have a negative amount; {guests:,} name no customer;
{free:,} have the amount 0, which is a warning and no reason to reject.

{verdict}

"Files" is a plain sum over the day's lines, each quantity × unit price to the cent; "lake" is the sum of
`commerce.gold.daily_revenue`. {customers:,} customers bought: in `commerce.gold.customer360` of the last day, orders
and revenue of {agreeing:,} of them are those of their lines.

| day | lines | in silver | guests | refunds, files | refunds, lake | net, files | net, lake | difference |
|---|---|---|---|---|---|---|---|---|
"""


def report(told: Sequence[tuple[Sequence[Line], int]], days: Sequence[Day], customers: tuple[int, int]) -> str:
    lines = [line for lines, _ in told for line in lines]
    agreeing = sum(day.agrees for day in days)
    verdict = f"**{agreeing} of {len(days)} days agree to the cent and to the line.**"
    text = INTRODUCTION.format(
        count=len(days),
        runs=sum(day.runs for day in days),
        lines=len(lines),
        repeated=len(lines) - len({line._replace(number=0) for line in lines}),
        cancelled=sum(line.invoice.startswith("C") for line in lines),
        refunds=sum(line.amount < 0 for line in lines),
        guests=sum(not line.customer for line in lines),
        free=sum(line.amount == 0 for line in lines),
        verdict=verdict,
        customers=customers[0],
        agreeing=customers[1],
    )
    for day in days:
        text += (
            f"| {day.day} | {day.lines:,} | {day.facts:,} | {day.guests_in_lake:,} | {day.refunds:,.2f} "
            f"| {day.refunds_in_lake:,.2f} | {day.net:,.2f} | {day.net_in_lake:,.2f} "
            f"| {day.net - day.net_in_lake:.2f} |\n"
        )
    net, in_lake = (sum((getattr(day, name) for day in days), Decimal(0)) for name in ("net", "net_in_lake"))
    refunds = [sum((getattr(day, name) for day in days), Decimal(0)) for name in ("refunds", "refunds_in_lake")]
    facts, guests = (sum(getattr(day, name) for day in days) for name in ("facts", "guests_in_lake"))
    return text + (
        f"| **all** | {len(lines):,} | {facts:,} | {guests:,} "
        f"| {refunds[0]:,.2f} | {refunds[1]:,.2f} | {net:,.2f} | {in_lake:,.2f} | {net - in_lake:.2f} |\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="online_retail_report", description="Hold the lake against Online Retail")
    parser.add_argument("--from", dest="source", type=Path, required=True, help="folder of the days' CSV files")
    parser.add_argument("--to", dest="target", type=Path, required=True, help="the report, a Markdown file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral() as instance:
        landing = Path(folder) / "landing"
        os.environ |= {
            "LAKEHOUSE_LANDING": str(landing),
            "LAKEHOUSE_ROOT": str(Path(folder) / "lake"),
            "LAKEHOUSE_START_DATE": day_files(given.source)[0].stem,
        }
        told = land_day_by_day(given.source, landing, instance)
        house = open_house()
        days = compared(told, house)
        text = report(told, days, customers_agree(told, house))
    given.target.parent.mkdir(parents=True, exist_ok=True)
    given.target.write_text(text, encoding="utf-8")
    print(text)  # noqa: T201


if __name__ == "__main__":
    main()
