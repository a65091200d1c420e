"""Parquet: types become the text a CSV would hold, and damage is noticed before anything lands."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from lakehouse_assets_tests.lake.landed import read_landed


def parquet(frame: pl.DataFrame, **options: Any) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, **options)
    return buffer.getvalue()


def leads(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame({"Lead_ID": ["L1"], "customer_id": ["C1"], **columns})


MOMENT = datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC).replace(tzinfo=None)  # as most writers leave it
TEXTS: dict[str, tuple[pl.Series, str | None]] = {
    "text": (pl.Series([" é "]), " é "),
    "integer": (pl.Series([2**63 - 1]), "9223372036854775807"),
    "float": (pl.Series([0.1]), "0.1"),
    "whole_float": (pl.Series([250.0]), "250.0"),
    "large_float": (pl.Series([1.7976931348623157e308]), "1.7976931348623157e+308"),
    "single_float": (pl.Series([0.1], dtype=pl.Float32), "0.1"),
    "decimal": (pl.Series([Decimal("1.50")]), "1.50"),
    "truth": (pl.Series([True]), "true"),
    "date": (pl.Series([date(2026, 1, 31)]), "2026-01-31"),
    "time": (pl.Series([time(1, 2, 3)]), "01:02:03"),
    "duration": (pl.Series([timedelta(hours=1)]), "PT1H"),
    "moment_without_zone_is_utc": (pl.Series([MOMENT]), "2026-01-31T12:00:00.000005Z"),
    "moment_in_nanoseconds": (pl.Series([MOMENT]).cast(pl.Datetime("ns")), "2026-01-31T12:00:00.000005Z"),
    "moment_in_a_zone": (pl.Series([MOMENT.replace(tzinfo=ZoneInfo("Asia/Dubai"))]), "2026-01-31T08:00:00.000005Z"),
    "category": (pl.Series(["x"], dtype=pl.Categorical), "x"),
    "bytes_of_text": (pl.Series(["é".encode()]), "é"),
    "bytes": (pl.Series([b"\xff\x00"]), "ff00"),
    "list": (pl.Series([[1, None]]), "[1,null]"),
    "struct": (pl.Series([{"a": "x", "b": [1.5]}]), '{"a":"x","b":[1.5]}'),
    "null": (pl.Series([None], dtype=pl.Int64), None),
    "null_list": (pl.Series([None], dtype=pl.List(pl.Int64)), None),
    "no_type": (pl.Series([None], dtype=pl.Null), None),
}


@pytest.mark.parametrize("case", TEXTS)
def test_every_type_becomes_text(tmp_path: Path, case: str) -> None:
    column, text = TEXTS[case]
    outcome = read_landed(tmp_path, "leads.parquet", parquet(leads(note=column)))
    assert outcome.values == {1: ("L1", "C1", None, text, None)}
    assert outcome.rows[1]["_extra"] is None


def test_unknown_columns_are_kept_as_json(tmp_path: Path) -> None:
    data = parquet(leads(size=[1.5], at=[MOMENT], tags=[["a"]], photo=[b"\xff"], row=["r"], none=[None]))
    extra = {"size": 1.5, "at": "2026-01-31T12:00:00.000005Z", "tags": ["a"], "photo": "ff", "row": "r", "none": None}
    assert json.loads(read_landed(tmp_path, "leads.parquet", data).rows[1]["_extra"]) == extra


@pytest.mark.parametrize("compression", ["zstd", "snappy", "uncompressed"])
def test_damage_anywhere_refuses_the_file(tmp_path: Path, compression: str) -> None:
    frame = pl.DataFrame({"lead_id": [f"L{i:05}" for i in range(5_000)], "customer_id": "C1"})
    data = parquet(frame, compression=compression)
    damaged = {
        "no_end": data[:-5],
        "no_beginning": data[200:],
        "a_page": data[:20] + b"\xff" * 400 + data[420:],
        "nothing": b"",
        "no_parquet": b"lead_id,customer_id\nL1,C1\n",
    }
    for name, content in damaged.items():
        outcome = read_landed(tmp_path, f"{name}.parquet", content)
        assert outcome.faults == [(["unreadable"], None, None)], name
        assert "land the file again" in str(outcome.content.refused)


def test_a_file_needs_the_source_s_columns_once(tmp_path: Path) -> None:
    missing = read_landed(tmp_path, "a.parquet", parquet(pl.DataFrame({"lead_id": ["L1"], "note": ["x"]})))
    assert missing.faults == [(["missing_column"], None, None)]
    twice = read_landed(tmp_path, "b.parquet", parquet(leads(LEAD_ID=["L2"])))
    assert twice.faults == [(["duplicate_header"], None, None)]
    nested = read_landed(tmp_path, "c.parquet", parquet(leads(note=pl.Series([[b"\xff"]]))))
    assert nested.faults == [(["unreadable"], None, None)]
    assert "column 'note' holds bytes inside a nested value" in str(nested.content.refused)


def test_rows_are_numbered_in_the_file_s_order_and_none_may_be_there(tmp_path: Path) -> None:
    frame = pl.DataFrame({"lead_id": [f"L{i}" for i in range(1, 3001)], "customer_id": "C1"})
    outcome = read_landed(tmp_path, "leads.parquet", parquet(frame, row_group_size=500))
    assert {number: row["lead_id"] for number, row in outcome.rows.items()} == {i: f"L{i}" for i in range(1, 3001)}
    assert read_landed(tmp_path, "none.parquet", parquet(frame.clear())).content.records == 0
