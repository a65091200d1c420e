"""A code version changes with all code that decides a table's rows, and with nothing else.

Each case writes a small project of two modules, as a domain and the formulas that it shares, and edits it.
"""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from lakehouse_assets.lake.code_version import code_version
from lakehouse_assets.lake.errors import ContractError

FORMULAS = '''
"""Formulas."""
import polars as pl

TAX = 1
SURCHARGE = 23
RATES = ("low", 0.2)


class Money:
    """A sum."""

    def rounded(self, cents):
        """Half-even."""
        return round(cents, 2)


def doubled(value):
    """Twice the value."""
    return value * 2


def gross(value):
    # the tax comes last
    return Money().rounded(doubled(value) + TAX + SURCHARGE + len(RATES))


def unrelated(value):
    return value - 1
'''
SILVER = '''
import polars as pl

from {project} import formulas
from {project}.formulas import gross
from lakehouse_assets.lake.contract import Contract, column, flag, reject

FLOOR = 0


class Sales(Contract):
    """One row per sale."""

    sale_id: str = column("Sale", key=True)
    amount: float = column("Amount", unit="USD", ge=0)

    @reject
    def too_small(cls) -> pl.Expr:
        """The amount lies under the floor."""
        return pl.col("amount") >= FLOOR


def silver_sales(bronze_sales):
    """A sale is a sale."""
    return bronze_sales.with_columns(gross(pl.col("amount")))


def silver_returns(bronze_returns):
    return bronze_returns.with_columns(formulas.doubled(pl.col("amount")))
'''
NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def _modules_are_forgotten(tmp_path: Path) -> Iterator[None]:
    known = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        yield
    for name in set(sys.modules) - known:
        if name.startswith("project_"):
            del sys.modules[name]


def project(folder: Path, *edits: tuple[str, str]) -> ModuleType:
    """The domain's module in a project of its own, each edit made once in one of its two files."""
    name = f"project_{next(NUMBERS)}"
    texts = {"formulas.py": FORMULAS, "silver.py": SILVER.format(project=name)}
    for before, after in edits:
        found = [file for file, text in texts.items() if text.count(before) == 1]
        assert len(found) == 1, f"{before!r} is not once in one file"
        texts[found[0]] = texts[found[0]].replace(before, after)
    (folder / name).mkdir()
    for file, text in texts.items():
        (folder / name / file).write_text(text)
    importlib.invalidate_caches()
    return importlib.import_module(f"{name}.silver")


def of_sales(module: ModuleType) -> str:
    return code_version(module.Sales, module.silver_sales)


def of_returns(module: ModuleType) -> str:
    return code_version(module.silver_returns)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(('bronze_sales.with_columns(gross(pl.col("amount")))', "bronze_sales"), id="the function"),
        pytest.param(("doubled(value) + TAX", "doubled(value) - TAX"), id="a function that it calls"),
        pytest.param(("return value * 2", "return value + value"), id="a function called by that one"),
        pytest.param(("round(cents, 2)", "round(cents, 3)"), id="a method of a class in use"),
        pytest.param(("TAX = 1\n", "TAX = 2\n"), id="a number"),
        pytest.param(('("low", 0.2)', '("low", 0.3)'), id="a tuple"),
        pytest.param(("FLOOR = 0", "FLOOR = 1"), id="a constant of a rule"),
        pytest.param(('pl.col("amount") >= FLOOR', 'pl.col("amount") > FLOOR'), id="a rule"),
        pytest.param(("@reject", "@flag"), id="its action"),
        pytest.param(("ge=0", "ge=1"), id="a check of a column"),
        pytest.param(('column("Sale", key=True)', 'column("Sale")'), id="the key"),
        pytest.param(("amount: float", "amount: int"), id="a type"),
    ],
)
def test_what_decides_the_rows_changes_the_version(tmp_path: Path, edit: tuple[str, str]) -> None:
    assert of_sales(project(tmp_path, edit)) != of_sales(project(tmp_path))


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(("# the tax comes last", "# last of all, the tax\n    # and nothing after it"), id="a comment"),
        pytest.param(('"""A sale is a sale."""', '"""A sale is what was sold."""'), id="a docstring"),
        pytest.param(("return value * 2", "return (\n        value\n        * 2\n    )"), id="the layout"),
        pytest.param(("return value - 1", "return value - 2"), id="code that nothing uses"),
    ],
)
def test_what_does_not_touch_the_rows_leaves_the_version(tmp_path: Path, edit: tuple[str, str]) -> None:
    assert of_sales(project(tmp_path, edit)) == of_sales(project(tmp_path))


def test_a_change_touches_the_tables_that_use_it_and_no_others(tmp_path: Path) -> None:
    before, after = project(tmp_path), project(tmp_path, ("TAX = 1\n", "TAX = 2\n"))
    assert of_sales(after) != of_sales(before)
    assert of_returns(after) == of_returns(before)


def test_a_formula_named_through_its_module_counts(tmp_path: Path) -> None:
    before, after = project(tmp_path), project(tmp_path, ("return value * 2", "return value + value"))
    assert of_returns(after) != of_returns(before)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param('["a"]', '["b"]', id="a list"),
        pytest.param('{"a": 1}', '{"a": 2}', id="a dictionary"),
        pytest.param('frozenset({"a"})', 'frozenset({"b"})', id="a set"),
        pytest.param('[pl.col("a")]', '[pl.col("b")]', id="an expression"),
        pytest.param("range(2)", "range(3)", id="a range"),
        pytest.param("[True]", "[False]", id="a truth value"),
        pytest.param('{}\nRATES["a"] = 1', '{}\nRATES["a"] = 2', id="an item set later"),
        pytest.param('[]\nRATES.append("a")', '[]\nRATES.append("b")', id="a change in place"),
        pytest.param('()\nif pl:\n    RATES = ("a",)', '()\nif pl:\n    RATES = ("b",)', id="a condition"),
    ],
)
def test_a_constant_of_any_type_counts(tmp_path: Path, one: str, other: str) -> None:
    rates = '("low", 0.2)'
    assert of_sales(project(tmp_path, (rates, one))) != of_sales(project(tmp_path, (rates, other)))


def test_a_cached_function_counts(tmp_path: Path) -> None:
    cached = ("def doubled(value):", "import functools\n\n\n@functools.cache\ndef doubled(value):")
    changed = project(tmp_path, cached, ("return value * 2", "return value + value"))
    assert of_sales(changed) != of_sales(project(tmp_path, cached))
    assert code_version(sys.modules[f"{changed.__package__}.formulas"].doubled) != code_version(
        project(tmp_path, cached).formulas.doubled
    )


@pytest.mark.parametrize(
    "inside",
    [
        "from .formulas import unrelated\n    unrelated(1)",
        "from .formulas import unrelated as other\n    other(1)",
        "from . import formulas as other\n    other.unrelated(1)",
        "from .formulas import *\n    unrelated(1)",
    ],
)
def test_what_a_function_imports_inside_counts(tmp_path: Path, inside: str) -> None:
    at_top = "import *" in inside  # which no function may do
    edit = ("FLOOR = 0", "from .formulas import *\nFLOOR = 0") if at_top else ("FLOOR = 0", "FLOOR = 0  #")
    call = ('"""A sale is a sale."""', "unrelated(1)" if at_top else inside)
    before = project(tmp_path, edit, call)
    after = project(tmp_path, edit, call, ("return value - 1", "return value - 2"))
    assert of_sales(after) != of_sales(before)


def test_a_tuple_of_functions_counts_by_their_code(tmp_path: Path) -> None:
    edit = ('RATES = ("low", 0.2)\n', "def low():\n    return 1\n\n\nRATES = (low,)\n")
    before = of_sales(project(tmp_path, edit))
    assert of_sales(project(tmp_path, edit)) == before
    assert of_sales(project(tmp_path, edit, ("return 1\n", "return 2\n"))) != before


def test_numbers_side_by_side_are_told_apart(tmp_path: Path) -> None:
    versions = {
        of_sales(project(tmp_path, ("TAX = 1\nSURCHARGE = 23", numbers)))
        for numbers in ("SURCHARGE = 1\nTAX = 23", "SURCHARGE = 12\nTAX = 3")
    }
    assert len(versions | {code_version(1, 23), code_version(12, 3), code_version(123)}) == 5


def test_a_docstring_that_goes_changes_nothing(tmp_path: Path) -> None:
    assert of_sales(project(tmp_path, ('    """Half-even."""\n', ""))) == of_sales(project(tmp_path))


def test_a_place_in_memory_is_refused() -> None:
    with pytest.raises(ContractError, match="place in memory"):
        code_version(object())


def test_parameters_of_the_declaration_count() -> None:
    versions = {
        code_version(1, "a", 0.2),
        code_version(2, "a", 0.2),
        code_version(1, "b", 0.2),
        code_version(1, "a", 0.3),
    }
    assert len(versions) == 4


def test_every_process_finds_the_same_versions_for_every_table() -> None:
    script = (
        "from lakehouse_assets.house import tables\n"
        "for name, table in tables().items(): print(name, table.code_version)"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "4711")
    ]
    assert told[0] == told[1]
    versions = [line.split()[1] for line in told[0].splitlines()]
    assert len(versions) == len(set(versions)) > 10
