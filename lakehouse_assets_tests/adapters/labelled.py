"""How well alerts find the anomalies that people labelled: precision, recall, delay, and a rolling-mean z-score beside.

Belongs here: pure functions of anomalous windows and labelled spans. Not here: the files (`nab`), and the lake and the
words around the figures (`nab_report`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import polars as pl

from lakehouse_assets.domains.commerce.alerts import LONGEST_GAP
from lakehouse_assets_tests.adapters.nab import Labelled

# The baseline: (value − mean) ÷ standard deviation of the windows before, of which it may choose how many hours.
HOURS = (1, 6, 24, 72, 168)
THRESHOLDS = [step / 4 for step in range(6, 81)]
LEAST_WINDOWS = 12


class Score(NamedTuple):
    """How alerts compare with labelled spans.

    An alert is right that has a window in a labelled span of its device; a span is found that has a window of an alert.
    `delays` are from the beginning of each span that was found to its first window, `leads` from there to the moment
    that was labelled: positive where the alert was earlier.
    """

    alerts: int
    right: int
    spans: int
    found: int
    delays: list[timedelta]
    leads: list[timedelta]

    @property
    def precision(self) -> float | None:
        return self.right / self.alerts if self.alerts else None

    @property
    def recall(self) -> float | None:
        return self.found / self.spans if self.spans else None

    @property
    def f1(self) -> float:
        return 2 * self.right * self.found / denominator if (denominator := self._crossed) else 0.0

    @property
    def _crossed(self) -> int:
        return self.right * self.spans + self.found * self.alerts


def compared(windows: pl.DataFrame, labelled: Sequence[Labelled]) -> Score:
    """Compare anomalous windows, of `device_id`, `window_start` and `alert_id`, with what was labelled."""
    right: set[str] = set()
    delays, leads = [], []
    for span in labelled:
        inside = windows.filter(
            pl.col("device_id") == span.device, pl.col("window_start").is_between(span.begin, span.end)
        )
        right |= set(inside["alert_id"])
        if not inside.is_empty():
            first = inside.sort("window_start").row(0, named=True)["window_start"]
            delays.append(first - span.begin)
            leads.append(span.moment - first)
    return Score(windows["alert_id"].n_unique(), len(right), len(labelled), len(delays), delays, leads)


def chained(windows: pl.DataFrame) -> pl.DataFrame:
    """Give windows an `alert_id` as alerts have one: the same for those of a device that follow one another closely."""
    start = pl.col("window_start")
    is_first = (start - start.shift(1) > LONGEST_GAP).fill_null(value=True).cum_sum()
    chain = is_first.over("device_id", order_by="window_start").cast(pl.String)
    return windows.with_columns(pl.concat_str("device_id", chain, separator="#").alias("alert_id"))


def z_scored(windows: pl.DataFrame, hours: int) -> pl.DataFrame:
    """Add `z`: how many standard deviations each median lies from the mean of the hours before it."""
    value, span = pl.col("median_value"), timedelta(hours=hours)
    mean = value.rolling_mean_by("window_start", span, closed="left", min_samples=LEAST_WINDOWS)
    deviation = value.rolling_std_by("window_start", span, closed="left", min_samples=LEAST_WINDOWS)
    z = pl.when(deviation > 0).then((value - mean) / deviation)
    return windows.with_columns(z.over("device_id", order_by="window_start").alias("z"))


def best_threshold(windows: pl.DataFrame, score: str, labelled: Sequence[Labelled]) -> tuple[float, Score]:
    """The threshold of a column of scores that has the highest F1, chosen with the labels at hand, and that score."""
    tried = [
        (threshold, compared(chained(windows.filter(pl.col(score).abs() >= threshold)), labelled))
        for threshold in THRESHOLDS
    ]
    return max(tried, key=lambda one: (one[1].f1, one[0]))


def best_baseline(windows: pl.DataFrame, labelled: Sequence[Labelled]) -> tuple[int, float, Score]:
    """Hours, threshold and score of the z-score that has the highest F1, chosen with the labels at hand."""
    tried = [(hours, *best_threshold(z_scored(windows, hours), "z", labelled)) for hours in HOURS]
    return max(tried, key=lambda one: (one[2].f1, one[0]))
