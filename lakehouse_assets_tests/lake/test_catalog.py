"""The lake as DuckDB views: addresses, pruning, tenants, and no network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster_duckdb import DuckDBResource

from lakehouse_assets.definitions import build_defs
from lakehouse_assets.lake.catalog import catalog_tables, connect, duckdb_resource, extension_path, write_catalog
from lakehouse_assets.lake.duckdb_secrets import CatalogError, access, duckdb_root
from lakehouse_assets.lake.errors import LakeError
from lakehouse_assets.lake.ledger import LEDGER, LEDGER_SCHEMA, partition_ledger, rows_of
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.storage import Lake
from lakehouse_assets_tests.lake.sql_lake import (
    ASKING,
    DATES,
    EMPTY,
    FEATURES,
    LEADS,
    NOT_BUILT,
    SALES,
    TABLES,
    build,
    remove_files,
)

COUNT = "SELECT count(*), min(customer_id), max(customer_id) FROM crm.gold.customer_features"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("lake"))


@pytest.fixture
def own_lake(lake: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(lake, tmp_path / "lake"))


@pytest.fixture(scope="module")
def every(lake: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(str(lake), TABLES) as connection:
        yield connection


@pytest.fixture(scope="module")
def own(lake: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(str(lake), TABLES, tenant=ASKING) as connection:
        yield connection


def test_a_table_is_read_by_its_address(every: duckdb.DuckDBPyConnection) -> None:
    joined = """SELECT count(*) FROM crm.gold.customer_features JOIN commerce.gold.sales USING (tenant_id, customer_id)
        JOIN platform.silver.partition_ledger USING (tenant_id, customer_id)"""
    assert every.execute(joined).fetchall() == [(18,)]


def test_tables_that_are_not_built_are_left_out(every: duckdb.DuckDBPyConnection) -> None:
    listed = every.execute("SELECT database, schema, name FROM (SHOW ALL TABLES)").fetchall()
    assert {TableName(*row) for row in listed} == set(TABLES) - {NOT_BUILT}


def test_an_empty_table_has_columns_and_no_rows(every: duckdb.DuckDBPyConnection) -> None:
    found = every.execute(f"SELECT customer_id, revenue FROM {EMPTY}")
    assert ([column[0] for column in found.description or []], found.fetchall()) == (["customer_id", "revenue"], [])


def test_the_catalog_holds_the_quarantine_of_each_table_and_the_ledger() -> None:
    assert [str(name) for name in catalog_tables([NOT_BUILT, LEADS])] == [
        "crm.bronze.leads",
        "crm.quarantine.leads_clean",
        "crm.quarantine.leads_files",
        "crm.silver.leads_clean",
        "platform.silver.landing_files",
        "platform.silver.partition_ledger",
    ]


def test_a_query_for_a_tenant_and_date_opens_no_other_file(own_lake: Path) -> None:
    remove_files(own_lake, "tenant_id=[!g]*/*")
    remove_files(own_lake, "tenant_id=globex/date=2026-01-0[13]")
    where = "tenant_id = 'globex' AND date = DATE '2026-01-02'"
    with connect(str(own_lake), [FEATURES]) as connection:
        assert connection.execute(f"{COUNT} WHERE {where}").fetchall() == [(2, "globex-2", "globex-3")]
        with pytest.raises(duckdb.IOException):
            connection.execute(f"{COUNT} WHERE tenant_id = 'globex'").fetchall()


def test_the_plan_says_how_many_files_a_query_reads(every: duckdb.DuckDBPyConnection) -> None:
    plan = every.execute(f"EXPLAIN ANALYZE {COUNT} WHERE tenant_id = 'acme' AND date >= DATE '2026-01-02'").fetchall()
    assert "Scanning Files: 2/9" in str(plan)


def test_a_tenants_connection_opens_its_own_files_only(own_lake: Path) -> None:
    remove_files(own_lake, "tenant_id=globex/*")
    remove_files(own_lake, "tenant_id=acme2/*")
    with connect(str(own_lake), [FEATURES], tenant=ASKING) as connection:
        assert connection.execute(COUNT).fetchall() == [(6, "acme-0", "acme-5")]


def test_a_tenant_reads_its_part_of_the_ledger(tmp_path: Path) -> None:
    ledger = partition_ledger(Lake(str(tmp_path)))
    for tenant in (ASKING, "globex"):
        entry = {**dict.fromkeys(LEDGER_SCHEMA), **LEADS._asdict(), "tenant_id": tenant, "date": DATES[0], "rows_in": 7}
        ledger.replace(rows_of([entry], LEDGER_SCHEMA), drop={(tenant, LEADS): [DATES[0]]})
    entries = f'SELECT tenant_id, domain, layer, "table", rows_in FROM {LEDGER}'
    with connect(str(tmp_path), [LEDGER], tenant=ASKING) as connection:
        assert connection.execute(entries).fetchall() == [("acme", *LEADS, 7)]


@pytest.mark.parametrize("tenant", ["", "../globex", "acme' OR tenant_id = 'globex", "ACME", "acme/"])
def test_what_is_no_tenant_name_opens_nothing(lake: Path, tenant: str) -> None:
    with pytest.raises(LakeError, match="is no tenant name"):
        connect(str(lake), TABLES, tenant=tenant)


def test_a_tenant_without_rows_reads_none(lake: Path) -> None:
    with connect(str(lake), [FEATURES], tenant="newcomer") as connection:
        assert connection.execute(COUNT).fetchall() == [(0, None, None)]


@pytest.mark.parametrize(
    "statement",
    [
        "FROM delta_scan('{lake}/crm/gold/customer_features')",
        "FROM read_parquet('{lake}/crm/gold/customer_features/tenant_id=globex/*/*.parquet')",
        "FROM read_parquet('{lake}/crm/gold/customer_features/tenant_id=acme2/*/*.parquet')",
        "FROM read_parquet('{lake}/crm/gold/customer_features/tenant_id=acme/../tenant_id=globex/*/*.parquet')",
        "FROM glob('{lake}/**')",
        "FROM read_text('{lake}/crm/gold/customer_features/_delta_log/*')",
        "ATTACH '{lake}/other.duckdb'",
        "COPY (SELECT 1) TO '{lake}/crm/gold/customer_features/out.csv'",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET lock_configuration",
        "INSTALL httpfs",
    ],
)
def test_a_tenants_connection_is_kept_from_other_files_whatever_it_runs(
    own: duckdb.DuckDBPyConnection, lake: Path, statement: str
) -> None:
    with pytest.raises((duckdb.PermissionException, duckdb.InvalidInputException)):
        own.execute(statement.format(lake=lake)).fetchall()


def test_python_variables_are_no_tables(lake: Path) -> None:
    with connect(str(lake), [FEATURES], locked=False) as connection:
        relation = connection.sql("SELECT 1")
        with pytest.raises(duckdb.CatalogException, match="relation does not exist"):
            connection.sql("FROM relation")
        assert relation.fetchall() == [(1,)]


@pytest.mark.parametrize("folder", ["a folder", "o'brien", "ünïcode"])
def test_a_root_may_have_any_name(tmp_path: Path, folder: str) -> None:
    root = build(tmp_path / folder)
    with connect(str(root), [FEATURES], tenant=ASKING) as connection:
        assert connection.execute(COUNT).fetchall() == [(6, "acme-0", "acme-5")]


def test_what_does_not_fit_into_memory_spills_outside_the_working_directory(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spill = tmp_path / "spill"
    spill.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spill))
    sort = "SELECT r, hash(r)::VARCHAR || repeat('x', 50) AS wide FROM range(1_000_000) t(r) ORDER BY wide"
    with connect(str(lake), [FEATURES], tenant=ASKING, memory_limit="60MB") as connection:
        rows = connection.execute(sort)
        assert rows.fetchone() is not None
        assert list(spill.rglob("*.tmp")) != []
    assert list(tmp_path.rglob("*")) == [spill]


def test_the_extension_comes_from_its_package_and_nothing_is_fetched(lake: Path) -> None:
    loaded = "SELECT loaded FROM duckdb_extensions() WHERE extension_name = 'delta'"
    asked = "SELECT current_setting('autoinstall_known_extensions'), current_setting('autoload_known_extensions')"
    with connect(str(lake), [FEATURES], locked=False) as connection:
        assert connection.execute(loaded).fetchall() == [(True,)]
        assert connection.execute(asked).fetchall() == [(False, False)]
    assert "duckdb_extension_delta" in extension_path("delta").parts


def test_a_missing_extension_is_named_with_the_package_that_has_it() -> None:
    with pytest.raises(CatalogError, match=rf"install duckdb-extension-nosuch=={duckdb.__version__}"):
        extension_path("nosuch")


def test_each_domains_file_answers_to_the_same_addresses(lake: Path, tmp_path: Path) -> None:
    written = write_catalog(tmp_path / "catalog", str(lake), TABLES)
    assert [path.name for path in written] == ["commerce.duckdb", "crm.duckdb", "platform.duckdb", "attach.sql"]
    with duckdb.connect(str(tmp_path / "catalog" / "crm.duckdb"), read_only=True) as connection:
        connection.execute(f"LOAD '{extension_path('delta')}'")
        assert connection.execute(f"{COUNT} WHERE tenant_id = 'acme'").fetchall() == [(6, "acme-0", "acme-5")]
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{extension_path('delta')}'")
        connection.execute(written[-1].read_text())
        both = f"SELECT count(*) FROM {FEATURES} JOIN {SALES} USING (customer_id)"
        assert connection.execute(both).fetchall() == [(18,)]


def test_a_catalog_is_written_anew_under_its_readers(lake: Path, tmp_path: Path) -> None:
    write_catalog(tmp_path, str(lake), [FEATURES])
    with duckdb.connect(str(tmp_path / "crm.duckdb"), read_only=True) as reader:
        reader.execute(f"LOAD '{extension_path('delta')}'")
        write_catalog(tmp_path, str(lake), [FEATURES, LEADS])
        assert reader.execute(COUNT).fetchall() == [(18, "acme-0", "globex-5")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["attach.sql", "crm.duckdb"]


def test_assets_query_the_lake_through_dagsters_resource(lake: Path) -> None:
    counted = []

    @dg.asset
    def report(duckdb: DuckDBResource) -> None:
        with duckdb.get_connection() as connection:
            counted.extend(connection.execute(COUNT).fetchall())

    resource = duckdb_resource(str(lake), TABLES, storage_options={"aws_secret_access_key": "hush"})
    assert "hush" not in str(resource.model_dump())
    assert dg.materialize([report], resources={"duckdb": resource}).success
    assert counted == [(18, "acme-0", "globex-5")]


def test_the_definitions_have_that_resource_over_all_tables(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_ROOT", str(lake))
    resource = (build_defs().resources or {})["duckdb"]
    with resource.get_connection() as connection:
        assert connection.execute(COUNT).fetchall() == [(18, "acme-0", "globex-5")]


@pytest.mark.parametrize(
    ("root", "options", "extensions", "secret"),
    [
        ("data/lake", {}, (), None),
        (
            "s3://b/lake",
            {"AWS_ACCESS_KEY_ID": "k", "aws_secret_access_key": "it's", "region": "eu-west-1"},
            ("httpfs",),
            "CREATE SECRET lake (TYPE 's3', KEY_ID 'k', SECRET 'it''s', REGION 'eu-west-1')",
        ),
        (
            "s3://b/lake",
            {"access_key_id": "k", "secret_access_key": "s", "endpoint_url": "http://minio:9000", "token": "t"},
            ("httpfs",),
            (
                "CREATE SECRET lake (TYPE 's3', KEY_ID 'k', SECRET 's', SESSION_TOKEN 't', ENDPOINT 'minio:9000', "
                "USE_SSL 'false', URL_STYLE 'path')"
            ),
        ),
        ("s3://b/lake", {}, ("httpfs", "aws"), "CREATE SECRET lake (TYPE 's3', PROVIDER 'credential_chain')"),
        (
            "abfss://c@account.dfs.core.windows.net/lake",
            {"azure_storage_account_key": "k=="},
            ("azure",),
            (
                "CREATE SECRET lake (TYPE 'azure', CONNECTION_STRING 'DefaultEndpointsProtocol=https;"
                "AccountName=account;AccountKey=k==;EndpointSuffix=core.windows.net')"
            ),
        ),
        (
            "az://c/lake",
            {"account_name": "a", "account_key": "k==", "azure_storage_endpoint": "https://a.blob.example.org/"},
            ("azure",),
            (
                "CREATE SECRET lake (TYPE 'azure', CONNECTION_STRING 'DefaultEndpointsProtocol=https;"
                "AccountName=a;AccountKey=k==;BlobEndpoint=https://a.blob.example.org;')"
            ),
        ),
        (
            "az://c/lake",
            {"account_name": "a", "account_key": "k==", "azure_storage_use_emulator": "true"},
            ("azure",),
            (
                "CREATE SECRET lake (TYPE 'azure', CONNECTION_STRING 'DefaultEndpointsProtocol=http;"
                "AccountName=a;AccountKey=k==;BlobEndpoint=http://127.0.0.1:7777/a;')"
            ),
        ),
        (
            "az://c/lake",
            {"account_name": "a", "azure_tenant_id": "t", "azure_client_id": "i", "azure_client_secret": "s"},
            ("azure",),
            (
                "CREATE SECRET lake (TYPE 'azure', PROVIDER 'service_principal', ACCOUNT_NAME 'a', TENANT_ID 't', "
                "CLIENT_ID 'i', CLIENT_SECRET 's')"
            ),
        ),
    ],
)
def test_credentials_of_the_lake_become_a_secret(
    root: str, options: dict[str, str], extensions: tuple[str, ...], secret: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL", "AZURE_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", "http://127.0.0.1:7777/")
    assert access(root, options) == (extensions, secret)


@pytest.mark.parametrize(
    ("root", "opened"),
    [
        ("s3://bucket/lake/", "s3://bucket/lake"),
        ("abfss://c@account.dfs.core.windows.net/lake", "az://c/lake"),
        ("abfss://c/deep/lake/", "az://c/deep/lake"),
        ("data/../lake", str(Path("lake").resolve())),
    ],
)
def test_the_root_is_opened_by_the_name_that_duckdb_knows(root: str, opened: str) -> None:
    assert duckdb_root(root) == opened


def test_storage_that_sql_cannot_read_is_refused_by_name() -> None:
    with pytest.raises(CatalogError, match="gs://bucket/lake"):
        duckdb_root("gs://bucket/lake")


def test_an_azure_lake_without_an_account_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(CatalogError, match="AZURE_STORAGE_ACCOUNT_NAME"):
        access("az://c/lake", {})
