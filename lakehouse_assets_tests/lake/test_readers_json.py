"""NDJSON and JSON: broken lines harm no other, and values keep their digits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.lake.readers import json as documents
from lakehouse_assets.lake.readers import ndjson
from lakehouse_assets_tests.lake.landed import read_landed

GOOD = '{"lead_id":"L1","customer_id":"C1"}'

# name: the line between two valid ones, and the rules it breaks
BROKEN: dict[str, tuple[str | bytes, list[str]]] = {
    "cut_short": ('{"lead_id":"L2","cust', ["invalid_json"]),
    "no_json": ("lead_id=L2", ["invalid_json"]),
    "trailing_comma": ('{"lead_id":"L2",}', ["invalid_json"]),
    "single_quotes": ("{'lead_id':'L2'}", ["invalid_json"]),
    "two_objects_on_a_line": (GOOD + GOOD, ["invalid_json"]),
    "plus_sign": ('{"lead_id":"L2","note":+1}', ["invalid_json"]),
    "leading_zero": ('{"lead_id":"L2","note":01}', ["invalid_json"]),
    "raw_tab_in_a_text": ('{"lead_id":"L\t2"}', ["invalid_json"]),
    "nul_byte": ('{"lead_id":"L\0"}', ["invalid_json", "nul_byte"]),
    "deep_nesting": ("[" * 100_000, ["invalid_json"]),
    "array": ('["L2","C2"]', ["not_an_object"]),
    "number": ("17", ["not_an_object"]),
    "null": ("null", ["not_an_object"]),
    "half_a_character": ('{"lead_id":"\\ud83d"}', ["invalid_encoding"]),
    "latin1": ('{"lead_id":"é"}'.encode("latin-1"), ["invalid_encoding"]),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("ending", ["ndjson", "jsonl"])
def test_a_broken_line_is_set_aside_with_its_text_and_its_neighbours_land(
    tmp_path: Path, case: str, ending: str
) -> None:
    line, rules = BROKEN[case]
    data = line.encode() if isinstance(line, str) else line
    outcome = read_landed(tmp_path, f"leads.{ending}", b"\n".join([GOOD.encode(), b"", data, GOOD.encode()]))
    assert list(outcome.rows) == [1, 3]
    assert outcome.faults == [(rules, 2, 3)]
    assert outcome.texts == [data.decode("utf-8", "backslashreplace")]


@pytest.mark.parametrize("fewest_alike", [1, 1000])
def test_values_become_text_digit_for_digit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fewest_alike: int) -> None:
    monkeypatch.setattr(ndjson, "FEWEST_ALIKE", fewest_alike)
    values = {
        '"as it is "': "as it is ",
        '""': "",
        '"null"': "null",
        "null": None,
        "true": "true",
        "1.50": "1.50",
        "-0": "-0",
        "1e400": "1e400",
        "123456789012345678901234567890": "123456789012345678901234567890",
        "NaN": "NaN",
        '"\\u00e9\\n"': "é\n",
        '"😀"': "😀",
        '[1.50, "é", null]': '[1.50,"é",null]',
        '{"a": {"b": 2.0}}': '{"a":{"b":2.0}}',
    }
    lines = [f'{{"lead_id": "L", "customer_id": "C", "note": {value}}}' for value in values]
    outcome = read_landed(tmp_path, "leads.ndjson", "\r\n".join(lines))
    assert [row["note"] for row in outcome.rows.values()] == list(values.values())


def test_keys_are_matched_like_columns_and_unknown_ones_kept(tmp_path: Path) -> None:
    lines = ['{" Lead_ID ":"L1","CUSTOMER_ID":2,"size":1.50,"tags":["a"]}', '{"lead_id":"L2","customer_id":null}']
    outcome = read_landed(tmp_path, "leads.ndjson", "\n".join(lines))
    assert outcome.values == {1: ("L1", "2", None, None, None), 2: ("L2", None, None, None, None)}
    assert [row["_extra"] for row in outcome.rows.values()] == ['{"size":1.50,"tags":["a"]}', None]


def test_of_a_key_that_stands_twice_the_last_value_counts(tmp_path: Path) -> None:
    line = '{"lead_id":"L1","lead_id":"L2","customer_id":"C1"}'
    for name, data in {"a.ndjson": line, "b.json": line}.items():
        assert read_landed(tmp_path, name, data).rows[1]["lead_id"] == "L2"


def test_a_required_column_may_be_missing_in_a_line_but_not_in_all_of_them(tmp_path: Path) -> None:
    kept = read_landed(tmp_path, "some.ndjson", f'{GOOD}\n{{"lead_id":"L2"}}\n')
    assert kept.values[2] == ("L2", None, None, None, None)
    for name, data in {"all.ndjson": '{"lead_id":"L1"}\n{"lead_id":"L2"}', "all.json": '[{"lead_id":"L1"}]'}.items():
        refused = read_landed(tmp_path, name, data)
        assert refused.faults == [(["missing_column"], None, None)]
        assert "no column 'customer_id'; it has 'lead_id'" in str(refused.content.refused)
    assert read_landed(tmp_path, "deletes.json", '[{"lead_id":"L1","_op":"delete"}]').rows[1]["_op"] == "delete"


@pytest.mark.parametrize("data", ["", "\n \r\n\t", "\ufeff"])
def test_a_file_without_a_line_has_no_records(tmp_path: Path, data: str) -> None:
    assert read_landed(tmp_path, "leads.ndjson", data).content.records == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("ending", ["ndjson", "json"])
def test_encodings_are_known_by_their_mark(tmp_path: Path, encoding: str, ending: str) -> None:
    data = '{"lead_id":"é😀","customer_id":"C1"}\n'.encode(encoding)
    outcome = read_landed(tmp_path, f"leads.{ending}", data)
    assert outcome.rows[1]["lead_id"] == "é😀"
    assert outcome.content.encoding == {"utf-8-sig": "utf-8-bom"}.get(encoding, encoding)


def test_a_line_beyond_any_memory_refuses_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "LONGEST_LINE", 1 << 20)
    outcome = read_landed(tmp_path, "leads.ndjson", GOOD + "\n" + "x" * (5 << 20))
    assert outcome.faults == [(["too_large"], None, None)]


def test_rows_beyond_memory_go_through_the_spool_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse_assets.lake.readers.json_text.PART_BYTES", 100)
    monkeypatch.setattr(ndjson, "COPY_BYTES", 1000)
    lines = [f'{{"lead_id":"L{i}","customer_id":"C"}}' for i in range(1, 201)]
    outcome = read_landed(tmp_path, "leads.ndjson", "\n".join(lines))
    assert [row["lead_id"] for row in outcome.rows.values()] == [f"L{i}" for i in range(1, 201)]
    assert len(list((tmp_path / "_spool").glob("*.arrow"))) > 1


def test_a_document_is_one_object_or_an_array_of_them(tmp_path: Path) -> None:
    assert read_landed(tmp_path, "one.json", GOOD).values == {1: ("L1", "C1", None, None, None)}
    outcome = read_landed(tmp_path, "many.json", f'[{GOOD},\n 5, null, ["x", 1.50],\n{GOOD}]')
    assert list(outcome.rows) == [1, 5]
    assert outcome.faults == [(["not_an_object"], number, None) for number in (2, 3, 4)]
    assert outcome.texts == ["5", "null", '["x",1.50]']
    assert read_landed(tmp_path, "none.json", "[]").content.records == 0


# name: bytes, rule, line and what the reason names
REFUSED: dict[str, tuple[bytes, str, int | None, str]] = {
    "empty": (b"", "invalid_json", 1, "line 1 column 1"),
    "cut_short": (b'[\n{"lead_id":"L1"},\n{"lead', "invalid_json", 3, "line 3 column 2"),
    "json_lines": (f"{GOOD}\n{GOOD}".encode(), "invalid_json", 2, "Extra data"),
    "latin1": ('{"lead_id":"é"}'.encode("latin-1"), "invalid_encoding", None, "is not utf-8"),
    "half_a_character": (b'[{"lead_id":"\\ud83d"}]', "invalid_encoding", None, "surrogates"),
    "deep_nesting": (b"[" * 100_000, "invalid_json", None, "nested too deeply"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_document_is_refused_whole(tmp_path: Path, case: str) -> None:
    data, rule, line, reason = REFUSED[case]
    outcome = read_landed(tmp_path, "leads.json", data)
    assert outcome.faults == [([rule], None, line)]
    assert reason in str(outcome.content.refused)


def test_a_document_beyond_memory_is_refused_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LARGEST_DOCUMENT", 1 << 20)
    outcome = read_landed(tmp_path, "leads.json", "[" + " " * (1 << 20) + "]")
    assert outcome.faults == [(["too_large"], None, None)]
    assert "land it as NDJSON" in str(outcome.content.refused)


SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
RECORD = st.dictionaries(st.sampled_from(["lead_id", "Note ", "é", "x"]), SCALAR | st.lists(SCALAR, max_size=2))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(RECORD | st.just(None), max_size=12), spaced=st.booleans(), escaped=st.booleans())
def test_lines_read_at_once_and_one_by_one_give_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, records: list[dict[str, Any] | None], spaced: bool, escaped: bool
) -> None:
    separators = None if spaced else (",", ":")
    full = [None if record is None else {"customer_id": 1.5} | record for record in records]
    lines = [json.dumps(record, separators=separators, ensure_ascii=escaped) for record in full]
    monkeypatch.setattr(ndjson, "COPY_BYTES", 64)
    found = []
    for fewest_alike in (1, 1000):
        monkeypatch.setattr(ndjson, "FEWEST_ALIKE", fewest_alike)
        outcome = read_landed(tmp_path, "leads.ndjson", "\n".join([GOOD, *lines]))
        found.append((outcome.values, [row["_extra"] for row in outcome.rows.values()], outcome.malformed))
    assert found[0] == found[1]
    assert len(found[0][0]) == len(records) - records.count(None) + 1
