"""The data dictionary and the lineage graph, as text from the declarations of the tables.

Belongs here: what a reader sees of a declaration. Not here: the declarations (`table`, `contract`), and where the text
is kept. The text depends on the declarations alone, so that a test can tell when the committed one is out of date.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import polars as pl

from lakehouse_assets.lake.errors import ContractError
from lakehouse_assets.lake.judge import QUARANTINE_SCHEMA
from lakehouse_assets.lake.ledger import FILES_SCHEMA, LANDING_FILES, LEDGER, LEDGER_SCHEMA
from lakehouse_assets.lake.names import LAYERS, TableName

COMES_ABOUT = {
    "bronze": "every record of the files that landed in the folder of the date, as text",
    "event": "the rows whose business date is the date, whenever they landed",
    "entity": "the state of each key as of the end of the date, carried forward from the date before",
    "derived": "computed from the tables that it reads",
}
SAME_DATE = "same date"
_OF_BRONZE = {"event": "by business date", "entity": "since the latest snapshot"}
# What each column of the tables that no domain declares says.
BOOKKEEPING = {
    "rules": "Rules that the row breaks",
    "reasons": "What each of these rules says",
    "raw": "The record as it landed, as JSON",
    "_source_file": "File that the record landed in, below the landing root",
    "_row_number": "Record in that file, counted from 1",
    "_file_sha256": "SHA-256 of that file; of a text, that of its own and its JSON file's together",
    "run_id": "Run that wrote the row",
    "quarantined_at": "When the row was set aside",
    "domain": "Domain of the table",
    "layer": "Layer of the table",
    "table": "Name of the table",
    "rows_in": "Rows judged",
    "rows_kept": "Rows that stand",
    "rows_rejected": "Rows in quarantine",
    "rows_duplicate": "Exact or superseded duplicates",
    "rows_deleted": "Rows that delete a key",
    "rows_written": "Rows of the partition, those carried forward included",
    "quality_score": "Rows that broke no reject rule ÷ rows judged",
    "input_fingerprint": "Digest of the content that the partition was built from",
    "code_version": "Digest of the code that built it",
    "table_version": "Delta version of the commit; null once retention has dropped the rows",
    "built_at": "When it was built",
    "path": "File, below the landing root",
    "size_bytes": "Size of the file",
    "modified_at": "Modification time of the file",
    "sha256": "SHA-256 of the file; of a text, that of its own and its JSON file's together",
    "encoding": "Encoding that it was read in",
    "records": "Records in the file",
    "rows": "Records that became rows",
    "malformed": "Records that could not be split into fields",
    "deletes": "Rows that delete a key",
    "refused": "Why the file was refused whole; null where it was not",
    "business_dates": "Business dates of its rows",
    "business_rows": "Rows of each of these dates",
}


class DescribedColumn(Protocol):
    """A column, as far as the dictionary shows it."""

    @property
    def name(self) -> str: ...
    @property
    def dtype(self) -> pl.DataType: ...
    @property
    def description(self) -> str: ...
    @property
    def unit(self) -> str | None: ...
    @property
    def nullable(self) -> bool: ...
    @property
    def is_key(self) -> bool: ...


class DescribedRule(Protocol):
    """A rule, as far as the dictionary shows it."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def description(self) -> str: ...


class Described(Protocol):
    """A table, as far as the dictionary shows it; `reads` holds the window of each table that it reads."""

    @property
    def name(self) -> TableName: ...
    @property
    def kind(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def columns(self) -> Sequence[DescribedColumn]: ...
    @property
    def judged_rules(self) -> Sequence[DescribedRule]: ...
    @property
    def reads(self) -> Mapping[TableName, object]: ...
    @property
    def set_flags(self) -> Mapping[str, str]: ...
    @property
    def alerts_by_name(self) -> Mapping[str, Callable[..., Any]]: ...
    @property
    def max_reject_share(self) -> float: ...
    @property
    def function(self) -> Callable[..., Any] | None: ...


class DescribedDomain(Protocol):
    """A domain, as far as the dictionary shows it."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def owners(self) -> Sequence[str]: ...


def data_dictionary(tables: Iterable[Described], domains: Iterable[DescribedDomain] = ()) -> str:
    """The data dictionary as Markdown: by domain the lineage and each table, then quarantine and bookkeeping.

    The order of `tables` and `domains` makes no difference. A table without columns or without a description
    raises ContractError: there would be nothing to look up.
    """
    ordered = _ordered(tables)
    about = {domain.name: domain for domain in domains}
    parts = [_PREFACE]
    for name in sorted({table.name.domain for table in ordered}):
        mine = [table for table in ordered if table.name.domain == name]
        parts.append(f"## {name}")
        if name in about:
            parts.append(f"{_sentence(about[name].description)} Owners: {', '.join(sorted(about[name].owners))}.")
        parts.append(f"```mermaid\n{lineage(mine)}```")
        parts.extend(_table(table) for table in mine)
    parts.extend([_quarantine(), _bookkeeping()])
    return "\n\n".join(parts) + "\n"


def lineage(tables: Iterable[Described]) -> str:
    """The tables and what each reads, as a Mermaid flowchart; what is read of other dates is on the arrow."""
    ordered = _ordered(tables)
    known = {table.name for table in ordered}
    outside = {name for table in ordered for name in table.reads} - known
    lines = ["flowchart LR"]
    for layer in LAYERS:
        inside = [name for name in sorted(known | outside) if name.layer == layer]
        if inside:
            lines.append(f"    subgraph {layer}")
            lines.extend(f'        {_node(name)}["{_label(name, known)}"]' for name in inside)
            lines.append("    end")
    for table in ordered:
        for name in sorted(table.reads):
            window = _window(table, name)
            arrow = "-->" if window == SAME_DATE else f'-->|"{window}"|'
            lines.append(f"    {_node(name)} {arrow} {_node(table.name)}")
    return "\n".join(lines) + "\n"


def type_name(dtype: pl.DataType) -> str:
    """A column's type as a reader writes it: `Decimal(18, 2)`, `Datetime UTC`, `List(Struct(a: Int64))`."""
    match dtype:
        case pl.Datetime():
            return f"Datetime {dtype.time_zone}" if dtype.time_zone else "Datetime"
        case pl.Decimal():
            return f"Decimal({dtype.precision}, {dtype.scale})"
        case pl.List():
            return f"List({type_name(_of(dtype.inner))})"
        case pl.Struct():
            inner = (f"{part.name}: {type_name(_of(part.dtype))}" for part in dtype.fields)
            return f"Struct({', '.join(inner)})"
        case _:
            return str(dtype)


_PREFACE = """# Data dictionary

Generated from the contracts by `lakehouse catalog docs`: change the contracts, not this file.

Beside the columns below, every table has `tenant_id` (String) and `date` (Date), by which it is partitioned. In silver,
gold and platinum, a row without a value in a column that is not nullable is rejected (`<column>_is_null`). Rows that
break a *reject* rule are in `<domain>.quarantine.<table>`; those that break a *flag* or *warn* rule stay."""


def _ordered(tables: Iterable[Described]) -> list[Described]:
    return sorted(tables, key=lambda table: (table.name.domain, LAYERS.index(table.name.layer), table.name.table))


def _table(table: Described) -> str:
    if not table.description or not table.columns:
        raise ContractError(f"{table.name} has no description or no columns to put into the dictionary")
    key = ", ".join(f"`{column.name}`" for column in table.columns if column.is_key)
    parts = [f"### {table.name}", table.description]
    decision = inspect.getdoc(table.function) if table.function else None
    if decision:
        parts.append(decision)
    facts = [f"- Rows of a date: {COMES_ABOUT[table.kind]}."]
    if key:
        facts.append(f"- Key within a tenant and date: {key}.")
    if table.reads:
        read = (f"`{name}` ({_window(table, name)})" for name in sorted(table.reads))
        facts.append(f"- Reads {', '.join(read)}.")
    if table.judged_rules:
        facts.append(f"- Refused where more than {table.max_reject_share:.0%} of a partition's rows are rejected.")
    parts.append("\n".join(facts))
    parts.append(
        _grid(
            ("column", "type", "unit", "null", "what it says"),
            (
                (f"`{c.name}`", type_name(c.dtype), c.unit or "", "yes" if c.nullable else "no", c.description)
                for c in table.columns
            ),
        )
    )
    rules = [(f"`{r.id}`", r.action, r.description) for r in table.judged_rules if r.name != "is_null"]
    rules += [(f"`{name}`", "flag", says) for name, says in table.set_flags.items()]
    rules += [(f"`{name}`", "alert", inspect.getdoc(alert) or "") for name, alert in table.alerts_by_name.items()]
    if rules:
        parts.append(_grid(("rule", "action", "what breaks it"), rules))
    return "\n\n".join(parts)


def _window(table: Described, upstream: TableName) -> str:
    """Which dates are read. Of bronze, silver reads more than the declared date: by what its rows say."""
    return _OF_BRONZE.get(table.kind, SAME_DATE) if upstream.layer == "bronze" else str(table.reads[upstream])


def _quarantine() -> str:
    about = (
        "`<domain>.quarantine.<table>` holds one row per rejected row of that table, and "
        "`<domain>.quarantine.<source>_files` one per malformed record of a source's files."
    )
    return f"## Quarantine\n\n{about}\n\n{_plain(QUARANTINE_SCHEMA)}"


def _bookkeeping() -> str:
    ledger = "One row per table and (tenant, date) that is built, empty ones included."
    files = "One row per file that bronze has read; its date is the ingest date."
    return (
        f"## platform\n\n### {LEDGER}\n\n{ledger}\n\n{_plain(LEDGER_SCHEMA)}\n\n"
        f"### {LANDING_FILES}\n\n{files}\n\n{_plain(FILES_SCHEMA)}"
    )


def _plain(schema: Mapping[str, pl.DataType]) -> str:
    rows = ((f"`{name}`", type_name(dtype), BOOKKEEPING[name]) for name, dtype in schema.items() if name in BOOKKEEPING)
    return _grid(("column", "type", "what it says"), rows)


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", r"\|")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _node(name: TableName) -> str:
    return "_".join(name)


def _label(name: TableName, known: set[TableName]) -> str:
    return name.table if name in known else str(name)


def _of(dtype: Any) -> pl.DataType:
    return dtype if isinstance(dtype, pl.DataType) else dtype()
