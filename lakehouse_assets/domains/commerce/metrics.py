"""How each metric is judged: thresholds, floors, hard limits, flatlines and silence.

Belongs here: configuration, one line per metric that deviates from `DEFAULT`. A change makes the scored windows stale
and so rebuilds them. Not here: the formulas (`anomalies`).

    METRICS = {"water_temperature_c": MetricRules(floor=0.2, lowest=-10.0, highest=120.0, silence_minutes=60)}

A line holds for every tenant, so a metric whose name does not tell its unit, such as temperature, has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from lakehouse_assets.lake.errors import ContractError


@dataclass(frozen=True, kw_only=True)
class MetricRules:
    """How one metric is judged; None switches a rule off. Raises ContractError for what can never be meant.

    A window is an anomaly when |score| ≥ `threshold`; when a reading in it lies below `lowest` or above `highest`, both
    in the metric's unit; when it is the last of `flatline_windows` windows that all read one value; and when it is the
    first one after `silence_minutes` or more without a window.

    `floor`, in the metric's unit, is the least spread that a score is divided by: a metric that never varied would
    otherwise make an alert of its smallest change. Set it to about a tenth of the smallest change that matters.
    """

    threshold: float = 5.0
    # The rounding of numbers up to a thousand million stays below it, and what any sensor can tell apart above.
    floor: float = 1e-6
    lowest: float | None = None
    highest: float | None = None
    flatline_windows: int | None = None
    silence_minutes: int | None = None

    def __post_init__(self) -> None:
        for name in ("threshold", "floor"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ContractError(f"{name} is {getattr(self, name)}: give a finite number above 0")
        if self.lowest is not None and self.highest is not None and self.lowest > self.highest:
            raise ContractError(f"lowest is {self.lowest}, above highest, {self.highest}: every window would be beyond")
        if self.flatline_windows is not None and self.flatline_windows < 2:
            raise ContractError(f"flatline_windows is {self.flatline_windows}: one is always flat, give 2 or more")
        if self.silence_minutes is not None and self.silence_minutes < 5:
            raise ContractError(f"silence_minutes is {self.silence_minutes}: give 5, the length of a window, or more")


DEFAULT = MetricRules()
METRICS: Mapping[str, MetricRules] = {
    # Gauge pressure in a heating circuit, bar, one reading every quarter of an hour. No gauge can read less than a
    # vacuum, which is -1.01 bar, or more than any pipe stands: such a reading comes from a broken sensor. Pressure
    # never rests for three hours, and an hour is four readings that did not come.
    "circuit_pressure_bar": MetricRules(lowest=-1.1, highest=1000.0, flatline_windows=12, silence_minutes=60),
}
