"""Contracts: what a table promises, as a pandera model, and its compilation to Polars expressions.

Belongs here: columns, rules and their actions. Not here: counting and splitting rows (`judge`), reading and writing.

A rule is written where its columns are:

    class LeadsClean(Contract):
        \"\"\"One row per lead.\"\"\"

        deal_value: float = column("Value of the deal", unit="USD", nullable=True, ge=0)

        @reject
        def closed_before_created(cls) -> pl.Expr:
            \"\"\"The closing lies before the creation.\"\"\"
            return pl.col("closed_date") >= pl.col("created_date")

The expression says when a row keeps the rule; null counts as kept.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, NoReturn, cast, get_args

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData
from pandera.backends.polars.register import register_polars_backends
from pandera.errors import SchemaInitError

from lakehouse_assets.lake.errors import ContractError
from lakehouse_assets.lake.pandera_options import refuse_options, refuse_type

# Before any schema is made: checks keep the functions that were known when their schema was.
register_polars_backends()

type_of_action = Literal["reject", "flag", "warn"]
ACTIONS = get_args(type_of_action)
KEY = "key"
UNIT = "unit"
RULE_NAMES = {
    "greater_than_or_equal_to": "below_minimum",
    "greater_than": "below_minimum",
    "less_than_or_equal_to": "above_maximum",
    "less_than": "above_maximum",
    "in_range": "out_of_range",
    "isin": "not_allowed",
    "str_matches": "wrong_format",
}


class Contract(pa.DataFrameModel):
    """The base of every contract: the columns of one table, partition columns left out."""

    class Config:
        strict = False
        coerce = False


def column(
    description: str, *, key: bool = False, unit: str | None = None, nullable: bool = False, **checks: Any
) -> Any:
    """Declare a column: its description, its unit, whether it is part of the key, and pandera's checks."""
    metadata = {KEY: key, UNIT: unit}
    return pa.Field(description=description, nullable=nullable, metadata=metadata, **checks)


def _rule(action: type_of_action, function: Callable[[type[Contract]], pl.Expr]) -> Any:
    def check(cls: type[Contract], data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(function(cls))

    check.__name__ = function.__name__
    if not function.__doc__:
        raise ContractError(f"rule {function.__qualname__} says nothing: give it a docstring")
    description = inspect.cleandoc(function.__doc__)
    mark = pa.dataframe_check(
        name=function.__name__, description=description, title=action, raise_warning=action != "reject"
    )
    return mark(check)


def reject(function: Callable[[Any], pl.Expr]) -> Any:
    """A row that breaks this rule goes to quarantine."""
    return _rule("reject", function)


def flag(function: Callable[[Any], pl.Expr]) -> Any:
    """A row that breaks this rule stays, and the rule's name is added to its `quality_flags`."""
    return _rule("flag", function)


def warn(function: Callable[[Any], pl.Expr]) -> Any:
    """A row that breaks this rule stays, and is counted."""
    return _rule("warn", function)


class Column(NamedTuple):
    """A column of a table as its contract declares it."""

    name: str
    dtype: pl.DataType
    description: str
    unit: str | None
    nullable: bool
    is_key: bool


# Every silver table that is cleaned from a source carries these, so that a row leads back to its file.
TRACE_COLUMNS = (
    Column(
        "quality_flags",
        pl.List(pl.String()),
        "Names of the flag rules that the row breaks, sorted",
        None,
        nullable=False,
        is_key=False,
    ),
    Column(
        "_ingest_date",
        pl.Date(),
        "Ingest date of the folder that the row landed in",
        None,
        nullable=False,
        is_key=False,
    ),
    Column(
        "_source_file",
        pl.String(),
        "File that the row landed in, below the landing root",
        None,
        nullable=False,
        is_key=False,
    ),
    Column("_row_number", pl.Int64(), "Record in that file, counted from 1", None, nullable=False, is_key=False),
)


class Rule(NamedTuple):
    """A rule compiled: `kept` is true or null on the rows that keep it."""

    name: str
    column: str | None
    action: type_of_action
    description: str
    kept: pl.Expr

    @property
    def id(self) -> str:
        """Unique in the table, and the name of the asset check."""
        return f"{self.column}_{self.name}" if self.column else self.name


class _Recorder:
    """Stands in for the frame of a check and keeps the expression that the check selects."""

    def __init__(self) -> None:
        self.selected: list[pl.Expr] = []

    def select(self, *expressions: Any, **named: pl.Expr) -> _Recorder:
        for given in expressions:
            self.selected.extend(given if isinstance(given, (list, tuple)) else [given])
        self.selected.extend(named.values())
        return self

    def __getattr__(self, name: str) -> NoReturn:
        raise ContractError(f"a check calls LazyFrame.{name}: write it as one expression, so that it streams")


def _expression(contract: type[Contract], check: pa.Check, key: str) -> pl.Expr:
    recorder = _Recorder()
    function = partial(check._check_fn, **check._check_kwargs)  # noqa: SLF001 - what pandera would call
    frame = cast("pl.LazyFrame", recorder)
    if check.element_wise or function(PolarsData(frame, key)) is not recorder:
        raise ContractError(f"check {check.name} of {key} is no expression: it must select from data.lazyframe")
    if not recorder.selected or not all(isinstance(selected, pl.Expr) for selected in recorder.selected):
        raise ContractError(f"rule {check.name} of {contract.__name__} is no expression: it must return a pl.Expr")
    if any(selected.meta.has_multiple_outputs() for selected in recorder.selected):
        raise ContractError(
            f"rule {check.name} of {contract.__name__} is of many columns at once, the lake's own among them: name each"
        )
    kept = recorder.selected[0] if len(recorder.selected) == 1 else pl.all_horizontal(recorder.selected)
    return kept if check.ignore_na else kept.fill_null(value=False)


def _schema_of(contract: type[Contract]) -> pa.DataFrameSchema:
    """What pandera makes of a contract, if judging does all of it; else raises ContractError."""
    try:
        schema = contract.to_schema()
    except (SchemaInitError, TypeError, AttributeError) as error:
        raise ContractError(f"{contract.__name__} is no contract: {error}") from error
    refuse_options(contract, schema)
    return schema


def columns_of(contract: type[Contract]) -> list[Column]:
    """The contract's columns in the order in which they are written.

    Raises ContractError for a column that cannot be stored or judged as it is declared.
    """
    found = []
    for name, declared in _schema_of(contract).columns.items():
        metadata: dict[str, Any] = dict(declared.metadata or {})
        if unknown := sorted(set(metadata) - {KEY, UNIT}):
            raise ContractError(f"{contract.__name__}.{name} has metadata {unknown}, which no one reads: leave it out")
        if not declared.description:
            raise ContractError(f"{contract.__name__}.{name} has no description: declare it with column(...)")
        given = cast("pl.DataType | type[pl.DataType]", declared.dtype.type)
        dtype = given if isinstance(given, pl.DataType) else given()
        refuse_type(f"{contract.__name__}.{name}", dtype)
        found.append(
            Column(name, dtype, declared.description, metadata.get(UNIT), declared.nullable, bool(metadata.get(KEY)))
        )
    return found


def _builtin_name(check: pa.Check) -> str:
    if check.name == "greater_than_or_equal_to" and (check.statistics or {}).get("min_value") == 0:
        return "is_negative"
    return RULE_NAMES.get(str(check.name), str(check.name))


def _action(check: pa.Check) -> type_of_action:
    if check.title in ACTIONS:
        return cast("type_of_action", check.title)
    return "warn" if check.raise_warning else "reject"


def rules_of(contract: type[Contract]) -> list[Rule]:
    """Compile the contract: non-null columns, column checks, then the rules in the order written.

    A check that pandera would only warn of is a `warn` rule; one with `ignore_na=False` is broken by null.
    Raises ContractError for a check that cannot run inside a streaming scan.
    """
    schema = _schema_of(contract)
    rules = []
    for name, declared in schema.columns.items():
        if not declared.nullable:
            rules.append(Rule("is_null", name, "reject", f"{name} is missing", pl.col(name).is_not_null()))
        for check in declared.checks:
            description = check.description or f"{name} breaks {check.error or check.name}"
            kept = _expression(contract, check, name)
            rules.append(Rule(_builtin_name(check), name, _action(check), inspect.cleandoc(description), kept))
    for check in schema.checks:
        kept = _expression(contract, check, "*")
        rules.append(Rule(str(check.name), None, _action(check), check.description or "", kept))
    return rules
