"""From an artefact to the embedder that wrote it.

Belongs here: telling the kinds of artefacts apart. Not here: what is in them (`lsa`, `embedding`, `folder`).
"""

from __future__ import annotations

from lakehouse_assets.models.embedding import SERVER_FORMAT, Embedder, HttpEmbedder
from lakehouse_assets.models.folder import FOLDER_FORMAT, FolderEmbedder
from lakehouse_assets.models.lsa import LsaEmbedder


def load_embedder(artefact: bytes) -> Embedder:
    """The embedder whose `to_bytes` this is. Raises ModelError where it is none's."""
    if artefact.startswith(SERVER_FORMAT):
        return HttpEmbedder.from_bytes(artefact)
    if artefact.startswith(FOLDER_FORMAT):
        return FolderEmbedder.from_bytes(artefact)
    return LsaEmbedder.from_bytes(artefact)
