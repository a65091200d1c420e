"""What a statement may not do: each way around the tables and functions allowed is refused, and named."""

from __future__ import annotations

import re

import duckdb
import pytest

from lakehouse_assets.lake.sql_check import LONGEST_STATEMENT, SqlError, check
from lakehouse_assets.lake.sql_functions import FUNCTIONS, TABLE_FUNCTIONS
from lakehouse_assets_tests.lake.sql_lake import TABLES

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
    ('FROM "{lake}/x.csv"', "x.csv'"),
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
    ("WITH k AS (SELECT 1) FROM \u212a", "'\u212a'"),
    ("WITH RECURSIVE a AS (SELECT 1 FROM a UNION ALL FROM a) FROM a", "'a'"),
    ("WITH duckdb_views AS (FROM duckdb_views) FROM duckdb_views", "'duckdb_views'"),
    ("WITH duckdb_views AS (SELECT 1) FROM (SUMMARIZE duckdb_views)", "'duckdb_views'"),
    ("WITH DUCKDB_VIEWS AS (SELECT 1) FROM duckdb_views", "'DUCKDB_VIEWS'"),
    ('WITH "{lake}/x.parquet" AS (SELECT 1) FROM "{lake}/x.parquet"', "x.parquet'"),
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
            ("json_execute_serialized_sql", "FROM json_execute_serialized_sql(json_serialize_sql('FROM x'))"),
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
def test_what_is_not_allowed_is_refused_by_name(statement: str, named: str) -> None:
    with pytest.raises(SqlError, match=re.escape(named)):
        check(statement.replace("{lake}", "/lake"), TABLES)


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
    "PIVOT t ON x IN (1, 1 + {}) USING count(*)",
    "PIVOT t ON x IN (1) USING count(*) FILTER ({})",
    "PIVOT t ON x IN (1) USING sum(x) GROUP BY x ORDER BY {}",
    "UNPIVOT (SELECT {} AS x) ON x",
    "UNPIVOT t ON (x + {})",
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
