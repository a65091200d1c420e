"""The landing zone: what is listed, in which order, and what is refused by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lakehouse_assets.lake.errors import LandingError, SourceChangedError
from lakehouse_assets.lake.landing import Landing, ending_of
from lakehouse_assets.lake.landing_root import ObjectRoot, moment_of, open_store
from lakehouse_assets.lake.readers import read
from lakehouse_assets.lake.source import Source
from lakehouse_assets_tests.lake.landed import LEADS


def source(domain: str, name: str) -> Source:
    return Source(
        domain=domain, name=name, kind="entity", key=("id",), version=None, columns={"id": ""}, required=("id",),
        description="",
    )  # fmt: skip


CUSTOMERS = source("crm", "customers")
ORDERS = source("commerce", "orders")


class StoreLanding(Landing):
    """The same landing zone through the object store's client, as `s3://` and `abfss://` are read."""

    @property
    def _at(self) -> ObjectRoot:
        return ObjectRoot(f"file://{self.root}")


@pytest.fixture(params=[Landing, StoreLanding])
def landing(request: pytest.FixtureRequest, tmp_path: Path) -> Landing:
    made: Landing = request.param(str(tmp_path))
    return made


def put(landing: Landing, *paths: str, data: str = "id\n1\n") -> None:
    for path in paths:
        file = Path(landing.root) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(data)


def listed(landing: Landing, **chosen: object) -> list[str]:
    listing = landing.list(**{"sources": [LEADS, CUSTOMERS, ORDERS]} | chosen)  # type: ignore[arg-type]
    return [file.path for file in listing.files]


def test_files_are_listed_in_the_order_they_landed(landing: Landing) -> None:
    paths = [
        "acme/commerce/orders/2026-01-03/orders.parquet",
        "acme/crm/leads/2026-01-01/a.csv",
        "acme/crm/leads/2026-01-01/b.ndjson.gz",
        "acme/crm/leads/2026-01-02/A.CSV",
        "acme/crm/leads/2026-01-02/a.json.zst",
        "globex/crm/customers/2026-01-01/all customers.csv",
    ]
    put(landing, *reversed(paths))
    listing = landing.list(sources=[LEADS, CUSTOMERS, ORDERS])
    assert ([file.path for file in listing.files], listing.refused) == (paths, [])
    file = listing.files[1]
    assert (file.tenant_id, file.domain, file.source, file.date) == ("acme", "crm", "leads", date(2026, 1, 1))
    assert (file.name, file.size_bytes) == ("a.csv", 5)
    status = (Path(landing.root) / file.path).stat()
    assert file.modified_at == datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1e6, UTC)


def test_sources_tenants_and_dates_narrow_the_listing(landing: Landing) -> None:
    days = ["2026-01-01", "2026-01-02", "2026-01-03"]
    put(
        landing,
        *(f"{tenant}/crm/{s}/{day}/f.csv" for tenant in ("a", "b") for s in ("leads", "customers") for day in days),
    )
    assert listed(landing, sources=[LEADS], tenants=["b"], first=date(2026, 1, 2), last=date(2026, 1, 2)) == [
        "b/crm/leads/2026-01-02/f.csv"
    ]
    assert len(listed(landing, first=date(2026, 1, 2))) == 8
    assert len(listed(landing, last=date(2026, 1, 1), tenants={"a", "never_landed"})) == 2
    assert listed(landing, sources=[]) == []


def test_half_written_files_are_ignored_without_a_word(landing: Landing) -> None:
    put(
        landing,
        *(f"acme/crm/leads/2026-01-01/{name}" for name in (".a.csv", "_b.csv", "c.csv.tmp", "d.csv.PART", "e.csv")),
    )
    put(landing, "_spool/crm/leads/2026-01-01/a.csv", ".git/config", "acme/crm/leads/_old/a.csv", "acme/crm/leads/.x")
    listing = landing.list(sources=[LEADS])
    assert ([file.name for file in listing.files], listing.refused) == (["e.csv"], [])


REFUSED: Mapping[str, tuple[str, str]] = {
    "Acme/crm/leads/2026-01-01/a.csv": ("Acme", "'Acme' is no tenant name: it must match ^[a-z0-9]"),
    "..acme/crm/leads/2026-01-01/a.csv": ("", ""),  # begins with a dot: hidden, as any such file
    "acme corp/crm/leads/2026-01-01/a.csv": ("acme corp", "no tenant name"),
    "-acme/crm/leads/2026-01-01/a.csv": ("-acme", "no tenant name"),
    "tenant_id=acme/crm/leads/2026-01-01/a.csv": ("tenant_id=acme", "no tenant name"),
    f"{'a' * 64}/crm/leads/2026-01-01/a.csv": ("a" * 64, "no tenant name"),
    "acmé/crm/leads/2026-01-01/a.csv": ("acmé", "no tenant name"),
    "stray.csv": ("stray.csv", "belongs to no tenant"),
    "acme/crm/leads/2026-02-30/a.csv": ("acme/crm/leads/2026-02-30", "no ingest date: name it YYYY-MM-DD"),
    "acme/crm/leads/20260101/a.csv": ("acme/crm/leads/20260101", "no ingest date"),
    "acme/crm/leads/2026-W01-1/a.csv": ("acme/crm/leads/2026-W01-1", "no ingest date"),
    "acme/crm/leads/01-02-2026/a.csv": ("acme/crm/leads/01-02-2026", "no ingest date"),
    "acme/crm/leads/date=2026-01-01/a.csv": ("acme/crm/leads/date=2026-01-01", "no ingest date"),
    "acme/crm/leads/latest/a.csv": ("acme/crm/leads/latest", "no ingest date"),
    "acme/crm/leads/a.csv": ("acme/crm/leads/a.csv", "lies beside the date folders"),
    "acme/crm/leads/2026-01-01/more/a.csv": ("acme/crm/leads/2026-01-01/more", "folder inside a date folder"),
    "acme/crm/leads/2026-01-01/a.xlsx": (
        "acme/crm/leads/2026-01-01/a.xlsx",
        "no reader knows its ending: use one of .csv",
    ),
    "acme/crm/leads/2026-01-01/a.csv.zip": ("acme/crm/leads/2026-01-01/a.csv.zip", "no reader knows its ending"),
    "acme/crm/leads/2026-01-01/a.gz": ("acme/crm/leads/2026-01-01/a.gz", "no reader knows its ending"),
    "acme/crm/leads/2026-01-01/csv": ("acme/crm/leads/2026-01-01/csv", "no reader knows its ending"),
}


@pytest.mark.parametrize("path", REFUSED)
def test_what_breaks_the_layout_is_refused_by_name_and_its_neighbours_are_read(landing: Landing, path: str) -> None:
    put(landing, path, "globex/crm/leads/2026-01-01/a.csv")
    listing = landing.list(sources=[LEADS])
    assert [file.tenant_id for file in listing.files] == ["globex"]
    name, reason = REFUSED[path]
    assert [refused.path for refused in listing.refused] == ([name] if name else [])
    assert all(reason in refused.reason for refused in listing.refused)


@pytest.mark.parametrize("tenant", ["../x", "..", "", ".", "acme/..", "Acme", "acme\n", "acme\0"])
def test_a_tenant_asked_for_by_a_path_trick_is_refused(landing: Landing, tenant: str) -> None:
    put(landing, "acme/crm/leads/2026-01-01/a.csv", "x/crm/leads/2026-01-01/a.csv")
    inner = Landing(f"{landing.root}/acme")
    for zone in (landing, inner):
        listing = zone.list(sources=[LEADS], tenants=[tenant])
        assert (listing.files, [refused.path for refused in listing.refused]) == ([], [tenant])


def test_tenants_are_the_folders_with_a_tenant_s_name(landing: Landing) -> None:
    put(landing, *(f"{name}/crm/leads/2026-01-01/a.csv" for name in ("b-2", "a_1", "0", "A", "_x")))
    tenants = landing.tenants()
    assert (tenants.tenant_ids, [refused.path for refused in tenants.refused]) == (["0", "a_1", "b-2"], ["A"])


def test_a_misspelt_source_is_not_lost_silently(landing: Landing) -> None:
    put(landing, "acme/crm/leads/2026-01-01/a.csv", "acme/crm/lead/2026-01-01/a.csv", "acme/crn/leads/2026-01-01/a.csv")
    put(landing, "acme/notes.txt", "acme/crm/_old/x.csv")
    found = {refused.path: refused.reason for refused in landing.unclaimed([LEADS, CUSTOMERS])}
    assert list(found) == ["acme/crm/lead", "acme/crn", "acme/notes.txt"]
    assert found["acme/crm/lead"] == "'lead' is no source of domain crm, which has customers, leads"


def test_a_root_that_is_missing_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for root in ("nowhere", "file"):
        with pytest.raises(LandingError, match=f"{root} is no folder: set LAKEHOUSE_LANDING"):
            Landing(str(tmp_path / root)).list(sources=[LEADS])
    assert Landing(f"file://{tmp_path}").tenants().tenant_ids == []


def test_links_are_followed_inside_the_root_only(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    landing = Landing(str(root))
    put(landing, "acme/crm/leads/2026-01-01/real.csv")
    put(Landing(str(outside)), "x/crm/leads/2026-01-01/secret.csv", "secret.csv")
    day = root / "acme/crm/leads/2026-01-01"
    (day / "inside.csv").symlink_to(day / "real.csv")
    (day / "outside.csv").symlink_to(outside / "secret.csv")
    (day / "nowhere.csv").symlink_to(day / "gone.csv")
    (root / "acme/crm/leads/2026-01-02").symlink_to(outside / "x/crm/leads/2026-01-01")
    (root / "globex").symlink_to(outside / "x")
    (root / "loop").symlink_to(root / "loop")
    os.mkfifo(day / "pipe.csv")
    listing = landing.list(sources=[LEADS])
    assert [file.name for file in listing.files] == ["inside.csv", "real.csv"]
    reasons = {Path(refused.path).name: refused.reason for refused in listing.refused}
    leaving = "it is a link that leaves the landing root, which is never followed"
    assert reasons == {
        "2026-01-02": leaving,
        "globex": leaving,
        "outside.csv": leaving,
        "loop": "it is a link that leads nowhere",
        "nowhere.csv": "it is a link that leads nowhere",
        "pipe.csv": "it is no regular file",
    }


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    landing = Landing(str(tmp_path))
    put(landing, "acme/crm/leads/2026-01-01/a.csv")
    Path(os.fsdecode(os.fsencode(tmp_path / "acme/crm/leads/2026-01-01") + b"/\xff.csv")).write_text("id\n1\n")
    listing = landing.list(sources=[LEADS])
    assert [(refused.path, refused.reason) for refused in listing.refused] == [
        ("acme/crm/leads/2026-01-01/\\xff.csv", "its name is not UTF-8: rename it")
    ]


def test_a_file_is_read_where_it_lies_and_an_object_from_a_copy(landing: Landing, tmp_path: Path) -> None:
    put(landing, "acme/crm/leads/2026-01-01/a.csv", data="lead_id,customer_id\nL1,C1\n")
    [file] = landing.list(sources=[LEADS]).files
    with landing.local(file) as path:
        assert (path == tmp_path / file.path) == (type(landing) is Landing)
        assert read(file, path, LEADS, tmp_path).rows.collect()["lead_id"].to_list() == ["L1"]
    assert path.exists() == (type(landing) is Landing)


def test_an_object_that_is_replaced_or_vanishes_after_the_listing_is_named(tmp_path: Path) -> None:
    landing = StoreLanding(str(tmp_path))
    put(landing, "acme/crm/leads/2026-01-01/a.csv", data="lead_id,customer_id\nL1,C1\n")
    [file] = landing.list(sources=[LEADS]).files
    put(landing, file.path, data="lead_id,customer_id\nL1,C1\nL2,C2\n")
    with landing.local(file) as path, pytest.raises(SourceChangedError, match=rf"{file.path} changed"):
        read(file, path, LEADS, tmp_path)
    (tmp_path / file.path).unlink()
    with pytest.raises(SourceChangedError, match=f"{file.path} vanished"), landing.local(file):
        pass


def test_a_store_may_list_fractions_of_a_second_that_it_does_not_send_with_the_object(tmp_path: Path) -> None:
    put(Landing(str(tmp_path)), "a.csv")
    os.utime(tmp_path / "a.csv", (0, 1_767_225_600))
    store = ObjectRoot(f"file://{tmp_path}")
    for listed_at, expected in {"00.123456": "00.123456", "00": "00", "59.9": "00"}.items():
        moment = datetime.fromisoformat(f"2026-01-01T00:00:{listed_at}+00:00")
        with store.local({"a.csv": moment}) as path:
            found = moment_of(path.stat())
        assert found == datetime.fromisoformat(f"2026-01-01T00:00:{expected}+00:00")


def test_storage_options_are_those_of_the_other_libraries() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "k", "aws_secret_access_key": "s", "AWS_REGION": "r"}
    endpoint = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ALLOW_HTTP": "true", "timeout": "5s"}
    delta = {"aws_conditional_put": "etag", "AWS_S3_ALLOW_UNSAFE_RENAME": "true"}
    assert "bucket" in repr(open_store("s3://bucket/landing", {**keys, **endpoint, **delta}))
    azure = {"azure_storage_account_name": "a", "azure_storage_account_key": "YQ==", "azure_allow_http": "true"}
    assert "box" in repr(open_store("abfss://box@a.dfs.core.windows.net/landing", azure))
    with pytest.raises(LandingError, match=r"landing root s3://bucket cannot be opened: .*aws_no_such_option"):
        open_store("s3://bucket", {"aws_no_such_option": "1"})
    with pytest.raises(LandingError, match="landing root ftp://host cannot be opened"):
        open_store("ftp://host", {})


def test_endings_are_known_in_any_letter_case() -> None:
    assert [ending_of(name) for name in ("a.CSV", "a.b.JSONL.GZ", "a.parquet.zst", "a.json", "a.md.gz")] == [
        ("csv", None),
        ("ndjson", "gzip"),
        ("parquet", "zstd"),
        ("json", None),
        ("text", "gzip"),
    ]
    assert [ending_of(name) for name in ("a.gz", "a.doc", "csv", "a.csv.gz.gz", "a.csv.bak", "")] == [None] * 6
