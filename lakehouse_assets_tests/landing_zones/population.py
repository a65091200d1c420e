"""One tenant's business, day by day: its customers, products, leads and interactions as clean text.

Belongs here: who does what, corrections, deletes, late and repeated rows. Not here: single wrong values (`dirt`),
files (`writing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lakehouse_assets_tests.landing_zones.spec import Spec

Ints = NDArray[np.int64]
NAMES = (
    "Müller & Söhne GmbH",
    "O'Neill, Walsh and Partners",
    "株式会社ヤマト商事",
    "Société Générale d'Outillage",
    "Łódzkie Zakłady Precyzyjne",
    "ЖЭК «Ромашка»",
    'Feinwerk "Präzision" AG',
    "Compañía Ibérica de Riego",
    "شركة النور",
    "Örebro Möbler AB",
    "삼진 무역",
    "Αφοί Παπαδόπουλοι",
    "Straßenbau Weiß KG",
    "Brno  Strojírny",
)
INDUSTRIES = ("Retail", "manufacturing", "Health Care", "energy", "Logistics", "Bau", "software", None)
SOURCES = ("Web Form", "referral", "Trade fair", "partner", "cold call", None)
OWNERS = ("Ana", "Björn", "Chen Wei", "Dagmara", "Efe", None)
CHANNELS = ("call", "Call", "email", "Email", "WhatsApp", "meeting", "SMS", None)
OUTCOMES = ("positive", "Positive", "neutral", "negative", "no answer", None)
OPEN = ("new", "contacted", "Qualified", "proposal", "negotiation")
STATUSES = (*OPEN, "closed_won", "Closed Lost")
OFFSETS = (("Z", 0), ("", 0), ("+02:00", 120), ("-05:00", -300), ("+05:30", 330), ("Z", 0))
WON = len(OPEN)
DAY = 86_400
EPOCH = date(1970, 1, 1).toordinal()


def pick(rng: np.random.Generator, choices: Sequence[str | None], size: int) -> pl.Series:
    return pl.Series(choices, dtype=pl.String).gather(rng.integers(len(choices), size=size))


def dates(days: Ints) -> pl.Series:
    """Days since 1970 as ISO dates; a negative one is none."""
    series = pl.Series(days, dtype=pl.Int32)
    return pl.select(pl.when(series >= 0).then(series.cast(pl.Date).dt.to_string("%Y-%m-%d"))).to_series()


def times(microseconds: Ints, rng: np.random.Generator) -> pl.Series:
    """Moments as text, in the offsets of several offices, whole seconds or finer."""
    kinds = pl.Series(rng.integers(len(OFFSETS), size=len(microseconds)))
    local = pl.Series(microseconds) + kinds.replace_strict(
        range(len(OFFSETS)), [minutes * 60 * 1_000_000 for _, minutes in OFFSETS], return_dtype=pl.Int64
    )
    suffix = kinds.replace_strict(range(len(OFFSETS)), [text for text, _ in OFFSETS], return_dtype=pl.String)
    clock = local.cast(pl.Datetime("us"))
    plain, fine = clock.dt.to_string("%Y-%m-%dT%H:%M:%S"), clock.dt.to_string("%Y-%m-%d %H:%M:%S%.6f")
    return pl.select(pl.when(local % 1_000_000 == 0).then(plain).otherwise(fine) + suffix).to_series()


def names(prefix: str, numbers: Ints) -> pl.Series:
    return pl.select(pl.format(prefix + "{}", pl.Series(numbers).cast(pl.String).str.zfill(7))).to_series()


def amounts(values: NDArray[np.float64]) -> pl.Series:
    """Numbers as text; not a number is none."""
    return pl.Series(values, nan_to_null=True).cast(pl.String)


class Population:
    """What one tenant knows; each call of `land` tells one more day of it, and days only go forward."""

    def __init__(self, spec: Spec, tenant: str, landings: int) -> None:
        self.spec = spec
        self.rng = np.random.default_rng([spec.seed, *tenant.encode()])
        share = spec.rows / len(spec.tenants)
        self.landings_left = landings
        # Two in five customers are there from the first landing on; every landing brings rows of each source.
        self.first_customers = max(4, int((0.02 if landings > 1 else 0.05) * share))
        self.customers_a_day = max(1, round(0.03 * share / landings))
        self.leads_a_day = max(1, round(0.15 * share / landings))
        self.interactions_a_day = max(1, round(0.80 * share / landings))
        self.products = 12
        self.is_first = True
        self.customers = 0
        self.interactions = 0
        self.remembered: pl.DataFrame | None = None
        size = 2 * landings * self.leads_a_day
        self.leads = 0
        self.lead_customer, self.lead_status = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self.lead_created, self.lead_closed = np.zeros(size, np.int64), np.full(size, -1)
        self.lead_updated, self.lead_value = np.zeros(size, np.int64), np.zeros(size)

    def land(self, on: date, day_number: int) -> dict[str, pl.DataFrame]:
        """The frames of a day by source, in the columns of a clean file."""
        today = on.toordinal() - EPOCH
        in_full = bool(self.spec.extract_every) and day_number % self.spec.extract_every == 0
        frames = {
            "products": self._products(today, in_full=in_full or self.is_first),
            "customers": self._customers(today, in_full=in_full),
            "leads": self._leads(today),
            "interactions": self._interactions(today),
        }
        self.is_first = False
        return {source: frame for source, frame in frames.items() if frame.height}

    def _share(self, share: float, size: int) -> Ints:
        """Row numbers of a random share."""
        return np.flatnonzero(self.rng.random(size) < share)

    def _with_operations(self, frame: pl.DataFrame, keep: Sequence[str]) -> pl.DataFrame:
        """A few rows made deletes of their keys, with nothing but `keep` filled in."""
        deleted = self.rng.random(frame.height) < self.spec.deletes
        if not deleted.any():
            return frame
        gone = pl.lit(pl.Series(deleted))
        emptied = frame.with_columns(pl.when(~gone).then(pl.col(c)).alias(c) for c in frame.columns if c not in keep)
        return emptied.with_columns(pl.when(gone).then(pl.lit("delete")).alias("_op"))

    def _products(self, today: int, *, in_full: bool) -> pl.DataFrame:
        numbers = np.arange(self.products) if in_full else self._share(0.05, self.products)
        price = np.round(10 + 7.5 * numbers + 0.25 * (today // 30), 2)
        return pl.DataFrame(
            {
                "product_id": names("P", numbers),
                "product_name": pl.select(pl.format("Model {}", pl.Series(numbers))).to_series(),
                "category": pl.Series(["Hardware", "services", "Software"]).gather(numbers % 3),
                "list_price": amounts(price),
            }
        )

    def _customers(self, today: int, *, in_full: bool) -> pl.DataFrame:
        new = self.first_customers if self.is_first else self.customers_a_day
        changed = self.rng.integers(self.customers, size=new // 4) if self.customers else np.zeros(0, np.int64)
        self.customers += new
        fresh = np.arange(0 if in_full else self.customers - new, self.customers)
        numbers = np.concatenate([fresh, changed])
        revenue = np.round((numbers % 97 + 1) * 12_345.67, 2)
        revenue[numbers % 11 == 0] = np.nan
        # What changes is the number of employees; an extract repeats what is known, mostly unchanged.
        employees = numbers % 400 + np.concatenate([np.zeros(len(fresh), np.int64), np.full(len(changed), today % 50)])
        base = pl.Series(NAMES).gather(numbers % len(NAMES))
        frame = pl.DataFrame(
            {
                "customer_id": names("C", numbers),
                "customer_name": pl.select(pl.format("{} {}", base, pl.Series(numbers))).to_series(),
                "industry": pl.Series(INDUSTRIES, dtype=pl.String).gather(numbers % len(INDUSTRIES)),
                "employee_count": pl.Series(employees).cast(pl.String),
                "annual_revenue": amounts(revenue),
                "email": pl.select(pl.format("office{}@example.com", pl.Series(numbers))).to_series(),
                "phone": pl.select(pl.format("+44 20 7946 0{}", pl.Series(100 + numbers % 900))).to_series(),
                "created_date": dates(np.maximum(today - 400 + numbers % 300, 0)),
            }
        )
        return frame if self.is_first else self._with_operations(frame, ["customer_id"])

    def _leads(self, today: int) -> pl.DataFrame:
        rng, size = self.rng, self.leads_a_day
        changes = self._share(self.spec.corrections, size).size if self.leads else 0
        known, self.leads = self.leads, self.leads + size - changes
        new = np.arange(known, self.leads)
        age = rng.integers(0, 1 + (self.spec.history_days if self.is_first else 3), size=len(new))
        self.lead_customer[new] = self._some_customers(len(new))
        self.lead_status[new] = rng.integers(len(STATUSES), size=len(new))
        self.lead_created[new] = today - age
        self.lead_closed[new] = np.where(self.lead_status[new] >= WON, today - rng.integers(0, age + 1), -1)
        self.lead_value[new] = self._deal_values(len(new))
        self.lead_updated[new] = today * DAY + rng.integers(DAY, size=len(new))
        old = rng.permutation(known)[:changes] if known else np.zeros(0, np.int64)
        # One change in four carries an older version than what has landed: it must not win.
        stale = rng.random(len(old)) < 0.25
        self.lead_status[old] = np.minimum(self.lead_status[old] + 1, len(STATUSES) - 1)
        self.lead_closed[old] = np.where(self.lead_status[old] >= WON, today, -1)
        self.lead_value[old] = self._deal_values(len(old))
        self.lead_updated[old] += np.where(stale, -DAY, DAY // 2)
        numbers = np.concatenate([new, old])
        rng.shuffle(numbers)
        frame = pl.DataFrame(
            {
                "lead_id": names("L", numbers),
                "customer_id": names("C", self.lead_customer[numbers]),
                "product_id": names("P", numbers % (self.products + 1)),
                "source": pl.Series(SOURCES, dtype=pl.String).gather(numbers % len(SOURCES)),
                "status": pl.Series(STATUSES).gather(self.lead_status[numbers]),
                "deal_value": amounts(self.lead_value[numbers]),
                "owner": pl.Series(OWNERS, dtype=pl.String).gather(numbers % len(OWNERS)),
                "created_date": dates(self.lead_created[numbers]),
                "closed_date": dates(self.lead_closed[numbers]),
                "updated_at": times(self.lead_updated[numbers] * 1_000_000, rng),
            }
        )
        repeated = frame.gather(self._share(0.005, frame.height))
        return self._with_operations(pl.concat([frame, repeated]), ["lead_id", "updated_at"])

    def _some_customers(self, size: int) -> Ints:
        """A few customers are busy, most are not, and some stay silent."""
        return (self.customers * 0.9 * self.rng.random(size) ** 2).astype(np.int64)

    def _deal_values(self, size: int) -> NDArray[np.float64]:
        """Cents mostly; some halves of a cent, which round to even; some without a value."""
        values = np.round(self.rng.lognormal(8, 1.2, size=size), 2)
        finer = self.rng.random(size) < 0.05
        values[finer] = np.floor(values[finer]) + self.rng.choice([0.125, 0.375, 0.625, 0.875], size=finer.sum())
        values[self.rng.random(size) < 0.1] = np.nan
        return values

    def _interactions(self, today: int) -> pl.DataFrame:
        rng, size = self.rng, self.interactions_a_day
        delay = np.where(rng.random(size) < self.spec.late, rng.integers(1, self.spec.latest + 1, size=size), 0)
        if self.is_first and self.spec.history_days:
            delay = rng.integers(0, self.spec.history_days, size=size)
        delay[self._share(0.002, size)] = -1  # a clock ahead of ours, within what is allowed
        seconds = (today - delay) * DAY + rng.integers(DAY, size=size)
        finer = np.where(rng.random(size) < 0.2, rng.integers(1_000_000, size=size), 0)
        of_lead = (rng.random(size) < 0.6) & (self.leads > 0)
        lead = rng.integers(max(self.leads, 1), size=size)
        customer = np.where(of_lead, self.lead_customer[lead], self._some_customers(size))
        frame = pl.DataFrame(
            {
                "interaction_id": names("I", np.arange(self.interactions, self.interactions + size)),
                "customer_id": names("C", customer),
                "lead_id": pl.select(pl.when(pl.Series(of_lead)).then(names("L", lead))).to_series(),
                "channel": pick(rng, CHANNELS, size),
                "outcome": pick(rng, OUTCOMES, size),
                "interaction_at": times(seconds * 1_000_000 + finer, rng),
                "duration_minutes": amounts(
                    np.where(rng.random(size) < 0.1, np.nan, np.round(60 * rng.random(size), 1))
                ),
                "response_minutes": amounts(
                    np.where(rng.random(size) < 0.3, np.nan, np.round(90 * rng.random(size), 2))
                ),
            }
        )
        self.interactions += size
        return pl.concat([frame, *self._repeats(frame)])

    def _repeats(self, frame: pl.DataFrame) -> list[pl.DataFrame]:
        """Rows that landed before: word for word, with another outcome, or under another id."""
        again = frame.gather(self._share(0.003, frame.height))
        other_id = frame.gather(self._share(0.003, frame.height)).with_columns(pl.col("interaction_id") + "x")
        earlier = self.remembered
        sample = frame.gather(self._share(self.spec.corrections / 10, frame.height))
        self.remembered = sample if earlier is None else pl.concat([earlier.tail(5_000), sample])
        if earlier is None:
            return [again, other_id]
        wanted = round(self.spec.corrections / 10 * frame.height)
        corrected = earlier.gather(self.rng.permutation(earlier.height)[:wanted])
        return [again, other_id, corrected.with_columns(pl.lit("positive").alias("outcome"))]
