"""Texts with the JSON of their other columns beside them: pairs, and what is set aside when a half is at fault."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from lakehouse_assets.lake.errors import ContractError, SourceChangedError
from lakehouse_assets.lake.landing import Landing, LandingFile
from lakehouse_assets.lake.readers import FileContent, document, read
from lakehouse_assets.lake.source import Source
from lakehouse_assets_tests.lake.test_landing import StoreLanding

DAY = date(2026, 1, 31)
NOTES = Source(
    domain="crm",
    name="notes",
    kind="entity",
    key=("note_id",),
    version=None,
    columns=dict.fromkeys(("note_id", "title", "text"), "as landed"),
    required=("note_id",),
    description="notes of a tenant",
    content="text",
)
FACTS = b'{"note_id": "n1", "title": "First"}'
FOLDER = f"acme/crm/notes/{DAY}"


def land(landing: Landing, files: dict[str, bytes]) -> None:
    """Put files into acme's folder of notes."""
    folder = Path(landing.root) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def contents(landing: Landing, spool: Path) -> dict[str, FileContent]:
    """What became of each file; every one is a row or a malformed record."""
    spool.mkdir(exist_ok=True)
    found = {}
    for file in landing.list(sources=[NOTES]).files:
        with landing.local(file) as path:
            content = read(file, path, NOTES, spool)
        assert content.rows.collect().height + content.malformed.height == content.records == 1
        assert content.rows.collect_schema().names()[:4] == ["note_id", "title", "text", "_op"]
        found[file.name] = content
    return found


def row(content: FileContent) -> tuple[str | None, ...]:
    assert content.refused is None
    return content.rows.select("note_id", "title", "text", "_op", "_extra").collect().row(0)


def fault(content: FileContent) -> str | None:
    if not content.refused:
        return None
    (malformed,) = content.malformed.to_dicts()
    assert json.loads(malformed["raw"])["reason"] == content.refused
    (rule,) = malformed["rules"]
    return str(rule)


@pytest.fixture(params=[Landing, StoreLanding])
def landing(request: pytest.FixtureRequest, tmp_path: Path) -> Landing:
    made: Landing = request.param(str(tmp_path / "landing"))
    return made


def test_a_text_and_the_json_beside_it_are_one_file(landing: Landing, tmp_path: Path) -> None:
    text = "Grüße\r\nan alle\n".encode()
    land(landing, {"a.txt": text, "a.json": FACTS})
    (file,) = landing.list(sources=[NOTES]).files
    assert (file.path, file.size_bytes) == (f"{FOLDER}/a.txt", len(text) + len(FACTS))
    assert [part.name for part in file.parts] == ["a.txt", "a.json"]
    assert file.modified_at == max(part.modified_at for part in file.parts)
    (content,) = contents(landing, tmp_path / "spool").values()
    assert row(content) == ("n1", "First", "Grüße\r\nan alle\n", None, None)
    hashes = [hashlib.sha256(part).hexdigest() for part in (text, FACTS)]
    assert content.sha256 == hashlib.sha256("".join(hashes).encode()).hexdigest()
    trace = content.rows.select("_source_file", "_row_number", "_ingested_at", "_file_sha256").collect().row(0)
    assert trace == (file.path, 1, file.modified_at, content.sha256)


def test_json_is_paired_by_the_closest_name(landing: Landing) -> None:
    names = ["a.txt", "a.txt.json", "a.md", "a.json", "b.md.gz", "b.md.json.zst", "c.d.MD", "c.d.json", "e.txt"]
    land(landing, dict.fromkeys(names, b""))
    found = {file.name: [part.name for part in file.parts] for file in landing.list(sources=[NOTES]).files}
    assert found == {
        "a.txt": ["a.txt", "a.txt.json"],
        "a.md": ["a.md", "a.json"],
        "b.md.gz": ["b.md.gz", "b.md.json.zst"],
        "c.d.MD": ["c.d.MD", "c.d.json"],
        "e.txt": [],
    }


def test_json_that_fits_two_texts_goes_with_neither(landing: Landing, tmp_path: Path) -> None:
    land(landing, {"a.txt": b"x", "a.md": b"y", "a.json": FACTS, "b.txt": b"z", "b.json": FACTS})
    found = contents(landing, tmp_path / "spool")
    assert {name: fault(content) for name, content in found.items()} == {
        "a.txt": "missing_side_file",
        "a.md": "missing_side_file",
        "a.json": "missing_text",
        "b.txt": None,
    }


# name: text, JSON, and the rule that the pair breaks
BROKEN: dict[str, tuple[bytes | None, bytes | None, str]] = {
    "text_alone": (b"x", None, "missing_side_file"),
    "json_alone": (None, FACTS, "missing_text"),
    "array": (b"x", b"[" + FACTS + b"]", "not_an_object"),
    "array_alone": (None, b"[]", "not_an_object"),
    "number": (b"x", b"17", "not_an_object"),
    "null": (b"x", b"null", "not_an_object"),
    "cut_short": (b"x", b'{"note_id": "n1", ', "invalid_json"),
    "empty_json": (b"x", b"", "invalid_json"),
    "no_key": (b"x", b'{"title": "First"}', "missing_column"),
    "empty_object": (b"x", b"{}", "missing_column"),
    "key_by_another_name": (b"x", b'{"id": "n1"}', "missing_column"),
    "delete_without_key": (None, b'{"_op": "delete"}', "missing_column"),
    "upsert_alone": (None, b'{"note_id": "n1", "_op": "upsert"}', "missing_text"),
    "latin1_json": (b"x", '{"note_id": "é"}'.encode("latin-1"), "invalid_encoding"),
    "half_a_character": (b"x", b'{"note_id": "\\ud83d"}', "invalid_encoding"),
    "nul_byte": (b"one\ntwo\0", FACTS, "nul_byte"),
    "utf16_without_mark": ("abc".encode("utf-16-le"), FACTS, "nul_byte"),
    "half_of_utf16": (b"\xff\xfea", FACTS, "invalid_encoding"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_half_sets_the_pair_aside_and_no_other(landing: Landing, tmp_path: Path, case: str) -> None:
    text, facts, rule = BROKEN[case]
    land(landing, {"b.txt": b"fine", "b.json": FACTS})
    land(landing, {name: data for name, data in {"a.txt": text, "a.json": facts}.items() if data is not None})
    found = contents(landing, tmp_path / "spool")
    assert row(found.pop("b.txt")) == ("n1", "First", "fine", None, None)
    ((name, content),) = found.items()
    assert fault(content) == rule
    assert (content.refused or "").startswith(f"{FOLDER}/{name}: ")


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"", "", "utf-8"),
        (b"\xef\xbb\xbfabc", "abc", "utf-8-bom"),
        ("é\n".encode("utf-16"), "é\n", "utf-16"),
        ("é\n".encode("utf-32"), "é\n", "utf-32"),
        ("Grüße".encode("latin-1"), "Grüße", "latin-1"),
        (b"\xef\xbb\xbf\xfc", "ü", "latin-1"),
        ("a\u0308 \U0001f600 \u202e".encode(), "a\u0308 \U0001f600 \u202e", "utf-8"),
    ],
)
def test_texts_are_read_in_their_encoding(
    landing: Landing, tmp_path: Path, data: bytes, text: str, encoding: str
) -> None:
    land(landing, {"a.txt": data, "a.json": FACTS})
    (content,) = contents(landing, tmp_path / "spool").values()
    assert (row(content)[2], content.encoding) == (text, encoding)


def test_columns_are_found_by_name_and_unknown_ones_kept(landing: Landing, tmp_path: Path) -> None:
    facts = b'\xef\xbb\xbf{" NOTE_ID ": 7, "Text": "not this", "pages": 1.50, "title": null}'
    land(landing, {"a.md": b"this", "a.md.json": facts})
    (content,) = contents(landing, tmp_path / "spool").values()
    assert row(content) == ("7", None, "this", None, '{"Text":"not this","pages":1.50}')


def test_a_delete_needs_no_text(landing: Landing, tmp_path: Path) -> None:
    land(landing, {"a.json": b'{"note_id": "n1", "_op": " Delete "}'})
    (content,) = contents(landing, tmp_path / "spool").values()
    assert row(content) == ("n1", None, None, " Delete ", None)


def test_a_large_text_is_one_value_and_one_beyond_memory_is_refused(
    landing: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = "Zeile mit ü\n".encode() * 800_000
    land(landing, {"a.txt.gz": gzip.compress(data, 1), "a.json.gz": gzip.compress(FACTS)})
    (content,) = contents(landing, tmp_path / "spool").values()
    assert str(row(content)[2]).encode() == data
    monkeypatch.setattr(document, "LARGEST_TEXT", 1 << 20)
    (content,) = contents(landing, tmp_path / "spool").values()
    assert fault(content) == "too_large"


def test_a_damaged_archive_sets_the_pair_aside(landing: Landing, tmp_path: Path) -> None:
    cut = gzip.compress(FACTS)[:-9]
    land(landing, {"a.txt": b"x", "a.json.gz": cut, "b.txt.gz": cut, "b.json": FACTS})
    found = contents(landing, tmp_path / "spool")
    assert {name: fault(content) for name, content in found.items()} == dict.fromkeys(
        ("a.txt", "b.txt.gz"), "truncated_file"
    )


def test_only_texts_and_json_are_taken(landing: Landing) -> None:
    land(landing, {"a.csv": b"note_id\n", "b.txt.part": b"", "_c.txt": b"", "d.parquet": b""})
    listing = landing.list(sources=[NOTES])
    assert [path.path for path in listing.refused] == [f"{FOLDER}/a.csv", f"{FOLDER}/d.parquet"]
    assert listing.refused[0].reason.startswith("notes takes texts, and this is none: use one of .txt, .md, .json,")
    assert listing.files == []


def test_a_half_that_changes_after_the_listing_is_noticed(tmp_path: Path) -> None:
    landing = Landing(str(tmp_path))
    land(landing, {"a.txt": b"x", "a.json": FACTS})
    (file,) = landing.list(sources=[NOTES]).files
    land(landing, {"a.json": FACTS + b" "})
    with landing.local(file) as path, pytest.raises(SourceChangedError, match=r"a\.json changed while it was read"):
        read(file, path, NOTES, tmp_path)
    (tmp_path / file.parts[1].path).unlink()
    with landing.local(file) as path, pytest.raises(SourceChangedError, match=r"a\.json vanished"):
        read(file, path, NOTES, tmp_path)


def test_the_second_half_makes_a_new_file_of_the_first(landing: Landing) -> None:
    def only() -> LandingFile:
        (file,) = landing.list(sources=[NOTES]).files
        return file

    land(landing, {"a.txt": b"x"})
    alone = only()
    land(landing, {"a.json": FACTS})
    whole = only()
    land(landing, {"a.json": FACTS + b" "})
    corrected = only()
    assert alone.path == whole.path == corrected.path
    assert alone.size_bytes < whole.size_bytes < corrected.size_bytes


def test_a_source_without_content_says_nothing_of_it() -> None:
    plain = replace(NOTES, content=None)
    assert len(NOTES.meaning) == len(plain.meaning) + 1
    assert "content" not in repr(plain)


def test_content_is_a_column_and_never_the_key() -> None:
    with pytest.raises(ContractError, match="names columns it does not have: \\['body'\\]"):
        replace(NOTES, content="body")
    with pytest.raises(ContractError, match="'note_id' is the content of files, and neither key nor required"):
        replace(NOTES, content="note_id")
