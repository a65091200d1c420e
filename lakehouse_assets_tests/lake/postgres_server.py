"""A PostgreSQL server of our own, from Debian's package, for the tests marked `postgres`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as db

MISSING = "PostgreSQL's server is missing: apt-get install postgresql (it need not be running)"


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


@contextmanager
def private_server() -> Iterator[Databases]:
    """Start a server in a folder of its own; stop it and remove the folder at the end."""
    installed = shutil.which("initdb")
    programs = [*sorted(Path("/usr/lib/postgresql").glob("*/bin")), *([Path(installed).parent] if installed else [])]
    if not programs:
        pytest.fail(MISSING, pytrace=False)
    # The server refuses to run as root; the package makes the user.
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    # A short name: the path of a socket has at most 107 characters, which pytest's own folders may exceed.
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        if as_user:
            shutil.chown(folder, "postgres", "postgres")

        def run(program: str, *arguments: str) -> None:
            command = [*as_user, str(programs[-1] / program), "--pgdata", f"{folder}/data", *arguments]
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
