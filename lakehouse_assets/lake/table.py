"""@table: a contract and a pure function declared as a table of the lake.

Belongs here: the declaration and the registry of all declared tables. Not here: Dagster (`assets`) and running
(`runner`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple

import polars as pl

from lakehouse_assets.lake.code_version import code_version
from lakehouse_assets.lake.contract import TRACE_COLUMNS, Column, Contract, Rule, columns_of, rules_of
from lakehouse_assets.lake.declarations import check_references, check_table
from lakehouse_assets.lake.errors import ContractError
from lakehouse_assets.lake.judge import source_rules
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import SAME_DATE, type_of_window
from lakehouse_assets.lake.source import Source

NULLABLE_TRACE = ("_op", "_extra", "_business_date")
# Raise it when the framework itself changes what it makes of the same inputs: everything built becomes stale.
FRAMEWORK_VERSION = 1
MAX_REJECT_SHARE = 0.2

type_of_function = Callable[..., pl.LazyFrame]
# What a function may ask for beside its upstream tables.
WINDOW, EARLIER = "window", "earlier"
GIVEN = (WINDOW, EARLIER)


class Input(NamedTuple):
    """A table that another reads, and the dates that it reads of it."""

    table: TableName
    window: type_of_window


class Reference(NamedTuple):
    """A flag for rows whose `column` is not in the same column of `table` of the same date."""

    column: str
    table: str


class Lookup(NamedTuple):
    """A column taken from another table: `value` of the row of `table` of the same date with the same `column`.

    `column` is the key of `table`; where it is null or not there, the row gets `otherwise`.
    """

    column: str
    table: str
    value: str
    otherwise: str | None = None


class Duplicates(NamedTuple):
    """Rows of a date that agree in `on` are duplicates: the one with the lowest `lowest` stays."""

    on: tuple[str, ...]
    lowest: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """A declared table. `kind` says how its partitions come about:

    `bronze` from files, `event` and `entity` from one bronze table each, `derived` from other tables.
    """

    name: TableName
    kind: Literal["bronze", "event", "entity", "derived"]
    description: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    contract: type[Contract] | None = None
    function: type_of_function | None = None
    source: Source | None = None
    inputs: Mapping[str, Input] = field(default_factory=dict)
    references: Mapping[str, Reference] = field(default_factory=dict)
    lookups: Mapping[str, Lookup] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)
    alerts: tuple[type_of_function, ...] = ()
    duplicates: Duplicates | None = None
    carries_forward: bool = False
    sparse: bool = False
    max_reject_share: float = MAX_REJECT_SHARE
    code_version: str = ""

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The columns that are unique within a (tenant, date)."""
        return tuple(column.name for column in self.columns if column.is_key)

    @cached_property
    def schema(self) -> pl.Schema:
        """The columns as stored, partition columns left out."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    @cached_property
    def judged_rules(self) -> tuple[Rule, ...]:
        """All rules that rows of the table are judged by: the contract's, and those that come with what it is."""
        if self.kind == "bronze":
            return ()
        if self.source is not None:
            own = [rule for rule in self.rules if rule.column not in self.lookups]
            return source_rules(own, self.source, self.schema)
        key = ("date", *self.key)
        unique = Rule(
            "is_duplicate", None, "reject", f"{', '.join(key)} is not unique", ~pl.struct(key).is_duplicated()
        )
        return (*self.rules, unique)

    @cached_property
    def judged_columns(self) -> dict[str, str]:
        """The columns that the rules read, each with a rule that does."""
        return {name: rule.id for rule in self.judged_rules for name in rule.kept.meta.root_names()}

    @cached_property
    def reads(self) -> dict[TableName, type_of_window]:
        """Every table read, references included, with the window of each."""
        found = {given.table: given.window for given in self.inputs.values()}
        for other in self.joined:
            found.setdefault(TableName.of_parameter(self.name.domain, other.table), SAME_DATE)
        return found

    @property
    def joined(self) -> list[Reference | Lookup]:
        """What rows that stand are joined with."""
        return [*self.references.values(), *self.lookups.values()]

    @cached_property
    def alerts_by_name(self) -> dict[str, type_of_function]:
        """The rules on the table as a whole, by the name of their check."""
        return {alert.__name__: alert for alert in self.alerts}

    @cached_property
    def set_flags(self) -> dict[str, str]:
        """The flags that are known when rows have been settled, with what each says of a row."""
        found = {name: f"{given.column} is not in {given.table} of the date" for name, given in self.references.items()}
        return found | {name: f"{column} stands in several rows of the date" for name, column in self.shared.items()}


_registry: dict[TableName, Table] = {}


def declared_tables() -> dict[TableName, Table]:
    """Every declared table, an input always before its readers."""
    ordered: dict[TableName, Table] = {}

    def add(name: TableName, path: tuple[TableName, ...]) -> None:
        if name in ordered:
            return
        if name in path:
            raise ContractError(f"tables read each other in a circle: {' → '.join(map(str, (*path, name)))}")
        if name not in _registry:
            raise ContractError(f"{path[-1]} reads {name}, which no one declares")
        for upstream in _registry[name].reads:
            add(upstream, (*path, name))
        ordered[name] = _registry[name]

    for name in sorted(_registry):
        add(name, ())
    for table in ordered.values():
        check_references(table, ordered)
    return ordered


def _declare(table: Table) -> Table:
    known = _registry.get(table.name)
    if known is not None and _identity(known) != _identity(table):
        raise ContractError(f"{table.name} is declared twice: rename one of the two")
    for other in _registry:
        if other != table.name and other.quarantine == table.name.quarantine:
            raise ContractError(f"{table.name} and {other} would share the quarantine {other.quarantine}: rename one")
    _registry[table.name] = table
    return table


def _identity(table: Table) -> tuple[object, ...]:
    return (table.function, table.contract, table.source, table.code_version)


def declare_bronze(source: Source) -> Table:
    """Declare the bronze table of a source."""
    trace = {
        "_source_file": "File that the record landed in, below the landing root",
        "_row_number": "Record in that file, counted from 1, malformed ones included",
        "_ingested_at": "Modification time of the file, UTC",
        "_file_sha256": "SHA-256 of the file as it landed",
        "_extra": "Columns of the file that the source does not name, as JSON",
        "_op": "Operation: `delete` removes the key from this date on",
        "_business_date": "UTC date of the event time; null where there is none within bounds",
    }
    columns = tuple(
        Column(
            name,
            dtype,
            source.columns.get(name) or trace[name],
            None,
            nullable=name in NULLABLE_TRACE or not name.startswith("_"),
            is_key=False,
        )
        for name, dtype in source.bronze_schema.items()
    )
    declared = Table(
        name=TableName(source.domain, "bronze", source.name),
        kind="bronze",
        description=f"One row per record of the files landed: {source.description}",
        columns=columns,
        source=source,
        code_version=code_version(FRAMEWORK_VERSION, source.meaning),
    )
    check_table(declared)
    return _declare(declared)


def table(
    contract: type[Contract],
    *,
    source: Source | None = None,
    windows: Mapping[str, type_of_window] | None = None,
    references: Mapping[str, Reference] | None = None,
    lookups: Mapping[str, Lookup] | None = None,
    shared: Mapping[str, str] | None = None,
    alerts: Sequence[type_of_function] = (),
    duplicates: Duplicates | None = None,
    carries_forward: bool = False,
    sparse: bool = False,
    max_reject_share: float = MAX_REJECT_SHARE,
) -> Callable[[type_of_function], type_of_function]:
    """Declare a table: the function's name is the table's, its parameters are its upstream tables.

    With `source`, the function maps that source's bronze text to typed columns, row by row; the lake then judges,
    resolves duplicates or states, flags `references` and values that are `shared` by several rows of a date, and adds
    the columns of `lookups`. Without, the function computes the dates of its `window` from its inputs, each date as it
    would alone; as `earlier` it may ask for the table's rows on the newest earlier date that this code built, to take
    over what is the same. `carries_forward` says that a date whose inputs are the same as an earlier date's has the
    same rows, so that they are copied; `sparse`, that it makes nothing of nothing, so that no reader waits for dates on
    which there is nothing to read. `alerts` are functions of the table and its inputs that give the dates on which
    a rule on the table as a whole is broken, with figures.
    """

    def declare(function: type_of_function) -> type_of_function:
        domain = _domain_of(function)
        name = TableName.of_parameter(domain, function.__name__)
        parameters = list(inspect.signature(function).parameters)
        inputs = {
            parameter: Input(TableName.of_parameter(domain, parameter), (windows or {}).get(parameter, SAME_DATE))
            for parameter in parameters
            if parameter not in GIVEN
        }
        if unknown := sorted(set(windows or {}) - set(inputs)):
            raise ContractError(f"{name} declares windows for what it does not read: {unknown}")
        if not contract.__doc__:
            raise ContractError(f"{contract.__name__} does not say what one row is: give it a docstring")
        declared = Table(
            name=name,
            kind=source.kind if source else "derived",
            description=inspect.cleandoc(contract.__doc__),
            columns=tuple(columns_of(contract)) + (TRACE_COLUMNS if source else ()),
            rules=tuple(rules_of(contract)),
            contract=contract,
            function=function,
            source=source,
            inputs=inputs,
            references=references or {},
            lookups=lookups or {},
            shared=shared or {},
            alerts=tuple(alerts),
            duplicates=duplicates,
            carries_forward=carries_forward,
            sparse=sparse,
            max_reject_share=max_reject_share,
        )
        check_table(declared, parameters)
        meaning = source and source.meaning
        # What is not used leaves the version as it was.
        options = (lookups, shared)
        settled = (windows, references, duplicates, max_reject_share, *(option for option in options if option))
        version = code_version(FRAMEWORK_VERSION, contract, function, meaning, *settled)
        _declare(replace(declared, code_version=version))
        return function

    return declare


def _domain_of(function: type_of_function) -> str:
    """The domain is the package that the function's module lies in: `…domains.<domain>.<module>`."""
    parts = function.__module__.split(".")
    if len(parts) < 2:
        raise ContractError(f"{function.__qualname__} lies in no domain: put it into domains/<domain>/<layer>.py")
    return parts[-2]


def tables_of_sources(sources: Iterable[Source]) -> list[Table]:
    """Declare the bronze tables of a domain's sources."""
    return [declare_bronze(source) for source in sources]
