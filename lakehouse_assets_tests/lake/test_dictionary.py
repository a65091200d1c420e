"""The data dictionary says what the declarations say, in one order."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import polars as pl
import pytest

from lakehouse_assets.house import domains, tables
from lakehouse_assets.lake.contract import Column, Rule
from lakehouse_assets.lake.dictionary import BOOKKEEPING, data_dictionary, lineage, type_name
from lakehouse_assets.lake.domain import Domain
from lakehouse_assets.lake.errors import ContractError
from lakehouse_assets.lake.judge import QUARANTINE_SCHEMA
from lakehouse_assets.lake.ledger import FILES_SCHEMA, LEDGER_SCHEMA
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import SAME_DATE, trailing
from lakehouse_assets.lake.table import Input, Reference, Table

ORDERS = TableName("shop", "silver", "orders")
REVENUE = TableName("shop", "gold", "revenue")


def gold_revenue(silver_orders: pl.LazyFrame) -> pl.LazyFrame:
    """A cancelled order is no revenue."""
    return silver_orders


SHOP = (
    Table(
        name=REVENUE,
        kind="derived",
        description="One row per channel.",
        columns=(
            Column("channel", pl.String(), "Web | store,\n or other", None, nullable=False, is_key=True),
            Column("revenue", pl.Decimal(18, 2), "What was paid", "USD", nullable=True, is_key=False),
        ),
        rules=(
            Rule("is_null", "channel", "reject", "channel is missing", pl.col("channel").is_not_null()),
            Rule("is_large", "revenue", "warn", "revenue is beyond belief", pl.col("revenue") < 1_000_000),
        ),
        function=gold_revenue,
        inputs={"silver_orders": Input(ORDERS, trailing(days=30))},
        references={"unknown_channel": Reference("channel", "silver_orders")},
        max_reject_share=0.1,
    ),
    Table(
        name=ORDERS,
        kind="event",
        description="One row per order.",
        columns=(Column("channel", pl.String(), "Where it was placed", None, nullable=True, is_key=False),),
        inputs={"bronze_orders": Input(TableName("shop", "bronze", "orders"), SAME_DATE)},
    ),
)


def test_a_table_is_shown_with_grain_decision_columns_and_rules() -> None:
    text = data_dictionary(SHOP, [Domain("shop", "What is sold", ("team:shop",))])
    section = text.split("### shop.gold.revenue\n")[1].split("\n## ")[0]
    assert (
        section
        == r"""
One row per channel.

A cancelled order is no revenue.

- Rows of a date: computed from the tables that it reads.
- Key within a tenant and date: `channel`.
- Reads `shop.silver.orders` (trailing 30 days).
- Refused where more than 10% of a partition's rows are rejected.

| column | type | unit | null | what it says |
| --- | --- | --- | --- | --- |
| `channel` | String |  | no | Web \| store, or other |
| `revenue` | Decimal(18, 2) | USD | yes | What was paid |

| rule | action | what breaks it |
| --- | --- | --- |
| `revenue_is_large` | warn | revenue is beyond belief |
| `is_duplicate` | reject | date, channel is not unique |
| `unknown_channel` | flag | channel is not in silver_orders of the date |
"""
    )
    assert "## shop\n\nWhat is sold. Owners: team:shop.\n" in text


def test_lineage_draws_what_each_table_reads_and_of_which_dates() -> None:
    assert (
        lineage(SHOP)
        == """flowchart LR
    subgraph bronze
        shop_bronze_orders["shop.bronze.orders"]
    end
    subgraph silver
        shop_silver_orders["orders"]
    end
    subgraph gold
        shop_gold_revenue["revenue"]
    end
    shop_bronze_orders -->|"by business date"| shop_silver_orders
    shop_silver_orders -->|"trailing 30 days"| shop_gold_revenue
"""
    )


def test_the_text_does_not_depend_on_the_order_of_declaration() -> None:
    declared, owned = list(tables().values()), list(domains().values())
    first = data_dictionary(declared, owned)
    for seed in range(3):
        random.Random(seed).shuffle(declared)
        assert data_dictionary(declared, owned) == first


def test_every_table_and_column_of_the_lakehouse_is_in_the_dictionary() -> None:
    text = data_dictionary(tables().values(), domains().values())
    for name, table in tables().items():
        section = text.split(f"### {name}\n")[1].split("\n### ")[0]
        assert re.findall(r"^\| `(\w+)` \|", section.split("| rule |")[0], re.MULTILINE) == list(table.schema)


def test_every_arrow_of_the_lineage_leads_from_one_drawn_table_to_another() -> None:
    drawn = lineage(tables().values())
    nodes = re.findall(r"^ +(\w+)\[", drawn, re.MULTILINE)
    arrows = re.findall(r"^ +(\w+) -->(?:\|[^|]*\|)? (\w+)$", drawn, re.MULTILINE)
    assert len(nodes) == len(set(nodes)) == len(tables())
    assert {end for arrow in arrows for end in arrow} <= set(nodes)
    assert len(arrows) == sum(len(table.reads) for table in tables().values())


def test_every_column_of_quarantine_and_bookkeeping_is_described() -> None:
    shown = set(QUARANTINE_SCHEMA) | set(LEDGER_SCHEMA) | set(FILES_SCHEMA)
    assert shown - {"tenant_id", "date"} == set(BOOKKEEPING)


def test_a_table_that_says_nothing_is_refused() -> None:
    with pytest.raises(ContractError, match=r"shop\.silver\.orders has no description"):
        data_dictionary([replace(SHOP[1], description="")])


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (pl.String(), "String"),
        (pl.Decimal(18, 2), "Decimal(18, 2)"),
        (pl.Datetime("us", "UTC"), "Datetime UTC"),
        (pl.Datetime("us"), "Datetime"),
        (pl.List(pl.String()), "List(String)"),
        (pl.List(pl.Struct({"a": pl.Int64(), "b": pl.List(pl.Date())})), "List(Struct(a: Int64, b: List(Date)))"),
    ],
)
def test_types_are_written_for_readers(dtype: pl.DataType, name: str) -> None:
    assert type_name(dtype) == name
