"""What `lakehouse backfill` is measured against: crm of one tenant-day as one plain Polars script.

`python bare.py <landing root> <lake root> <tenant> <ingest date>` reads the CSV files, cleans them, settles duplicates
and versions, aggregates, and writes bronze, silver and gold as Delta tables by tenant and date.

Belongs here: what a good engineer writes in an afternoon, in plain Polars; of the project it takes only what tells a
valid e-mail address and spells a phone number. Not here: judging, quarantine, file register, ledger, lineage, later
days, and tricks that the benchmarks would have to thank for their figures.
"""

from __future__ import annotations

import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
from deltalake import WriterProperties

from lakehouse_assets.lake.values import email_is_valid, phone

START = date(2024, 1, 1)
CHANNELS = ("call", "email", "whatsapp", "meeting")
OUTCOMES = ("positive", "neutral", "negative")
STATUSES = ("new", "contacted", "qualified", "proposal", "negotiation", "closed_won", "closed_lost")
NULL_WORDS = ("", "null", "na", "n/a", "none", "nan", "-")
WRITER = WriterProperties(compression="ZSTD", compression_level=1)
ROW = "_row_number"

value = pl.col("deal_value")
money = value.round(2).cast(pl.Decimal(18, 2))
won, lost = pl.col("status") == "closed_won", pl.col("status") == "closed_lost"
positive, negative = pl.col("outcome") == "positive", pl.col("outcome") == "negative"


def text(name: str) -> pl.Expr:
    """NFKC, trimmed, inner white space one space; words for nothing are null."""
    tidy = pl.col(name).str.normalize("NFKC").str.replace_all(r"\s+", " ").str.strip_chars()
    return pl.when(~tidy.str.to_lowercase().is_in(NULL_WORDS)).then(tidy).alias(name)


def code(name: str) -> pl.Expr:
    return text(name).str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", "_")


def one_of(name: str, allowed: tuple[str, ...], otherwise: str) -> pl.Expr:
    found = code(name)
    return pl.when(found.is_in(allowed)).then(found).otherwise(pl.lit(otherwise)).alias(name)


def number(name: str) -> pl.Expr:
    found = text(name).cast(pl.Float64, strict=False)
    return pl.when(found.is_finite()).then(found).alias(name)


def integer(name: str) -> pl.Expr:
    found = number(name)
    return pl.when(found == found.floor()).then(found.cast(pl.Int64, strict=False)).alias(name)


def day(name: str) -> pl.Expr:
    return text(name).str.to_date("%Y-%m-%d", strict=False)


def moment(name: str) -> pl.Expr:
    """ISO 8601 with `T` or a space, with or without an offset, as UTC."""
    found = text(name).str.replace(" ", "T", literal=True).str.replace("[Zz]$", "+00:00")
    found = pl.when(found.str.contains(r"[+-]\d\d:\d\d$")).then(found).otherwise(found + "+00:00")
    return found.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False).alias(name)


def ratio(dividend: pl.Expr, divisor: pl.Expr, otherwise: float | None = None) -> pl.Expr:
    return pl.when(divisor > 0).then(dividend / divisor).otherwise(pl.lit(otherwise, pl.Float64))


class Day:
    """One tenant's tables of one day: files read from the landing zone, tables written to the lake and read again."""

    def __init__(self, landing: Path, lake: Path, tenant: str, on: date) -> None:
        self.landing, self.lake, self.tenant, self.on = landing, lake, tenant, on

    def write(self, frame: pl.LazyFrame, layer: str, table: str) -> pl.LazyFrame:
        """Stream a frame into its table and go on with what was written."""
        place = str(self.lake / "crm" / layer / table)
        if "date" not in frame.collect_schema():
            frame = frame.with_columns(pl.lit(self.on).alias("date"))
        options = {"partition_by": ["tenant_id", "date"], "writer_properties": WRITER}
        frame.with_columns(pl.lit(self.tenant).alias("tenant_id")).sink_delta(place, delta_write_options=options)
        return pl.scan_delta(place).drop("tenant_id")

    def bronze(self, source: str) -> pl.LazyFrame:
        """The files of a source as text, with where each row stood."""
        folder = self.landing / self.tenant / "crm" / source / str(self.on)
        frame = pl.scan_csv(
            sorted(folder.glob("*.csv")),
            infer_schema=False,
            truncate_ragged_lines=True,
            row_index_name=ROW,
            include_file_paths="_source_file",
        )
        return self.write(frame.with_columns(pl.lit(datetime.now()).alias("_ingested_at")), "bronze", source)  # noqa: DTZ005


def clean_customers(bronze: pl.LazyFrame) -> pl.LazyFrame:
    name = text("customer_name").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N} ]+", "")
    return (
        bronze.with_columns(
            name.str.replace_all(" +", " ").str.strip_chars().alias("customer_name_normalized"),
            text("customer_id"),
            text("customer_name"),
            text("industry").str.to_lowercase().fill_null("unknown"),
            integer("employee_count"),
            number("annual_revenue"),
            text("email").str.to_lowercase(),
            phone("phone").alias("_e164"),
            text("phone"),
            day("created_date"),
        )
        .with_columns(
            email_is_valid("email").alias("email_is_valid"),
            pl.col("_e164").is_not_null().alias("phone_is_valid"),
            pl.coalesce("_e164", "phone").alias("phone"),
        )
        .drop("_e164")
        .drop_nulls("customer_id")
        .sort("_source_file", ROW)
        .unique("customer_id", keep="last", maintain_order=True)
    )


def clean_leads(bronze: pl.LazyFrame) -> pl.LazyFrame:
    typed = bronze.with_columns(
        text("lead_id"),
        text("customer_id"),
        text("product_id"),
        code("source"),
        one_of("status", STATUSES, "unknown"),
        number("deal_value"),
        text("owner"),
        day("created_date"),
        day("closed_date"),
        moment("updated_at"),
    ).drop_nulls(["lead_id", "customer_id", "created_date"])
    newest = typed.sort("updated_at", "_source_file", ROW, nulls_last=False)
    return newest.unique("lead_id", keep="last", maintain_order=True)


def clean_interactions(bronze: pl.LazyFrame, on: date) -> pl.LazyFrame:
    typed = (
        bronze.with_columns(
            text("interaction_id"),
            text("customer_id"),
            text("lead_id"),
            one_of("channel", CHANNELS, "other"),
            one_of("outcome", OUTCOMES, "unknown"),
            moment("interaction_at"),
            number("duration_minutes"),
            number("response_minutes"),
        )
        .drop_nulls(["interaction_id", "customer_id", "interaction_at"])
        .with_columns(pl.col("interaction_at").dt.date().alias("date"))
        .filter(pl.col("date").is_between(START, on + timedelta(days=1)))
    )
    # One order serves both: within an id the last landed is the newest, and of several ids the first is the lowest.
    newest = typed.sort("interaction_id", "_source_file", ROW).unique(
        ["date", "interaction_id"], keep="last", maintain_order=True
    )
    return newest.unique(["customer_id", "interaction_at", "channel"], keep="first", maintain_order=True)


def clean_products(bronze: pl.LazyFrame) -> pl.LazyFrame:
    typed = bronze.with_columns(
        text("product_id"), text("product_name"), text("category").str.to_lowercase(), number("list_price")
    )
    return typed.drop_nulls("product_id").sort("_source_file", ROW).unique("product_id", keep="last")


def customer_features(
    customers: pl.LazyFrame, leads: pl.LazyFrame, interactions: pl.LazyFrame, on: date
) -> pl.LazyFrame:
    deals = leads.group_by("customer_id").agg(
        money.filter(won).sum().cast(pl.Float64).alias("total_revenue"),
        won.sum().alias("num_closed_won"),
        lost.sum().alias("num_closed_lost"),
        (~won & ~lost).sum().alias("num_open_deals"),
        pl.len().alias("_leads"),
        money.mean().cast(pl.Float64).alias("avg_deal_value"),
    )
    year = interactions.filter(pl.col("date").is_between(on - timedelta(days=364), on))
    contacts = year.group_by("customer_id").agg(
        pl.len().alias("total_interactions"),
        *((pl.col("channel") == channel).sum().alias(f"_{channel}") for channel in ("call", "email", "whatsapp")),
        positive.sum().alias("num_positive_outcomes"),
        negative.sum().alias("num_negative_outcomes"),
        pl.col("date").max().alias("last_interaction_date"),
    )
    by_channel = year.group_by("customer_id", "channel").agg(
        positive.mean().alias("_share"), positive.sum().alias("_positives"), pl.col("interaction_at").max()
    )
    ordered = by_channel.sort("_share", "_positives", "interaction_at", "channel", descending=[True, True, True, False])
    preferred = ordered.unique("customer_id", keep="first", maintain_order=True)
    columns = ["customer_id", "customer_name", "industry", "employee_count", "annual_revenue"]
    total, revenue = pl.col("total_interactions"), pl.col("total_revenue")
    engagement, win_rate = pl.col("engagement_score"), pl.col("win_rate")
    closed = pl.col("num_closed_won") + pl.col("num_closed_lost")
    recency = pl.when(pl.col("days_since_last_interaction") < 7).then(10).otherwise(5)
    share_of_positives, share_of_calls = pl.col("num_positive_outcomes") / total, pl.col("_call") / total
    engaged = 5 * share_of_positives + 2 * share_of_calls + 3 * recency / 10
    scored = (
        0.30 * ratio(100 * revenue, revenue.max(), 0.0)
        + 0.20 * ratio(100 * total, total.max(), 0.0)
        + 0.25 * 10 * engagement
        + 0.25 * 100 * win_rate
    )
    score = pl.col("lead_score").round(9)
    quality = pl.when(score >= 80).then(pl.lit("hot")).when(score >= 60).then(pl.lit("warm"))
    counts = ["total_interactions", "^_(call|email|whatsapp|leads)$", "^num_.*$", "total_revenue"]
    return (
        customers.select(columns)
        .join(deals, on="customer_id", how="left")
        .join(contacts, on="customer_id", how="left")
        .join(
            preferred.select("customer_id", pl.col("channel").alias("preferred_channel")), on="customer_id", how="left"
        )
        .with_columns(pl.col(counts).fill_null(0))
        .with_columns(
            (pl.lit(on) - pl.col("last_interaction_date")).dt.total_days().alias("days_since_last_interaction"),
            ratio(pl.col("num_closed_won"), closed, 0.0).alias("win_rate"),
            ratio(pl.col("num_closed_won"), pl.col("_leads"), 0.0).alias("conversion_rate"),
        )
        .with_columns(pl.when(total > 0).then(engaged).otherwise(0.0).alias("engagement_score"))
        .with_columns(
            scored.alias("lead_score"),
            (revenue / 100_000 * 30 + 2 * total + 25 * engagement + 20 * win_rate).alias("lead_score_v0"),
        )
        .with_columns(quality.when(score >= 40).then(pl.lit("cool")).otherwise(pl.lit("cold")).alias("lead_quality"))
        .rename({"_call": "num_calls", "_email": "num_emails", "_whatsapp": "num_whatsapp"})
        .drop("_leads")
        .sort("customer_id")
    )


def channel_performance(leads: pl.LazyFrame, interactions: pl.LazyFrame, on: date) -> pl.LazyFrame:
    month = interactions.filter(pl.col("date").is_between(on - timedelta(days=29), on))
    figures = month.group_by("channel").agg(
        pl.len().alias("interactions"),
        pl.col("customer_id").n_unique().alias("customers"),
        positive.mean().alias("positive_rate"),
        pl.col("response_minutes").mean().alias("avg_response_minutes"),
        pl.col("response_minutes").median().alias("median_response_minutes"),
        pl.col("duration_minutes").mean().alias("avg_duration_minutes"),
    )
    touched = month.select("channel", "lead_id").drop_nulls().unique().join(leads, on="lead_id")
    deals = touched.group_by("channel").agg(
        won.mean().alias("conversion_rate"), money.filter(won).mean().cast(pl.Float64).alias("avg_deal_value")
    )
    return figures.join(deals, on="channel", how="left").sort("channel")


def sales_summary(leads: pl.LazyFrame, interactions: pl.LazyFrame, on: date) -> pl.LazyFrame:
    def closed(days: int) -> pl.Expr:
        return pl.col("closed_date").is_between(on - timedelta(days=days - 1), on).fill_null(value=False)

    sales = leads.select(
        *(
            money.filter(won & closed(days)).sum().cast(pl.Float64).alias(name)
            for name, days in (("revenue", 1), ("revenue_7d", 7), ("revenue_30d", 30))
        ),
        (pl.col("created_date") == on).sum().alias("deals_created"),
        (won & closed(1)).sum().alias("deals_won"),
        (lost & closed(1)).sum().alias("deals_lost"),
        money.filter(won & closed(1)).mean().cast(pl.Float64).alias("avg_deal_value"),
        ratio((won & closed(30)).sum(), ((won | lost) & closed(30)).sum()).alias("win_rate_30d"),
    )
    by_channel = interactions.filter(pl.col("date") == on).group_by("channel").agg(pl.len().alias("interactions"))
    contacts = by_channel.sort("interactions", "channel", descending=[True, False]).select(
        pl.col("interactions").sum(), pl.col("channel").first().alias("top_channel")
    )
    deals_won, deals_lost = pl.col("deals_won"), pl.col("deals_lost")
    win_rate = ratio(deals_won, deals_won + deals_lost).alias("win_rate")
    return pl.concat([sales, contacts], how="horizontal").with_columns(win_rate)


def top_customers(features: pl.LazyFrame) -> pl.LazyFrame:
    columns = ["customer_id", "customer_name", "industry", "total_revenue", "lead_score", "lead_quality"]
    columns += ["engagement_score", "win_rate", "preferred_channel"]
    first = features.sort("total_revenue", "customer_id", descending=[True, False]).head(50)
    return first.select(pl.int_range(1, pl.len() + 1).alias("rank"), *columns)


def main(landing: Path, lake: Path, tenant: str, on: date) -> None:
    this = Day(landing, lake, tenant, on)
    customers = this.write(clean_customers(this.bronze("customers")), "silver", "customers_clean")
    leads = this.write(clean_leads(this.bronze("leads")), "silver", "leads_clean")
    interactions = this.write(clean_interactions(this.bronze("interactions"), on), "silver", "interactions_clean")
    this.write(clean_products(this.bronze("products")), "silver", "products_clean")
    features = this.write(customer_features(customers, leads, interactions, on), "gold", "customer_features")
    this.write(channel_performance(leads, interactions, on), "gold", "channel_performance")
    this.write(sales_summary(leads, interactions, on), "gold", "sales_summary")
    this.write(top_customers(features), "gold", "top_customers")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], date.fromisoformat(sys.argv[4]))
