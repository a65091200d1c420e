"""crm gold: customers with their scores, sales by day, channels, and the customers that bring most.

Belongs here: the contracts, and which function computes what they promise. Not here: the formulas (`features`,
`sales`, `conversion`).
"""

from __future__ import annotations

import polars as pl

from lakehouse_assets.domains.crm.conversion import with_probability
from lakehouse_assets.domains.crm.features import TRAILING_DAYS, customer_figures, with_scores
from lakehouse_assets.domains.crm.sales import CHANNEL_DAYS, channel_figures, daily_sales
from lakehouse_assets.lake.contract import Contract, column
from lakehouse_assets.lake.partitions import Window, trailing
from lakehouse_assets.lake.table import table

QUALITIES = ["hot", "warm", "cool", "cold"]
TOP_CUSTOMERS = 50


class CustomerFeatures(Contract):
    """One row per customer: what is known of it as of the date, its scores and the odds of its open deals.

    Interactions count over the 365 days to the date, as far as they have landed; leads as they stand on the date.
    """

    customer_id: str = column("Customer", key=True)
    customer_name: str = column("Name as it is shown", nullable=True)
    industry: str = column("Industry, in lower case")
    employee_count: int = column("People employed", nullable=True, ge=0)
    annual_revenue: float = column("Revenue of the customer's company in a year", unit="USD", nullable=True, ge=0)
    total_interactions: int = column("Interactions in the 365 days", ge=0)
    num_calls: int = column("Calls among them", ge=0)
    num_emails: int = column("E-mails among them", ge=0)
    num_whatsapp: int = column("WhatsApp messages among them", ge=0)
    num_positive_outcomes: int = column("Interactions among them that ended well", ge=0)
    num_negative_outcomes: int = column("Interactions among them that ended badly", ge=0)
    engagement_score: float = column(
        "5 · positive share + 2 · share of calls + 3, or 1.5 from 7 days after the last one; 0 without interactions",
        in_range={"min_value": 0, "max_value": 10},
    )
    total_revenue: float = column("Value of the deals won", unit="USD", ge=0)
    num_closed_won: int = column("Leads won", ge=0)
    num_closed_lost: int = column("Leads lost", ge=0)
    num_open_deals: int = column("Leads that are not closed, unknown ones included", ge=0)
    conversion_rate: float = column("Leads won ÷ all leads; 0 without leads", in_range={"min_value": 0, "max_value": 1})
    win_rate: float = column("Leads won ÷ leads closed; 0 without closed", in_range={"min_value": 0, "max_value": 1})
    avg_deal_value: float = column("Mean value of all leads that have one", unit="USD", nullable=True, ge=0)
    lead_score: float = column(
        "30 % revenue and 20 % interactions, as shares of the tenant's largest, 25 % engagement, 25 % win rate",
        in_range={"min_value": 0, "max_value": 100},
    )
    lead_quality: str = column("By lead_score: hot from 80, warm from 60, cool from 40, else cold", isin=QUALITIES)
    probability_to_convert: float = column(
        "Probability that an open deal is won within 90 days; null without an open deal",
        nullable=True,
        in_range={"min_value": 0, "max_value": 1},
    )
    preferred_channel: str = column("Channel with the highest positive share; null without interactions", nullable=True)
    days_since_last_interaction: int = column("Days from the last interaction", unit="days", nullable=True, ge=0)
    last_interaction_date: pl.Date = column("Last interaction in the 365 days", nullable=True)
    lead_score_v0: float = column("Score as the source document's notebook had it, kept for audit", ge=0)
    probability_model: str = column("Version of the model that gave the probability", nullable=True)


@table(CustomerFeatures, windows={"silver_interactions_clean": trailing(days=TRAILING_DAYS)})
def gold_customer_features(
    silver_customers_clean: pl.LazyFrame,
    silver_leads_clean: pl.LazyFrame,
    silver_interactions_clean: pl.LazyFrame,
    platinum_conversion_model: pl.LazyFrame,
    window: Window,
) -> pl.LazyFrame:
    """A silent customer is a customer: kept with zeros, so that somebody calls."""
    customers = silver_customers_clean.select(
        "date", "customer_id", "customer_name", "industry", "employee_count", "annual_revenue"
    )
    figures = customer_figures(customers, silver_leads_clean, silver_interactions_clean, window.first, window.last)
    return with_probability(with_scores(figures), platinum_conversion_model, window).sort("date", "customer_id")


class SalesSummary(Contract):
    """One row: what was sold on the date, and in the days to it, from the leads as they stand on the date."""

    revenue: float = column("Value of the deals won on the date", unit="USD", ge=0)
    deals_created: int = column("Leads created on the date", ge=0)
    deals_won: int = column("Leads won on the date", ge=0)
    deals_lost: int = column("Leads lost on the date", ge=0)
    win_rate: float = column("Won ÷ closed on the date", nullable=True, in_range={"min_value": 0, "max_value": 1})
    avg_deal_value: float = column("Mean value of the deals won on the date", unit="USD", nullable=True, ge=0)
    revenue_7d: float = column("Value of the deals won in the 7 days to the date", unit="USD", ge=0)
    revenue_30d: float = column("Value of the deals won in the 30 days to the date", unit="USD", ge=0)
    win_rate_30d: float = column(
        "Won ÷ closed in the 30 days to the date", nullable=True, in_range={"min_value": 0, "max_value": 1}
    )
    interactions: int = column("Interactions on the date", ge=0)
    top_channel: str = column("Channel of most of them, of equals the first by name", nullable=True)


@table(SalesSummary)
def gold_sales_summary(
    silver_leads_clean: pl.LazyFrame, silver_interactions_clean: pl.LazyFrame, window: Window
) -> pl.LazyFrame:
    """A day on which nothing was sold is a row too; a closing that lands late shows in the days that follow."""
    return daily_sales(silver_leads_clean, silver_interactions_clean, window.first, window.last)


class ChannelPerformance(Contract):
    """One row per channel used in the 30 days to the date."""

    channel: str = column("Channel", key=True)
    interactions: int = column("Interactions through it", ge=1)
    customers: int = column("Customers reached through it", ge=1)
    positive_rate: float = column("Share that ended well", in_range={"min_value": 0, "max_value": 1})
    conversion_rate: float = column(
        "Share of the leads touched through it that are won as of the date; null where none was touched",
        nullable=True,
        in_range={"min_value": 0, "max_value": 1},
    )
    avg_deal_value: float = column("Mean value of those won", unit="USD", nullable=True, ge=0)
    avg_response_minutes: float = column("Mean time to the answer", unit="minutes", nullable=True, ge=0)
    median_response_minutes: float = column("Median time to the answer", unit="minutes", nullable=True, ge=0)
    avg_duration_minutes: float = column("Mean duration", unit="minutes", nullable=True, ge=0)


@table(ChannelPerformance, windows={"silver_interactions_clean": trailing(days=CHANNEL_DAYS)})
def gold_channel_performance(
    silver_leads_clean: pl.LazyFrame, silver_interactions_clean: pl.LazyFrame, window: Window
) -> pl.LazyFrame:
    """A channel is judged by all deals that it took part in, however many other channels did."""
    return channel_figures(silver_leads_clean, silver_interactions_clean, window.first, window.last)


class TopCustomers(Contract):
    """One row per customer among the 50 with the highest revenue on the date."""

    rank: int = column("Place by revenue, then by customer_id", key=True, ge=1)
    customer_id: str = column("Customer")
    customer_name: str = column("Name as it is shown", nullable=True)
    industry: str = column("Industry, in lower case")
    total_revenue: float = column("Value of the deals won", unit="USD", ge=0)
    lead_score: float = column("Score, 0 to 100", in_range={"min_value": 0, "max_value": 100})
    lead_quality: str = column("hot, warm, cool or cold", isin=QUALITIES)
    engagement_score: float = column("Engagement, 0 to 10", in_range={"min_value": 0, "max_value": 10})
    win_rate: float = column("Leads won ÷ leads closed", in_range={"min_value": 0, "max_value": 1})
    preferred_channel: str = column("Channel with the highest positive share", nullable=True)


@table(TopCustomers)
def gold_top_customers(gold_customer_features: pl.LazyFrame) -> pl.LazyFrame:
    """Every tenant has a list, also one whose customers have not bought yet."""
    by_revenue = gold_customer_features.sort("date", "total_revenue", "customer_id", descending=[False, True, False])
    rank = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("date").alias("rank")
    return by_revenue.with_columns(rank).filter(pl.col("rank") <= TOP_CUSTOMERS)
