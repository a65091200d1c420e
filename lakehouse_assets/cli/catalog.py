"""`lakehouse catalog`: files of DuckDB views, the data dictionary and the lineage of columns."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import lakehouse_assets
from lakehouse_assets.cli.show import say, say_json
from lakehouse_assets.house import domains, open_house, tables
from lakehouse_assets.lake.catalog import catalog_tables, write_catalog
from lakehouse_assets.lake.column_lineage import column_lineage, type_of_lineage
from lakehouse_assets.lake.dictionary import data_dictionary

PACKAGE = Path(lakehouse_assets.__file__).parent
LINEAGE = PACKAGE / "column_lineage.json"
DICTIONARY = PACKAGE.parent / "docs" / "data_dictionary.md"


def views(folder: Path, *, as_json: bool) -> None:
    """Write a file of views for each domain into a folder."""
    house = open_house()
    written = write_catalog(folder, house.lake.root, catalog_tables(house.tables), storage_options=house.lake.options)
    if as_json:
        say_json([str(path) for path in written])
    else:
        say(*(f"wrote {path}" for path in written))
        say(f"Open all of them: duckdb -init {written[-1]}")


def docs(*, check: bool, as_json: bool) -> None:
    """Write the generated files; with `check`, only raise SystemExit with status 1 where one is out of date."""
    texts = generated()
    stale = [path for path, text in texts.items() if not path.is_file() or path.read_text("utf-8") != text]
    if not check:
        for path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[path], encoding="utf-8")
    if as_json:
        say_json({"out_of_date": [str(path) for path in stale], "written": not check})
    elif not stale:
        say("The data dictionary and the lineage of columns are up to date.")
    else:
        verb = "out of date:" if check else "wrote"
        say(*(f"{verb} {path}" for path in stale))
    if check and stale:
        raise SystemExit(1)


def generated() -> dict[Path, str]:
    """The files that follow from the declared tables, and what they should hold."""
    return dict(zip((DICTIONARY, LINEAGE), _texts(), strict=True))


@cache
def _texts() -> tuple[str, str]:
    """Of one process's tables, which do not change; watching every function for lineage takes seconds."""
    declared = tables()
    return data_dictionary(declared.values(), domains().values()), _by_line(column_lineage(declared))


def _by_line(lineage: dict[str, type_of_lineage]) -> str:
    """JSON with a line for each column, so that a change shows as the lines that changed."""
    parts = []
    for table, columns in lineage.items():
        lines = ",\n".join(f"  {json.dumps(column)}: {json.dumps(read)}" for column, read in columns.items())
        parts.append(f" {json.dumps(table)}: {{\n{lines}\n }}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
