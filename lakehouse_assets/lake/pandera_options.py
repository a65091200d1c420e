"""What pandera offers and compiled rules do not do: refused when it is declared, never left out in silence.

Belongs here: each of pandera's options for models, columns and checks that `contract` does not compile, and what to
write in its place. Whatever a later pandera adds is refused until it is compiled. Not here: compiling.
"""

from __future__ import annotations

from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.api.polars.model_config import BaseConfig
from pandera.engines.polars_engine import PanderaSchema

from lakehouse_assets.lake.errors import ContractError

# Options that are compiled, that say something to readers only, or that serve to make up test data.
COMPILED_CONFIG = {"name", "title", "description"}
COMPILED_COLUMN = {"_dtype", "checks", "name", "title", "description", "metadata", "nullable"}
COMPILED_CHECK = {
    "name",
    "error",
    "statistics",
    "statistics_args",
    "_check_fn",
    "_check_kwargs",
    "raise_warning",
    "ignore_na",
    "title",
    "description",
    "native",
    "element_wise",
    "strategy",
    "constraint",
    "determined_by_unique",
}
INSTEAD = {
    "unique": "the columns of the key, column(…, key=True), are unique within a date",
    "coerce": "cast the column in the table function",
    "required": "a table has all its columns; a value that may be missing is column(…, nullable=True)",
    "regex": "declare each column by its name",
    "default": "fill nulls in the table function",
    "strict": "columns that the contract does not name are not written",
    "ordered": "columns are written in the contract's order",
    "dtype": "say the type of each column",
    "add_missing_columns": "add them in the table function",
    "drop_invalid_rows": "rows that break a @reject rule go to quarantine",
    "n_failure_cases": "quarantine keeps all rows that break the rule",
    "groupby": "write the rule as one expression, with `.over(…)`",
    "groups": "write the rule as one expression, with `.over(…)`",
}
DEFAULT_COLUMN = vars(pa.Column(pl.String))
DEFAULT_CHECK = vars(pa.Check(lambda data: data))
STORED_TYPES = (
    pl.String,
    pl.Boolean,
    pl.Date,
    pl.Binary,
    pl.Int8,
    pl.Int16,
    pl.Int32,
    pl.Int64,
    pl.Float32,
    pl.Float64,
    pl.Decimal,
    pl.Datetime("us"),
    pl.Datetime("us", "UTC"),
)


def refuse_options(contract: type[pa.DataFrameModel], schema: pa.DataFrameSchema) -> None:
    """Raise ContractError for whatever a contract declares to pandera that judging would not do."""
    name, config = contract.__name__, contract.__config__
    for option in sorted(option for option in dir(BaseConfig) if not option.startswith("_")):
        if option not in COMPILED_CONFIG and getattr(config, option, None) != getattr(BaseConfig, option):
            raise _refused(f"{name}.Config.{option}", option)
    if contract.__extras__:
        raise ContractError(
            f"{name}.Config declares {sorted(contract.__extras__)} of all columns: give the check to each that it is of"
        )
    for owner in contract.__mro__:
        if hidden := [n for n, given in vars(owner).items() if n.startswith("_") and _is_field(given)]:
            raise ContractError(f"{name}.{hidden[0]} would be no column: names that start with _ are the lake's own")
    for column, declared in schema.columns.items():
        _refuse_column(f"{name}.{column}", declared)
    for check in schema.checks:
        _refuse_check(name, check)


def _is_field(given: Any) -> bool:
    return type(given).__name__ == "FieldInfo"


def _refuse_column(name: str, declared: Any) -> None:
    if isinstance(declared.dtype, PanderaSchema):
        raise ContractError(f"{name} is a model of its own, whose checks would not run: declare a pl.Struct")
    for option, value in vars(declared).items():
        if option not in COMPILED_COLUMN and value != DEFAULT_COLUMN.get(option):
            raise _refused(f"{name}: {option}", option)
    for check in declared.checks:
        _refuse_check(name, check)


def _refuse_check(owner: str, check: pa.Check) -> None:
    for option, value in vars(check).items():
        if option not in COMPILED_CHECK and value != DEFAULT_CHECK.get(option):
            raise _refused(f"{owner}: {option} of check {check.name}", option)


def _refused(what: str, option: str) -> ContractError:
    return ContractError(f"{what} has no effect here: leave it out; {INSTEAD.get(option, 'no rule comes of it')}")


def refuse_type(column: str, dtype: pl.DataType) -> None:
    """Raise ContractError for a type that a Delta table does not give back as it was written."""
    if isinstance(dtype, pl.List):
        refuse_type(column, _instance(dtype.inner))
    elif isinstance(dtype, pl.Struct):
        for field in dtype.fields:
            refuse_type(f"{column}.{field.name}", _instance(field.dtype))
    elif dtype not in STORED_TYPES:
        raise ContractError(
            f"{column} is {dtype}, which Delta does not keep: text is String, whole numbers are Int64, "
            'times are Datetime("us", "UTC"), durations a number with its unit in the name'
        )


def _instance(dtype: Any) -> pl.DataType:
    given: pl.DataType = dtype if isinstance(dtype, pl.DataType) else dtype()
    return given
