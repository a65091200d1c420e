"""What cannot work is refused when it is declared, by the names of the table and of what is at fault in it.

Belongs here: how the parts of a declaration must fit each other. Not here: what pandera offers (`pandera_options`), and
what only a run can tell, such as the columns that a function returns (`compute`).
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from lakehouse_assets.lake.contract import TRACE_COLUMNS
from lakehouse_assets.lake.errors import ContractError
from lakehouse_assets.lake.judge import DELETED, RAW
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import MaturedMonthEnds, SameDate, SinceMonthEnd, Trailing
from lakehouse_assets.lake.source import COLUMN_PATTERN, PARTITION_COLUMNS

if TYPE_CHECKING:
    from lakehouse_assets.lake.table import Table

# The checks that every asset has beside one for each rule.
ASSET_CHECKS = ("reconciliation", "quality", "files")
# Broken rules are bits of a UInt64, a mask for each action.
MOST_RULES = 64
# How Polars prints an expression that calls Python.
PYTHON = "python_udf"
NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]*")
RULE_PATTERN = re.compile(r"[A-Za-z0-9_]+")


def check_table(table: Table, parameters: Collection[str] = ()) -> None:
    """Raise ContractError where the parts of a declared table contradict each other.

    `parameters` are those of its function.
    """
    for part in table.name:
        if not NAME_PATTERN.fullmatch(part):
            raise ContractError(f"'{part}' of {table.name} is no name: write lower case letters, digits and _")
    if table.kind == "bronze":
        return
    if table.name.layer == "bronze":
        raise ContractError(f"{table.name} has a function: bronze comes from the source alone; call it silver_…")
    if not 0 <= table.max_reject_share <= 1:
        raise ContractError(f"{table.name}: max_reject_share is {table.max_reject_share}: give a share from 0 to 1")
    for given in table.inputs.values():
        if not isinstance(given.window, SameDate | Trailing | MaturedMonthEnds | SinceMonthEnd):
            raise ContractError(f"{table.name} reads {given.table} in {given.window!r}: write trailing(days=…)")
    _check_columns(table)
    _check_rules(table)
    if table.alerts:
        _check_alerts(table)
    if table.source is None:
        _check_derived(table)
    else:
        _check_cleaned(table, parameters)


def check_references(table: Table, tables: Mapping[TableName, Table]) -> None:
    """Raise ContractError where a reference's table has no such column."""
    for flag, reference in table.references.items():
        other = tables[TableName.of_parameter(table.name.domain, reference.table)]
        wanted = table.schema[reference.column]
        if other.schema.get(reference.column) != wanted:
            raise ContractError(
                f"{table.name}: reference {flag} is to column {reference.column} of {other.name}, which has none of "
                f"type {wanted}: name a column that both have"
            )
    _check_looked_up(table, tables)


def _check_looked_up(table: Table, tables: Mapping[TableName, Table]) -> None:
    for column, lookup in table.lookups.items():
        other = tables[TableName.of_parameter(table.name.domain, lookup.table)]
        if other.key != (lookup.column,):
            raise ContractError(
                f"{table.name}: {column} is looked up by {lookup.column}, but the key of {other.name} is "
                f"({', '.join(other.key)}): a row must find one row at most"
            )
        if (other.schema[lookup.column], other.schema.get(lookup.value)) != (
            table.schema[lookup.column],
            table.schema[column],
        ):
            raise ContractError(
                f"{table.name}: {column} is looked up as {lookup.value} of {other.name}, whose columns are not of the "
                f"types of {lookup.column} and {column}"
            )


def _check_columns(table: Table) -> None:
    names = [column.name for column in table.columns]
    for name in names[: -len(TRACE_COLUMNS)] if table.source else names:
        if not COLUMN_PATTERN.fullmatch(name):
            raise ContractError(
                f"{table.name}: '{name}' is no name of a column: write letters, digits and _, a letter first"
            )
        if name.lower() in PARTITION_COLUMNS:
            raise ContractError(f"{table.name} declares {name}, which every table has: leave it out of the contract")
    if twice := _repeated(name.lower() for name in names):
        raise ContractError(f"{table.name} has two columns {twice[0]} (letter case does not count): rename one")
    if nullable := [column.name for column in table.columns if column.is_key and column.nullable]:
        raise ContractError(f"{table.name}: {nullable[0]} is part of the key and nullable: a key has no nulls")


def _check_rules(table: Table) -> None:
    flags = [rule.name for rule in table.judged_rules if rule.action == "flag"]
    ids = [*(rule.id for rule in table.judged_rules), *table.set_flags, *table.alerts_by_name]
    if unfit := [name for name in ids if not RULE_PATTERN.fullmatch(name)]:
        raise ContractError(f"{table.name}: '{unfit[0]}' is no name of a rule: write letters, digits and _")
    if taken := sorted({*ids} & {*ASSET_CHECKS}):
        raise ContractError(f"{table.name}: every table has a check {taken[0]} of its own: rename the rule")
    if twice := _repeated(ids) or _repeated([*flags, *table.set_flags]):
        raise ContractError(f"{table.name} has two rules {twice[0]}: rename one, the lake's own keep their names")
    counts = Counter(rule.action for rule in table.judged_rules)
    counts["flag"] += len(table.set_flags)
    for action, count in counts.items():
        if count > MOST_RULES:
            raise ContractError(f"{table.name} has {count} {action} rules, {MOST_RULES} are the most: join some")
    _check_types(table)


def _check_types(table: Table) -> None:
    """Every rule is true, false or null of columns of their types; what only the function adds is not known here."""
    known: dict[str, pl.DataType] = {"tenant_id": pl.String(), "date": pl.Date(), **table.schema}
    if table.source is not None:
        raw = dict.fromkeys((RAW + name for name in table.source.text_columns), pl.String())
        known = {**table.source.bronze_schema, **known, **raw, DELETED: pl.Boolean()}
    frame = pl.DataFrame(schema=known)
    for rule in table.judged_rules:
        # Python code in a rule may import what takes long; it says itself what it returns.
        if PYTHON in str(rule.kept) or not known.keys() >= {*rule.kept.meta.root_names()}:
            continue
        try:
            (dtype,) = frame.select(rule.kept).dtypes
        except pl.exceptions.PolarsError as error:
            reason = str(error).partition("\n")[0]
            raise ContractError(f"{table.name}: rule {rule.id} does not fit its columns: {reason}") from error
        if dtype != pl.Boolean:
            raise ContractError(f"{table.name}: rule {rule.id} gives {dtype}: it must say whether a row keeps it")


def _check_derived(table: Table) -> None:
    fixes = {
        "references": "join the table",
        "lookups": "join the table",
        "shared": "count the rows",
        "duplicates": "make rows unique",
    }
    for option, fix in fixes.items():
        if getattr(table, option):
            raise ContractError(
                f"{table.name}: {option} are settled for tables of a source only: {fix} in the function"
            )


def _check_alerts(table: Table) -> None:
    if table.source is not None:
        raise ContractError(f"{table.name}: alerts compare a table with what it is computed from: its rows have rules")
    for name, alert in table.alerts_by_name.items():
        if not alert.__doc__:
            raise ContractError(f"{table.name}: alert {name} says nothing: give it a docstring")
        known = (*table.inputs, table.name.parameter)
        if unknown := sorted({*inspect.signature(alert).parameters} - {*known}):
            raise ContractError(f"{table.name}: alert {name} asks for {unknown[0]}: there are {', '.join(known)}")


def _check_cleaned(table: Table, parameters: Collection[str]) -> None:
    source, name = table.source, table.name
    if source is None:
        return
    bronze = TableName(source.domain, "bronze", source.name)
    if [given.table for given in table.inputs.values()] != [bronze] or len(parameters) != 1:
        raise ContractError(
            f"{name} is cleaned from source {source.domain}/{source.name}, but its function takes "
            f"({', '.join(parameters)}): give it {bronze.parameter} of that domain and nothing else"
        )
    if not isinstance(table.inputs[bronze.parameter].window, SameDate):
        raise ContractError(f"{name} has a window of {bronze}: the lake finds the dates that it needs; leave it out")
    if table.sparse:
        raise ContractError(f"{name} is cleaned from a source, which is sparse by itself: leave it out")
    if table.carries_forward:
        raise ContractError(f"{name} carries nothing forward by itself, a source's states are: leave it out")
    if set(table.key) != set(source.key):
        raise ContractError(
            f"{name} has the key ({', '.join(table.key)}), its source has ({', '.join(source.key)}): declare the same"
        )
    version: Any = table.schema.get(source.version) if source.version else pl.Date()
    if not isinstance(version, pl.Date | pl.Datetime):
        raise ContractError(
            f"{name}: {source.version} decides which version of a row stands: declare it as a Datetime or a Date"
        )
    _check_settling(table)


def _check_settling(table: Table) -> None:
    for flag, reference in table.references.items():
        TableName.of_parameter(table.name.domain, reference.table)
        if reference.column not in table.schema:
            raise ContractError(f"{table.name}: reference {flag} is of {reference.column}, which is no column of it")
        if flag in table.schema:
            raise ContractError(f"{table.name}: reference {flag} is named like a column: rename it")
    for flag, column in table.shared.items():
        if column not in table.schema or flag in table.schema:
            raise ContractError(f"{table.name}: {flag} is of {column}: name a flag and a column of the table")
    _check_lookups(table)
    _check_duplicates(table)


def _check_lookups(table: Table) -> None:
    if table.lookups and table.kind != "event":
        raise ContractError(f"{table.name}: a state is what landed: look columns up where it is read")
    for column, lookup in table.lookups.items():
        if column not in table.schema or lookup.column not in table.schema or lookup.column in table.lookups:
            raise ContractError(f"{table.name}: {column} is looked up by {lookup.column}: both must be columns of it")
        if any(rule.column == column and rule.name != "is_null" for rule in table.rules):
            raise ContractError(f"{table.name}: {column} is looked up after rows are judged: no rule can be on it")
        nullable = next(given.nullable for given in table.columns if given.name == column)
        if not nullable and lookup.otherwise is None:
            raise ContractError(f"{table.name}: {column} is looked up and not nullable: say what it is otherwise")


def _check_duplicates(table: Table) -> None:
    if table.duplicates is None:
        return
    if table.kind != "event":
        raise ContractError(f"{table.name}: states have no duplicates, the newest version stands: leave them out")
    if not table.duplicates.on:
        raise ContractError(f"{table.name}: duplicates agree in no column: name some in `on`")
    for column in (*table.duplicates.on, table.duplicates.lowest):
        if column not in table.schema:
            raise ContractError(f"{table.name}: duplicates are told by {column}, which is no column of it")


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
