"""The lake in SQL: every table as a DuckDB view `<domain>.<layer>.<table>` over its Delta table.

Belongs here: views, and connections that have them. Not here: what a statement may do (`sql_check`, `sql`).

DuckDB reads an address as database, schema and table, so each domain is a database. A connection attaches an empty
one in memory for each and makes its views anew: they are as fresh as the lake, and no file can grow stale.
"""

from __future__ import annotations

import importlib.util
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakehouse_assets.lake.duckdb_secrets import CatalogError, access, duckdb_root, literal
from lakehouse_assets.lake.ledger import LANDING_FILES, LEDGER
from lakehouse_assets.lake.names import TableName, check_tenant

if TYPE_CHECKING:
    from dagster_duckdb import DuckDBResource
    from duckdb import DuckDBPyConnection

ATTACH_ALL = "attach.sql"


def catalog_tables(declared: Iterable[TableName]) -> list[TableName]:
    """All that SQL can name: the tables declared, the quarantine of each, and the platform's bookkeeping."""
    names = list(declared)
    return sorted({*names, *(name.quarantine for name in names), LEDGER, LANDING_FILES})


def built_tables(
    root: str, tables: Iterable[TableName], storage_options: Mapping[str, str] | None = None
) -> list[TableName]:
    """Those tables that are in the lake, in order. Raises CatalogError where the lake cannot be reached."""
    options = dict(storage_options or {})
    base = root.rstrip("/")
    try:
        return [name for name in sorted(set(tables)) if DeltaTable.is_deltatable(f"{base}/{name.path}", options)]
    except (DeltaError, OSError, ValueError) as error:
        raise CatalogError(f"the lake at {root} cannot be reached: {error}") from error


def connect(
    root: str,
    tables: Iterable[TableName],
    *,
    tenant: str | None = None,
    storage_options: Mapping[str, str] | None = None,
    memory_limit: str | None = None,
    locked: bool = True,
) -> DuckDBPyConnection:
    """Open a connection with a view for each of `tables` that is in the lake.

    With `tenant`, the views hold that tenant's rows only, and DuckDB may open no file of another's. `locked` keeps
    the connection from any file outside these tables and from changing its settings; it still runs whatever it is
    given, so statements of others go through `sql.query`. `memory_limit` as DuckDB writes it (`2GB`).
    Raises CatalogError where the lake or an extension cannot be opened.
    """
    built = built_tables(root, tables, storage_options)
    return open_built(
        root, built, tenant=tenant, storage_options=storage_options, memory_limit=memory_limit, locked=locked
    )


def open_built(
    root: str,
    built: Sequence[TableName],
    *,
    tenant: str | None,
    storage_options: Mapping[str, str] | None,
    memory_limit: str | None,
    locked: bool,
) -> DuckDBPyConnection:
    """`connect` for tables that are known to be in the lake."""
    import duckdb

    if tenant is not None:
        check_tenant(tenant)
    base = duckdb_root(root)
    config: dict[str, Any] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",
        # Removed when the connection closes. By default DuckDB would spill into the working directory.
        "temp_directory": str(Path(tempfile.gettempdir()) / f"lakehouse-sql-{uuid.uuid4().hex}"),
    }
    if memory_limit is not None:
        config["memory_limit"] = memory_limit
    connection = duckdb.connect(":memory:", config=config)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        _open_storage(connection, root, storage_options or {})
        for domain in sorted({name.domain for name in built}):
            connection.execute(f"ATTACH ':memory:' AS {_quoted(domain)}")
        _create_views(connection, base, built, tenant)
        if locked:
            folders = [f"{base}/{name.path}/" + (f"tenant_id={tenant}/" if tenant else "") for name in built]
            connection.execute("SET allowed_directories = ?", [folders])
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        raise CatalogError(f"the lake at {root} cannot be opened by DuckDB: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def write_catalog(
    folder: Path, root: str, tables: Iterable[TableName], *, storage_options: Mapping[str, str] | None = None
) -> list[Path]:
    """Write a DuckDB file of views for each domain, and `attach.sql` that opens them all; return the files.

    For other programs: DuckDB names an open file after its file name, so that `crm.duckdb` answers to
    `crm.gold.customer_features`. The views keep their tables' columns of today: write them again after a change.
    Files are replaced whole, and hold no credentials.
    """
    import duckdb

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    built = built_tables(root, tables, storage_options)
    with open_built(
        root, built, tenant=None, storage_options=storage_options, memory_limit=None, locked=False
    ) as connection:
        for domain in sorted({name.domain for name in built}):
            target, draft = folder / f"{domain}.duckdb", folder / f"{domain}.{uuid.uuid4().hex}.tmp"
            try:
                connection.execute(f"DETACH {_quoted(domain)}")
                connection.execute(f"ATTACH {literal(str(draft))} AS {_quoted(domain)}")
                _create_views(connection, duckdb_root(root), [name for name in built if name.domain == domain], None)
                connection.execute(f"DETACH {_quoted(domain)}")
            except duckdb.Error as error:
                draft.unlink(missing_ok=True)
                raise CatalogError(f"the catalog of {domain} cannot be written into {folder}: {error}") from error
            draft.replace(target)
            written.append(target)
    attach = folder / ATTACH_ALL
    lines = [f"ATTACH {literal(str(path.resolve()))} AS {_quoted(path.stem)} (READ_ONLY);" for path in written]
    attach.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [*written, attach]


def duckdb_resource(
    root: str,
    tables: Iterable[TableName],
    *,
    storage_options: Mapping[str, str] | None = None,
    memory_limit: str | None = None,
    locked: bool = True,
) -> DuckDBResource:
    """Dagster's DuckDB resource, whose connections are those of `connect`.

    The storage options stay out of the resource's configuration, which Dagster shows.
    """
    from dagster_duckdb import DuckDBResource

    names = list(tables)

    class LakeDuckDB(DuckDBResource):
        """DuckDB over the tables of the lake; opened anew each time."""

        @contextmanager
        def get_connection(self) -> Iterator[DuckDBPyConnection]:
            with connect(
                root, names, storage_options=storage_options, memory_limit=memory_limit, locked=locked
            ) as connection:
                yield connection

    return LakeDuckDB(database=":memory:")


def extension_path(name: str) -> Path:
    """Where the package of a DuckDB extension has its file, so that it loads without a network.

    Raises CatalogError where the package, or its file for this release of DuckDB, is missing.
    """
    import duckdb

    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    folders = list(found.submodule_search_locations or []) if found else []
    for folder in folders:
        path = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if path.is_file():
            return path
    raise CatalogError(f"DuckDB's extension {name} is missing: install duckdb-extension-{name}=={duckdb.__version__}")


def _open_storage(connection: DuckDBPyConnection, root: str, storage_options: Mapping[str, str]) -> None:
    needed = access(root, storage_options)
    for name in (*needed.extensions, "delta"):
        connection.execute(f"LOAD {literal(str(extension_path(name)))}")
    if needed.secret:
        connection.execute(needed.secret)


def _create_views(connection: DuckDBPyConnection, base: str, built: Iterable[TableName], tenant: str | None) -> None:
    for name in built:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(name.domain)}.{_quoted(name.layer)}")
        view = ".".join(_quoted(part) for part in name)
        only = f" WHERE tenant_id = {literal(tenant)}" if tenant else ""
        rows = f"SELECT * FROM delta_scan({literal(f'{base}/{name.path}')}){only}"  # noqa: S608 - all parts are quoted
        connection.execute(f"CREATE VIEW {view} AS {rows}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
