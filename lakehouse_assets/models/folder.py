"""An embedder from a local folder: a published model, run on this machine and never downloaded.

Belongs here: which files of the folder make the model, and how it gives a vector. Not here: what every embedder is, and
the one that asks a server (`embedding`).

The folder is laid out as sentence-transformers publishes models with an export to ONNX. onnxruntime and tokenizers, the
extra `local-model`, are imported when the first text is embedded; until a table is built, the folder is not read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lakehouse_assets.models.embedding import type_of_vectors, unit
from lakehouse_assets.models.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

FOLDER_FORMAT = b"folder-1\n"
GRAPHS = ("model.onnx", "onnx/model.onnx")
TOKENIZER = "tokenizer.json"
MODULES, POOLING = "modules.json", "1_Pooling/config.json"
LENGTH, TOKENIZER_LENGTH = "sentence_bert_config.json", "tokenizer_config.json"
SETTINGS = (MODULES, POOLING, LENGTH, TOKENIZER_LENGTH)
# What comes after the transformer, by the last part of a module's type: a vector that lacks a step would be another's.
STEPS = {"Transformer", "Pooling", "Normalize"}
POOLINGS = {"mean": "mean", "mean_tokens": "mean", "cls": "cls", "cls_token": "cls"}
INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
# A graph names the files beside it that hold its weights: a key "location" and a value of up to 127 bytes, in protobuf.
LOCATION = re.compile(rb"\x0a\x08location\x12([\x01-\x7f])")
UNLIMITED = 2**31  # transformers writes 10**30 for a tokenizer without a maximal length


@dataclass(frozen=True)
class FolderEmbedder:
    """Embeds by the model in `folder`, one text at a time on one thread: the same text has the same vector, to the bit,
    whatever texts are beside it. Between kinds of processors the last bits may differ.

    A text is cut at the model's maximal length; one without a token of its own has a vector of zeros. Raises ModelError
    where the folder lacks a file, or asks for more than mean or cls pooling. Files that are replaced are another model:
    give them a folder of another name, so that what was embedded by the earlier ones can still be asked.
    """

    folder: str

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the names and contents of the files that make the model, as 64 hex digits."""
        digest = hashlib.sha256()
        for name in _files(Path(self.folder)):
            with (Path(self.folder) / name).open("rb") as file:
                content = hashlib.file_digest(file, "sha256")
            digest.update(len(name).to_bytes(8, "big") + name.encode() + content.digest())
        return digest.hexdigest()

    @property
    def model(self) -> str:
        """The folder's name, and the start of the digest."""
        return f"{Path(self.folder).absolute().name}@{self.digest[:12]}"

    @property
    def dimension(self) -> int:
        """The length of every vector: what the graph gives for one token."""
        return self._network.dimension

    def embed(self, texts: Sequence[str]) -> type_of_vectors:
        """One row per text."""
        network = self._network
        found = np.zeros((len(texts), network.dimension), np.float32)
        # Beside others a text would be padded, and the last bits of its vector would depend on how far.
        for number, text in enumerate(texts):
            found[number] = network.vector(text)
        return unit(found)

    def to_bytes(self) -> bytes:
        """The artefact: where the files are and what they must be, in JSON, and none of the weights."""
        return FOLDER_FORMAT + json.dumps({"digest": self.digest, "folder": self.folder}, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, artefact: bytes) -> FolderEmbedder:
        """Read what `to_bytes` wrote. Raises ModelError for anything else, and where the folder holds other files."""
        try:
            given: dict[str, str] = json.loads(artefact.removeprefix(FOLDER_FORMAT))
            folder, digest = given["folder"], given["digest"]
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"artefact of {len(artefact)} bytes names no folder of a model: build it again") from error
        found = cls(folder)
        if found.digest != digest:
            raise _changed(folder, digest)
        return found

    @cached_property
    def _network(self) -> _Network:
        found = _Network.open(Path(self.folder))
        if FolderEmbedder(self.folder).digest != self.digest:
            raise _changed(self.folder, self.digest)
        return found


@dataclass(frozen=True)
class _Network:
    """A folder's model in memory."""

    folder: Path
    tokenizer: Tokenizer
    session: Any
    output: str
    pooling: str
    lowers: bool

    @classmethod
    def open(cls, folder: Path) -> _Network:
        graph = folder / _files(folder)[0]
        steps = _read(folder / MODULES, list) or []
        foreign = {str(step.get("type")).rpartition(".")[2] for step in steps} - STEPS
        if foreign:
            raise ModelError(f"{folder / MODULES} asks for {_said(foreign)}: use a model of {_said(STEPS)}")
        pooling, length = _pooling(folder / POOLING), _length(folder)
        lowers = bool((_read(folder / LENGTH, dict) or {}).get("do_lower_case"))
        try:
            tokenizer, session = _tokenizer(folder / TOKENIZER, length), _session(graph)
        except ImportError as error:
            raise ModelError(
                f"{folder} is embedded by onnxruntime and tokenizers, and {error}: "
                "pip install 'lakehouse-assets[local-model]'"
            ) from error
        inputs = {given.name for given in session.get_inputs()}
        outputs = [given.name for given in session.get_outputs() if len(given.shape) == 3]
        if not (inputs <= INPUTS and outputs):
            raise ModelError(
                f"{graph} takes {_said(inputs)} and gives {_said(outputs)} of texts × tokens × dimension: "
                f"export it to take {_said(INPUTS)} and to give a vector for each token"
            )
        return cls(folder, tokenizer, session, outputs[0], pooling, lowers)

    @cached_property
    def dimension(self) -> int:
        return int(self._states([0], [0]).shape[1])

    def vector(self, text: str) -> npt.NDArray[np.floating]:
        """The text's vector of any length; of zeros where only the marks are left that the tokenizer itself adds."""
        found: Encoding = self.tokenizer.encode(text.lower() if self.lowers else text)
        if all(found.special_tokens_mask):
            return np.zeros(self.dimension)
        states = self._states(found.ids, found.type_ids)
        return states[0] if self.pooling == "cls" else np.asarray(states.mean(axis=0, dtype=np.float64))

    def _states(self, ids: list[int], types: list[int]) -> npt.NDArray[np.floating]:
        """Tokens × dimension."""
        given = {"input_ids": ids, "attention_mask": [1] * len(ids), "token_type_ids": types}
        asked = {one.name: np.array([given[one.name]], np.int64) for one in self.session.get_inputs()}
        try:
            states = np.asarray(self.session.run([self.output], asked)[0][0])
        except _refusals() as error:
            raise ModelError(f"{self.folder} does not embed a text of {len(ids)} tokens: {error}") from error
        if len(states) != len(ids) or not np.isfinite(states).all():
            raise ModelError(
                f"{self.folder} gives numbers of shape {states.shape} for a text of {len(ids)} tokens, "
                "expected a row for each, finite"
            )
        return states


def _files(folder: Path) -> list[str]:
    """The files that make the model: the graph first, what holds its weights, the tokenizer, and settings that exist.

    Raises ModelError where one is missing.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder} is not there: put the model's folder back, or embed by another")
    graph = next((name for name in GRAPHS if (folder / name).is_file()), None)
    if graph is None:
        raise ModelError(f"{folder} has no {' or '.join(GRAPHS)}: export the model to ONNX into it")
    content = (folder / graph).read_bytes()
    beside = {content[at.end() : at.end() + at[1][0]].decode(errors="replace") for at in LOCATION.finditer(content)}
    weights = [(Path(graph).parent / name).as_posix() for name in sorted(beside)]
    if missing := [name for name in (*weights, TOKENIZER) if not (folder / name).is_file()]:
        raise ModelError(f"{folder} has no {', '.join(missing)}: copy it from where the model is published")
    return [graph, *weights, TOKENIZER, *(name for name in SETTINGS if (folder / name).is_file())]


def _read(file: Path, kind: type[dict[Any, Any] | list[Any]]) -> Any:
    """What a JSON file says; None where there is none."""
    if not file.is_file():
        return None
    try:
        found = json.loads(file.read_bytes())
    except ValueError as error:
        raise ModelError(f"{file} is no JSON: {error}") from error
    if not isinstance(found, kind):
        raise ModelError(f"{file} holds a {type(found).__name__}, expected a {kind.__name__}")
    return found


def _pooling(file: Path) -> str:
    """How the tokens' vectors become the text's: `pooling_mode`, or before version 6 a flag for each mode."""
    given = _read(file, dict)
    if given is None:
        return "mean"
    flags = [key.removeprefix("pooling_mode_") for key, on in given.items() if key.startswith("pooling_mode_") and on]
    asked = given.get("pooling_mode", flags)
    modes = [str(mode) for mode in (asked if isinstance(asked, list) else [asked])]
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise ModelError(f"{file} asks for pooling by {_said(modes)}: use a model with mean or cls pooling")
    return POOLINGS[modes[0]]


def _length(folder: Path) -> int | None:
    """The most tokens of a text; None where no setting says, and what tokenizer.json says holds."""
    length = (_read(folder / LENGTH, dict) or {}).get("max_seq_length")
    if length is None:
        length = (_read(folder / TOKENIZER_LENGTH, dict) or {}).get("model_max_length")
    if length is not None and (not isinstance(length, int) or length < 1):
        raise ModelError(f"{folder} says that a text has at most {length!r} tokens: expected a whole number from 1")
    return length if length is not None and length < UNLIMITED else None


def _tokenizer(file: Path, length: int | None) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        found = Tokenizer.from_buffer(file.read_bytes())
    except ValueError as error:
        raise ModelError(f"{file} is no tokenizer: {error}") from error
    found.no_padding()
    if length is not None:
        found.enable_truncation(length)
    return found


def _session(graph: Path) -> Any:
    """The graph, to be run on one thread: many share out the sums, and so decide their order."""
    from onnxruntime import ExecutionMode, InferenceSession, SessionOptions  # type: ignore[import-untyped]

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    try:
        return InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except _refusals() as error:
        raise ModelError(f"{graph} is no model that onnxruntime runs: {error}") from error


def _refusals() -> tuple[type[Exception], ...]:
    """What onnxruntime raises; its classes have no base of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # type: ignore[import-untyped]

    return (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
        state.RuntimeException,
    )


def _changed(folder: str, digest: str) -> ModelError:
    return ModelError(
        f"{folder} holds other files than those of digest {digest[:12]}: "
        "put those back, and the others into a folder of another name"
    )


def _said(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
