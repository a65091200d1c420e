"""The landing zone: which files have landed, and where their bytes are on this machine.

Belongs here: the layout `<root>/<tenant>/<domain>/<source>/<date>/<file>` and what of it is refused by name. Not here:
folders and object stores (`landing_root`), what is inside a file (`readers`), which files a run takes (`bronze`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from lakehouse_assets.lake.landing_root import Entry, LandingRoot, open_root
from lakehouse_assets.lake.names import TENANT_PATTERN
from lakehouse_assets.lake.source import Source

FORMATS = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "json", ".parquet": "parquet"}
# Files of a source whose records are texts, each with the JSON of its other columns beside it.
TEXT_FORMATS = {".txt": "text", ".md": "text", ".json": "json"}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
UNFINISHED = (".tmp", ".part")


class Ending(NamedTuple):
    """What the end of a file's name says about its bytes."""

    format: str
    compression: str | None


def ending_of(name: str) -> Ending | None:
    """The format and compression that a name declares, in any letter case; None for one that no reader knows."""
    *_, inner, last = ("", "", *PurePosixPath(name.lower()).suffixes)
    compression = COMPRESSIONS.get(last)
    form = (FORMATS | TEXT_FORMATS).get(inner if compression else last)
    return Ending(form, compression) if form else None


def is_unfinished(name: str) -> bool:
    """Whether a file or folder is still being written, or is no one's data, and so is ignored."""
    return name.startswith((".", "_")) or name.lower().endswith(UNFINISHED)


@dataclass(frozen=True, slots=True)
class LandingFile:
    """One landed file. `date` is its ingest date, `path` is relative to the landing root, `modified_at` is UTC.

    A text and the file beside it are one, which has the text's name, the bytes of both and the newer time; `parts` are
    the two, the text first.
    """

    tenant_id: str
    domain: str
    source: str
    date: date
    name: str
    path: str
    size_bytes: int
    modified_at: datetime
    parts: tuple[LandingFile, ...] = ()

    @property
    def landed(self) -> tuple[LandingFile, ...]:
        """The files as they lie in the landing zone."""
        return self.parts or (self,)


class RefusedPath(NamedTuple):
    """A path that breaks the layout's rules: never ingested, always reported. It is relative to the landing root."""

    path: str
    reason: str


class Listing(NamedTuple):
    """Files in the order they landed (tenant, domain, source, ingest date, name), and what was refused by name."""

    files: list[LandingFile]
    refused: list[RefusedPath]


class Tenants(NamedTuple):
    """The tenants that have landed, ascending, and the folders that are none."""

    tenant_ids: list[str]
    refused: list[RefusedPath]


@dataclass(frozen=True)
class Landing:
    """The landing zone at a root: a folder, or an `s3://` / `abfss://` URL with its storage options."""

    root: str
    storage_options: Mapping[str, str] = field(default_factory=dict)

    def tenants(self) -> Tenants:
        """Every tenant with a folder of its own. Raises LandingError where the root cannot be read."""
        found, refused = [], []
        for entry in self._at.entries(""):
            if is_unfinished(entry.name):
                continue
            reason = entry.fault
            if not reason and not entry.is_folder:
                reason = "it belongs to no tenant: move it into <tenant>/<domain>/<source>/<date>"
            if reason := reason or _tenant_fault(entry.name):
                refused.append(RefusedPath(entry.path, reason))
            else:
                found.append(entry.name)
        return Tenants(sorted(found), sorted(refused))

    def domains(self, tenant: str) -> set[str]:
        """The domains that a tenant has a folder for, whatever is in it."""
        return {entry.name for entry in self._at.entries(tenant) if entry.is_folder and not is_unfinished(entry.name)}

    def list(
        self,
        *,
        sources: Iterable[Source],
        tenants: Collection[str] | None = None,
        first: date | None = None,
        last: date | None = None,
    ) -> Listing:
        """The files of these sources and tenants (all, when None) with an ingest date in first..last.

        What breaks the layout's rules is reported, files in folders of other dates excepted. A tenant that has not
        landed has no files. Raises LandingError where the root cannot be read.
        """
        files: list[LandingFile] = []
        tenants, refused = self.tenants() if tenants is None else (tenants, [])
        wanted = {(source.domain, source.name): source for source in sources}
        window = (first or date.min, last or date.max)
        for tenant in sorted(set(tenants)):
            if reason := _tenant_fault(tenant):
                refused.append(RefusedPath(tenant, reason))
                continue
            for source in wanted.values():
                listing = self._list_source(tenant, source, window)
                files += listing.files
                refused += listing.refused
        files.sort(key=attrgetter("tenant_id", "domain", "source", "date", "name"))
        return Listing(files, sorted(refused))

    def unclaimed(self, sources: Iterable[Source]) -> Sequence[RefusedPath]:
        """What lies where a source would land but has no source's name: a misspelt folder is not lost silently.

        `sources` are all that the project has, not those of one run.
        """
        known: dict[str, set[str]] = {}
        for source in sources:
            known.setdefault(source.domain, set()).add(source.name)
        found = []
        for tenant in self.tenants().tenant_ids:
            for domain in self._at.entries(tenant):
                names = known.get(domain.name)
                if names is None:
                    reason = f"no domain is named {domain.name!r}: known are {', '.join(sorted(known))}"
                    found.append(RefusedPath(domain.path, reason))
                    continue
                reason = f"is no source of domain {domain.name}, which has {', '.join(sorted(names))}"
                entries = [entry for entry in self._at.entries(domain.path) if entry.name not in names]
                found += [RefusedPath(entry.path, f"{entry.name!r} {reason}") for entry in entries]
        return sorted(path for path in found if not is_unfinished(PurePosixPath(path.path).name))

    @contextmanager
    def local(self, file: LandingFile) -> Iterator[Path]:
        """The file's bytes as a local path: the file itself in a folder, a temporary copy of a remote object.

        Its other parts lie beside it, by their names. Raises SourceChangedError where a remote object has vanished.
        """
        with self._at.local({part.path: part.modified_at for part in file.landed}) as path:
            yield path

    @cached_property
    def _at(self) -> LandingRoot:
        return open_root(self.root, self.storage_options)

    def _list_source(self, tenant: str, source: Source, window: tuple[date, date]) -> Listing:
        listing = Listing([], [])

        def in_window(name: str) -> bool:
            day = _ingest_date(name)
            return day is not None and window[0] <= day <= window[1]

        for folder, entries in self._at.branches(f"{tenant}/{source.domain}/{source.name}", in_window):
            if is_unfinished(folder.name):
                continue
            day = _ingest_date(folder.name)
            if reason := _folder_fault(folder, day):
                listing.refused.append(RefusedPath(folder.path, reason))
            files: list[LandingFile] = []
            for entry in entries:
                if is_unfinished(entry.name):
                    continue
                if reason := _file_fault(entry, source):
                    listing.refused.append(RefusedPath(entry.path, reason))
                elif day is not None:
                    place = (tenant, source.domain, source.name, day, entry.name, entry.path)
                    files.append(LandingFile(*place, entry.size_bytes, entry.modified_at))
            listing.files.extend(paired(files) if source.content else files)
        return listing


def _tenant_fault(name: str) -> str | None:
    if TENANT_PATTERN.fullmatch(name):
        return None
    return f"{name!r} is no tenant name: it must match {TENANT_PATTERN.pattern}"


def _ingest_date(name: str) -> date | None:
    """The date of a folder named YYYY-MM-DD; the other forms that Python knows are refused, not guessed."""
    try:
        return date.fromisoformat(name) if len(name) == 10 and name[4] == name[7] == "-" else None
    except ValueError:
        return None


def _folder_fault(entry: Entry, day: date | None) -> str | None:
    if entry.fault:
        return entry.fault
    if not entry.is_folder:
        return "it lies beside the date folders: move it into the folder of its ingest date, YYYY-MM-DD"
    return None if day else f"folder {entry.name!r} is no ingest date: name it YYYY-MM-DD"


def paired(files: Iterable[LandingFile]) -> list[LandingFile]:
    """The files of a folder, each text as one with the JSON beside it: `note.txt` with `note.txt.json` or `note.json`.

    A name that fits more closely goes first; a JSON file that fits two texts alike goes with neither. What stays alone
    may have its other half still to come: it is read, set aside, and read again as soon as it is one of two.
    """
    ordered = sorted(files, key=attrgetter("name"))
    texts = [file for file in ordered if _format(file) == "text"]
    beside: dict[str, LandingFile] = {}
    for file in ordered:
        if _format(file) == "json":
            beside.setdefault(_plain_name(file, endings=1), file)
    pairs: dict[str, LandingFile] = {}
    for endings in (None, 0, 1):
        claims: dict[str, list[LandingFile]] = {}
        for text in texts:
            if text.path not in pairs:
                claims.setdefault(_plain_name(text, endings=endings), []).append(text)
        for name, claimants in claims.items():
            if len(claimants) == 1 and name in beside:
                pairs[claimants[0].path] = beside.pop(name)
    taken = {file.path for file in pairs.values()}
    return [
        _joined(file, pairs[file.path]) if file.path in pairs else file for file in ordered if file.path not in taken
    ]


def _joined(text: LandingFile, beside: LandingFile) -> LandingFile:
    size, moment = text.size_bytes + beside.size_bytes, max(text.modified_at, beside.modified_at)
    return replace(text, size_bytes=size, modified_at=moment, parts=(text, beside))


def _format(file: LandingFile) -> str | None:
    ending = ending_of(file.name)
    return ending and ending.format


def _plain_name(file: LandingFile, *, endings: int | None) -> str:
    """The name as it is, or without that of the compression and so many more of its endings."""
    ending = ending_of(file.name)
    if endings is None or ending is None:
        return file.name
    count = endings + (ending.compression is not None)
    return file.name.rsplit(".", count)[0] if count else file.name


def _file_fault(entry: Entry, source: Source) -> str | None:
    if entry.fault:
        return entry.fault
    if entry.is_folder:
        return "it is a folder inside a date folder, which is not read: move its files up"
    ending, known = ending_of(entry.name), TEXT_FORMATS if source.content else FORMATS
    if ending is None or ending.format not in known.values():
        fault = f"{source.name} takes texts, and this is none" if source.content else "no reader knows its ending"
        return f"{fault}: use one of {', '.join(known)}, each also with .gz or .zst"
    return None
