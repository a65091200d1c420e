"""The plot: how much of each target was used, and the peak memory beside the bare script's.

Belongs here: drawing. Not here: figures.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

from lakehouse_assets_tests.benchmarks.figures import GB, Findings

WIDTH = 52
MET, MISSED, PLAIN = "#2a7f62", "#b5482e", "#7a8793"


def draw(found: Findings, path: Path) -> None:
    """Draw both panels into a PNG file; a panel without figures is left out."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    judged = [line for line in found.in_order if line.share is not None]
    panels = [bool(judged), bool(found.peaks)]
    heights = [0.5 * count + 1.2 for count in (len(judged), len(found.peaks)) if count]
    figure, axes = plt.subplots(
        max(1, sum(panels)), squeeze=False, figsize=(9, sum(heights) or 1), height_ratios=heights or [1]
    )
    remaining = iter(axes[:, 0])
    if judged:
        shares = [line.share or 0.0 for line in judged]
        panel = next(remaining)
        _bars(
            panel, [line.what for line in judged], shares, [MET if line.is_met else MISSED for line in judged], "{:.2g}"
        )
        panel.axvline(1, color="black", linewidth=1)
        panel.set_title("Share of what the target allows; 1 is the target", loc="left")
    if found.peaks:
        panel = next(remaining)
        peaks = [peak / GB for peak in found.peaks.values()]
        _bars(panel, list(found.peaks), peaks, [PLAIN] * len(peaks), "{:.2f}")
        panel.set_title("Peak memory, GB", loc="left")
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _bars(panel: Any, names: list[str], values: list[float], colours: list[str], form: str) -> None:
    places = range(len(names))
    drawn = panel.barh(places, values, color=colours, height=0.6)
    panel.bar_label(drawn, labels=[form.format(value) for value in values], padding=3, fontsize=8)
    panel.set_yticks(places, [fill(name.replace("`", ""), WIDTH) for name in names], fontsize=8)
    panel.invert_yaxis()
    panel.margins(x=0.12)
    panel.spines[["top", "right"]].set_visible(False)
