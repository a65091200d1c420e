"""Whether the bare script did the work that it is measured for: its tables beside the lakehouse's, of one date.

`python -m lakehouse_assets_tests.benchmarks.agreement <lake> <bare lake> <date>` fails where they disagree. The bare
script judges nothing, so it holds more rows: those that were rejected, at most, and what they add to sums.
"""

from __future__ import annotations

import sys
from datetime import date
from math import sqrt
from pathlib import Path

import polars as pl

from lakehouse_assets_tests.benchmarks.processes import BenchmarkError

BRONZE = ("customers", "interactions", "leads", "products")
SILVER = tuple(f"{source}_clean" for source in BRONZE)
GOLD = ("channel_performance", "customer_features", "sales_summary", "top_customers")
# Few records are rejected or malformed, and sums follow them; counts of a few scatter more.
NEAR = 0.1


def rows(lake: Path, layer: str, table: str, on: date) -> pl.DataFrame:
    """The rows of a date of a crm table."""
    return pl.scan_delta(str(lake / "crm" / layer / table)).filter(pl.col("date") == on).collect()


def count(lake: Path, layer: str, table: str, on: date) -> int:
    """How many they are; none where the table is not there."""
    place = lake / "crm" / layer / table
    if not place.is_dir():
        return 0
    return int(pl.scan_delta(str(place)).filter(pl.col("date") == on).select(pl.len()).collect().item())


def surplus(lake: Path, bare: Path, on: date) -> dict[str, tuple[int, int]]:
    """By table: how many rows more the bare script has, and how many the lakehouse set aside."""
    found = {}
    for layer, tables in (("bronze", BRONZE), ("silver", SILVER), ("gold", GOLD)):
        for table in tables:
            aside = f"{table}_files" if layer == "bronze" else table
            more = count(bare, layer, table, on) - count(lake, layer, table, on)
            found[f"{layer}.{table}"] = (more, count(lake, "quarantine", aside, on))
    return found


def disagreements(lake: Path, bare: Path, on: date) -> list[str]:
    """Where the tables differ by more than what was rejected."""
    more = surplus(lake, bare, on)
    for table in ("gold.customer_features", "gold.top_customers"):
        # A row for each customer, or for 50 of them where there are so many.
        more[table] = (more[table][0], more["silver.customers_clean"][1])
    wrong = [f"{table}: {n} rows more, {aside} set aside" for table, (n, aside) in more.items() if not 0 <= n <= aside]
    wrong += [
        f"bronze.{t}: every row is either there or malformed" for t in BRONZE if len(set(more[f"bronze.{t}"])) > 1
    ]
    for table in GOLD:
        ours, theirs = rows(lake, "gold", table, on), rows(bare, "gold", table, on)
        for name in (name for name, dtype in theirs.schema.items() if dtype.is_numeric()):
            one, other = float(ours[name].sum()), float(theirs[name].sum())
            size = max(abs(one), abs(other))
            if abs(one - other) > max(NEAR * size, 3 * sqrt(size)):
                wrong.append(f"gold.{table}.{name}: {one} and {other}")
    return wrong


if __name__ == "__main__":
    if wrong := disagreements(Path(sys.argv[1]), Path(sys.argv[2]), date.fromisoformat(sys.argv[3])):
        raise BenchmarkError("\n".join(wrong))
