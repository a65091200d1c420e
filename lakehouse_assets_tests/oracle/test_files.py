"""Files to records: every one is found, read and accounted for."""

from __future__ import annotations

import gzip
from pathlib import Path

from lakehouse_assets_tests.oracle import Oracle
from lakehouse_assets_tests.oracle.by_hand import HEADERS, START, Land, jan


def test_columns_are_found_by_name_and_the_unknown_are_kept_apart(land: Land, tmp_path: Path) -> None:
    land("products", 1, '"a,\nb",P1,red', header=" Product_Name ,PRODUCT_ID,Colour")
    [row] = Oracle(tmp_path, START).bronze("products", "acme", jan(1))
    assert row.values == {
        "product_id": "P1",
        "product_name": "a,\nb",
        "category": None,
        "list_price": None,
        "_op": None,
    }
    assert (row.extra, row.number, row.file) == ({"colour": "red"}, 1, "acme/crm/products/2026-01-01/products.csv")


def test_short_and_long_rows_are_counted_and_take_a_row_number(land: Land, tmp_path: Path) -> None:
    land("products", 1, "P1,Pump,hardware", "", "P2,Valve,hardware,5,6", "P3,Seal,hardware,1")
    oracle = Oracle(tmp_path, START)
    assert oracle.bronze_counts("products", "acme", jan(1)) == {"records": 3, "rows": 1, "malformed": 2, "refused": 0}
    assert [row.number for row in oracle.bronze("products", "acme", jan(1))] == [3]


def test_a_file_without_a_required_column_is_refused_and_no_other(land: Land, tmp_path: Path) -> None:
    land("products", 1, "Pump,5", "Valve,6", header="product_name,list_price")
    land("products", 1, "P1", name="other.csv", header="product_id")
    oracle = Oracle(tmp_path, START)
    assert oracle.bronze_counts("products", "acme", jan(1)) == {"records": 3, "rows": 1, "malformed": 0, "refused": 2}
    assert [file.refused for file in oracle.landed_files("products", "acme", jan(1))] == [None, "no column product_id"]


def test_every_encoding_compression_and_format_gives_the_same_text(land: Land, tmp_path: Path) -> None:
    land("products", 1, "P1,Pompe à vélo,,1.50")
    folder = tmp_path / "acme/crm/products/2026-01-01"
    plain = (folder / "products.csv").read_text(encoding="utf-8")
    (folder / "a.csv.gz").write_bytes(gzip.compress(plain.encode()))
    (folder / "b.csv").write_bytes(plain.encode("utf-8-sig"))
    (folder / "c.csv").write_bytes(plain.replace("\n", "\r\n").encode("latin-1"))
    one = '{"product_id": "P1", "product_name": "Pompe à vélo", "category": "", "list_price": 1.50}'
    (folder / "d.ndjson").write_text(one + '\n{"broken": \n', encoding="utf-8")
    (folder / "e.json").write_text(f"[{one}, 5]", encoding="utf-8")
    (folder / "f.json").write_text(one, encoding="utf-8")
    for ignored in (".g.csv", "_h.csv", "i.csv.tmp", "j.csv.part"):
        (folder / ignored).write_text(plain, encoding="utf-8")
    oracle = Oracle(tmp_path, START)
    rows = oracle.bronze("products", "acme", jan(1))
    assert [row.values for row in rows] == [rows[0].values] * 7
    assert rows[0].values["product_name"] == "Pompe à vélo"
    assert rows[0].values["list_price"] == "1.50"
    assert oracle.bronze_counts("products", "acme", jan(1))["malformed"] == 2


def test_folders_that_are_no_tenant_no_date_or_before_the_start_are_left_alone(land: Land, tmp_path: Path) -> None:
    land("products", 1, "P1,,,")
    for folder in ("acme/crm/products/2025-12-31", "acme/crm/products/2026-02-30", "ACME/crm/products/2026-01-01"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "products.csv").write_text(HEADERS["products"] + "\nP9,,,\n")
    oracle = Oracle(tmp_path, START)
    assert oracle.tenants() == ["acme"]
    assert oracle.ingest_dates("acme") == [jan(1)]
