"""How commands speak: tables and sentences for people, JSON for machines.

Belongs here: what all commands share of it. Not here: what they say.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid
from rich.text import Text

from lakehouse_assets.lake.partitions import runs_of_dates

# A pipe has no width; tables keep their shape there.
PIPE_WIDTH = 160
MOST_STRETCHES = 4


def console(*, errors: bool = False) -> Console:
    """Where people read: standard output, or standard error for what is no result.

    What stands in data must not be taken for markup, so nothing is: neither `[red]` nor `:smile:`.
    """
    width = None if (sys.stderr if errors else sys.stdout).isatty() else PIPE_WIDTH
    return Console(stderr=errors, width=width, highlight=False, markup=False, emoji=False)


def say(*lines: object) -> None:
    """Print sentences or tables."""
    screen = console()
    for line in lines:
        # A sentence may be long, and is copied.
        screen.print(line, soft_wrap=isinstance(line, str | Text))


def in_colour(colour: str, word: str, sentence: str) -> Text:
    """A sentence for `say` that begins with a word in colour."""
    return Text.assemble((word, colour), " ", sentence)


def say_json(value: Any) -> None:
    """Print one JSON document; dates and times are ISO 8601."""
    print(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else str(value)


def grid(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str | None = None) -> Grid:
    """A table; numbers stand right, and what is missing is blank."""
    found = [list(row) for row in rows]
    drawn = Grid(title=title, caption=caption, title_justify="left", caption_justify="left")
    for position, column in enumerate(columns):
        numeric = all(isinstance(row[position], int | float | None) for row in found)
        drawn.add_column(column, justify="right" if numeric and found else "left", overflow="fold")
    for row in found:
        drawn.add_row(*(cell(value) for value in row))
    return drawn


def grid_of(title: str, frame: pl.DataFrame, *, caption: str | None = None) -> Grid:
    """A frame as a table."""
    return grid(title, frame.columns, frame.iter_rows(), caption=caption)


def cell(value: object) -> str:
    """A value as people write it."""
    match value:
        case None:
            return ""
        case float():
            return f"{value:,.4f}".rstrip("0").rstrip(".")
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case list() | tuple():
            return ", ".join(cell(part) for part in value)
        case _:
            return str(value)


def dates_in_words(dates: Iterable[date]) -> str:
    """A set of dates as stretches: `2026-01-05 … 2026-01-07, 2026-01-09`."""
    stretches = [str(first) if first == last else f"{first} … {last}" for first, last in runs_of_dates(dates)]
    more = len(stretches) - MOST_STRETCHES
    return ", ".join(stretches[:MOST_STRETCHES]) + (f" and {more} more" if more > 0 else "")


def progress(*, hidden: bool) -> Progress:
    """A bar on standard error, gone when it is done."""
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console(errors=True), disable=hidden, transient=True)


def rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """A frame as JSON objects."""
    return frame.to_dicts()
