"""What DuckDB needs to read a remote lake: its extension and a secret, from the lake's own storage options.

Belongs here: the names that delta-rs and DuckDB give to the same credentials. Not here: connections (`catalog`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from lakehouse_assets.lake.errors import LakeError

S3_SCHEMES = frozenset({"s3", "s3a"})
AZURE_SCHEMES = frozenset({"abfs", "abfss", "az", "azure"})
# Where object stores look for the emulator of Azure, unless this variable says otherwise.
AZURITE, AZURITE_VARIABLE = "http://127.0.0.1:10000", "AZURITE_BLOB_STORAGE_URL"


class CatalogError(LakeError):
    """The lake cannot be opened by SQL."""


def scheme_of(root: str) -> str:
    """`s3`, `abfss`, …; empty for a local folder."""
    scheme = root.partition("://")[0].lower() if "://" in root else ""
    return "" if scheme == "file" else scheme


def duckdb_root(root: str) -> str:
    """The lake root as DuckDB is to open it, absolute and without a slash at the end.

    Azure goes by `az://<container>/…`, whose account is the secret's: that takes the Blob service, which every account
    has, where `abfss://` would take the Data Lake service. Raises CatalogError for storage that is not supported.
    """
    scheme = scheme_of(root)
    if not scheme:
        return str(Path(root.removeprefix("file://")).resolve())
    if scheme in S3_SCHEMES:
        return root.rstrip("/")
    if scheme in AZURE_SCHEMES:
        parts = urlsplit(root)
        container = parts.username or parts.hostname
        return f"az://{container}{parts.path}".rstrip("/")
    raise CatalogError(f"the lake root {root} is on no storage that SQL can read: use a folder, s3:// or abfss://")


class Access(NamedTuple):
    """What a connection needs before it can read: extensions to load, and a secret to create."""

    extensions: tuple[str, ...]
    secret: str | None


def access(root: str, storage_options: Mapping[str, str]) -> Access:
    """What DuckDB needs to read the lake at `root`.

    Takes what delta-rs takes: storage options in any of its spellings, over the environment's `AWS_…` or `AZURE_…`.
    Where neither holds a key, DuckDB looks for credentials as the cloud's own programs do (roles, profiles, …).
    """
    scheme = scheme_of(root)
    if not scheme:
        return Access((), None)
    prefix = "aws_" if scheme in S3_SCHEMES else "azure_"
    environment = {name.lower(): value for name, value in os.environ.items() if name.lower().startswith(prefix)}
    given = environment | {name.lower(): value for name, value in storage_options.items()}
    settings = {name.removeprefix(prefix).removeprefix("storage_"): value for name, value in given.items()}
    if scheme in S3_SCHEMES:
        parameters = {"TYPE": "s3", **_s3(settings)}
        extensions: tuple[str, ...] = ("httpfs", "aws") if "PROVIDER" in parameters else ("httpfs",)
    else:
        host = urlsplit(root).hostname if urlsplit(root).username else None
        parameters = {"TYPE": "azure", **_azure(settings, (host or "").partition(".")[0])}
        extensions = ("azure",)
    written = ", ".join(f"{name} {literal(value)}" for name, value in parameters.items())
    return Access(extensions, f"CREATE SECRET lake ({written})")


def literal(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def _s3(settings: Mapping[str, str]) -> dict[str, str]:
    key, secret = settings.get("access_key_id"), settings.get("secret_access_key")
    parameters = {"KEY_ID": key, "SECRET": secret} if key and secret else {"PROVIDER": "credential_chain"}
    if key and (token := settings.get("session_token", settings.get("token"))):
        parameters["SESSION_TOKEN"] = token
    if region := settings.get("region", settings.get("default_region")):
        parameters["REGION"] = region
    if endpoint := settings.get("endpoint_url", settings.get("endpoint")):
        parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
        parameters["ENDPOINT"] = parts.netloc
        parameters["USE_SSL"] = "false" if parts.scheme == "http" else "true"
        if settings.get("virtual_hosted_style_request", "").lower() != "true":
            parameters["URL_STYLE"] = "path"
    return parameters


def _azure(settings: Mapping[str, str], account_of_root: str) -> dict[str, str]:
    account = settings.get("account_name") or account_of_root
    if not account:
        raise CatalogError("the lake root names no Azure account: set AZURE_STORAGE_ACCOUNT_NAME")
    if key := settings.get("account_key", settings.get("access_key")):
        if settings.get("use_emulator", "").lower() == "true":
            place = f"{os.environ.get(AZURITE_VARIABLE, AZURITE).rstrip('/')}/{account}"
        else:
            place = settings.get("endpoint", "").rstrip("/")
        ending = f"BlobEndpoint={place};" if place else "EndpointSuffix=core.windows.net"
        scheme = "http" if place.startswith("http://") else "https"
        connection = f"DefaultEndpointsProtocol={scheme};AccountName={account};AccountKey={key};{ending}"
        return {"CONNECTION_STRING": connection}
    client = {
        "TENANT_ID": settings.get("tenant_id", settings.get("authority_id")),
        "CLIENT_ID": settings.get("client_id"),
        "CLIENT_SECRET": settings.get("client_secret"),
    }
    named = {name: value for name, value in client.items() if value}
    if len(named) == len(client):
        return {"PROVIDER": "service_principal", "ACCOUNT_NAME": account, **named}
    return {"PROVIDER": "credential_chain", "ACCOUNT_NAME": account}
