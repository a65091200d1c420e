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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from lakehouse_assets.lake.errors import ContractError

LENGTH = 16
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Link(NamedTuple):
    """A name in a module below `root`, the folder of its top-level package; without a name, the module itself."""

    root: Path
    module: str
    name: str = ""


class Code(NamedTuple):
    """The normal text of a definition, and what it names."""

    text: str
    links: frozenset[Link]


@dataclass
class _Module:
    """The statements of a module by the names that they bind, and the names that it imports."""

    nodes: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, set[Link]] = field(default_factory=dict)
    stars: list[Link] = field(default_factory=list)


def code_version(*parts: Any) -> str:
    """Digest of functions, classes and plain values, with the project's own code that they reach.

    Raises `ContractError` for a part that is not the same in every process, or that has no source.
    """
    followed: dict[str, str] = {}
    texts = [_text(part, followed) for part in parts]
    digest = hashlib.sha256()
    for text in (*texts, *(f"{name}\n{followed[name]}" for name in sorted(followed))):
        digest.update(f"{len(text)}:{text}".encode())  # the length keeps neighbours apart
    return digest.hexdigest()[:LENGTH]


def _text(part: Any, followed: dict[str, str]) -> str:
    """The text of a value; code that it reaches is added to `followed`."""
    if isinstance(part, type) or inspect.isroutine(part) or hasattr(part, "__wrapped__"):
        return _text_of_code(inspect.unwrap(part), followed)
    if isinstance(part, Mapping):
        return f"{{{', '.join(f'{_text(key, followed)}: {_text(part[key], followed)}' for key in part)}}}"
    if isinstance(part, (list, tuple)):
        return f"{type(part).__name__}({', '.join(_text(item, followed) for item in part)})"
    if isinstance(part, (set, frozenset)):
        return f"{type(part).__name__}({', '.join(sorted(_text(item, followed) for item in part))})"
    if ADDRESS.search(text := repr(part)):
        raise ContractError(f"{text} names a place in memory, which no other process has: declare it as plain values")
    return text


def _text_of_code(part: Any, followed: dict[str, str]) -> str:
    qualified = f"{_below(part.__module__ or '')}.{part.__qualname__}"
    module = sys.modules.get(part.__module__ or "")
    file = getattr(module, "__file__", None)
    if file is None or not _is_project(file):
        return f"{part.__module__}.{part.__qualname__}"
    depth = part.__module__.count(".") + (Path(file).name == "__init__.py")
    link = Link(Path(file).parents[depth], part.__module__, part.__qualname__.split(".")[0])
    if "<" in part.__qualname__ or not (found := list(_definitions(link))):
        code = _code(link, [_source(part)])
        followed[qualified] = code.text
        found = [definition for used in sorted(code.links) for definition in _definitions(used)]
        if inspect.isfunction(part):
            for name, value in sorted(inspect.getclosurevars(part).nonlocals.items()):
                if isinstance(value, (type, str, int, float, tuple)) or callable(value):
                    followed[f"{qualified}.{name}"] = _text(value, followed)
    _follow(found, followed)
    return qualified


def _is_project(file: str) -> bool:
    """Whether a file is neither the standard library's nor an installed package of others."""
    folders = Path(file).parts
    ours = Path(__file__).parents[1]
    installed = {"site-packages", "dist-packages"} & set(folders) or Path(file).is_relative_to(Path(ast.__file__).parent)
    return Path(file).is_relative_to(ours) or not installed


def _source(part: Any) -> ast.stmt:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(part)))
    except (OSError, TypeError, SyntaxError) as error:
        raise ContractError(f"{part!r} has no source that can be read: define it by `def` in a module") from error
    _strip(tree)
    return tree.body[0]


def _follow(links: list[Link], followed: dict[str, str]) -> None:
    while links:
        link = links.pop()
        name = f"{_below(link.module)}.{link.name}"
        if name not in followed:
            code = _definition(link)
            followed[name] = code.text
            links += code.links


def _below(module: str) -> str:
    """A module's name without its top-level package."""
    return module.partition(".")[2]


@lru_cache(maxsize=None)
def _definition(link: Link) -> Code:
    """The code of a name that its module defines; the links are definitions too."""
    module = _module(link.root, link.module)
    code = _code(link, module.nodes[link.name] if module else [])
    return Code(code.text, frozenset(found for used in code.links for found in _definitions(used)))


def _definitions(link: Link, seen: frozenset[Link] = frozenset()) -> Iterator[Link]:
    """Where a name is defined, imports followed; of a module that is used as a value, all that it defines."""
    module = None if link in seen else _module(link.root, link.module)
    if module is None:
        return
    seen |= {link}
    first, _, rest = link.name.partition(".")
    if not link.name:
        yield from (link._replace(name=name) for name in module.nodes)
    if first in module.nodes:
        yield link._replace(name=first)
    for imported in module.imports.get(first, ()):
        yield from _definitions(imported._replace(name=".".join(filter(None, (imported.name, rest)))), seen)
    if link.name and first not in module.nodes and first not in module.imports:
        yield from _definitions(Link(link.root, f"{link.module}.{first}", rest), seen)
        for star in module.stars:
            yield from _definitions(star._replace(name=link.name), seen)


def _code(link: Link, nodes: list[ast.stmt]) -> Code:
    """The text of statements of a module and every dotted name in them, own imports resolved."""
    inside = _Module()
    names: set[str] = set()
    for statement in nodes:
        for node in ast.walk(statement):
            _add_import(inside, link, node)
            if dotted := _dotted(node):
                names.add(dotted)
        # `a.b.c` is met as `a.b` and `a` too
    inner = {name.rpartition(".")[0] for name in names}
    links = {link._replace(name=name) for name in names - _bare_prefixes(nodes, inner)}
    for name in names:
        first, _, rest = name.partition(".")
        for imported in inside.imports.get(first, ()):
            links.add(imported._replace(name=".".join(filter(None, (imported.name, rest)))))
    return Code("\n".join(map(ast.unparse, nodes)), frozenset(links))
