"""What holds for files of every format: compression, damage to it, hashes, and files that change meanwhile."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.lake.errors import LandingError, SourceChangedError
from lakehouse_assets.lake.readers import read, verify_unchanged
from lakehouse_assets.lake.readers.spool import HashedFile, hash_file
from lakehouse_assets_tests.lake.landed import LEADS, land, listed, read_landed
from lakehouse_assets_tests.lake.test_readers_parquet import leads, parquet

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CSV = b"lead_id,customer_id\nL1,C1\nL2\nL3,C3\n"
COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstd.compress}
FORMATS = {
    "csv": b"lead_id,customer_id\nL1,C1\n",
    "ndjson": b'{"lead_id":"L1","customer_id":"C1"}\n',
    "jsonl": b'{"lead_id":"L1","customer_id":"C1"}\n',
    "json": b'[{"lead_id":"L1","customer_id":"C1"}]',
    "parquet": parquet(leads()),
}


@pytest.mark.parametrize("compression", [None, *COMPRESS])
@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_reads_the_same_rows_with_every_compression(
    tmp_path: Path, ending: str, compression: str | None
) -> None:
    data = FORMATS[ending] if compression is None else COMPRESS[compression](FORMATS[ending])
    name = f"Leads.1.{ending.upper()}" + (f".{compression}" if compression else "")
    assert read_landed(tmp_path, name, data).values == {1: ("L1", "C1", None, None, None)}


@pytest.mark.parametrize("compression", COMPRESS)
def test_compressed_files_may_have_parts_and_malformed_rows_and_other_encodings(
    tmp_path: Path, compression: str
) -> None:
    compress = COMPRESS[compression]
    outcome = read_landed(tmp_path, f"leads.csv.{compression}", compress(CSV[:25]) + compress(CSV[25:] + b"L4,\xe9\n"))
    assert (list(outcome.rows), outcome.faults) == ([1, 3, 4], [(["short_row"], 2, 3)])
    assert outcome.content.encoding == "latin-1"
    assert len(list((tmp_path / "_spool").iterdir())) == 1, "only the copy that is scanned is kept"


DAMAGED: dict[str, tuple[Callable[[Callable[[bytes], bytes]], bytes], str]] = {
    "cut_in_the_middle": (lambda compress: compress(os.urandom(50_000))[:30_000], "truncated_file"),
    "cut_before_the_end_mark": (lambda compress: compress(CSV)[:-2], "truncated_file"),
    "second_part_cut": (lambda compress: compress(CSV) + compress(CSV)[:-6], "truncated_file"),
    "not_compressed": (lambda _: CSV, "unreadable"),
    "garbage_behind_the_end": (lambda compress: compress(CSV) + b"garbage behind the end", "unreadable"),
    "damaged_in_the_middle": (
        lambda compress: compress(CSV * 999)[:40] + b"\xff" * 9 + compress(CSV * 999)[49:], "unreadable",
    ),
}  # fmt: skip


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("case", DAMAGED)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_nothing_of_a_damaged_stream_lands(tmp_path: Path, case: str, compression: str, ending: str) -> None:
    damage, rule = DAMAGED[case]
    outcome = read_landed(tmp_path, f"leads.{ending}.{compression}", damage(COMPRESS[compression]))
    assert outcome.faults == [([rule], None, None)]
    assert "land" in str(outcome.content.refused)
    assert list((tmp_path / "_spool").iterdir()) == []


def test_a_file_that_grows_shrinks_or_vanishes_is_named(tmp_path: Path) -> None:
    file, path = land(tmp_path, "leads.csv", CSV)
    content = read(file, path, LEADS, tmp_path)
    assert content.rows.collect().height == 2
    verify_unchanged(file, path)
    path.write_bytes(CSV + b"L4,C4\n")
    with pytest.raises(
        SourceChangedError, match=rf"{file.path} changed while it was read \(35 bytes when .*, 41 now\)"
    ):
        verify_unchanged(file, path)
    with pytest.raises(SourceChangedError, match="land a correction under another name"):
        read(file, path, LEADS, tmp_path)
    path.unlink()
    with pytest.raises(SourceChangedError, match=f"{file.path} vanished"):
        verify_unchanged(file, path)
    with pytest.raises(SourceChangedError, match="vanished"):
        read(file, path, LEADS, tmp_path)


def test_a_rewrite_of_the_same_size_is_noticed_by_its_time(tmp_path: Path) -> None:
    file, path = land(tmp_path, "leads.csv", CSV)
    path.write_bytes(CSV.replace(b"L1", b"L9"))
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000))
    with pytest.raises(SourceChangedError, match="changed"):
        read(file, path, LEADS, tmp_path)
    assert read(listed(path, file.path), path, LEADS, tmp_path).records == 3


def test_a_name_without_a_reader_is_an_error_of_the_caller(tmp_path: Path) -> None:
    file, path = land(tmp_path, "leads.xlsx", CSV)
    with pytest.raises(LandingError, match=r"leads\.xlsx: no reader knows its ending"):
        read(file, path, LEADS, tmp_path)


def test_a_refused_file_shows_its_beginning_and_stays_where_it_is(tmp_path: Path) -> None:
    outcome = read_landed(tmp_path, "leads.json", b"{\xff\n" + b"x" * 10_000)
    assert outcome.texts[0].startswith("{\\xff\nxxx")
    assert len(outcome.texts[0]) == 2_000
    assert (tmp_path / outcome.file.path).stat().st_size == 10_003


def test_rows_can_be_collected_in_part_and_more_than_once(tmp_path: Path) -> None:
    file, path = land(tmp_path, "leads.csv", b'lead_id,customer_id,x\nL1,C1,1\n\nL2\nL3,5" pipe,3\n\n')
    content = read(file, path, LEADS, tmp_path)
    assert content.rows.select("customer_id").collect().to_series().to_list() == ["C1", '5" pipe']
    assert content.rows.filter(pl.col("lead_id") == "L3").select("_row_number", "_extra").collect().rows() == [
        (3, '{"x":"3"}')
    ]
    assert content.rows.select(pl.len()).collect().item() == 2
    assert content.rows.select("_row_number").collect(engine="in-memory").to_series().to_list() == [1, 3]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 40), max_size=8), data=st.binary(max_size=200))
def test_the_hash_is_of_the_whole_file_however_it_was_read(tmp_path: Path, sizes: list[int], data: bytes) -> None:
    path = tmp_path / "any.bin"
    path.write_bytes(data)
    with HashedFile(path) as landed:
        read_so_far = b"".join(landed.read(size) for size in sizes)
        assert landed.sha256() == hash_file(path)
    assert data.startswith(read_so_far)


def test_modification_times_are_kept_to_the_microsecond(tmp_path: Path) -> None:
    file, path = land(tmp_path, "leads.csv", CSV)
    os.utime(path, ns=(0, 1_767_225_600_123_456_789))
    file = listed(path, file.path)
    assert str(file.modified_at) == "2026-01-01 00:00:00.123456+00:00"
    ingested = read(file, path, LEADS, tmp_path).rows.collect()["_ingested_at"]
    assert ingested.to_list() == [file.modified_at] * 2
    with pytest.raises(SourceChangedError):
        verify_unchanged(replace(file, size_bytes=1), path)
