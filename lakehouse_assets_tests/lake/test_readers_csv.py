"""CSV: every way in which a file can go wrong, and that its valid rows are unharmed by it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.lake.readers import csv as reader
from lakehouse_assets.lake.source import Source
from lakehouse_assets_tests.lake.landed import HEADER, read_landed

CLEAN = "L{0},C{0},new,,2026-01-0{0}"
FIRST, SECOND, THIRD = (CLEAN.format(i) for i in (1, 2, 3))

# name: lines behind the header, numbers of the rows that land, and rules, row number and line of the others
RECORDS: dict[str, tuple[str, list[int], list[tuple[list[str], int, int]]]] = {
    "all_clean": (f"{FIRST}\n{SECOND}\n", [1, 2], []),
    "no_line_end_at_the_end": (f"{FIRST}\n{SECOND}", [1, 2], []),
    "short_row": (f"{FIRST}\nL2,C2\n{THIRD}\n", [1, 3], [(["short_row"], 2, 3)]),
    "short_by_an_empty_last_field": (f"{FIRST}\nL2,C2,new,\n{THIRD}\n", [1, 3], [(["short_row"], 2, 3)]),
    "one_field_only": (f"L1\n{SECOND}\n", [2], [(["short_row"], 1, 2)]),
    "white_space_only": (f"   \n{SECOND}\n", [2], [(["short_row"], 1, 2)]),
    "long_row": (f"{FIRST}\n{SECOND},x\n{THIRD}\n", [1, 3], [(["long_row"], 2, 3)]),
    "long_by_an_empty_field": (f"{FIRST}\n{SECOND},\n{THIRD}\n", [1, 3], [(["long_row"], 2, 3)]),
    "short_and_long_rows_with_the_right_number_of_commas_in_sum": (
        f"L1,C1,new,\n{SECOND},\n{THIRD}\n", [3], [(["short_row"], 1, 2), (["long_row"], 2, 3)],
    ),
    "short_last_row_without_line_end": (f"{FIRST}\nL2,C2", [1], [(["short_row"], 2, 3)]),
    "only_malformed_rows": ("L1\nL2\n", [], [(["short_row"], 1, 2), (["short_row"], 2, 3)]),
    "short_quoted_row": (f'"L1","C1"\n{SECOND}\n', [2], [(["short_row"], 1, 2)]),
    "short_row_of_several_lines": (f'L1,"a\nb"\n{SECOND}\n', [2], [(["short_row"], 1, 2)]),
    "row_behind_one_of_several_lines": (f'L1,C1,new,"a\n\nb",x\nL2\n{THIRD}\n', [1, 3], [(["short_row"], 2, 5)]),
    "quote_never_closed": (f'{FIRST}\nL2,C2,new,"gone,2026\n{THIRD}\n', [1, 3], [(["unclosed_quote"], 2, 3)]),
    "quote_never_closed_in_the_last_row": (f'{FIRST}\nL2,C2,new,"gone', [1], [(["unclosed_quote"], 2, 3)]),
    "quote_never_closed_before_quoted_rows": (
        f'L1,C1,new,"gone,x\nL2,C2,new,"kept",x\n{THIRD}\n', [2, 3], [(["unclosed_quote"], 1, 2)],
    ),
    "two_quotes_never_closed": (
        f'L1,"a\n{SECOND}\nL3,"b\nL4,C4,"new",,x\n', [2, 4], [(["unclosed_quote"], 1, 2), (["unclosed_quote"], 3, 4)],
    ),
    "text_behind_a_closing_quote": (f'L1,"C"1,new,,x\n{SECOND}\n', [2], [(["misplaced_quote"], 1, 2)]),
    "carriage_return_behind_a_closing_quote": (
        f'L1,C1,new,,"x"\r\r\n{SECOND}\r\n', [2], [(["misplaced_quote"], 1, 2)],
    ),
    "nul_byte": (f"L1,C\0,new,,x\n{SECOND}\n", [2], [(["nul_byte"], 1, 2)]),
    "nul_byte_in_a_short_row": (f"L1\0\n{SECOND}\n", [2], [(["short_row", "nul_byte"], 1, 2)]),
    "nul_byte_on_the_second_line_of_a_row": (f'L1,C1,new,"a\nb\0",x\n{SECOND}\n', [2], [(["nul_byte"], 1, 2)]),
    "empty_lines_are_no_records": (f"\n\n{FIRST}\n\n\nL2\n\n{THIRD}\n\n\n", [1, 3], [(["short_row"], 2, 7)]),
    "an_empty_line_at_the_end": (f"{FIRST}\n{SECOND}\n\n", [1, 2], []),
    "windows_line_ends": (f"{FIRST}\r\n\r\nL2\r\n{THIRD}\r\n\r\n", [1, 3], [(["short_row"], 2, 4)]),
    "hash_is_no_comment": (f"#{FIRST}\n{SECOND}\n", [1, 2], []),
}  # fmt: skip


@pytest.mark.parametrize("case", RECORDS)
@pytest.mark.parametrize("block_bytes", [13, 1 << 20])
def test_malformed_records_are_set_aside_and_their_neighbours_land(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, block_bytes: int
) -> None:
    body, landed, faults = RECORDS[case]
    monkeypatch.setattr(reader, "BLOCK_BYTES", block_bytes)
    outcome = read_landed(tmp_path, "leads.csv", f"{HEADER}\n{body}")
    assert (list(outcome.rows), outcome.faults, outcome.content.refused) == (landed, faults, None)
    assert [text for text in outcome.texts if text not in body] == []
    clean = {tuple(line.split(",")) for line in (FIRST, SECOND, THIRD) if line in body.splitlines()}
    assert clean <= set(outcome.values.values())


# name: bytes of the whole file, the rule, the line, and what the reason names
REFUSED: dict[str, tuple[bytes, str, int | None, str]] = {
    "empty_file": (b"", "missing_column", 1, "is empty"),
    "byte_order_mark_only": (b"\xef\xbb\xbf", "missing_column", 1, "is empty"),
    "line_ends_only": (b"\n\r\n", "missing_column", 1, "is empty"),
    "semicolons": (b"lead_id;customer_id;note\nL1;C1;x\n", "missing_column", 1, "it looks separated by ';'"),
    "tabs": (b"lead_id\tcustomer_id\nL1\tC1\n", "missing_column", 1, r"it looks separated by '\t'"),
    "required_column_missing": (b"lead_id,note\nL1,x\n", "missing_column", 1, "no column 'customer_id'"),
    "no_header": (b"L1,C1,new,,2026\n", "missing_column", 1, "it has 'L1', 'C1'"),
    "empty_header": (b",,\n1,2,3\n", "missing_column", 1, "no column 'lead_id', 'customer_id'"),
    "header_behind_an_empty_line": (b"\nlead_id\nL1\n", "missing_column", 2, "no column 'customer_id'"),
    "key_missing_though_there_are_operations": (b"customer_id,_op\nC1,delete\n", "missing_column", 1, "'lead_id'"),
    "column_twice": (b"lead_id,customer_id,note,note\nL1,C1,x,y\n", "duplicate_header", 1, "named 'note'"),
    "column_twice_in_other_case": (b"lead_id,customer_id, LEAD_ID \nL1,C1,L2\n", "duplicate_header", 1, "'lead_id'"),
    "unknown_column_twice": (b"lead_id,customer_id,x,X\nL1,C1,1,2\n", "duplicate_header", 1, "named 'x'"),
    "quote_of_the_header_never_closed": (b'lead_id,"customer_id\nL1,C1\n', "unclosed_quote", 1, "quotes"),
    "utf16_without_mark": (HEADER.encode("utf-16-le") + b"\n\0", "nul_byte", 1, "UTF-16 without byte order mark"),
    "utf16_cut_in_half": ("\ufefflead_id,customer_id".encode("utf-16-le")[:-1], "invalid_encoding", None, "utf-16"),
    "picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "missing_column", 1, "no column 'lead_id'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_without_a_usable_header_is_refused_whole(tmp_path: Path, case: str) -> None:
    data, rule, line, reason = REFUSED[case]
    outcome = read_landed(tmp_path, "leads.csv", data)
    assert outcome.faults == [([rule], None, line)]
    assert reason in str(outcome.content.refused)
    assert outcome.content.records == 1


def test_a_header_alone_has_no_records(tmp_path: Path) -> None:
    for name, data in {
        "a.csv": HEADER,
        "b.csv": f"{HEADER}\r\n",
        "c.csv": '"lead_id","customer_id"\n\n',
    }.items():
        assert read_landed(tmp_path, name, data).content.records == 0


def test_columns_are_found_by_name_in_any_order_and_letter_case(tmp_path: Path) -> None:
    outcome = read_landed(tmp_path, "leads.csv", 'STATUS, Customer_Id ,"Lead_ID"\nnew,C1,L1\n')
    assert outcome.values == {1: ("L1", "C1", "new", None, None)}
    assert outcome.rows[1]["_extra"] is None


def test_unknown_columns_are_kept_as_json_and_unnamed_ones_by_their_place(tmp_path: Path) -> None:
    data = 'lead_id,customer_id, Région ,,tenant_id\nL1,C1,"a ""b""",x,\nL2,C2,é\n'
    outcome = read_landed(tmp_path, "leads.csv", data)
    assert json.loads(outcome.rows[1]["_extra"]) == {"Région": 'a "b"', "column_4": "x", "tenant_id": ""}
    assert outcome.faults == [(["short_row"], 2, 3)]


def test_an_empty_field_is_the_empty_text_and_an_absent_column_is_null(tmp_path: Path) -> None:
    outcome = read_landed(tmp_path, "leads.csv", 'lead_id,customer_id,note\n,"",  NULL \n')
    assert outcome.values == {1: ("", "", None, "  NULL ", None)}


def test_a_file_with_operations_needs_its_key_only(tmp_path: Path) -> None:
    outcome = read_landed(tmp_path, "leads.csv", "lead_id,_OP\nL1,delete\n")
    assert (outcome.rows[1]["lead_id"], outcome.rows[1]["_op"]) == ("L1", "delete")


def test_an_operation_means_nothing_in_a_source_of_events(tmp_path: Path) -> None:
    events = Source(
        domain="crm", name="calls", kind="event", key=("id",), version="at", columns={"id": "", "at": ""},
        required=("id", "at"), description="",
    )  # fmt: skip
    outcome = read_landed(tmp_path, "calls.csv", "id,at,_op\n1,2026,delete\n", events)
    assert outcome.rows[1]["_extra"] == '{"_op":"delete"}'
    assert read_landed(tmp_path, "bare.csv", "id,_op\n1,delete\n", events).content.refused


ODD_VALUES = [
    "a,b",
    "a\nb",
    "a\r\nb",
    'say "hi"',
    '"',
    '""',
    "\n",
    ",",
    " x ",
    "é 😀 Ω",
    "\\",
    "'",
    "NULL",
    "1e309",
    "a\rb",
]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_values_come_through_untouched_in_every_encoding_and_with_every_line_end(
    tmp_path: Path, line_end: str, encoding: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows(
        [["lead_id", "customer_id", "note"], *([f"L{i}", "", value] for i, value in enumerate(ODD_VALUES))]
    )
    outcome = read_landed(tmp_path, "leads.csv", text.getvalue().encode(encoding))
    assert [row["note"] for row in outcome.rows.values()] == ODD_VALUES
    assert outcome.content.encoding == {"utf-8-sig": "utf-8-bom"}.get(encoding, encoding)
    assert outcome.malformed == []


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_what_is_not_utf8_is_latin1_and_said_to_be(tmp_path: Path, mark: bytes) -> None:
    data = mark + "lead_id,customer_id,note\nL1,Müller,ß\nL2,é\n".encode("latin-1")
    outcome = read_landed(tmp_path, "leads.csv", data)
    assert outcome.values == {1: ("L1", "Müller", None, "ß", None)}
    assert (outcome.content.encoding, outcome.texts) == ("latin-1", ["L2,é"])


def test_a_character_across_two_blocks_is_no_reason_for_latin1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for block_bytes in (1, 2, 3, 5):
        monkeypatch.setattr(reader, "BLOCK_BYTES", block_bytes)
        outcome = read_landed(tmp_path, "leads.csv", "lead_id,customer_id\nL1,😀é\n")
        assert (outcome.content.encoding, outcome.rows[1]["customer_id"]) == ("utf-8", "😀é")


def test_doubled_carriage_returns_end_a_line_once(tmp_path: Path) -> None:
    outcome = read_landed(tmp_path, "leads.csv", "lead_id,customer_id,note\r\r\nL1,C1,x\r\r\nL2,C2\r\r\n")
    assert [row["note"].strip() for row in outcome.rows.values()] == ["x"]
    assert outcome.faults == [(["short_row"], 2, 3)]


def test_a_name_may_hold_what_others_take_for_a_pattern(tmp_path: Path) -> None:
    read_landed(tmp_path, "leads1.csv", "lead_id,customer_id\nL1,C1\n")
    outcome = read_landed(tmp_path, "leads[0-9]*?.csv", "lead_id,customer_id\nL2,C2\n")
    assert [row["lead_id"] for row in outcome.rows.values()] == ["L2"]


def test_quotes_inside_an_unquoted_field_are_text(tmp_path: Path) -> None:
    lines = ['L1,C1,5" pipe', 'L2,"C,2",x"y"z', 'L3,C3,"a ""b"""', 'L4,C4,1" by 2", short', "L5,C5,x"]
    outcome = read_landed(tmp_path, "leads.csv", "\n".join(["lead_id,customer_id,note", *lines]))
    assert {number: row["note"] for number, row in outcome.rows.items()} == {
        1: '5" pipe',
        2: 'x"y"z',
        3: 'a "b"',
        5: "x",
    }
    assert (outcome.rows[2]["customer_id"], outcome.texts) == ("C,2", [lines[3]])


def test_a_field_of_ten_megabytes_is_one_value(tmp_path: Path) -> None:
    plain, quoted = "x" * 10_000_000, "y,\n" * 3_400_000
    data = f'lead_id,customer_id,note\nL1,C1,{plain}\nL2,C2,"{quoted}"\nL3\nL4,C4,z\n'
    outcome = read_landed(tmp_path, "leads.csv", data)
    assert outcome.rows[1]["note"] == plain
    assert outcome.rows[2]["note"] == quoted
    assert (list(outcome.rows), outcome.faults) == ([1, 2, 4], [(["short_row"], 3, 3_400_004)])


def test_a_line_beyond_any_memory_refuses_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse_assets.lake.readers.records.LONGEST_RECORD", 1 << 20)
    outcome = read_landed(tmp_path, "leads.csv", f"{HEADER}\n{FIRST}\n{'x' * (3 << 20)}\n")
    assert outcome.faults == [(["too_large"], None, 3)]


def test_a_quote_open_for_longer_than_any_record_costs_its_line_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse_assets.lake.readers.records.LONGEST_RECORD", 1 << 16)
    monkeypatch.setattr(reader, "BLOCK_BYTES", 1 << 12)
    lines = ['L0,C0,"never closed', *(f"L{i},C{i},x" for i in range(1, 20_001)), 'L20001,C20001,"x"']
    outcome = read_landed(tmp_path, "leads.csv", "\n".join(["lead_id,customer_id,note", *lines]))
    assert outcome.faults == [(["unclosed_quote"], 1, 2)]
    assert [row["lead_id"] for row in outcome.rows.values()] == [f"L{i}" for i in range(1, 20_002)]


FIELD = st.text(st.sampled_from('ab,"\n\r \\é😀\u2028\x7f'), max_size=5)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(FIELD, min_size=1, max_size=5), max_size=15),
    width=st.integers(1, 4),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    block_bytes=st.sampled_from([7, 31, 1 << 20]),
    ends=st.booleans(),
)
def test_reading_agrees_with_pythons_csv_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[list[str]], width: int, line_end: str, block_bytes: int,
    ends: bool,
) -> None:  # fmt: skip
    monkeypatch.setattr(reader, "BLOCK_BYTES", block_bytes)
    names = [f"c{i}" for i in range(width)]
    source = Source(
        domain="crm", name="any", kind="entity", key=("c0",), version=None, columns=dict.fromkeys(names, ""),
        required=("c0",), description="",
    )  # fmt: skip
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    text = buffer.getvalue() if ends else buffer.getvalue().removesuffix(line_end)
    outcome = read_landed(tmp_path, "any.csv", text, source)
    expected = dict(enumerate(list(csv.reader(io.StringIO(text, newline="")))[1:], 1))
    fitting = {number: row for number, row in expected.items() if len(row) == width}
    assert {number: [row[name] for name in names] for number, row in outcome.rows.items()} == fitting
    others = [expected[fault["_row_number"]] for fault in outcome.malformed]
    assert [next(csv.reader(io.StringIO(raw, newline=""))) for raw in outcome.texts] == others


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.text(st.sampled_from('aé,,""\n\n\r\0'), max_size=60), block_bytes=st.sampled_from([5, 23, 1 << 20]))
def test_no_byte_of_any_garbage_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, block_bytes: int
) -> None:
    """Whatever stands behind the header is found again in the rows or in the malformed records."""
    monkeypatch.setattr(reader, "BLOCK_BYTES", block_bytes)
    outcome = read_landed(tmp_path, "leads.csv", f"lead_id,customer_id\n{body}")
    landed = "".join(value or "" for row in outcome.values.values() for value in row)
    found = landed + "".join(outcome.texts)
    for character in "aé":
        assert found.count(character) == body.count(character)
    assert "".join(outcome.texts).count("\0") == body.count("\0")
