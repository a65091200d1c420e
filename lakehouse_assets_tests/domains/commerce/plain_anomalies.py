"""The scores of telemetry in plain Python, window by window, as the contract words them."""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

DAY = timedelta(days=1)


class Window(NamedTuple):
    """What a window of one device and metric reads."""

    start: datetime
    value: float


class Judgement(NamedTuple):
    """What was expected of a window, and how far off it was."""

    method: str
    expected: float | None
    score: float | None


def in_plain_python(windows: list[Window], floor: float) -> dict[datetime, Judgement]:
    """Every window of one device and metric, judged by all that lie before it."""
    expectations = {window.start: _expected(window.start, windows) for window in windows}
    residuals = {
        window.start: window.value - expected
        for window in windows
        if (expected := expectations[window.start][1]) is not None
    }
    found = {}
    for start, (method, expected) in expectations.items():
        if expected is None:
            found[start] = Judgement(method, None, None)
            continue
        lookback = 7 * DAY if method == "seasonal" else DAY
        before = [residual for at, residual in residuals.items() if start - lookback <= at < start]
        middle = median(before) if before else 0.0
        spread = median(abs(residual - middle) for residual in before) if before else 0.0
        found[start] = Judgement(method, expected, residuals[start] / max(1.4826 * spread, floor))
    return found


def _expected(start: datetime, windows: list[Window]) -> tuple[str, float | None]:
    same_time = [w.value for w in windows if start - 14 * DAY <= w.start < start and w.start.time() == start.time()]
    if len(same_time) >= 4:
        return "seasonal", median(same_time)
    day_before = [w.value for w in windows if start - DAY <= w.start < start]
    return ("recent", median(day_before)) if len(day_before) >= 12 else ("none", None)
