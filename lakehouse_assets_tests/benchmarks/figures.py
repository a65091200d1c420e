"""What the benchmarks found: costs of processes, and the ratios that the targets are about.

Belongs here: the shape of a result. Not here: how it is measured and shown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lakehouse_assets_tests.benchmarks.processes import Cost, middle
from lakehouse_assets_tests.benchmarks.sizes import ITEMS

GB = 1e9


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report.

    `ratio` is what was measured ÷ what it is compared with: another figure of the same run, or the target itself where
    that is absolute. It is met at `limit` or below; None where no target is set.
    """

    item: str
    what: str
    target: str
    measured: str
    ratio: float
    limit: float | None = None

    @property
    def is_met(self) -> bool | None:
        return None if self.limit is None else self.ratio <= self.limit

    @property
    def share(self) -> float | None:
        """How much of what is allowed was used; 1 is the target."""
        return None if self.limit is None else self.ratio / self.limit


@dataclass
class Findings:
    """All lines of a report, and the costs that they come from by the name of the work."""

    lines: list[Finding] = field(default_factory=list)
    costs: dict[str, list[Cost]] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    measured_on: dict[str, str] = field(default_factory=dict)
    _measured_now: set[str] = field(default_factory=set)

    def keep(self, told: Mapping[str, Any], items: Collection[str]) -> None:
        """Take over what an earlier report says of other items than these, which are measured now."""
        kept = [Finding(**{k: v for k, v in line.items() if k != "is_met"}) for line in told["findings"]]
        self.lines += [line for line in kept if line.item not in items]
        self.measured_on |= {item: on for item, on in told["items"].items() if item not in items}
        self.costs |= {work: [Cost(**cost) for cost in costs] for work, costs in told["costs"].items()}
        self.peaks |= told["peaks"]

    @property
    def in_order(self) -> list[Finding]:
        """The lines by item, whichever was measured first."""
        return sorted(self.lines, key=lambda line: ITEMS.index(line.item))

    def add(self, **line: Any) -> None:
        self.lines.append(Finding(**line))

    def weighed(self, work: str, costs: Sequence[Cost]) -> Cost:
        """Keep the costs of a piece of work; return their medians."""
        if work not in self._measured_now:
            self.costs[work] = []
        self._measured_now.add(work)
        self.costs[work].extend(costs)
        return middle(costs)

    def add_memory(self, work: str, peak: int, limit: int | None) -> None:
        """A line on memory; the plot shows the peak."""
        self.peaks[work] = peak
        allowed = f"at most {limit / GB:.0f} GB" if limit else "none at this size"
        self.add(
            item="memory",
            what=f"peak memory, {work}",
            target=allowed,
            measured=f"{peak / GB:.2f} GB",
            ratio=peak / (limit or 4 * GB),
            limit=1.0 if limit else None,
        )
