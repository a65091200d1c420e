"""Embedders: LSA against NumPy's own decomposition and to the bit on any number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

from lakehouse_assets.models.decomposition import truncated_svd
from lakehouse_assets.models.errors import ModelError
from lakehouse_assets.models.loading import load_embedder
from lakehouse_assets.models.lsa import LsaEmbedder, fit_lsa, tf_idf
from lakehouse_assets.models.terms import term_counts, terms_of

PUMPS = ["The heat pump is loud", "A loud heat pump at night", "The pump makes noise at night"]
BILLS = ["The invoice is wrong", "Invoice and refund", "We refund the wrong invoice"]


def made_up_texts(count: int) -> list[str]:
    """Texts of a few topics, each with words of its own; the same in every process."""
    state = np.random.RandomState(7)
    words = state.randint(0, 40, (count, 30)) + 30 * (np.arange(count) % 9)[:, None]
    return [" ".join(f"w{word}" for word in row) for row in words]


def test_terms_are_words_in_one_form() -> None:
    assert terms_of("\uff28eat-PUMP, heat pump's 12kW Äpfel 漢字") == ["12kw", "heat", "pump", "s", "äpfel", "字", "漢"]
    assert terms_of("... !") == []
    assert term_counts(["b a b", "", "a"]).rows() == [(0, "a", 1), (0, "b", 2), (2, "a", 1)]


def test_the_decomposition_is_that_of_numpy() -> None:
    state = np.random.RandomState(3)
    dense = state.standard_normal((60, 8)) * 0.5 ** np.arange(8) @ state.standard_normal((8, 90))
    found = truncated_svd(csr_matrix(dense), 5)
    _, values, rows = np.linalg.svd(dense)
    assert found.values == pytest.approx(values[:5])
    assert np.abs((found.vectors * rows[:5].T).sum(axis=0)) == pytest.approx(np.ones(5))
    assert truncated_svd(csr_matrix(dense), 50).vectors.shape == (90, 8)
    alone = truncated_svd(csr_matrix([[3.0], [4.0]]), 2)
    assert (alone.vectors.tolist(), alone.values.tolist()) == ([[pytest.approx(1)]], [pytest.approx(5)])


def test_tf_idf_is_by_hand() -> None:
    found = tf_idf(term_counts(["a a b", "c", "b z"]), 3, ["a", "b", "c"], np.array([2.0, 3.0, 5.0])).toarray()
    assert found == pytest.approx(np.array([[0.8, 0.6, 0], [0, 0, 1], [0, 1, 0]]))


def test_texts_about_the_same_are_alike() -> None:
    embedder, share = fit_lsa(PUMPS + BILLS, 2)
    vectors = embedder.embed([*PUMPS, *BILLS, "noise", "unheard of"])
    assert (vectors.dtype, vectors.shape) == (np.float32, (8, 2))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1] * 7 + [0], abs=1e-6)
    likeness = vectors @ vectors[6]
    assert min(likeness[:3]) > max(likeness[3:6])
    assert 0 < share < 1


def test_few_terms_leave_zeros_and_none_at_all_is_no_fault() -> None:
    embedder, share = fit_lsa(["one two", "two three"])
    vectors = embedder.embed(["one", "two"])
    assert (embedder.dimension, embedder.components.shape, share) == (256, (3, 2), pytest.approx(1))
    assert vectors.shape == (2, 256)
    assert (vectors[:, 2:] == 0).all()
    silent, share = fit_lsa(["...", ""])
    assert (silent.embed(["word"]).any(), share) == (False, 0.0)
    assert LsaEmbedder.from_bytes(silent.to_bytes()).model == silent.model


def test_a_model_is_its_bytes() -> None:
    embedder = fit_lsa(PUMPS + BILLS).embedder
    again = LsaEmbedder.from_bytes(embedder.to_bytes())
    assert again.model == embedder.model
    assert embedder.model.startswith("lsa-256@")
    assert fit_lsa(BILLS[::-1] + PUMPS).embedder.model == embedder.model
    assert fit_lsa(PUMPS + BILLS[:2]).embedder.model != embedder.model
    assert (again.embed(PUMPS) == embedder.embed(PUMPS)).all()


@pytest.mark.parametrize(
    "change", [lambda a: a[:-1], lambda a: a + b"\0", lambda _: b"", lambda a: a[8:], lambda _: b"\xff" * 99]
)
def test_what_is_no_artefact_is_refused(change: Any) -> None:
    with pytest.raises(ModelError, match="is no lsa-1 model: fit it again"):
        load_embedder(change(fit_lsa(PUMPS).embedder.to_bytes()))


def test_a_vector_does_not_depend_on_the_texts_beside_it() -> None:
    texts = made_up_texts(300)
    embedder = fit_lsa(texts, 32).embedder
    together = embedder.embed(texts)
    for number in (0, 7, 299):
        assert embedder.embed([texts[number]])[0].tobytes() == together[number].tobytes()


def test_models_and_vectors_are_the_same_to_the_bit_on_one_thread_and_on_two() -> None:
    code = (
        "from lakehouse_assets_tests.models.test_embedding import made_up_texts\n"
        "from lakehouse_assets.models.lsa import fit_lsa\n"
        "import hashlib\n"
        "texts = made_up_texts(700)\n"
        "embedder = fit_lsa(texts, 64).embedder\n"
        "print(embedder.model, hashlib.sha256(embedder.embed(texts).tobytes()).hexdigest())\n"
    )
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
    found = set()
    for threads in ("1", "2"):
        environment = os.environ | dict.fromkeys(names, threads)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        found.add(done.stdout)
    (line,) = found
    assert line.startswith("lsa-64@")
