"""What DuckDB needs to read a remote lake: its extension and a secret, from the lake's own storage options.

Belongs here: the names that delta-rs and DuckDB give to the same credentials. Not here: connections (`catalog`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from lakehouse_assets.lake.errors import LakeError

EXTENSIONS = {"s3": ("httpfs",), "s3a": ("httpfs",), "abfss": ("azure",), "abfs": ("azure",), "az": ("azure",)}
AZURITE = (
    "DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};"
    "BlobEndpoint=http://127.0.0.1:10000/{account};"
)


class CatalogError(LakeError):
    """The lake cannot be opened by SQL."""


def scheme_of(root: str) -> str:
    """`s3`, `abfss`, …; empty for a local folder."""
    scheme = root.partition("://")[0].lower() if "://" in root else ""
    return "" if scheme == "file" else scheme


def extensions_of(root: str) -> tuple[str, ...]:
    """The DuckDB extensions that reading the lake takes beyond `delta`.

    Raises CatalogError for a kind of storage that is not supported.
    """
    scheme = scheme_of(root)
    if scheme and scheme not in EXTENSIONS:
        raise CatalogError(f"the lake root {root} is on no storage that SQL can read: use a folder, s3:// or abfss://")
    return EXTENSIONS.get(scheme, ())


def secret_statement(root: str, storage_options: Mapping[str, str]) -> str | None:
    """The CREATE SECRET for the lake's storage, None for a local folder.

    Takes what delta-rs takes: storage options in any of its spellings, over the environment's `AWS_…` or `AZURE_…`.
    Raises CatalogError, without showing a value, where no credentials are there.
    """
    scheme = scheme_of(root)
    if not scheme:
        return None
    prefix = "aws_" if EXTENSIONS[scheme] == ("httpfs",) else "azure_"
    environment = {name.lower(): value for name, value in os.environ.items() if name.lower().startswith(prefix)}
    given = environment | {name.lower(): value for name, value in storage_options.items()}
    settings = {name.removeprefix(prefix).removeprefix("storage_"): value for name, value in given.items()}
    kind, parameters = _s3(settings) if prefix == "aws_" else _azure(settings)
    written = ", ".join(f"{name} {_literal(value)}" for name, value in parameters.items())
    return f"CREATE SECRET lake (TYPE {kind}, {written})"


def _s3(settings: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    key, secret = settings.get("access_key_id"), settings.get("secret_access_key")
    if not key or not secret:
        raise CatalogError("no credentials for s3://: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    parameters = {"KEY_ID": key, "SECRET": secret}
    if token := settings.get("session_token", settings.get("token")):
        parameters["SESSION_TOKEN"] = token
    if region := settings.get("region", settings.get("default_region")):
        parameters["REGION"] = region
    if endpoint := settings.get("endpoint_url", settings.get("endpoint")):
        parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
        parameters["ENDPOINT"] = parts.netloc
        parameters["USE_SSL"] = "false" if parts.scheme == "http" else "true"
        if settings.get("virtual_hosted_style_request", "").lower() != "true":
            parameters["URL_STYLE"] = "path"
    return "s3", parameters


def _azure(settings: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    account = settings.get("account_name")
    if not account:
        raise CatalogError("no account for abfss://: set AZURE_STORAGE_ACCOUNT_NAME")
    key = settings.get("account_key", settings.get("access_key"))
    if key and settings.get("use_emulator", "").lower() == "true":
        return "azure", {"CONNECTION_STRING": AZURITE.format(account=account, key=key)}
    if key:
        connection = f"DefaultEndpointsProtocol=https;AccountName={account};AccountKey={key};"
        return "azure", {"CONNECTION_STRING": connection + "EndpointSuffix=core.windows.net"}
    client = {
        "TENANT_ID": settings.get("tenant_id", settings.get("authority_id")),
        "CLIENT_ID": settings.get("client_id"),
        "CLIENT_SECRET": settings.get("client_secret"),
    }
    known = {name: value for name, value in client.items() if value}
    if len(known) < len(client):
        raise CatalogError(
            "no credentials for abfss://: set AZURE_STORAGE_ACCOUNT_KEY, or AZURE_CLIENT_ID, …SECRET, …TENANT_ID"
        )
    return "azure", {"PROVIDER": "service_principal", "ACCOUNT_NAME": account, **known}


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
