"""A file's bytes, made ready for a reader: hashed as they landed, unpacked, and in UTF-8.

Belongs here: bytes, which pass as a stream of blocks, so that memory does not follow a file's size. Not here: records.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import sys
import uuid
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from lakehouse_assets.lake.errors import SourceChangedError
from lakehouse_assets.lake.landing import LandingFile, ending_of
from lakehouse_assets.lake.landing_root import moment_of
from lakehouse_assets.lake.readers.content import FileRefusedError
from lakehouse_assets.lake.source import Source

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BLOCK_BYTES = 1 << 20  # fits a core's cache, where the search for records is twice as fast
COPY_BYTES = 4 << 20
# UTF-32 first: its mark begins with that of UTF-16.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-bom"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class HashedFile:
    """A file read in blocks and hashed beside it, in a thread of its own as soon as there is more than one block.

    With files `beside` it, the hash is that of all their hashes, so that nothing can move from one to the next unseen.
    """

    def __init__(self, path: Path, beside: Sequence[Path] = ()) -> None:
        self._beside = list(beside)
        self._stream = path.open("rb")
        self._digest = hashlib.sha256()
        self._pool: ThreadPoolExecutor | None = None
        self._pending: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        if self._pool:
            self._pool.shutdown()

    def read(self, size: int = BLOCK_BYTES) -> bytes:
        """The next block, shorter than asked for only at the end."""
        self._settle()
        block = self._stream.read(size)
        if len(block) == size:
            self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="landing-hash")
            self._pending = self._pool.submit(self._digest.update, block)
        else:
            self._digest.update(block)
        return block

    def sha256(self) -> str:
        """The hash of the whole file; what no one has read yet is read now."""
        while self.read(COPY_BYTES):
            pass
        self._settle()
        if not self._beside:
            return self._digest.hexdigest()
        hashes = [self._digest.hexdigest(), *map(hash_file, self._beside)]
        return hashlib.sha256("".join(hashes).encode()).hexdigest()

    def _settle(self) -> None:
        if self._pending:
            self._pending.result()
            self._pending = None


def hash_file(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def new_path(spool: Path, suffix: str) -> Path:
    """A name in the spool that nothing has yet."""
    return spool / f"{uuid.uuid4().hex}{suffix}"


def is_packed(file: LandingFile) -> bool:
    """Whether a file's name says that it is compressed."""
    ending = ending_of(file.name)
    return ending is not None and ending.compression is not None


def unpack(file: LandingFile, path: Path, spool: Path) -> Path:
    """The file itself, or its decompressed copy in the spool.

    Raises FileRefusedError, and leaves no copy, where the stream ends early or is no such stream.
    """
    if not is_packed(file):
        return path
    target = new_path(spool, Path(file.name).suffixes[-2])
    try:
        with _opened(file, path) as stream, target.open("wb") as copy:
            while block := stream.read(COPY_BYTES):
                copy.write(block)
    except EOFError as error:
        target.unlink()
        reason = f"{file.path}: the compressed stream ends before its end mark: land the file again, whole"
        raise FileRefusedError("truncated_file", reason) from error
    except (gzip.BadGzipFile, zlib.error, zstd.ZstdError) as error:
        target.unlink()
        reason = f"{file.path}: not the compression that its name says, or damaged ({error}): land the file again"
        raise FileRefusedError("unreadable", reason) from error
    return target


def _opened(file: LandingFile, path: Path) -> gzip.GzipFile | zstd.ZstdFile:
    if file.name.lower().endswith(".gz"):
        return gzip.open(path, "rb")
    return zstd.open(path, "rb")


def marked_encoding(head: bytes) -> str | None:
    """The encoding that a byte order mark names: utf-8-bom, utf-16 or utf-32."""
    return next((name for mark, name in BYTE_ORDER_MARKS if head.startswith(mark)), None)


def transcode(file: LandingFile, path: Path, encoding: str, spool: Path, skip: int = 0) -> Path:
    """A copy in UTF-8, without the first `skip` bytes and the byte order mark.

    Raises FileRefusedError where the bytes are not in that encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    target = new_path(spool, path.suffix)
    try:
        with path.open("rb") as stream, target.open("wb") as copy:
            stream.seek(skip)
            while block := stream.read(COPY_BYTES):
                copy.write(decoder.decode(block).encode())
            copy.write(decoder.decode(b"", final=True).encode())
    except UnicodeError as error:
        target.unlink()
        reason = f"{file.path}: begins as {encoding} and is not ({error}): land the file again, in UTF-8"
        raise FileRefusedError("invalid_encoding", reason) from error
    return target


def head_text(path: Path, characters: int) -> str:
    """The beginning of a file as text; bytes that are none are escaped."""
    with path.open("rb") as stream:
        return stream.read(characters * 2).decode("utf-8", "backslashreplace")[:characters]


def verify_unchanged(file: LandingFile, path: Path) -> None:
    """Raise SourceChangedError where the file is not the one that was listed.

    Call it again once `rows` has been collected: only then is it sure that hash and rows are of the same bytes.
    """
    for part in file.landed:
        try:
            status = path.with_name(part.name).stat() if file.parts else path.stat()
        except FileNotFoundError as error:
            raise SourceChangedError(f"{part.path} vanished while it was read: run again") from error
        if (status.st_size, moment_of(status)) != (part.size_bytes, part.modified_at):
            raise SourceChangedError(
                f"{part.path} changed while it was read ({part.size_bytes} bytes when listed, {status.st_size} now): "
                "landed files are immutable, so land a correction under another name, then run again"
            )


class Utf8Check:
    """Raises UnicodeDecodeError at the first block that is not UTF-8; a character may lie across two blocks."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._between = False

    def __call__(self, block: bytes, *, final: bool) -> None:
        if self._between or not block.isascii():
            self._decoder.decode(block, final)
            self._between = bool(self._decoder.getstate()[0])


@dataclass
class Reading:
    """One file on its way through a reader. `path` holds its bytes, unpacked and perhaps transcoded.

    `beside` holds the bytes of its other part as they landed.
    """

    file: LandingFile
    source: Source
    spool: Path
    landed: HashedFile
    path: Path
    is_landed: bool = True
    encoding: str = "utf-8"
    beside: Path | None = None

    def unpack(self) -> None:
        """Decompress, where the name says so."""
        self._move(unpack(self.file, self.path, self.spool))

    def to_utf8(self, encoding: str, *, skip: int = 0) -> None:
        """Go on with a copy in UTF-8."""
        self.encoding = encoding
        self._move(transcode(self.file, self.path, encoding, self.spool, skip))

    @contextmanager
    def open(self) -> Iterator[HashedFile | IO[bytes]]:
        """The bytes as a stream; those that landed are hashed as they pass."""
        if self.is_landed:
            yield self.landed
            return
        with self.path.open("rb") as stream:
            yield stream

    def _move(self, path: Path) -> None:
        if path == self.path:
            return
        if not self.is_landed:
            self.path.unlink()
        self.path, self.is_landed = path, False
