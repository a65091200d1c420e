"""`lakehouse search`: what it finds, of whom, and as of when."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse_assets_tests.cli.conftest import Place, type_of_places

EMBEDDINGS = "commerce/platinum/document_embeddings"
FIRST, LAST = "2026-01-05", "2026-01-08"
TEXTS = {
    "acme": {
        FIRST: {
            "D1": ("Service contract", "C1", "We visit the heat pump twice a year."),
            "D2": ("Call", "C2", "A pump."),
        },
        LAST: {"D2": ("Call, corrected", "C2", "The boiler is loud.\n\nIt wakes the [neighbours] at night.")},
    },
    "globex": {FIRST: {"D1": ("Secret", "G1", "Globex says the heat pump is a secret.")}},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, new_place: type_of_places) -> Place:
    """Two tenants with documents, built up to LAST; nothing here changes it."""
    made = new_place(tmp_path_factory.mktemp("search"))
    for tenant, days in TEXTS.items():
        for day, documents in days.items():
            folder = made.folder / "landing" / tenant / "commerce" / "documents" / day
            for old in folder.glob("*"):
                old.unlink()
            land(folder, documents)
    done = made.run(
        "backfill", "--select", EMBEDDINGS, "--tenant", "acme", "--tenant", "globex", "--from", FIRST, "--to", LAST
    )
    assert done.status == 0, done.errors
    return made


def land(folder: Path, documents: dict[str, tuple[str, str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (title, customer, text) in documents.items():
        (folder / f"{name}.txt").write_text(text)
        facts = f'{{"document_id": "{name}", "customer_id": "{customer}", "title": "{title}"}}'
        (folder / f"{name}.json").write_text(facts)


def found(place: Place, *arguments: str) -> list[dict[str, object]]:
    answer = place.run("search", *arguments, "--json")
    assert answer.status == 0, answer.errors
    results: list[dict[str, object]] = answer.json["results"]
    return results


def test_it_finds_the_newest_text_of_the_tenant(place: Place) -> None:
    (best, *_) = found(place, "loud NEIGHBOURS", "--tenant", "acme")
    assert best.pop("score")
    assert best == {
        "document_id": "D2",
        "title": "Call, corrected",
        "chunk_index": 0,
        "customer_id": "C2",
        "snippet": "The boiler is loud. It wakes the [neighbours] at night.",
    }


def test_a_tenant_finds_its_own_documents_only(place: Place) -> None:
    best, *others = [one["title"] for one in found(place, "heat pump secret", "--tenant", "globex")]
    assert best == "Secret"
    assert set(others) <= {"Complaint"}
    assert "Secret" not in {one["title"] for one in found(place, "heat pump secret", "--tenant", "acme")}


def test_it_answers_as_of_a_date(place: Place) -> None:
    titles = {
        one["document_id"]: one["title"] for one in found(place, "pump", "--tenant", "acme", "--as-of", "2026-01-06")
    }
    assert titles["D2"] == "Call"
    answer = place.run("search", "pump", "--tenant", "acme", "--as-of", "2027-01-01", "--json")
    assert (answer.json["date"], answer.json["tenant_id"]) == (LAST, "acme")


def test_people_see_a_table_and_brackets_as_they_are(place: Place) -> None:
    shown = place.run("search", "neighbours", "--tenant", "acme", "--limit", "1").text
    assert "Documents of acme as of 2026-01-08" in shown
    assert "Call, corrected" in shown
    assert "[neighbours]" in shown
    assert "Service contract" not in shown


def test_what_is_nowhere_is_said(place: Place) -> None:
    assert found(place, "zebra", "--tenant", "acme") == []
    assert "Nothing in acme's documents as of 2026-01-08" in place.run("search", "zebra", "--tenant", "acme").text


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("pump", "--tenant", "initech"), 1, "no documents of tenant 'initech' are embedded: `lakehouse backfill"),
        (("pump", "--tenant", "acme", "--as-of", "2025-12-31"), 1, "are embedded on or before 2025-12-31"),
        (("?!", "--tenant", "acme"), 1, "'?!' holds no word"),
        (("pump",), 2, "Missing option '--tenant'"),
        (("pump", "--tenant", "acme", "--limit", "0"), 2, "Invalid value for '--limit'"),
    ],
)
def test_what_cannot_be_answered_says_why(place: Place, arguments: tuple[str, ...], status: int, message: str) -> None:
    answer = place.run("search", *arguments)
    assert answer.status == status
    assert message in answer.errors
