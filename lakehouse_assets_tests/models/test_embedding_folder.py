"""Embedders from a folder: what a text's vector is, that it is the same to the bit, and which folders are refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lakehouse_assets.house import tables
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.models.errors import ModelError
from lakehouse_assets.models.folder import FolderEmbedder
from lakehouse_assets.models.loading import load_embedder
from lakehouse_assets_tests.embedding_folder import DIMENSION, ROWS, make_folder, write_settings

POOLING, LENGTH, TOKENIZER_LENGTH = "1_Pooling/config.json", "sentence_bert_config.json", "tokenizer_config.json"
FLAGS = ("cls_token", "mean_tokens", "max_tokens")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "tiny")


def flags(*on: str) -> dict[str, Any]:
    """The settings of a pooling as they were before version 6."""
    return {"word_embedding_dimension": 3} | {f"pooling_mode_{flag}": flag in on for flag in FLAGS}


def test_a_vector_is_the_mean_of_the_tokens_of_length_1_and_what_pads_is_not_among_them(folder: Path) -> None:
    embedder = FolderEmbedder(str(folder))
    found = embedder.embed(["pump loud", "invoice", "invoice unheard"])
    assert (found.dtype, found.shape, embedder.dimension) == (np.float32, (3, 3), DIMENSION)
    assert found == pytest.approx(np.array([[0.6, 0.8, 0], [0, 0, 1], np.array([1, 1, 6]) / 38**0.5]))
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(3), abs=1e-6)


def test_a_text_without_tokens_has_zeros(folder: Path) -> None:
    embedder = FolderEmbedder(str(folder))
    assert embedder.embed(["", " \n", "pump"]).tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert embedder.embed([]).shape == (0, DIMENSION)


@pytest.mark.parametrize("settings", [{"pooling_mode": "mean"}, {"pooling_mode": ["mean"]}, flags("mean_tokens")])
def test_mean_pooling_is_asked_for_in_either_form(folder: Path, settings: dict[str, Any]) -> None:
    write_settings(folder, POOLING, settings)
    assert FolderEmbedder(str(folder)).embed(["pump loud"])[0] == pytest.approx([0.6, 0.8, 0])


@pytest.mark.parametrize("settings", [{"pooling_mode": "cls"}, flags("cls_token")])
def test_cls_pooling_takes_the_first_token(tmp_path: Path, settings: dict[str, Any]) -> None:
    rows = ROWS.copy()
    rows[2] = [0, 0, 7]
    folder = make_folder(tmp_path / "tiny", rows)
    write_settings(folder, POOLING, settings)
    assert FolderEmbedder(str(folder)).embed(["pump loud", ""]).tolist() == [[0, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"pooling_mode": "lasttoken"}, "lasttoken"),
        ({"pooling_mode": ["mean", "cls"]}, "cls, mean"),
        (flags("max_tokens"), "max_tokens"),
        (flags("mean_tokens", "max_tokens"), "max_tokens, mean_tokens"),
        (flags(), "nothing"),
    ],
)
def test_other_pooling_is_refused(folder: Path, settings: dict[str, Any], named: str) -> None:
    write_settings(folder, POOLING, settings)
    with pytest.raises(ModelError, match=rf"{POOLING} asks for pooling by {named}: use a model with mean or cls"):
        FolderEmbedder(str(folder)).embed(["pump"])


def test_a_model_with_further_steps_is_refused(folder: Path) -> None:
    steps = [{"type": "sentence_transformers.models.Transformer"}, {"type": "sentence_transformers.models.Pooling"}]
    write_settings(folder, "modules.json", steps)
    assert FolderEmbedder(str(folder)).embed(["pump"]).any()
    write_settings(folder, "modules.json", [*steps, {"type": "sentence_transformers.models.Dense"}])
    with pytest.raises(ModelError, match=r"modules\.json asks for Dense: use a model of Normalize, Pooling, Transfor"):
        FolderEmbedder(str(folder)).embed(["pump"])


def test_a_text_is_cut_at_the_maximal_length_with_the_marks_in_it(folder: Path) -> None:
    text = "pump loud invoice invoice"
    whole = FolderEmbedder(str(folder)).embed([text])[0]
    write_settings(folder, TOKENIZER_LENGTH, {"model_max_length": 4})
    cut = FolderEmbedder(str(folder)).embed([text])[0]
    assert (whole[2] > 0, cut) == (True, pytest.approx([0.6, 0.8, 0]))
    write_settings(folder, LENGTH, {"max_seq_length": 3, "do_lower_case": False})
    assert FolderEmbedder(str(folder)).embed([text])[0].tolist() == [1, 0, 0]
    write_settings(folder, LENGTH, {"max_seq_length": None})
    assert FolderEmbedder(str(folder)).embed([text])[0].tolist() == cut.tolist()
    write_settings(folder, TOKENIZER_LENGTH, {"model_max_length": 10**30})
    assert FolderEmbedder(str(folder)).embed([text])[0].tolist() == whole.tolist()


@pytest.mark.parametrize("length", [0, "many", 2.5])
def test_a_length_that_is_none_is_refused(folder: Path, length: Any) -> None:
    write_settings(folder, LENGTH, {"max_seq_length": length})
    with pytest.raises(ModelError, match=f"tiny says that a text has at most {length!r} tokens"):
        FolderEmbedder(str(folder)).embed(["pump"])


def test_letters_are_made_small_where_the_model_asks_for_it(folder: Path) -> None:
    unheard = FolderEmbedder(str(folder)).embed(["Pump"])
    write_settings(folder, LENGTH, {"do_lower_case": True})
    assert (FolderEmbedder(str(folder)).embed(["Pump"]).tolist(), unheard[0, 1] > 0) == ([[1, 0, 0]], True)


def made_up(folder: Path) -> tuple[FolderEmbedder, list[str]]:
    """A model of many numbers, and texts of many lengths; the same in every process."""
    state = np.random.RandomState(7)
    rows, mixed = (state.standard_normal(shape).astype(np.float32) for shape in ((500, 96), (96, 96)))
    words = state.randint(7, 500, (60, 120))
    texts = [" ".join(f"w{word}" for word in row[: 1 + 2 * number]) for number, row in enumerate(words)]
    return FolderEmbedder(str(make_folder(folder, rows, mixed=mixed))), texts


def test_a_vector_does_not_depend_on_the_texts_beside_it(tmp_path: Path) -> None:
    embedder, texts = made_up(tmp_path / "many")
    together = embedder.embed(texts)
    assert embedder.embed(texts[::-1])[::-1].tobytes() == together.tobytes()
    for number in (0, 7, 59):
        assert FolderEmbedder(embedder.folder).embed([texts[number]])[0].tobytes() == together[number].tobytes()


def test_vectors_are_the_same_to_the_bit_in_any_process(tmp_path: Path) -> None:
    code = (
        "import hashlib, sys\n"
        "from pathlib import Path\n"
        "from lakehouse_assets_tests.models.test_embedding_folder import made_up\n"
        "embedder, texts = made_up(Path(sys.argv[1]))\n"
        "print(embedder.model, hashlib.sha256(embedder.embed(texts).tobytes()).hexdigest())\n"
    )
    embedder, texts = made_up(tmp_path / "many")
    found = {f"{embedder.model} {hashlib.sha256(embedder.embed(texts).tobytes()).hexdigest()}\n"}
    for threads in ("1", "2"):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
        command = [sys.executable, "-c", code, str(tmp_path / threads / "many")]
        found.add(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
    assert len(found) == 1


def test_a_model_is_named_by_its_folder_and_the_files_that_make_it(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "tiny", weights="rows.bin")
    for name, settings in ((POOLING, {}), (LENGTH, {}), (TOKENIZER_LENGTH, {}), ("modules.json", [])):
        write_settings(folder, name, settings)
    write_settings(folder, POOLING, {"pooling_mode": "mean"})
    embedder = FolderEmbedder(str(folder))
    assert embedder.model == f"tiny@{embedder.digest[:12]}"
    (folder / "README.md").write_text("what nothing is read from")
    copy = FolderEmbedder(str(shutil.copytree(folder, tmp_path / "copy")))
    assert (copy.digest, copy.model[:5]) == (embedder.digest, "copy@")
    seen = {embedder.digest}
    for name in ("model.onnx", "rows.bin", "tokenizer.json", POOLING, LENGTH, TOKENIZER_LENGTH, "modules.json"):
        with (folder / name).open("ab") as file:
            file.write(b"\n")
        seen.add(FolderEmbedder(str(folder)).digest)
        with pytest.raises(ModelError, match=r"tiny holds other files than those of digest \w{12}: put those back"):
            load_embedder(embedder.to_bytes())
    assert len(seen) == 8


def test_an_artefact_says_where_the_model_is_and_opens_it_again(folder: Path) -> None:
    embedder = FolderEmbedder(str(folder))
    artefact = embedder.to_bytes()
    again = load_embedder(artefact)
    assert (again, again.model) == (embedder, embedder.model)
    assert again.embed(["pump loud"]).tobytes() == embedder.embed(["pump loud"]).tobytes()
    assert len(artefact) < 150 + len(str(folder))
    for damaged in (artefact[:-1], artefact.replace(b"digest", b"d"), b"folder-1\n[]"):
        with pytest.raises(ModelError, match="names no folder of a model: build it again"):
            load_embedder(damaged)


def test_weights_in_a_file_of_their_own_are_found_and_so_is_a_graph_in_a_folder_of_its_own(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "tiny", graph="onnx/model.onnx", weights="model.onnx_data")
    assert FolderEmbedder(str(folder)).embed(["pump loud"])[0] == pytest.approx([0.6, 0.8, 0])
    (folder / "onnx" / "model.onnx_data").unlink()
    with pytest.raises(ModelError, match=r"tiny has no onnx/model\.onnx_data: copy it"):
        FolderEmbedder(str(folder)).embed(["pump"])


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("", "tiny is not there: put the model's folder back, or embed by another"),
        ("model.onnx", r"tiny has no model\.onnx or onnx/model\.onnx: export the model"),
        ("tokenizer.json", r"tiny has no tokenizer\.json: copy it"),
    ],
)
def test_what_is_missing_is_named(folder: Path, tmp_path: Path, lost: str, message: str) -> None:
    artefact = FolderEmbedder(str(folder)).to_bytes()
    (folder / lost).rename(tmp_path / "elsewhere")
    for asked in (lambda: FolderEmbedder(str(folder)).model, lambda: load_embedder(artefact)):
        with pytest.raises(ModelError, match=message):
            asked()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda at: (at / "model.onnx").write_bytes(b"no graph"), r"model\.onnx is no model that onnxruntime runs: "),
        (lambda at: (at / "tokenizer.json").write_bytes(b"{}"), r"tokenizer\.json is no tokenizer: "),
        (lambda at: (at / "modules.json").write_bytes(b"["), r"modules\.json is no JSON: "),
        (lambda at: (at / LENGTH).write_bytes(b"[]"), r"sentence_bert_config\.json holds a list, expected a dict"),
        (lambda at: make_folder(at, inputs=("pixels",)), r"model\.onnx takes pixels and gives last_hidden_state"),
        (lambda at: make_folder(at, ROWS * np.float32("nan")), r"gives numbers of shape \(1, 3\) .*, finite"),
    ],
)
def test_a_folder_that_is_broken_is_named(folder: Path, change: Callable[[Path], object], message: str) -> None:
    change(folder)
    with pytest.raises(ModelError, match=message):
        FolderEmbedder(str(folder)).embed(["pump"])


def test_a_text_that_the_graph_refuses_is_an_error_of_the_model(folder: Path, tmp_path: Path) -> None:
    few = make_folder(tmp_path / "few", ROWS[:5])
    shutil.copy(folder / "tokenizer.json", few)
    with pytest.raises(ModelError, match=r"few does not embed a text of 3 tokens: .*out of"):
        FolderEmbedder(str(few)).embed(["invoice"])


def test_files_that_are_replaced_while_the_model_is_in_use_are_refused(folder: Path) -> None:
    embedder = FolderEmbedder(str(folder))
    assert embedder.model
    make_folder(folder, ROWS * 2)
    with pytest.raises(ModelError, match="holds other files"):
        embedder.embed(["pump"])


@pytest.mark.parametrize("package", ["onnxruntime", "tokenizers"])
def test_what_is_not_installed_is_named_with_its_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    embedder = FolderEmbedder(str(folder))
    assert embedder.model.startswith("tiny@")
    with pytest.raises(ModelError, match=rf"{package}.*: pip install 'lakehouse-assets\[local-model\]'"):
        embedder.embed(["pump"])


def test_definitions_load_without_the_folder_and_what_runs_it_and_another_folder_is_other_code() -> None:
    code = (
        "import sys\n"
        "from lakehouse_assets.domains.commerce import embedding\n"
        "from lakehouse_assets.models.folder import FolderEmbedder\n"
        "embedding.EMBEDDER = FolderEmbedder('/models/nowhere')\n"
        "from lakehouse_assets import definitions\n"
        "from lakehouse_assets.house import tables\n"
        "from lakehouse_assets.lake.names import TableName\n"
        "assert definitions.defs\n"
        "print(sorted({'onnxruntime', 'tokenizers'} & set(sys.modules)))\n"
        "print(tables()[TableName('commerce', 'platinum', 'embedding_model')].code_version)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, version = done.stdout.splitlines()
    assert loaded == "[]"
    assert version != tables()[TableName("commerce", "platinum", "embedding_model")].code_version
