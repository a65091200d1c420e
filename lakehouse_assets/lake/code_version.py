"""The code version of a table: a digest of all the project's code that decides its rows.

Read from the source of the modules, never from what they hold at the moment, so that every process finds the same.
A function is followed into every function, class and constant of its own top-level package that it names, so a change
in a shared formula makes the tables stale that use it, and no others. Docstrings, comments and layout do not count.
Not followed: other packages, names put together at run time, and attributes of objects.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from lakehouse_assets.lake.errors import ContractError

LENGTH = 16
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
BLOCKS = (ast.If, ast.Try, ast.With, ast.For, ast.While, ast.Match)


class Link(NamedTuple):
    """A dotted name seen from a module, whose package lies in the folder `root`; without a name, the module itself."""

    root: Path
    module: str
    name: str = ""

    def of(self, *names: str) -> Link:
        """The same module, another name."""
        return self._replace(name=".".join(filter(None, names)))


class Code(NamedTuple):
    """The normal text of a definition, and what it names."""

    text: str
    links: frozenset[Link]


@dataclass
class Names:
    """What a module binds: its own statements by name, what it imports by name, and imports of everything."""

    statements: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, set[Link]] = field(default_factory=dict)
    stars: list[Link] = field(default_factory=list)


def code_version(*parts: Any) -> str:
    """Digest of functions, classes and plain values, with the project's own code that they reach.

    Raises `ContractError` for a part that is not the same in every process, or that has no source.
    """
    projects = {_top(part.__module__) for part in map(inspect.unwrap, parts) if _is_code(part)}
    followed: dict[str, str] = {}
    texts = [_text(part, projects, followed) for part in parts]
    digest = hashlib.sha256()
    for text in (*texts, *(f"{name}\n{followed[name]}" for name in sorted(followed))):
        digest.update(f"{len(text)}:{text}".encode())  # the length keeps neighbours apart
    return digest.hexdigest()[:LENGTH]


def _is_code(part: Any) -> bool:
    return isinstance(part, type) or inspect.isroutine(part)


def _text(part: Any, projects: set[str], followed: dict[str, str]) -> str:
    """The text of a value; the code that it reaches is added to `followed`."""
    if _is_code(part := inspect.unwrap(part)):
        return _followed(part, projects, followed)
    if isinstance(part, Mapping):
        pairs = (f"{_text(key, projects, followed)}: {_text(part[key], projects, followed)}" for key in part)
        return f"{{{', '.join(pairs)}}}"
    if isinstance(part, (list, tuple, set, frozenset)):
        items = [_text(item, projects, followed) for item in part]
        ordered = sorted(items) if isinstance(part, (set, frozenset)) else items
        return f"{type(part).__name__}({', '.join(ordered)})"
    if ADDRESS.search(text := repr(part)):
        raise ContractError(f"{text} names a place in memory, which no other process has: declare it by plain values")
    return text


def _followed(part: Any, projects: set[str], followed: dict[str, str]) -> str:
    name, qualname = part.__module__ or "", part.__qualname__
    file = getattr(sys.modules.get(name), "__file__", None)
    if _top(name) not in projects or file is None:
        return f"{name}.{qualname}"
    depth = name.count(".") + (Path(file).name == "__init__.py")
    link = Link(Path(file).parents[depth], name, qualname.split(".")[0])
    found = [] if "<" in qualname else list(_definitions(link))
    if not found:  # made inside a function
        code = _code(link, [_source(part)])
        followed[_label(link.of(qualname))] = code.text
        found = [definition for used in code.links for definition in _definitions(used)]
        for free, value in inspect.getclosurevars(part).nonlocals.items() if inspect.isfunction(part) else ():
            if value is not part and _is_code(value):
                followed[_label(link.of(qualname, free))] = _text(value, projects, followed)
    while found:
        definition = found.pop()
        if (label := _label(definition)) not in followed:
            followed[label], used_by_it = _definition(definition)
            found += used_by_it
    return _label(link.of(qualname))


def _source(part: Any) -> ast.stmt:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(part)))
    except (OSError, TypeError, SyntaxError) as error:
        raise ContractError(f"{part!r} has no source that can be read: define it by `def` in a module") from error
    return _without_docstrings(tree).body[0]


def _top(module: str) -> str:
    return module.partition(".")[0]


def _label(link: Link) -> str:
    return f"{link.module.partition('.')[2]}:{link.name}"


@cache
def _definition(link: Link) -> Code:
    names = _names(link.root, link.module)
    code = _code(link, names.statements[link.name] if names else [])
    return Code(code.text, frozenset(found for used in code.links for found in _definitions(used)))


def _definitions(link: Link, seen: frozenset[Link] = frozenset()) -> Iterator[Link]:
    """Where a name is defined, imports followed; for a module that is used as a value, all that it defines."""
    names = None if link in seen else _names(link.root, link.module)
    if names is None:
        return
    seen |= {link}
    first, _, rest = link.name.partition(".")
    if not first:
        yield from map(link.of, names.statements)
    elif first in names.statements:
        yield link.of(first)
    for imported in names.imports.get(first, ()):
        yield from _definitions(imported.of(imported.name, rest), seen)
    if first and first not in names.statements and first not in names.imports:
        yield from _definitions(Link(link.root, f"{link.module}.{first}", rest), seen)
        for star in names.stars:
            yield from _definitions(star.of(link.name), seen)


def _code(link: Link, statements: list[ast.stmt]) -> Code:
    inside = Names()
    for node in (node for statement in statements for node in ast.walk(statement)):
        _add_import(inside, link, node)
    links = set(inside.stars)
    for name in {name for statement in statements for name in _dotted_names(statement)}:
        first, _, rest = name.partition(".")
        links |= {link.of(name)} | {found.of(found.name, rest) for found in inside.imports.get(first, ())}
    return Code("\n".join(map(ast.unparse, statements)), frozenset(links))


def _dotted_names(node: ast.AST) -> Iterator[str]:
    """Every name as far as its attributes go: `a.b.c` and not `a` too."""
    attributes: list[str] = []
    inner = node
    while isinstance(inner, ast.Attribute):
        attributes.insert(0, inner.attr)
        inner = inner.value
    if isinstance(inner, ast.Name):
        yield ".".join((inner.id, *attributes))
    else:
        for child in ast.iter_child_nodes(inner):
            yield from _dotted_names(child)


@cache
def _names(root: Path, module: str) -> Names | None:
    """The names of a module of the project, None if there is no such module."""
    base = root.joinpath(*module.split("."))
    file = next((file for file in (base / "__init__.py", base.with_suffix(".py")) if file.is_file()), None)
    if file is None:
        return Names() if base.is_dir() else None  # a package needs no file
    names = Names()
    link = Link(root, module)
    for statement in _without_docstrings(ast.parse(file.read_bytes())).body:
        for name in _bound_by(statement):
            names.statements.setdefault(name, []).append(statement)
        for node in ast.walk(statement) if isinstance(statement, BLOCKS) else (statement,):
            _add_import(names, link, node)
    return names


def _bound_by(statement: ast.stmt) -> set[str]:
    """The names that a statement of a module sets or changes in place: `a = 1`, `a["b"] = 1`, `a.update(b)`."""
    if isinstance(statement, SCOPES):
        return {statement.name}
    bound: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, SCOPES):
            bound.add(node.name)
        elif isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
            bound |= _root_of(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            bound |= _root_of(node.value.func) if isinstance(node.value.func, ast.Attribute) else set()
    return bound


def _root_of(node: ast.AST) -> set[str]:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def _add_import(names: Names, link: Link, node: ast.AST) -> None:
    """Note what an import in `link` binds, if it comes from the same top-level package."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if _top(alias.name) == _top(link.module):
                bound = alias.asname or _top(alias.name)
                names.imports.setdefault(bound, set()).add(Link(link.root, alias.name if alias.asname else bound))
    elif isinstance(node, ast.ImportFrom):
        source = node.module or ""
        if node.level:
            is_package = link.root.joinpath(*link.module.split("."), "__init__.py").is_file()
            parts = link.module.split(".")
            package = parts[: len(parts) - node.level + is_package]
            source = ".".join(filter(None, (*package, source)))
        if _top(source) == _top(link.module):
            for alias in node.names:
                if alias.name == "*":
                    names.stars.append(Link(link.root, source))
                else:
                    names.imports.setdefault(alias.asname or alias.name, set()).add(Link(link.root, source, alias.name))


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, *SCOPES)):
            kept = [s for s in node.body if not (isinstance(s, ast.Expr) and _is_text(s.value))]
            node.body = kept or ([] if isinstance(node, ast.Module) else [ast.Pass()])
    return tree


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
