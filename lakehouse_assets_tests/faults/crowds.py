"""Several processes that build in one lake at once, and what must hold when the last is done.

Belongs here: the play, on lakes at any place. Not here: how many (`test_concurrency`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lakehouse_assets_tests.faults import lakes, processes
from lakehouse_assets_tests.faults.places import Place
from lakehouse_assets_tests.faults.processes import Child
from lakehouse_assets_tests.faults.stories import Story


class Ask(NamedTuple):
    """What one process of a crowd is asked for, and where it finds its files."""

    place: Place
    arguments: Sequence[str]


def build_at_once(asks: Sequence[Ask], *, steps: bool) -> list[Child]:
    """Start a process for each, let them go together, and wait for all."""
    gate = asks[0].place.spool.parent / "gate"
    gate.unlink(missing_ok=True)
    children = [processes.start(ask.place, *ask.arguments, steps=steps, gate=gate) for ask in asks]
    processes.open_gate(gate, children)
    for child in children:
        child.wait()
    return children


def assert_all_done(place: Place, story: Story, children: Sequence[Child]) -> None:
    """Every process got its work done, none undid another's, and ledger and tables agree."""
    assert [child.process.returncode for child in children] == [0] * len(children), "\n".join(c.said for c in children)
    lakes.assert_same_lake(place, story.full)
    lakes.assert_adds_up(place)
    lakes.assert_quarantine_is_entered(place)
    lakes.assert_up_to_date(place, story.first, story.last)


def assert_ledger_is_true(place: Place, *others: Place) -> int:
    """Where an entry says what one of the other lakes' says, the rows are that lake's; how many such there are."""
    found, known = lakes.state(place), [(lakes.ledger(other), lakes.state(other)) for other in others]
    checked = 0
    for entry in lakes.ledger(place).iter_rows(named=True):
        key = lakes.key_of(entry)
        for theirs, rows in known:
            same = theirs.filter(
                *((theirs[name] == entry[name]) for name in (*lakes.LEDGER_KEY, "input_fingerprint", "code_version"))
            )
            if same.height:
                assert found.get(key) == rows.get(key), f"{key} does not hold what the ledger says"
                checked += 1
                break
    return checked
