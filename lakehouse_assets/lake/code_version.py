"""The code version of a table: a digest of all the project's code that decides its rows.

A function is followed into every function, class and constant of this project that it names, so a change in a shared
formula makes the tables stale that use it, and no others. What a function imports in its body counts as whole modules,
read and not run: they may be imported there because running them takes long. Docstrings, comments and layout do not
count. Not followed: other packages, names put together at run time, attributes of objects, and the framework but for
its values: what it makes of a declaration has a version of its own, which the declaration passes in.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import resolve_name
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import polars as pl

from lakehouse_assets.lake.errors import ContractError

LENGTH = 16
FRAMEWORK = "lakehouse_assets.lake."
VALUES = "lakehouse_assets.lake.values"
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")
IMPORTING = ("import_module", "__import__")
SCOPES = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def code_version(*parts: Any) -> str:
    """Digest of functions, classes and plain values, with the project's own code that they reach.

    Raises ContractError for a value that is not the same in every process, and for code without a source.
    """
    digest = hashlib.sha256()
    seen: set[int | str] = set()
    for part in parts:
        for text in _texts(part, seen):
            digest.update(f"{len(text)}:{text}".encode())  # the length keeps neighbours apart
    return digest.hexdigest()[:LENGTH]


def _texts(part: Any, seen: set[int | str]) -> Iterator[str]:
    part = inspect.unwrap(part) if callable(part) else part
    if isinstance(part, (FunctionType, type)):
        yield from _code_texts(part, seen)
    elif isinstance(part, Mapping):
        for key in sorted(part, key=repr):
            yield repr(key)
            yield from _texts(part[key], seen)
    elif isinstance(part, (list, tuple)):
        yield f"{type(part).__name__} of {len(part)}"
        for item in part:
            yield from _texts(item, seen)
    elif isinstance(part, (set, frozenset)):
        yield from sorted(repr(item) for item in part)
    else:
        if ADDRESS.search(text := _plain(part)):
            raise ContractError(f"{text} names a place in memory, which no other process has: declare plain values")
        yield text


def _code_texts(part: Any, seen: set[int | str]) -> Iterator[str]:
    if id(part) in seen:
        return
    seen.add(id(part))
    source, uses, modules = _read(part)
    yield source
    for name, used in uses:
        yield name
        yield from _texts(used, seen)
    for module in modules:
        yield from _module_texts(module, seen)


@cache
def _read(part: Any) -> tuple[str, list[tuple[str, Any]], list[str]]:
    """The code of a function or class, what of the project it names, and the modules that it imports."""
    tree = _tree(part)
    return ast.unparse(tree), _used_by(part, tree), _imported_in(tree, part.__module__)


def _tree(part: Any) -> ast.Module:
    try:
        source = inspect.getsource(part)
    except (OSError, TypeError) as error:
        raise ContractError(f"{part.__module__}.{part.__qualname__} has no source: write it into a module") from error
    return _without_docstrings(ast.parse(textwrap.dedent(source)))


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, SCOPES) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _module_texts(name: str, seen: set[int | str]) -> Iterator[str]:
    """A module's code, and that of the project's modules that it imports; none of them is run."""
    spec = _spec(name)
    if name in seen or spec is None or spec.origin is None:  # a folder without __init__.py has no code
        return
    seen.add(name)
    tree = _without_docstrings(ast.parse(Path(spec.origin).read_bytes()))
    yield name.partition(".")[2]
    yield ast.unparse(tree)
    for imported in _imported_in(tree, name):
        yield from _module_texts(imported, seen)


def _imported_in(tree: ast.Module, module: str) -> list[str]:
    """The project's modules that the code of a module imports, sorted; the framework is left out."""
    named: set[str] = set()
    perhaps: set[str] = set()  # a name that is imported may be a module itself
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            base = resolve_name(relative, _package(module)) if node.level else relative
            named.add(base)
            perhaps |= {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and _called(node) in IMPORTING:
            if not (node.args and isinstance(node.args[0], ast.Constant)):
                raise ContractError(
                    f"{module} imports what is named at run time: import it by its name, to be followed"
                )
            named.add(str(node.args[0].value))
    own = {
        name
        for name in named | perhaps
        if name.split(".")[0] == module.split(".", maxsplit=1)[0] and not _is_framework(name)
    }
    if lost := sorted(name for name in named & own if _spec(name) is None):
        raise ContractError(f"{module} imports {lost[0]}, which is no module of the project: mend the import")
    return sorted(name for name in own if _spec(name) is not None)


def _called(call: ast.Call) -> str | None:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", None)


@cache
def _spec(name: str) -> ModuleSpec | None:
    """Where a module of a package that is loaded lies, found without running what is on the way to it."""
    project, *below = name.split(".")
    spec = getattr(sys.modules[project], "__spec__", None)
    for position in range(1, len(below) + 1):
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(".".join([project, *below[:position]]), spec.submodule_search_locations)
    return spec


def _package(module: str) -> str:
    spec = _spec(module)
    return module if spec and spec.submodule_search_locations is not None else module.rpartition(".")[0]


def _used_by(part: Any, tree: ast.Module) -> list[tuple[str, Any]]:
    """The project's functions, classes and constants that the code of `part` names, sorted by name."""
    project = part.__module__.split(".")[0]
    scope = vars(sys.modules[part.__module__])
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in scope:
            found[node.id] = scope[node.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = scope.get(node.value.id)
            if isinstance(module, ModuleType) and module.__name__.split(".")[0] == project:
                found[f"{node.value.id}.{node.attr}"] = vars(module).get(node.attr)
    return [(name, found[name]) for name in sorted(found) if _counts(found[name], project)]


def _counts(value: Any, project: str) -> bool:
    """Whether a named value is the project's code, or a constant that says the same in every process."""
    if isinstance(value, ModuleType) or value is None:
        return False
    value = inspect.unwrap(value) if callable(value) else value
    if isinstance(value, (FunctionType, type)):
        return value.__module__.split(".")[0] == project and not _is_framework(value.__module__)
    if callable(value):
        return False
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(_counts(item, project) or item is None for item in value)
    if isinstance(value, Mapping):
        return all(_counts(item, project) or item is None for item in value.values())
    return not ADDRESS.search(_plain(value))


def _is_framework(module: str) -> bool:
    return f"{module}.".startswith(FRAMEWORK) and not module.startswith(VALUES)


def _plain(value: Any) -> str:
    return str(value) if isinstance(value, pl.Expr) else repr(value)
