"""Where the landing zone lies: a folder of this machine or an object store, listed and read alike.

Belongs here: names, sizes, times and bytes below a root. Not here: what a name means (`landing`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from lakehouse_assets.lake.errors import LandingError, SourceChangedError
from lakehouse_assets.lake.spool import spool_folder

if TYPE_CHECKING:
    from obstore.store import ObjectStore

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FETCH_BYTES = 8 << 20
# Options of the connection, which obstore takes apart from those of the store; it panics on them elsewhere.
CONNECTION_OPTIONS = {
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "proxy_url",
    "timeout",
    "user_agent",
}
CLOUD_PREFIXES = ("aws_", "azure_")
# Options that only the writer of Delta tables knows.
DELTA_OPTIONS = {"aws_s3_allow_unsafe_rename", "aws_s3_locking_provider", "allow_unsafe_rename", "max_retries"}


class Entry(NamedTuple):
    """A file or folder below the root; `path` is relative to the root, `fault` says why it cannot be read."""

    name: str
    path: str
    is_folder: bool
    size_bytes: int = 0
    modified_at: datetime = EPOCH
    fault: str | None = None


class LandingRoot(Protocol):
    """What the landing zone needs of the place where it lies."""

    def entries(self, path: str) -> list[Entry]:
        """What lies directly in a folder, nothing where there is none; of the root itself it must exist."""

    def branches(self, path: str, wanted: Callable[[str], bool]) -> Iterator[tuple[Entry, list[Entry]]]:
        """What lies directly in a folder, each with its own entries where it is a folder of a wanted name."""

    def local(self, files: Mapping[str, datetime]) -> AbstractContextManager[Path]:
        """The local path of the first of these files of one folder; the others lie beside it, by their names.

        Each has the time of modification of the file, which was listed as given.
        """


def open_root(root: str, options: Mapping[str, str]) -> LandingRoot:
    """The landing root behind a folder's path, a `file://` URL or an object store's URL."""
    if root.startswith("file://"):
        return FolderRoot(Path(root.removeprefix("file://")))
    return ObjectRoot(root, options) if "://" in root else FolderRoot(Path(root))


def moment_of(status: os.stat_result) -> datetime:
    """A file's modification time in UTC, cut to microseconds as the lake keeps it."""
    return EPOCH + timedelta(microseconds=status.st_mtime_ns // 1000)


@dataclass(frozen=True)
class FolderRoot:
    """A folder. Links are followed as long as they stay below it."""

    folder: Path

    def entries(self, path: str) -> list[Entry]:
        try:
            with os.scandir(self.folder / path) as scan:
                return [found for entry in scan if (found := self._entry(path, entry))]
        except (FileNotFoundError, NotADirectoryError) as error:
            if not path:
                raise LandingError(
                    f"landing root {self.folder} is no folder: set LAKEHOUSE_LANDING to one that exists"
                ) from error
            return []
        except OSError as error:
            raise LandingError(f"landing folder {self.folder / path} cannot be read: {error.strerror}") from error

    def branches(self, path: str, wanted: Callable[[str], bool]) -> Iterator[tuple[Entry, list[Entry]]]:
        for entry in self.entries(path):
            yield entry, self.entries(entry.path) if entry.is_folder and wanted(entry.name) else []

    @contextmanager
    def local(self, files: Mapping[str, datetime]) -> Iterator[Path]:
        yield self.folder / next(iter(files))

    def _entry(self, path: str, entry: os.DirEntry[str]) -> Entry | None:
        below = f"{path}/{entry.name}" if path else entry.name
        fault = None
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            below = os.fsencode(below).decode("utf-8", "backslashreplace")
            return Entry(below.rsplit("/", 1)[-1], below, is_folder=False, fault="its name is not UTF-8: rename it")
        if entry.is_symlink() and (fault := self._link_fault(entry)):
            return Entry(entry.name, below, is_folder=False, fault=fault)
        if entry.is_dir():
            return Entry(entry.name, below, is_folder=True)
        try:
            status = entry.stat()
        except FileNotFoundError:  # removed since the folder was opened: as if it had never landed
            return None
        if not stat.S_ISREG(status.st_mode):
            fault = "it is no regular file"
        return Entry(entry.name, below, False, status.st_size, moment_of(status), fault)  # noqa: FBT003

    def _link_fault(self, entry: os.DirEntry[str]) -> str | None:
        try:
            target = Path(entry.path).resolve(strict=True)
        except (OSError, RuntimeError):
            return "it is a link that leads nowhere"
        if target.is_relative_to(self.folder.resolve()):
            return None
        return "it is a link that leaves the landing root, which is never followed"


@dataclass(frozen=True)
class ObjectRoot:
    """A bucket or container, or a prefix in it."""

    url: str
    options: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def store(self) -> ObjectStore:
        return open_store(self.url, self.options)

    def entries(self, path: str) -> list[Entry]:
        from obstore import list_with_delimiter
        from obstore.exceptions import BaseError

        try:
            result = list_with_delimiter(self.store, prefix=path or None)
        except BaseError as error:
            raise LandingError(f"landing root {self.url} cannot be listed below '{path}': {_brief(error)}") from error
        folders = [Entry(_last(prefix), prefix, is_folder=True) for prefix in result["common_prefixes"]]
        # Some stores keep an empty object in the place of a folder.
        return folders + [_object_entry(meta) for meta in result["objects"] if meta["path"] != path]

    def branches(self, path: str, wanted: Callable[[str], bool]) -> Iterator[tuple[Entry, list[Entry]]]:
        """One listing of all that lies below: a request per thousand objects instead of one per folder."""
        from obstore import list as list_objects
        from obstore.exceptions import BaseError

        found: dict[str, tuple[Entry, dict[str, Entry]]] = {}
        try:
            for meta in (meta for batch in list_objects(self.store, prefix=path) for meta in batch):
                name, _, rest = meta["path"].removeprefix(f"{path}/").partition("/")
                if not rest:
                    found.setdefault(name, (_object_entry(meta), {}))
                    continue
                folder, within = found.setdefault(name, (Entry(name, f"{path}/{name}", is_folder=True), {}))
                child, _, deeper = rest.partition("/")
                entry = Entry(child, f"{folder.path}/{child}", is_folder=True) if deeper else _object_entry(meta)
                within.setdefault(child, entry)
        except BaseError as error:
            raise LandingError(f"landing root {self.url} cannot be listed below '{path}': {_brief(error)}") from error
        for entry, children in found.values():
            yield entry, list(children.values()) if wanted(entry.name) else []

    @contextmanager
    def local(self, files: Mapping[str, datetime]) -> Iterator[Path]:
        with spool_folder() as spool:
            copies = [self._fetch(path, modified_at, spool / _last(path)) for path, modified_at in files.items()]
            yield copies[0]

    def _fetch(self, path: str, modified_at: datetime, copy: Path) -> Path:
        from obstore import get
        from obstore.exceptions import BaseError

        try:
            result = get(self.store, path)
            with copy.open("wb") as target:
                for chunk in result.stream(min_chunk_size=FETCH_BYTES):
                    target.write(chunk)
        except FileNotFoundError as error:
            raise SourceChangedError(f"{path} vanished from {self.url} after it was listed: run again") from error
        except BaseError as error:
            raise LandingError(f"{path} cannot be fetched from {self.url}: {_brief(error)}") from error
        # The copy carries the object's time, so that one check of change fits folders and stores; some stores list
        # fractions of a second that they do not send with the object.
        moment = result.meta["last_modified"].astimezone(UTC)
        moment = modified_at if moment == modified_at.replace(microsecond=0) else moment
        nanoseconds = (moment - EPOCH) // MICROSECOND * 1000
        os.utime(copy, ns=(nanoseconds, nanoseconds))
        return copy


def open_store(url: str, options: Mapping[str, str]) -> ObjectStore:
    """The object store behind a URL, by the storage options that Polars and delta-rs take too.

    Raises LandingError where the URL or an option is not understood.
    """
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    config: Any = {}
    connection: Any = {}
    for name, value in options.items():
        if _bare(name) in CONNECTION_OPTIONS:
            connection[_bare(name)] = value
        elif name.lower() not in DELTA_OPTIONS and not _of_another_cloud(url, name):
            config[name] = value
    if any(value.startswith("http://") for value in config.values()):
        connection.setdefault("allow_http", "true")
    try:
        return from_url(url, config=config or None, client_options=connection or None)
    except (BaseError, ValueError) as error:
        raise LandingError(f"landing root {url} cannot be opened: {_brief(error)}") from error


def understood(url: str, options: Mapping[str, str]) -> dict[str, str]:
    """Those options that the store behind a URL knows.

    An environment also has `AWS_CA_BUNDLE`, `AZURE_CONFIG_DIR` and others of the same prefix, for other programs.
    """
    from obstore.exceptions import BaseError, UnknownConfigurationKeyError
    from obstore.store import from_url

    known = {}
    for name, value in options.items():
        if _of_another_cloud(url, name):
            continue
        if _bare(name) not in CONNECTION_OPTIONS and name.lower() not in DELTA_OPTIONS:
            one: Any = {name: value}
            try:
                from_url(url, config=one)
            except UnknownConfigurationKeyError:
                continue
            except (BaseError, ValueError):  # known, and of no use alone: `open_store` says what is wrong
                pass
        known[name] = value
    return known


def _bare(name: str) -> str:
    return name.lower().removeprefix("aws_").removeprefix("azure_")


def _of_another_cloud(url: str, name: str) -> bool:
    """Whether an option is for the other store, where landing zone and lake lie on two."""
    prefix = "aws_" if url.startswith("s3") else "azure_"
    return name.lower().startswith(CLOUD_PREFIXES) and not name.lower().startswith(prefix)


def _object_entry(meta: Mapping[str, Any]) -> Entry:
    modified_at = meta["last_modified"].astimezone(UTC)
    return Entry(_last(meta["path"]), meta["path"], False, meta["size"], modified_at)  # noqa: FBT003


def _last(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _brief(error: Exception) -> str:
    """The store's own sentence, without the dump of its inner state."""
    return str(error).split("\n", 1)[0]
