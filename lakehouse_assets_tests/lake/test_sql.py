"""Questions in SQL: what is answered, how rows arrive, and that no answer and no error shows another tenant's value."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from lakehouse_assets.lake.errors import LakeError
from lakehouse_assets.lake.sql import _run, query, rows_as_json
from lakehouse_assets.lake.sql_check import SqlError
from lakehouse_assets_tests.lake.sql_lake import (
    ASKING,
    FEATURES,
    LEADS,
    NOT_BUILT,
    OTHERS,
    TABLES,
    build,
    remove_files,
    rows_of,
)

type_of_ask = Callable[[str], pl.DataFrame]
OTHERS_VALUE = re.compile("|".join([*OTHERS, r"\b100\d\b"]))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def ask(lake: Path) -> type_of_ask:
    """Answers for the asking tenant."""
    return lambda statement: query(statement, root=str(lake), tables=TABLES, tenant=ASKING)


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
        ("SELECT * FROM unnest(['a', 'b']) WITH ORDINALITY", [("a", 1), ("b", 2)]),
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


def test_all_tables_that_are_built_are_listed(lake: Path, ask: type_of_ask) -> None:
    built = {tuple(name) for name in TABLES if name != NOT_BUILT}
    for found in (ask("SHOW ALL TABLES"), query("SHOW ALL TABLES", root=str(lake), tables=TABLES, tenant=ASKING)):
        assert set(found.select("database", "schema", "name").rows()) == built


def test_without_a_tenant_all_rows_are_there(lake: Path) -> None:
    found = query(f"SELECT tenant_id, count(*) FROM {LEADS} GROUP BY 1 ORDER BY 1", root=str(lake), tables=TABLES)
    assert found.rows() == [("acme", 6), ("acme2", 6), ("globex", 6)]


# What passes, and would show another tenant's row, value or file where a barrier had a gap.
PRYING = [
    "FROM crm.gold.customer_features",
    "FROM crm.gold.customer_features WHERE tenant_id = 'globex' OR true",
    "FROM crm.gold.customer_features WHERE tenant_id <> 'acme'",
    "FROM crm.gold.customer_features WHERE tenant_id > 'acme' OR tenant_id IS NULL",
    "FROM crm.gold.customer_features WHERE tenant_id = ANY (['acme', 'glo' || 'bex'])",
    "FROM crm.gold.customer_features ORDER BY tenant_id DESC LIMIT 1",
    "SELECT count(*), min(tenant_id), max(tenant_id), max(customer_id), max(revenue) FROM crm.gold.customer_features",
    "SELECT count(DISTINCT tenant_id), list(DISTINCT tenant_id), mode(tenant_id) FROM crm.gold.customer_features",
    "SELECT DISTINCT unnest(flags) FROM crm.gold.customer_features",
    "SELECT (SELECT max(tenant_id) FROM crm.silver.leads_clean WHERE revenue >= o.revenue) FROM commerce.gold.sales o",
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
    shown = [
        query(statement, root=str(root), tables=TABLES, tenant=ASKING).height
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
        _run(Failing(), "SELECT 1", ASKING)  # type: ignore[arg-type]
    assert "tenant_id=acme/b.parquet" in str(caught.value)


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
    with pytest.raises(SqlError, match="fails: Conversion Error: Could not convert string 'x900000' to INT32"):
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
