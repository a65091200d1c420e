"""What a function imports in its body counts for the version of its table, and is not run for that."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest

from lakehouse_assets.lake.code_version import _imported_in
from lakehouse_assets.lake.errors import ContractError
from lakehouse_assets_tests.lake.test_code_version import (
    NUMBERS,
    _modules_are_forgotten,  # noqa: F401 - each project is loaded anew
    of_sales,
    project,
)

INSIDE = '    """A sale is a sale."""\n'
MODELS = "models.py"
MODEL = '''
"""Models."""
import no_such_library

from .rates import RATE


def fitted(value):
    """The model's value."""
    return no_such_library.fit(value) * RATE
'''


def with_models(folder: Path, statement: str, *edits: tuple[str, str], model: str = MODEL, rate: int = 1) -> str:
    """The version of sales that import two more modules, which are not loaded, inside of their function."""
    name = f"project_{next(NUMBERS)}"
    (folder / name).mkdir()
    (folder / name / "models.py").write_text(model)
    (folder / name / "rates.py").write_text(f"RATE = {rate}\n")
    statement = statement.replace("PROJECT", name)
    module = project(folder, (INSIDE, f"    {statement}\n"), *edits, name=name)
    before = set(sys.modules)
    version = of_sales(module)
    assert set(sys.modules) == before, "what takes long to run is read only"
    return version


IMPORTS = [
    "from .models import fitted",
    "from . import models",
    "from . import models as m, formulas as f",
]


@pytest.mark.parametrize("statement", IMPORTS)
def test_what_a_function_imports_inside_counts_before_it_is_loaded(tmp_path: Path, statement: str) -> None:
    usual = with_models(tmp_path, statement)
    assert with_models(tmp_path, statement, model=MODEL.replace("fit(value)", "refit(value)")) != usual
    assert with_models(tmp_path, statement, rate=2) != usual, "the module that it imports in turn"


@pytest.mark.parametrize("statement", IMPORTS)
def test_words_about_what_a_function_imports_inside_do_not_count(tmp_path: Path, statement: str) -> None:
    worded = MODEL.replace("Models.", "All of the models.").replace("The model's value.", "What the model says.")
    assert with_models(tmp_path, statement, model=worded) == with_models(tmp_path, statement)


def test_an_import_inside_counts_the_same_whether_it_is_loaded_or_not(tmp_path: Path) -> None:
    model = MODEL.replace("import no_such_library", "import json as no_such_library")
    name = f"project_{next(NUMBERS)}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "models.py").write_text(model)
    (tmp_path / name / "rates.py").write_text("RATE = 1\n")
    module = project(tmp_path, (INSIDE, "    from .models import fitted\n"), name=name)
    before = of_sales(module)
    importlib.import_module(f"{name}.models")
    assert of_sales(module) == before


def test_modules_that_import_each_other_are_read_once(tmp_path: Path) -> None:
    circle = MODEL + "\n\ndef back():\n    from . import silver, models\n"
    assert with_models(tmp_path, "from .models import fitted", model=circle)


@pytest.mark.parametrize(
    "statement",
    [
        "from PROJECT.rates import RATE",
        "import PROJECT.rates",
        "from PROJECT import rates",
        "import_module('PROJECT.rates')",
        "importlib.import_module('PROJECT.rates')",
    ],
)
def test_an_import_by_the_whole_name_counts(tmp_path: Path, statement: str) -> None:
    """One project, for the function's own text holds its name."""
    name = f"project_{next(NUMBERS)}"
    (tmp_path / name).mkdir()
    rates = tmp_path / name / "rates.py"
    rates.write_text("RATE = 1\n")
    module = project(tmp_path, (INSIDE, f"    {statement.replace('PROJECT', name)}\n"), name=name)
    before = of_sales(module)
    assert of_sales(module) == before
    rates.write_text("RATE = 2\n")
    assert of_sales(module) != before


def test_an_import_of_a_module_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"project_\d+\.silver imports project_\d+\.lost, which is no module"):
        with_models(tmp_path, "from .lost import fitted")


def test_an_import_by_a_name_put_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"project_\d+\.silver imports what is named at run time"):
        with_models(tmp_path, "import_module('PROJECT.' + 'models')")


def test_the_framework_is_not_followed_but_for_its_values(tmp_path: Path) -> None:
    code = "from lakehouse_assets.lake import storage, values\nfrom lakehouse_assets import house, lake\nimport polars"
    found = _imported_in(ast.parse(code), "lakehouse_assets.domains.crm.silver")
    assert found == ["lakehouse_assets", "lakehouse_assets.house", "lakehouse_assets.lake.values"]
