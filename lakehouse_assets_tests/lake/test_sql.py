"""Questions in SQL: what is answered, what is refused, and that no tenant sees another's rows by any of 100 ways."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from lakehouse_assets.lake.catalog import connect
from lakehouse_assets.lake.errors import LakeError
from lakehouse_assets.lake.sql import answer, query, rows_as_json
from lakehouse_assets.lake.sql_check import LONGEST_STATEMENT, SqlError, check
from lakehouse_assets.lake.sql_functions import FUNCTIONS, TABLE_FUNCTIONS
from lakehouse_assets_tests.lake.sql_lake import ASKING, FEATURES, LEADS, OTHERS, TABLES, build, remove_files, rows_of

type_of_ask = Callable[[str], pl.DataFrame]
OTHERS_VALUE = re.compile("|".join([*OTHERS, r"\b100\d\b"]))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def ask(lake: Path) -> Iterator[type_of_ask]:
    """Answers for the asking tenant, all on one connection."""
    with connect(str(lake), TABLES, tenant=ASKING) as connection:
        yield lambda statement: answer(connection, statement, tables=TABLES, tenant=ASKING)


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("SELECT count(*) FROM crm.gold.customer_features", [(6,)]),
        ("SELECT count(*) FROM CRM.Gold.CUSTOMER_FEATURES;", [(6,)]),
        ('SELECT count(*) FROM "crm"."gold"."customer_features" -- and a comment', [(6,)]),
        ("FROM crm.silver.leads_clean SELECT max(revenue)", [(5.0,)]),
        ("VALUES (1, 'a'), (2, 'b')", [(1, "a"), (2, "b")]),
        ("SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 1", [(2,)]),
        ("WITH a AS (SELECT 1 AS n), b AS (FROM a) SELECT b.n FROM b JOIN a USING (n)", [(1,)]),
        ("WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT sum(n) FROM t", [(6,)]),
        ("WITH a AS (SELECT 1 AS n) SELECT (SELECT max(n) FROM a) + n FROM (FROM a) AS inner_a", [(2,)]),
        ("SELECT count(*) FROM crm.gold.customer_features f, unnest(f.flags) u(flag) WHERE flag = 'acme'", [(6,)]),
        ("SELECT n FROM range(3) t(n) ORDER BY -n LIMIT 2", [(2,), (1,)]),
        ("SELECT list_filter([1, 2, 3], lambda n: n > 1), [n * 2 FOR n IN [1, 2]]", [([2, 3], [2, 4])]),
        ("SELECT max(COLUMNS('rev.*')) FROM crm.gold.customer_features", [(5.0,)]),
        (
            "SELECT date, sum(revenue) OVER w FROM crm.gold.customer_features WINDOW w AS (PARTITION BY date) LIMIT 0",
            [],
        ),
        ("SELECT column_name FROM (DESCRIBE crm.gold.customer_features) LIMIT 1", [("tenant_id",)]),
        ("SELECT min, max FROM (SUMMARIZE crm.gold.customer_features) LIMIT 1", [("acme", "acme")]),
        (
            "SELECT acme FROM (PIVOT crm.gold.sales ON tenant_id IN ('acme') USING count(*) GROUP BY date) LIMIT 1",
            [(2,)],
        ),
        ("SELECT count(*) FROM (UNPIVOT crm.gold.customer_features ON revenue, price)", [(12,)]),
        ("SELECT count(*) FROM crm.platinum.conversion_model", [(0,)]),
        ("SELECT n FROM json_each('[1, 2]') j(k, n) LIMIT 0", []),
    ],
)
def test_one_select_of_any_form_is_answered(ask: type_of_ask, statement: str, rows: list[tuple[object, ...]]) -> None:
    statement = statement.replace("crm.gold.sales", "commerce.gold.sales")
    assert ask(statement).rows() == rows


@pytest.mark.parametrize("tenant", [ASKING, *OTHERS])
def test_a_tenant_gets_all_of_its_rows_and_no_others(lake: Path, tenant: str) -> None:
    found = query(f"FROM {FEATURES} ORDER BY customer_id", root=str(lake), tables=TABLES, tenant=tenant)
    assert found.equals(rows_of(tenant))


def test_without_a_tenant_all_rows_are_there(lake: Path) -> None:
    found = query(f"SELECT tenant_id, count(*) FROM {LEADS} GROUP BY 1 ORDER BY 1", root=str(lake), tables=TABLES)
    assert found.rows() == [("acme", 6), ("acme2", 6), ("globex", 6)]


# What is refused, and what of it the message names.
REFUSED = [
    # Not one SELECT
    ("", "0 statements"),
    ("-- nothing", "0 statements"),
    ("SELECT 1; SELECT 2", "2 statements"),
    ("SELECT 1; DROP VIEW crm.gold.customer_features", "only one SELECT"),
    ("SELEC 1", "cannot be parsed"),
    ("SELECT 1 /* an open comment", "cannot be parsed"),
    ("SELECT 1\0; SELECT 2", "NUL"),
    ("SELECT " + "1, " * LONGEST_STATEMENT + "1", "characters"),
    ("SELECT $1", "PARAMETER"),
    ("SELECT ?", "PARAMETER"),
    *[
        (statement, "only one SELECT")
        for statement in (
            "ATTACH '{lake}/x.duckdb' AS x",
            "DETACH crm",
            "USE crm",
            "COPY crm.gold.customer_features TO '{lake}/out.csv'",
            "COPY (FROM crm.gold.customer_features) TO '{lake}/out.parquet'",
            "EXPORT DATABASE '{lake}/out'",
            "IMPORT DATABASE '{lake}/out'",
            "PRAGMA database_list",
            "PRAGMA table_info('crm.gold.customer_features')",
            "SET memory_limit = '1TB'",
            "SET VARIABLE path = '{lake}'",
            "RESET memory_limit",
            "INSTALL httpfs",
            "LOAD httpfs",
            "CALL duckdb_views()",
            "CREATE TABLE t AS FROM crm.gold.customer_features",
            "CREATE MACRO leak() AS TABLE FROM duckdb_views()",
            "CREATE OR REPLACE VIEW crm.gold.customer_features AS FROM delta_scan('{lake}/crm/gold/customer_features')",
            "CREATE SECRET s (TYPE s3)",
            "DROP VIEW crm.gold.customer_features",
            "ALTER VIEW crm.gold.customer_features RENAME TO x",
            "INSERT INTO crm.gold.customer_features SELECT 1",
            "UPDATE crm.gold.customer_features SET revenue = 0",
            "DELETE FROM crm.gold.customer_features",
            "PREPARE p AS FROM crm.gold.customer_features",
            "EXECUTE p",
            "EXPLAIN FROM crm.gold.customer_features",
            "EXPLAIN ANALYZE FROM crm.gold.customer_features",
            "PIVOT crm.gold.customer_features ON tenant_id USING count(*)",
            "BEGIN",
            "CHECKPOINT",
            "VACUUM",
        )
    ],
    # Tables that are none of the lake's
    ("FROM customer_features", "'customer_features'"),
    ("FROM gold.customer_features", "'gold.customer_features'"),
    ('FROM "crm.gold".customer_features', "'crm.gold.customer_features'"),
    ('FROM "crm.gold.customer_features"', "'crm.gold.customer_features'"),
    ('FROM crm.gold."customer_features "', "'crm.gold.customer_features '"),
    ("FROM crm.gold.customer_feature\u017f", "'crm.gold.customer_feature\u017f'"),
    ("FROM crm.gold.\u212austomer_features", "'crm.gold.\u212austomer_features'"),
    ("FROM '{lake}/crm/gold/customer_features/tenant_id=globex/date=2026-01-01/x.parquet'", "x.parquet'"),
    ("FROM \"{lake}/x.csv\"", "x.csv'"),
    ("FROM 's3://bucket/x.parquet'", "'s3://bucket/x.parquet'"),
    ("SELECT * FROM crm.gold.customer_features, '{lake}/x.json'", "x.json'"),
    ("SELECT (SELECT max(tenant_id) FROM '{lake}/x.parquet')", "x.parquet'"),
    ("SELECT 1 WHERE EXISTS (FROM duckdb_views)", "'duckdb_views'"),
    ("SELECT 1 ORDER BY (SELECT count(*) FROM duckdb_tables)", "'duckdb_tables'"),
    ("SELECT 1 LIMIT (SELECT count(*) FROM duckdb_columns)", "'duckdb_columns'"),
    ("SELECT 1 GROUP BY ALL HAVING (SELECT count(*) FROM pg_views) > 0", "'pg_views'"),
    ("SELECT 1 QUALIFY (SELECT count(*) FROM sqlite_master) > row_number() OVER ()", "'sqlite_master'"),
    ("SELECT sum(1) FILTER ((SELECT count(*) FROM pg_class) > 0)", "'pg_class'"),
    ("SELECT sum(1) OVER (ORDER BY (SELECT count(*) FROM pg_class))", "'pg_class'"),
    ("SELECT CASE WHEN true THEN (SELECT max(sql) FROM duckdb_views) END", "'duckdb_views'"),
    ("SELECT [(SELECT max(sql) FROM duckdb_views)]", "'duckdb_views'"),
    ("SELECT list_transform([1], lambda n: (SELECT max(sql) FROM duckdb_views))", "'duckdb_views'"),
    ("SELECT * REPLACE ((SELECT max(sql) FROM duckdb_views) AS x) FROM (SELECT 1 AS x)", "'duckdb_views'"),
    ("SELECT * FROM range((SELECT count(*) FROM duckdb_views))", "'duckdb_views'"),
    ("FROM crm.gold.customer_features JOIN duckdb_views() ON true", "duckdb_views()"),
    ("FROM crm.gold.customer_features f, LATERAL (FROM duckdb_views WHERE f.revenue > 0)", "'duckdb_views'"),
    ("FROM crm.gold.customer_features POSITIONAL JOIN duckdb_views", "'duckdb_views'"),
    ("SELECT 1 UNION ALL SELECT sql FROM duckdb_views", "'duckdb_views'"),
    ("(SELECT 1) UNION ALL ((SELECT sql FROM duckdb_views))", "'duckdb_views'"),
    ("TABLE duckdb_views", "'duckdb_views'"),
    ("FROM information_schema.tables", "'information_schema.tables'"),
    ("FROM system.information_schema.columns", "'system.information_schema.columns'"),
    ("FROM pg_catalog.pg_views", "'pg_catalog.pg_views'"),
    ("FROM crm.information_schema.views", "'crm.information_schema.views'"),
    ("DESCRIBE duckdb_views", "'duckdb_views'"),
    ("DESCRIBE '{lake}/x.parquet'", "x.parquet'"),
    ("SUMMARIZE '{lake}/x.parquet'", "x.parquet'"),
    ("SUMMARIZE FROM duckdb_settings()", "duckdb_settings()"),
    ("SHOW TABLES", "SHOW"),
    ("SHOW DATABASES", "SHOW"),
    ("SHOW TABLES FROM crm.gold", "SHOW"),
    ("FROM (PIVOT duckdb_views ON schema_name IN ('gold') USING count(*))", "'duckdb_views'"),
    ("UNPIVOT duckdb_views ON sql", "'duckdb_views'"),
    # WITH, where a name is not yet, no longer, or not the one that it seems
    ("WITH a AS (FROM b), b AS (SELECT 1) FROM a", "'b'"),
    ("WITH a AS (FROM a) FROM a", "'a'"),
    ("WITH a AS (WITH b AS (SELECT 1) FROM b) FROM b", "'b'"),
    ("FROM (WITH b AS (SELECT 1) FROM b), b", "'b'"),
    ("WITH RECURSIVE a AS (SELECT 1 FROM a UNION ALL FROM a) FROM a", "'a'"),
    ("WITH duckdb_views AS (FROM duckdb_views) FROM duckdb_views", "'duckdb_views'"),
    ("WITH duckdb_views AS (SELECT 1) FROM (SUMMARIZE duckdb_views)", "'duckdb_views'"),
    ("WITH DUCKDB_VIEWS AS (SELECT 1) FROM duckdb_views", "'DUCKDB_VIEWS'"),
    ("WITH \"{lake}/x.parquet\" AS (SELECT 1) FROM \"{lake}/x.parquet\"", "x.parquet'"),
    ("WITH crm AS (SELECT 1) FROM crm.gold.nosuch", "'crm.gold.nosuch'"),
    ("WITH RECURSIVE t(n) USING KEY (n) AS (SELECT 1 UNION SELECT n FROM recurring.t) FROM t", "'recurring.t'"),
    # Functions that reach beyond their arguments
    *[
        (statement, f"{name}()")
        for name, statement in (
            ("delta_scan", "FROM delta_scan('{lake}/crm/gold/customer_features')"),
            ("delta_scan", "FROM Delta_Scan('{lake}/crm/gold/customer_features')"),
            ("delta_scan", "FROM \"delta_scan\"('{lake}/crm/gold/customer_features')"),
            ("delta_scan", "FROM /* x */ delta_scan /* y */ ('{lake}/crm/gold/customer_features')"),
            ("delta_scan", "FROM main.delta_scan('{lake}/crm/gold/customer_features')"),
            ("delta_scan", "FROM system.main.delta_scan('{lake}/crm/gold/customer_features')"),
            ("delta_list_files", "FROM delta_list_files('{lake}/crm/gold/customer_features')"),
            ("read_parquet", "FROM read_parquet('{lake}/**/*.parquet')"),
            ("parquet_scan", "FROM parquet_scan(['{lake}/x.parquet'])"),
            ("parquet_metadata", "FROM parquet_metadata('{lake}/**/*.parquet')"),
            ("read_csv", "FROM read_csv('/etc/passwd')"),
            ("read_text", "SELECT content FROM read_text('/etc/passwd')"),
            ("read_blob", "SELECT content FROM read_blob('/etc/passwd')"),
            ("read_json", "FROM read_json('{lake}/**/_delta_log/*.json')"),
            ("sniff_csv", "FROM sniff_csv('/etc/passwd')"),
            ("read_duckdb", "FROM read_duckdb('x.duckdb')"),
            ("glob", "FROM glob('{lake}/**')"),
            ("query", "FROM query('FROM duckdb_views')"),
            ("query_table", "FROM query_table('duckdb_views')"),
            ("seq_scan", "FROM seq_scan('duckdb_views')"),
            ("histogram_values", "FROM histogram_values('duckdb_views', sql)"),
            ("json_execute_serialized_sql", "FROM json_execute_serialized_sql(json_serialize_sql('FROM duckdb_views'))"),
            ("duckdb_secrets", "FROM duckdb_secrets()"),
            ("duckdb_settings", "FROM duckdb_settings()"),
            ("duckdb_views", "SELECT sql FROM duckdb_views()"),
            ("pragma_table_info", "FROM pragma_table_info('crm.gold.customer_features')"),
            ("test_all_types", "FROM test_all_types()"),
            ("getenv", "SELECT getenv('HOME')"),
            ("getvariable", "SELECT getvariable('path')"),
            ("current_setting", "SELECT current_setting('allowed_directories')"),
            ("current_setting", "SELECT main.current_setting('home_directory')"),
            ("current_setting", "SELECT ('home_directory').current_setting()"),
            ("current_query", "SELECT current_query()"),
            ("stats", "SELECT stats(customer_id) FROM crm.gold.customer_features"),
            ("pg_get_viewdef", "SELECT pg_get_viewdef(1)"),
            ("json_serialize_plan", "SELECT json_serialize_plan('FROM crm.gold.customer_features')"),
            ("nextval", "SELECT nextval('s')"),
            ("sleep_ms", "SELECT sleep_ms(10000)"),
            ("write_log", "SELECT write_log('x')"),
            ("read_text", "SELECT read_text('/etc/passwd')"),
            ("stats", "SELECT sum(revenue) FILTER (stats(revenue) = '') FROM crm.gold.customer_features"),
            ("stats", "SELECT list_transform([1], lambda n: stats(n))"),
            ("crm_only", "SELECT crm.gold.crm_only(1)"),
        )
    ],
]  # fmt: skip


@pytest.mark.parametrize(("statement", "named"), REFUSED, ids=[statement[:60] for statement, _ in REFUSED])
def test_what_is_not_allowed_is_refused_by_name(lake: Path, statement: str, named: str) -> None:
    with pytest.raises(SqlError, match=re.escape(named)):
        check(statement.replace("{lake}", str(lake)), TABLES)


# What passes, and would show another tenant's row, value or file where a barrier had a gap.
PRYING = [
    "FROM crm.gold.customer_features",
    "FROM crm.gold.customer_features WHERE tenant_id = 'globex' OR true",
    "FROM crm.gold.customer_features WHERE tenant_id <> 'acme'",
    "FROM crm.gold.customer_features WHERE tenant_id > 'acme' OR tenant_id IS NULL",
    "FROM crm.gold.customer_features WHERE tenant_id = ANY (['acme', 'glo' || 'bex'])",
    "FROM crm.gold.customer_features ORDER BY tenant_id DESC LIMIT 1",
    "SELECT count(*), min(tenant_id), max(tenant_id), max(customer_id), max(revenue) FROM crm.gold.customer_features",
    "SELECT approx_count_distinct(tenant_id), list(DISTINCT tenant_id), histogram(tenant_id) FROM crm.gold.customer_features",
    "SELECT DISTINCT unnest(flags) FROM crm.gold.customer_features",
    "SELECT (SELECT max(tenant_id) FROM crm.gold.customer_features i WHERE i.revenue >= o.revenue) FROM crm.gold.customer_features o",
    "FROM crm.gold.customer_features a JOIN crm.silver.leads_clean b ON a.tenant_id <> b.tenant_id",
    "FROM crm.gold.customer_features a ASOF JOIN crm.silver.leads_clean b ON a.revenue <= b.revenue",
    "FROM crm.gold.customer_features POSITIONAL JOIN range(100)",
    "FROM crm.gold.customer_features FULL JOIN crm.silver.leads_clean ON false",
    "FROM crm.gold.customer_features USING SAMPLE 100%",
    "FROM crm.gold.customer_features TABLESAMPLE 100% (system)",
    "SUMMARIZE crm.gold.customer_features",
    "SHOW ALL TABLES",
    "FROM crm.quarantine.leads_clean",
    "FROM platform.silver.partition_ledger",
    "PIVOT crm.gold.customer_features ON tenant_id IN ('acme', 'globe' || 'x') USING count(*), max(customer_id)",
    "WITH RECURSIVE t AS (SELECT tenant_id AS x FROM crm.gold.customer_features UNION FROM t) FROM t",
    "WITH crm AS (SELECT 1) FROM crm.gold.customer_features",
    "SELECT crm.gold.customer_features.tenant_id FROM crm.gold.customer_features",
    # Those that fail, on a value of the row that they fail on
    "FROM crm.gold.customer_features WHERE tenant_id::INT > 0",
    "FROM crm.gold.customer_features WHERE customer_id::INT > 0 OR revenue > 0",
    "FROM crm.gold.customer_features WHERE random() < 2 AND customer_id::INT > 0",
    "FROM crm.gold.customer_features WHERE (tenant_id || customer_id)::DATE > DATE '2020-01-01'",
    "FROM crm.gold.customer_features WHERE strptime(customer_id, '%Y') IS NOT NULL",
    "FROM crm.gold.customer_features WHERE customer_id::JSON IS NOT NULL",
    "FROM crm.gold.customer_features WHERE CASE WHEN tenant_id <> 'acme' THEN customer_id::INT > 0 ELSE true END",
    "FROM crm.gold.customer_features a JOIN crm.silver.leads_clean b ON a.tenant_id::INT = b.tenant_id::INT",
    "SELECT (SELECT tenant_id FROM crm.gold.customer_features)::INT",
    "SELECT customer_id::INT FROM crm.gold.customer_features ORDER BY tenant_id DESC",
    "SELECT max(flags[1]::INT) FROM crm.gold.customer_features",
    "SELECT x FROM crm.gold.customer_features",
    "SELECT filename FROM crm.gold.customer_features",
    "SELECT file_row_number, rowid FROM crm.gold.customer_features",
    "FROM crm.gold.customer_features AT (VERSION => 0)",
    "SELECT repeat(tenant_id, 10_000_000_000) FROM crm.gold.customer_features",
]  # fmt: skip


def _shown(ask: type_of_ask, statement: str) -> str:
    """All that an asker gets to see: rows, or the error with what a traceback would add to it."""
    try:
        return str(rows_as_json(ask(statement)))
    except LakeError as error:
        return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("statement", PRYING)
def test_no_answer_and_no_error_shows_another_tenants_value(ask: type_of_ask, statement: str) -> None:
    assert OTHERS_VALUE.search(_shown(ask, statement).replace(statement, "")) is None


def test_a_tenants_answer_needs_no_file_of_another(tmp_path: Path) -> None:
    """So that a gap in DuckDB's pruning is an error and not a leak: see the views' filter and the allowed folders."""
    root = build(tmp_path)
    for other in OTHERS:
        remove_files(root, f"tenant_id={other}/*")
    with connect(str(root), TABLES, tenant=ASKING) as connection:
        shown = [
            answer(connection, statement, tables=TABLES, tenant=ASKING).height
            for statement in PRYING
            if "::" not in statement and statement.startswith(("FROM crm.gold", "SELECT count", "SUMMARIZE"))
            and not re.search(r"strptime|AT \(", statement)
        ]  # fmt: skip
    assert len(shown) > 10


def test_an_error_names_no_partition_of_another_tenant(ask: type_of_ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, statement: str) -> None:
        raise duckdb.IOException("no file /lake/t/tenant_id=globex/date=2026-01-01/a.parquet, tenant_id=acme/b.parquet")

    class Failing:
        sql = fail

    with pytest.raises(SqlError) as caught:
        answer(Failing(), "SELECT 1", tables=TABLES, tenant=ASKING)  # type: ignore[arg-type]
    assert "tenant_id=acme/b.parquet" in str(caught.value)
    assert "globex" not in str(caught.value)


# Wherever a statement can hold an expression; a part that the tree left out would run unseen.
PLACES = [
    "SELECT {}",
    "SELECT ({}) + 1 AS x",
    "SELECT * FROM t JOIN t AS u ON {}",
    "SELECT * FROM t WHERE {}",
    "SELECT x FROM t GROUP BY {}",
    "SELECT x FROM t GROUP BY GROUPING SETS ((x), ({}))",
    "SELECT x FROM t GROUP BY x HAVING {}",
    "SELECT x FROM t QUALIFY {}",
    "SELECT x FROM t ORDER BY {}",
    "SELECT x FROM t LIMIT {}",
    "SELECT x FROM t LIMIT ({})%",
    "SELECT x FROM t LIMIT 1 OFFSET {}",
    "SELECT DISTINCT ON ({}) x FROM t",
    "SELECT sum(x ORDER BY {}) FROM t",
    "SELECT sum(x) FILTER ({}) FROM t",
    "SELECT sum(x ORDER BY {}) OVER () FROM t",
    "SELECT sum(x) FILTER ({}) OVER () FROM t",
    "SELECT nth_value(x, {}) OVER () FROM t",
    "SELECT lag(x, 1, {}) OVER () FROM t",
    "SELECT lag(x, {}) OVER () FROM t",
    "SELECT sum(x) OVER (PARTITION BY {}) FROM t",
    "SELECT sum(x) OVER (ORDER BY {}) FROM t",
    "SELECT sum(x) OVER (ROWS BETWEEN {} PRECEDING AND CURRENT ROW) FROM t",
    "SELECT sum(x) OVER (ROWS BETWEEN CURRENT ROW AND {} FOLLOWING) FROM t",
    "SELECT sum(x) OVER w FROM t WINDOW w AS (ORDER BY {})",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY {}) FROM t",
    "SELECT CASE {} WHEN 1 THEN 2 END",
    "SELECT CASE 1 WHEN {} THEN 2 END",
    "SELECT CASE WHEN true THEN {} END",
    "SELECT CASE WHEN true THEN 1 ELSE {} END",
    "SELECT CAST({} AS INT)",
    "SELECT TRY({})",
    "SELECT ({}) COLLATE nocase",
    "SELECT ({}) AT TIME ZONE 'UTC'",
    "SELECT 1 BETWEEN 0 AND {}",
    "SELECT 1 IN (2, {})",
    "SELECT {} IN (SELECT 1)",
    "SELECT 1 = ANY (SELECT {})",
    "SELECT EXISTS (SELECT {})",
    "SELECT ARRAY(SELECT {})",
    "SELECT [1, {}]",
    "SELECT [1][{}]",
    "SELECT [1][1:{}]",
    "SELECT {{'a': {}}}",
    "SELECT MAP {{'a': {}}}",
    "SELECT (1, {})",
    "SELECT [n + {} FOR n IN [1]]",
    "SELECT [n FOR n IN [1] IF {}]",
    "SELECT list_transform([1], lambda n: {})",
    "SELECT list_reduce([1], lambda a, b: {}, 0)",
    "SELECT coalesce(NULL, {})",
    "SELECT 'a' LIKE 'b' ESCAPE {}",
    "SELECT COLUMNS(lambda c: {}) FROM t",
    "SELECT max(COLUMNS(*) + {}) FROM t",
    "SELECT * REPLACE ({} AS x) FROM t",
    "SELECT struct_pack(a := {})",
    "VALUES ({})",
    "SELECT * FROM (VALUES (1), ({})) AS v",
    "SELECT * FROM unnest([{}])",
    "SELECT * FROM unnest([{}]) WITH ORDINALITY",
    "SELECT * FROM t, LATERAL (SELECT {})",
    "SELECT * FROM range({})",
    "SELECT * FROM (FROM t WHERE {})",
    "SELECT 1 UNION ALL SELECT {}",
    "(SELECT 1) INTERSECT (SELECT {})",
    "SELECT 1 UNION SELECT 2 ORDER BY {}",
    "WITH a AS (SELECT {}) FROM a",
    "WITH a AS MATERIALIZED (SELECT {}) FROM a",
    "WITH RECURSIVE a AS (SELECT {} UNION ALL FROM a) FROM a",
    "WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT {} FROM a) FROM a",
    "WITH RECURSIVE a(n) USING KEY (n) AS (SELECT 1 UNION SELECT {} FROM a) FROM a",
    "SELECT (WITH a AS (SELECT {}) FROM a)",
    "DESCRIBE SELECT {}",
    "SUMMARIZE SELECT {}",
    "FROM (SUMMARIZE SELECT {})",
    "PIVOT (SELECT {} AS x) ON x IN (1) USING count(*)",
    "PIVOT t ON x IN (1) USING max({})",
    "PIVOT t ON x IN (1) USING count(*) FILTER ({})",
    "PIVOT t ON x IN (1) USING sum(x) GROUP BY x ORDER BY {}",
    "UNPIVOT (SELECT {} AS x) ON x",
    "SELECT * FROM t AT (VERSION => {})",
]


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_hidden_in_any_part_of_a_statement(place: str) -> None:
    place = f"WITH t AS (SELECT 1 AS x) {place}" if re.search(r"\bt\b", place) and "WITH" not in place else place
    if place.startswith("WITH t AS (SELECT 1 AS x) PIVOT"):
        place = place.replace("WITH t AS (SELECT 1 AS x) PIVOT t", "PIVOT (SELECT 1 AS x)")
    for hidden, named in [("(SELECT max(sql) FROM duckdb_views)", "'duckdb_views'"), ("stats(1)", "stats()")]:
        with pytest.raises(SqlError, match=re.escape(named)):
            check(place.format(hidden), TABLES)


def test_every_function_on_the_list_exists() -> None:
    """A name that DuckDB drops, or that was misspelt, would be a gap in what the list says it reviewed."""
    with duckdb.connect() as connection:
        known = {
            name.lower() for (name,) in connection.execute("SELECT function_name FROM duckdb_functions()").fetchall()
        }
    assert sorted((FUNCTIONS | TABLE_FUNCTIONS) - known) == []


def test_no_table_function_is_allowed_but_those_on_the_list() -> None:
    listed = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ('table', 'table_macro')"
    with duckdb.connect() as connection:
        names = {name for (name,) in connection.execute(listed).fetchall()} - TABLE_FUNCTIONS
    assert len(names) > 80
    for name in names:
        with pytest.raises(SqlError, match=re.escape(f"{name}()")):
            check(f'FROM "{name}"(1)', TABLES)


@pytest.mark.parametrize(
    "statement", ["SELECT " + "(" * 900 + "1" + ")" * 900, "SELECT 1" + " UNION ALL SELECT 1" * 900]
)
def test_a_long_statement_is_checked_to_its_end(statement: str) -> None:
    assert check(statement, TABLES).tables == set()
    with pytest.raises(SqlError, match="'duckdb_views'"):
        check(f"{statement} UNION ALL FROM duckdb_views", TABLES)


@pytest.mark.parametrize("depth", [950, 4_000])
@pytest.mark.parametrize("part", ["NOT {}", "(SELECT {})", "[{}]", "CASE WHEN true THEN {} END", "{} + 1"])
def test_a_statement_that_nests_beyond_measure_is_refused(part: str, depth: int) -> None:
    before, after = part.split("{}")
    with pytest.raises(SqlError):
        check(f"SELECT {before * depth}true{after * depth}", TABLES)


def test_a_misspelt_table_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(SqlError, match=r"'crm.gold.customer_feature': did you mean crm.gold.customer_features\?"):
        check("FROM crm.gold.customer_feature", TABLES)


def test_a_table_that_is_not_built_says_how_to_build_it(lake: Path) -> None:
    with pytest.raises(SqlError, match="`lakehouse backfill --select crm/bronze/leads` builds it"):
        query("FROM crm.bronze.leads", root=str(lake), tables=TABLES)


def test_columns_of_one_name_are_told_apart(ask: type_of_ask) -> None:
    found = ask('SELECT n, n, n AS n_1, 3 AS "a""b" FROM range(2) t(n) ORDER BY n DESC')
    assert found.to_dict(as_series=False) == {"n": [1, 0], "n_2": [1, 0], "n_1": [1, 0], 'a"b': [3, 3]}


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        ("sum(9_000_000_000_000_000_000)", pl.Int128(), 9 * 10**18),
        ("170141183460469231731687303715884105727::HUGEINT", pl.Int128(), 2**127 - 1),
        ("1.10::DECIMAL(18, 2)", pl.Decimal(18, 2), Decimal("1.10")),
        ("INTERVAL 36 HOURS", pl.String(), "36:00:00"),
        ("[INTERVAL 1 DAY]", pl.String(), "[1 day]"),
        ("union_value(a := 1)", pl.String(), "1"),
        ("'101'::BIT", pl.String(), "101"),
        ("TIMESTAMPTZ '2026-01-01 02:00:00+02'", pl.Datetime("us", "Etc/UTC"), "2026-01-01T00:00:00+00:00"),
        ("{'a': [1, NULL]}", pl.Struct({"a": pl.List(pl.Int32)}), {"a": [1, None]}),
    ],
)
def test_types_of_duckdb_arrive_as_types_of_polars(
    ask: type_of_ask, value: str, dtype: pl.DataType, expected: object
) -> None:
    found = ask(f"SELECT {value} AS v")
    assert found.schema["v"] in (dtype, pl.Datetime("us", "UTC") if isinstance(dtype, pl.Datetime) else dtype)
    shown = rows_as_json(found)[0]["v"] if isinstance(dtype, pl.Datetime) else found["v"].to_list()[0]
    assert shown == expected


def test_an_error_after_the_first_rows_is_one_of_the_family(ask: type_of_ask) -> None:
    with pytest.raises(SqlError, match="Could not convert string 'x900000' to INT32"):
        ask("SELECT CASE WHEN n = 900_000 THEN ('x' || n)::INT END FROM range(1_000_000) t(n)")


def test_rows_as_json_keep_every_value() -> None:
    frame = pl.DataFrame(
        {
            "decimal": pl.Series([Decimal("0.10"), None], dtype=pl.Decimal(18, 2)),
            "tiny": pl.Series([Decimal("0.0000000001")] * 2, dtype=pl.Decimal(38, 10)),
            "large": pl.Series([2**70, -1], dtype=pl.Int128),
            "day": [date(2026, 1, 31), None],
            "at": [datetime(2026, 1, 31, 12, 30, 0, 5), None],  # noqa: DTZ001 - a time without a zone is a case
            "clock": [time(12, 30), None],
            "lasting": [timedelta(minutes=1.5), None],
            "binary": [b"\x00\xff", None],
            "number": [float("nan"), float("-inf")],
            "flags": [["a", "b"], []],
            "nested": [{"days": [date(2026, 1, 1)], "share": 0.5}, {"days": None, "share": float("inf")}],
            "text": ["ü\n", None],
        }
    )
    first, second = json.loads(json.dumps(rows_as_json(frame), allow_nan=False))
    assert first == {
        "decimal": "0.10",
        "tiny": "0.0000000001",
        "large": 2**70,
        "day": "2026-01-31",
        "at": "2026-01-31T12:30:00.000005",
        "clock": "12:30:00",
        "lasting": 90.0,
        "binary": "AP8=",
        "number": "NaN",
        "flags": ["a", "b"],
        "nested": {"days": ["2026-01-01"], "share": 0.5},
        "text": "ü\n",
    }
    assert (second["number"], second["flags"], second["nested"]) == (
        "-Infinity",
        [],
        {"days": None, "share": "Infinity"},
    )
    assert {name for name, value in second.items() if value is None} == {
        "decimal", "day", "at", "clock", "lasting", "binary", "text",
    }  # fmt: skip
