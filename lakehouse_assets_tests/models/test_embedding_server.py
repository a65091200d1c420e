"""Embedders that ask a server: what is asked, what is made of its answers, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakehouse_assets.models.embedding import HttpEmbedder
from lakehouse_assets.models.errors import ModelError
from lakehouse_assets.models.loading import load_embedder
from lakehouse_assets_tests.embedding_server import Endpoint, serving


@pytest.fixture
def endpoint() -> Iterator[str]:
    with serving() as address:
        yield address


def test_a_server_is_asked_in_batches_and_its_vectors_put_in_order(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = HttpEmbedder(endpoint, "m-3", 3, token_variable="EMBEDDING_TOKEN", batch=2)  # noqa: S106 - its name
    artefact = asking.to_bytes()
    embedder = load_embedder(artefact)
    assert embedder == asking
    with pytest.raises(ModelError, match="wants a token: set EMBEDDING_TOKEN"):
        embedder.embed(["a"])
    monkeypatch.setenv("EMBEDDING_TOKEN", "secret")
    assert b"secret" not in artefact
    found = embedder.embed(["a", "", "ccc"])
    assert found.tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert Endpoint.asked == [
        ("Bearer secret", {"model": "m-3", "input": ["a", ""]}),
        ("Bearer secret", {"model": "m-3", "input": ["ccc"]}),
    ]
    assert embedder.embed([]).shape == (0, 3)


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (b"{}", 500, "does not embed: HTTP Error 500"),
        (b"not json", 200, "answers with other than an embedding for each of 1 texts"),
        (b"[]", 200, "answers with other than an embedding"),
        (b'{"data": []}', 200, "answers with other than an embedding"),
        (b'{"data": [{"index": 0, "embedding": [1, 2]}]}', 200, r"gives vectors of shape \(1, 2\), expected \(1, 3\)"),
        (b'{"data": [{"index": 0, "embedding": [1, 2, NaN]}]}', 200, r"gives vectors of .*, finite"),
    ],
)
def test_a_server_that_does_not_answer_is_named(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, answer: bytes, status: int, message: str
) -> None:
    monkeypatch.setattr(Endpoint, "answer", answer)
    monkeypatch.setattr(Endpoint, "status", status)
    with pytest.raises(ModelError, match=f"{endpoint} {message}"):
        HttpEmbedder(endpoint, "m", 3).embed(["a"])


@pytest.mark.parametrize(
    ("how", "message"), [("by the end", "IncompleteRead"), ("by a reset", "Connection reset by peer")]
)
def test_a_server_that_breaks_off_its_answer_is_named(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, how: str, message: str
) -> None:
    monkeypatch.setattr(Endpoint, "breaks_off", how)
    with pytest.raises(ModelError, match=f"{endpoint} does not embed: .*{message}"):
        HttpEmbedder(endpoint, "m", 3).embed(["a"])


def test_an_address_must_be_one() -> None:
    with pytest.raises(ModelError, match="file:///etc/hosts is no address of an embedding server"):
        HttpEmbedder("file:///etc/hosts", "m", 3).embed(["a"])
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1:1/ does not embed: .*refused"):
        HttpEmbedder("http://127.0.0.1:1/", "m", 3).embed(["a"])


def test_what_names_no_server_is_refused() -> None:
    artefact = HttpEmbedder("http://localhost", "m", 3).to_bytes()
    for damaged in (artefact[:-1], artefact.replace(b"model", b"mode")):
        with pytest.raises(ModelError, match="names no embedding server: build it again"):
            load_embedder(damaged)
