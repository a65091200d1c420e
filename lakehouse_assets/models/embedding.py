"""Embedders: from texts to vectors whose inner product says how alike the texts are.

Belongs here: what every embedder is, and one that asks a server. Not here: the one that is learnt from the texts
themselves (`lsa`).
"""

from __future__ import annotations

import http.client
import json
import os
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lakehouse_assets.models.errors import ModelError

type_of_vectors = npt.NDArray[np.float32]
SERVER_FORMAT = b"server-1\n"


class Embedder(Protocol):
    """Gives each text a vector of length 1, or of zeros where it finds nothing in it, whatever texts are beside it."""

    @property
    def model(self) -> str:
        """The name under which vectors can be compared: those of two models cannot."""

    @property
    def dimension(self) -> int:
        """The length of every vector."""

    def embed(self, texts: Sequence[str]) -> type_of_vectors:
        """One row per text."""

    def to_bytes(self) -> bytes:
        """The artefact, which `loading.load_embedder` makes the same embedder of."""


def unit(vectors: npt.NDArray[np.floating]) -> type_of_vectors:
    """Each row brought to length 1; one of zeros stays."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0)[:, None], dtype=np.float32)


@dataclass(frozen=True)
class HttpEmbedder:
    """Asks an endpoint: `{"model", "input": [texts]}` is posted, `{"data": [{"index", "embedding"}]}` comes back.

    Raises ModelError where it does not answer so. `token_variable` names the variable of the environment that holds its
    token: where each process has it, and no table.
    """

    url: str
    model: str
    dimension: int
    token_variable: str | None = None
    batch: int = 64
    timeout_seconds: float = 60.0

    def embed(self, texts: Sequence[str]) -> type_of_vectors:
        """One row per text, asked for in batches."""
        found = np.zeros((len(texts), self.dimension), np.float32)
        for first in range(0, len(texts), self.batch):
            part = list(texts[first : first + self.batch])
            found[first : first + len(part)] = self._ask(part)
        return unit(found)

    def to_bytes(self) -> bytes:
        """The artefact: whom to ask, in JSON, and nothing secret."""
        return SERVER_FORMAT + json.dumps(asdict(self), sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, artefact: bytes) -> HttpEmbedder:
        """Read what `to_bytes` wrote. Raises ModelError for anything else."""
        try:
            return cls(**json.loads(artefact.removeprefix(SERVER_FORMAT)))
        except (ValueError, TypeError) as error:
            raise ModelError(f"artefact of {len(artefact)} bytes names no embedding server: build it again") from error

    def _ask(self, texts: list[str]) -> type_of_vectors:
        headers = {"Content-Type": "application/json"}
        if self.token_variable:
            headers["Authorization"] = f"Bearer {self._token(self.token_variable)}"
        if not self.url.startswith(("http://", "https://")):
            raise ModelError(f"{self.url} is no address of an embedding server: give one with http:// or https://")
        body = json.dumps({"model": self.model, "input": texts}).encode()
        request = urllib.request.Request(self.url, body, headers)  # noqa: S310 - the scheme is looked at above
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_seconds) as answer:  # noqa: S310
                given = json.load(answer)["data"]
            by_index = {int(one["index"]): one["embedding"] for one in given}
            vectors = np.array([by_index[number] for number in range(len(texts))], dtype=np.float32)
        except (OSError, http.client.HTTPException) as error:
            raise ModelError(f"{self.url} does not embed: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"{self.url} answers with other than an embedding for each of {len(texts)} texts"
            ) from error
        if vectors.shape != (len(texts), self.dimension) or not np.isfinite(vectors).all():
            raise ModelError(
                f"{self.url} gives vectors of shape {vectors.shape}, expected ({len(texts)}, {self.dimension}), finite"
            )
        return vectors

    def _token(self, variable: str) -> str:
        if not (token := os.environ.get(variable)):
            raise ModelError(f"{self.url} wants a token: set {variable}")
        return token
