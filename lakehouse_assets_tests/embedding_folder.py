"""A real model in a folder, tiny: each word has a row of a table, and a text the mean of its words' rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDS = ("pump", "loud", "invoice")
DIMENSION = 3
# Rows of the marks, then of the words. What pads would be seen in any mean.
ROWS = np.array([[9, 9, 9], [1, 1, 1], [0, 0, 0], [0, 0, 0], [3, 0, 0], [0, 4, 0], [0, 0, 5]], np.float32)


def make_folder(
    folder: Path,
    rows: npt.NDArray[np.float32] = ROWS,
    *,
    mixed: npt.NDArray[np.float32] | None = None,
    graph: str = "model.onnx",
    weights: str | None = None,
    inputs: tuple[str, ...] = ("input_ids", "attention_mask"),
) -> Path:
    """A folder with a graph, whose weights lie in a file of their own where `weights` names one, and a tokenizer.

    A token's vector is its row, times the matrix `mixed` where there is one.
    """
    (folder / graph).parent.mkdir(parents=True, exist_ok=True)
    _save_graph(
        folder / graph, rows, np.eye(rows.shape[1], dtype=np.float32) if mixed is None else mixed, weights, inputs
    )
    vocabulary = {word: number for number, word in enumerate((*MARKS, *WORDS))}
    vocabulary |= {f"w{number}": number for number in range(len(vocabulary), len(rows))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(mark, vocabulary[mark]) for mark in MARKS[2:]]
    )
    # As published: padded for a batch, which one text alone must not be.
    tokenizer.enable_padding(length=16, pad_id=0, pad_token="[PAD]")  # noqa: S106 - a word of the model's
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def write_settings(folder: Path, name: str, settings: Any) -> None:
    """A file of settings beside the model."""
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(settings))


def _save_graph(
    file: Path,
    rows: npt.NDArray[np.float32],
    mixed: npt.NDArray[np.float32],
    weights: str | None,
    inputs: tuple[str, ...],
) -> None:
    tokens = ["texts", "tokens"]
    nodes = [
        helper.make_node("Gather", ["rows", inputs[0]], ["found"]),
        helper.make_node("MatMul", ["found", "mixed"], ["last_hidden_state"]),
        helper.make_node("ReduceMax", ["last_hidden_state", "over"], ["pooler_output"], keepdims=0),
    ]
    constants = {"rows": rows, "mixed": mixed, "over": np.array([1])}
    made = helper.make_graph(
        nodes,
        "rows_of_words",
        [helper.make_tensor_value_info(name, TensorProto.INT64, tokens) for name in inputs],
        [
            helper.make_tensor_value_info("pooler_output", TensorProto.FLOAT, ["texts", rows.shape[1]]),
            helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*tokens, rows.shape[1]]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    # Versions that every onnxruntime of our range reads.
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(file), save_as_external_data=weights is not None, location=weights, size_threshold=rows.nbytes)
