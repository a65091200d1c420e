"""Servers that speak the protocols of S3 and of Azure's Blob service, each on a free port of this machine.

Belongs here: starting, stopping and the options that lead to them. Not here: what lies on them (`faults.places`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
AZURITE = PROJECT / ".tools/node_modules/azurite/dist/src/blob/main.js"
MISSING_NODE = "Node.js is missing, which Azurite runs on: apt-get install npm"
MISSING_AZURITE = "Azurite is missing: `make tools` installs it into .tools (by npm: apt-get install npm)"
BUCKET = "lakehouse"
START_SECONDS = 60
# The account of every Azurite, as its documentation has it.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
API_VERSION = "2021-08-06"


@dataclass(frozen=True)
class Emulator:
    """A running server with one empty bucket or container.

    `url` is that of the bucket, `options` are storage options, `environment` is what they cannot say.
    """

    name: str
    url: str
    options: Mapping[str, str]
    environment: Mapping[str, str]


@contextmanager
def s3() -> Iterator[Emulator]:
    """The server of moto, which keeps objects in memory and takes conditional puts."""
    port = _free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running("moto's server", command, port):
        _ask(port, "PUT", f"/{BUCKET}", {})
        options = {
            "aws_access_key_id": "testing",
            "aws_secret_access_key": "testing",
            "aws_region": "us-east-1",
            "aws_endpoint_url": endpoint,
            "aws_allow_http": "true",
        }
        yield Emulator("s3", f"s3://{BUCKET}", options, {})


@contextmanager
def azure() -> Iterator[Emulator]:
    """Azurite's Blob service, in memory."""
    node = shutil.which("node")
    if node is None:
        pytest.fail(MISSING_NODE, pytrace=False)
    if not AZURITE.is_file():
        pytest.fail(MISSING_AZURITE, pytrace=False)
    port = _free_port()
    endpoint = f"http://127.0.0.1:{port}"
    flags = ["--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    command = [node, str(AZURITE), "--blobHost", "127.0.0.1", "--blobPort", str(port), *flags]
    with _running("Azurite", command, port):
        _ask(port, "PUT", f"/{ACCOUNT}/{BUCKET}?restype=container", _signed(f"{BUCKET}\nrestype:container"))
        options = {
            "azure_storage_account_name": ACCOUNT,
            "azure_storage_account_key": ACCOUNT_KEY,
            # An endpoint would not do: object stores list Azurite in the way it understands only where they know it.
            "azure_storage_use_emulator": "true",
        }
        url = f"abfss://{BUCKET}@{ACCOUNT}.dfs.core.windows.net"
        yield Emulator("azure", url, options, {"AZURITE_BLOB_STORAGE_URL": endpoint})


@contextmanager
def _running(name: str, command: list[str], port: int) -> Iterator[None]:
    """Start a server and wait until it listens."""
    with tempfile.TemporaryDirectory(prefix="emulator-") as folder, (Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until = time.monotonic() + START_SECONDS
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > until:
                    said = (Path(folder) / "log").read_text(errors="replace")
                    pytest.fail(f"{name} does not start:\n{said}", pytrace=False)
                time.sleep(0.05)
            yield
        finally:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ask(port: int, method: str, path: str, headers: Mapping[str, str]) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    connection.request(method, path, headers={"Content-Length": "0", **headers})
    answer = connection.getresponse()
    if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
        pytest.fail(f"{method} {path}: {answer.status} {answer.read().decode(errors='replace')}", pytrace=False)
    connection.close()


def _signed(resource: str) -> dict[str, str]:
    """The headers of a PUT without a body, signed as Azure's documentation of Shared Key says."""
    headers = {"x-ms-date": format_datetime(datetime.now(UTC), usegmt=True), "x-ms-version": API_VERSION}
    told = "".join(f"{header}:{value}\n" for header, value in headers.items())
    text = "PUT" + "\n" * 12 + told + f"/{ACCOUNT}/{ACCOUNT}/{resource}"
    signature = hmac.new(base64.b64decode(ACCOUNT_KEY), text.encode(), hashlib.sha256).digest()
    return {**headers, "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}"}
