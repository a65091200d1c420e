"""Embeddings of documents: which model a date has, what is embedded anew, and that runs in any order agree."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lakehouse_assets.cli.search import answer
from lakehouse_assets.domains.commerce import platinum
from lakehouse_assets.domains.commerce.chunking import chunk_rows
from lakehouse_assets.domains.commerce.embedding import embedded, fit_of, fitted_models
from lakehouse_assets.domains.commerce.platinum import platinum_document_embeddings, platinum_embedding_model
from lakehouse_assets.house import tables
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Window
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets.lake.storage import Lake
from lakehouse_assets.models.embedding import HttpEmbedder, type_of_vectors
from lakehouse_assets.models.errors import ModelError
from lakehouse_assets.models.folder import FolderEmbedder
from lakehouse_assets.models.lsa import Fit, LsaEmbedder, fit_lsa
from lakehouse_assets_tests.embedding_folder import make_folder
from lakehouse_assets_tests.embedding_server import DIMENSION, Endpoint, serving
from lakehouse_assets_tests.lake.small_lake import carry_out, rows

JAN_30, JAN_31, FEB_1, FEB_2 = (date(2026, 1, 30) + timedelta(days=n) for n in range(4))
PUMP, BILL, NOTE = "The heat pump is loud at night.", "The invoice is wrong: refund it.", "A note about a pump."
type_of_texts = dict[date, dict[str, str]]
STORY: type_of_texts = {
    JAN_30: {"D1": PUMP},
    JAN_31: {"D1": PUMP, "D2": BILL},
    FEB_1: {"D1": PUMP, "D2": BILL, "D3": PUMP},
    FEB_2: {"D1": NOTE, "D2": BILL, "D3": PUMP},
}


def empty(name: str) -> pl.LazyFrame:
    schema = tables()[TableName("commerce", "platinum", name)].schema
    return pl.LazyFrame(schema={**schema, "date": pl.Date()})


NO_MODELS, NO_VECTORS = empty("embedding_model"), empty("document_embeddings")


def window(first: date, last: date | None = None) -> Window:
    return Window("acme", first, last or first)


def chunks(texts: type_of_texts) -> pl.LazyFrame:
    found = [
        {"date": day, "document_id": name, "customer_id": "C1", "text": text}
        for day, of_day in texts.items()
        for name, text in of_day.items()
    ]
    schema = {"date": pl.Date(), "document_id": pl.String(), "customer_id": pl.String(), "text": pl.String()}
    return chunk_rows(pl.LazyFrame(found, schema))


class Counting:
    """Counts what is fitted and embedded."""

    def __init__(self) -> None:
        self.fits: list[int] = []
        self.texts: list[str] = []

    def fit(self, texts: list[str]) -> Fit:
        self.fits.append(len(texts))
        return fit_lsa(texts)

    def load(self, artefact: bytes) -> Counting:
        self.embedder = LsaEmbedder.from_bytes(artefact)
        self.model, self.dimension = self.embedder.model, self.embedder.dimension
        return self

    def embed(self, texts: Sequence[str]) -> type_of_vectors:
        self.texts += texts
        return self.embedder.embed(texts)

    def to_bytes(self) -> bytes:
        return self.embedder.to_bytes()


def models(texts: type_of_texts, first: date, last: date | None = None) -> pl.DataFrame:
    return fitted_models(chunks(texts), NO_MODELS, window(first, last)).collect()


def test_the_model_is_of_the_month_before_and_in_the_first_month_of_its_first_date() -> None:
    counting = Counting()
    found = fitted_models(chunks(STORY), NO_MODELS, window(JAN_30, FEB_2), counting.fit).collect()
    assert found.select("date", "documents", "chunks").rows() == [
        (JAN_30, 1, 1),
        (JAN_31, 1, 1),
        (FEB_1, 2, 2),
        (FEB_2, 2, 2),
    ]
    january, still, february, last = found["model"]
    assert (still, last, counting.fits) == (january, february, [1, 2])
    assert january != february
    assert found["model"].to_list() == [LsaEmbedder.from_bytes(artefact).model for artefact in found["artefact"]]


def test_a_date_without_chunks_keeps_the_model_and_has_none_before_there_were_any() -> None:
    only_january = {JAN_31: STORY[JAN_31]}
    assert models(only_january, JAN_30, FEB_2)["date"].to_list() == [JAN_31, FEB_1, FEB_2]
    assert models({}, JAN_30, FEB_2).is_empty()
    assert models({FEB_1: STORY[FEB_1]}, FEB_1, FEB_2)["date"].to_list() == [FEB_1, FEB_2]


def test_a_corpus_that_was_fitted_before_is_not_fitted_again() -> None:
    before = fitted_models(chunks(STORY), NO_MODELS, window(FEB_1))
    counting = Counting()
    found = fitted_models(chunks(STORY), before, window(FEB_2), counting.fit).collect()
    assert counting.fits == []
    assert_frame_equal(found, models(STORY, FEB_2))


def test_the_order_of_rows_makes_no_model() -> None:
    turned = {day: dict(reversed(texts.items())) for day, texts in STORY.items()}
    assert_frame_equal(models(turned, JAN_30, FEB_2), models(STORY, JAN_30, FEB_2))


def test_models_of_a_range_of_dates_are_those_of_each_alone() -> None:
    together = platinum_embedding_model(chunks(STORY), window(JAN_30, FEB_2), NO_MODELS).collect()
    assert_frame_equal(together, pl.concat([models(STORY, day) for day in STORY]))


def vectors(first: date, last: date | None = None, earlier: pl.LazyFrame = NO_VECTORS) -> pl.DataFrame:
    made = models(STORY, JAN_30, FEB_2).lazy()
    return platinum_document_embeddings(chunks(STORY), made, window(first, last), earlier).collect()


def test_every_chunk_has_the_vector_of_its_text_by_the_model_of_its_date() -> None:
    found = vectors(JAN_30, FEB_2)
    assert found.select("date", "document_id", "chunk_index", "customer_id").rows() == [
        (day, name, 0, "C1") for day, texts in STORY.items() for name in texts
    ]
    artefact_of = dict(models(STORY, JAN_30, FEB_2).select("model", "artefact").iter_rows())
    for row in found.iter_rows(named=True):
        alone = LsaEmbedder.from_bytes(artefact_of[row["model"]]).embed([STORY[row["date"]][row["document_id"]]])[0]
        assert np.array(row["embedding"], np.float32).tobytes() == alone.tobytes()
        assert (len(row["embedding"]), row["dimension"]) == (256, 256)


def test_vectors_of_a_range_of_dates_are_those_of_each_alone() -> None:
    assert_frame_equal(vectors(JAN_30, FEB_2), pl.concat([vectors(day) for day in STORY]), check_exact=True)


def test_only_new_texts_are_embedded_and_nothing_else_changes() -> None:
    made = models(STORY, JAN_30, FEB_2).lazy()
    asked = []
    earlier = NO_VECTORS
    for day in STORY:
        counting = Counting()
        found = embedded(chunks(STORY), made, earlier, window(day), counting.load).collect()
        assert_frame_equal(found, vectors(day), check_exact=True)
        asked.append(sorted(counting.texts))
        earlier = found.lazy()
    assert asked == [[PUMP], [BILL], sorted([PUMP, BILL]), [NOTE]]


def test_a_text_is_embedded_once_for_all_dates_and_documents() -> None:
    counting = Counting()
    made = models(STORY, JAN_30, FEB_2).lazy()
    embedded(chunks(STORY), made, NO_VECTORS, window(FEB_1, FEB_2), counting.load).collect()
    assert sorted(counting.texts) == sorted([PUMP, BILL, NOTE])


def test_a_server_embeds_by_its_model_and_only_what_is_new() -> None:
    with serving() as address:
        server = HttpEmbedder(address, "lengths", DIMENSION)
        made = fitted_models(chunks(STORY), NO_MODELS, window(JAN_30, FEB_2), fit_of(server))
        assert made.select("date", "model", "dimension", "rank", "terms", "explained_share").collect().rows() == [
            (day, "lengths", DIMENSION, None, None, None) for day in STORY
        ]
        january = embedded(chunks(STORY), made, NO_VECTORS, window(JAN_30, JAN_31)).collect()
        february = embedded(chunks(STORY), made, january.lazy(), window(FEB_1, FEB_2)).collect()
    assert [sorted(body["input"]) for _, body in Endpoint.asked] == [sorted([PUMP, BILL]), [NOTE]]
    assert february["embedding"].to_list() == [[1.0, 0.0, 0.0]] * 6


LANDED = {
    JAN_30: {"a.txt": PUMP, "a.json": '{"document_id": "D1", "customer_id": "C1"}'},
    JAN_31: {"b.md": BILL, "b.json": '{"document_id": "D2", "customer_id": "C2"}', "c.txt": NOTE},
    FEB_1: {"d.json": '{"document_id": "D2", "_op": "delete"}'},
}
LAYERS = (
    TableName("commerce", "bronze", "customers"),
    TableName("commerce", "bronze", "documents"),
    TableName("commerce", "silver", "customers"),
    TableName("commerce", "silver", "documents"),
    TableName("commerce", "platinum", "document_chunks"),
    TableName("commerce", "platinum", "embedding_model"),
    TableName("commerce", "platinum", "document_embeddings"),
)
SILVER, VECTORS = LAYERS[3], LAYERS[-1]


def house_at(folder: Path) -> Lakehouse:
    declared = {name: table for name, table in tables().items() if name in LAYERS}
    landing = Landing(str(folder / "landing"))
    return Lakehouse(landing=landing, lake=Lake(str(folder / "lake")), tables=declared, start=date(2026, 1, 1))


def land(house: Lakehouse, day: date, files: dict[str, str]) -> None:
    folder = Path(house.landing.root) / "acme" / "commerce" / "documents" / str(day)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def build(house: Lakehouse, first: date, last: date) -> None:
    carry_out(house, make_plan(house, [VECTORS], None, first, last))


def state(house: Lakehouse, name: TableName = SILVER) -> list[tuple[date, str]]:
    return rows(house, name).select("date", "document_id").sort("date", "document_id").rows()


def test_a_pair_of_which_one_half_lands_late_heals_and_the_lake_is_the_same_in_any_order(tmp_path: Path) -> None:
    house = house_at(tmp_path / "one")
    for day, files in LANDED.items():
        land(house, day, files)
    build(house, JAN_30, FEB_2)
    assert state(house) == [(JAN_30, "D1"), (JAN_31, "D1"), (JAN_31, "D2"), (FEB_1, "D1"), (FEB_2, "D1")]
    assert rows(house, LAYERS[1].quarantine)["rules"].to_list() == [["missing_side_file"]]

    late = {"c.json": '{"document_id": "D3"}'}
    land(house, JAN_31, late)
    build(house, JAN_30, FEB_2)
    assert state(house)[2:] == [
        *((JAN_31, name) for name in ("D2", "D3")), *((day, name) for day in (FEB_1, FEB_2) for name in ("D1", "D3"))
    ]  # fmt: skip
    assert rows(house, LAYERS[1].quarantine).is_empty()
    assert state(house, VECTORS) == state(house)

    other = house_at(tmp_path / "other")
    land(other, JAN_31, late)
    build(other, JAN_31, JAN_31)
    assert rows(other, LAYERS[1].quarantine)["rules"].to_list() == [["missing_text"]]
    for day, files in LANDED.items():
        land(other, day, files)
    for day in (FEB_2, JAN_30, FEB_1, JAN_31):
        build(other, day, day)
    build(other, JAN_30, FEB_2)
    for name in LAYERS[3:]:
        assert_frame_equal(rows(other, name), rows(house, name), check_exact=True)
    assert rows(other, LAYERS[1].quarantine).is_empty()
    assert not any(make_plan(other, [VECTORS], None, JAN_30, FEB_2).build.values())


def test_a_model_in_a_folder_embeds_documents_and_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = FolderEmbedder(str(make_folder(tmp_path / "tiny")))
    monkeypatch.setattr(platinum, "EMBEDDER", embedder)
    house = house_at(tmp_path)
    for day in (JAN_30, JAN_31):
        land(house, day, LANDED[day])
    build(house, JAN_30, FEB_1)
    made = rows(house, LAYERS[-2])
    assert set(made.select("model", "dimension", "rank", "terms", "explained_share").rows()) == {
        (embedder.model, embedder.dimension, None, None, None)
    }
    found = rows(house, VECTORS)
    texts = {"D1": PUMP, "D2": BILL}
    assert found.select("date", "document_id", "model").sort("date", "document_id").rows() == [
        (day, name, embedder.model) for day, name in ((JAN_30, "D1"), *((d, n) for d in (JAN_31, FEB_1) for n in texts))
    ]
    for name, vector in found.select("document_id", "embedding").iter_rows():
        assert np.array(vector, np.float32).tobytes() == embedder.embed([texts[name]])[0].tobytes()
    assert answer(house, "loud pump", "acme", FEB_1)["document_id"][0] == "D1"

    (tmp_path / "tiny").rename(tmp_path / "gone")
    with pytest.raises(ModelError, match="tiny is not there"):
        answer(house, "loud pump", "acme", FEB_1)
