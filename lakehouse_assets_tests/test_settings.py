"""Settings: the environment as typed values, and nothing read at import."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from lakehouse_assets.lake.errors import LakeError
from lakehouse_assets.lake.landing_root import open_store
from lakehouse_assets.lake.retention import DEFAULT_KEEP, Keep
from lakehouse_assets.settings import Settings

AWS = {"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
AZURE = {"AZURE_STORAGE_ACCOUNT_NAME": "account", "AZURE_STORAGE_ACCOUNT_KEY": "a2V5"}
AWS_OPTIONS = {"aws_region": "eu-central-1", "aws_access_key_id": "key", "aws_secret_access_key": "secret"}
AZURE_OPTIONS = {"azure_storage_account_name": "account", "azure_storage_account_key": "a2V5"}
# Variables that the clouds' own programs and their machines set.
OTHERS = {"AWS_CA_BUNDLE": "/etc/ssl/ca.pem", "AWS_EXECUTION_ENV": "fargate", "AZURE_CONFIG_DIR": "/etc/azure"}


def test_an_empty_environment_gives_the_defaults_of_the_contract() -> None:
    settings = Settings.from_environment({})
    assert Path(settings.landing).parts[-2:] == ("data", "landing")
    assert Path(settings.root).parts[-2:] == ("data", "lake")
    assert settings.start_date == date(2024, 1, 1)
    assert settings.alert_webhook is None
    assert settings.retention is None


def test_every_setting_is_read_from_its_name() -> None:
    settings = Settings.from_environment(
        {
            "LAKEHOUSE_LANDING": "/in",
            "LAKEHOUSE_ROOT": "/out",
            "LAKEHOUSE_START_DATE": "2025-03-01",
            "LAKEHOUSE_CHUNK_BYTES": "1024",
            "LAKEHOUSE_ALERT_WEBHOOK": "https://example.org/hook",
            "LAKEHOUSE_RETENTION": "gold=3y bronze=10d",
        }
    )
    assert (settings.landing, settings.root) == ("/in", "/out")
    assert (settings.start_date, settings.chunk_bytes) == (date(2025, 3, 1), 1024)
    assert settings.alert_webhook == "https://example.org/hook"
    assert settings.retention == {**DEFAULT_KEEP, "gold": Keep(3, "y"), "bronze": Keep(10, "d")}


def test_a_name_that_is_set_to_nothing_keeps_its_default() -> None:
    empty = dict.fromkeys(("LAKEHOUSE_LANDING", "LAKEHOUSE_ROOT", "LAKEHOUSE_START_DATE", "LAKEHOUSE_CHUNK_BYTES"), "")
    assert Settings.from_environment(empty) == Settings.from_environment({})


def test_the_environment_of_the_process_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_START_DATE", "2025-03-01")
    assert Settings.from_environment().start_date == date(2025, 3, 1)


def test_a_relative_folder_is_one_of_the_folder_that_it_was_named_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({"LAKEHOUSE_LANDING": "in", "LAKEHOUSE_ROOT": "~/lake"})
    monkeypatch.chdir("/")
    assert settings.landing == str(tmp_path / "in")
    assert settings.root == str(Path("~/lake").expanduser())


@pytest.mark.parametrize(
    ("place", "options"),
    [
        ("s3://bucket/lake", AWS_OPTIONS),
        ("abfss://lake@account.dfs.core.windows.net/lake", AZURE_OPTIONS),
        ("az://lake/lake", AZURE_OPTIONS),
    ],
)
def test_an_object_store_is_taken_as_it_is_with_the_options_that_it_knows(place: str, options: dict[str, str]) -> None:
    environment = {**AWS, **AZURE, **OTHERS, "AZURE_EMPTY": "", "PATH": "/bin"}
    settings = Settings.from_environment({"LAKEHOUSE_ROOT": place, **environment})
    assert settings.root == place
    assert settings.storage_options == options


def test_landing_zone_and_lake_may_lie_in_two_clouds() -> None:
    places = {"LAKEHOUSE_LANDING": "s3://bucket/landing", "LAKEHOUSE_ROOT": "az://lake/lake"}
    settings = Settings.from_environment({**places, **AWS, **AZURE, **OTHERS})
    assert settings.storage_options == AWS_OPTIONS | AZURE_OPTIONS
    assert "bucket" in repr(open_store(settings.landing, settings.storage_options))
    assert "lake" in repr(open_store(settings.root, settings.storage_options))


def test_a_landing_zone_in_an_object_store_has_its_options_beside_a_lake_on_disk() -> None:
    settings = Settings.from_environment({"LAKEHOUSE_LANDING": "s3://bucket/landing", **AWS})
    assert settings.storage_options


def test_credentials_are_left_alone_where_all_is_on_disk() -> None:
    assert Settings.from_environment(AWS).storage_options == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAKEHOUSE_START_DATE", "soon"),
        ("LAKEHOUSE_START_DATE", "2025-02-30"),
        ("LAKEHOUSE_CHUNK_BYTES", "0"),
        ("LAKEHOUSE_CHUNK_BYTES", "-1"),
        ("LAKEHOUSE_CHUNK_BYTES", "many"),
        ("LAKEHOUSE_RETENTION", "bronze=2"),
        ("LAKEHOUSE_RETENTION", "gold=1y copper=2y"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises((ValidationError, LakeError), match=f"(?i){name.removeprefix('LAKEHOUSE_')}"):
        Settings.from_environment({name: value})


@pytest.mark.parametrize(("folder", "sign"), [("100%", "%"), ("a%20b", "%"), ("a\\b", r"\\")])
def test_a_lake_whose_path_delta_would_read_as_another_is_refused(tmp_path: Path, folder: str, sign: str) -> None:
    with pytest.raises(LakeError, match=f"LAKEHOUSE_ROOT: .*{folder[0]}.* holds {sign}, which .*: rename it"):
        Settings.from_environment({"LAKEHOUSE_ROOT": str(tmp_path / folder)})


def test_every_setting_is_explained_in_the_readme() -> None:
    names = set(re.findall(r'"(LAKEHOUSE_\w+)"', Path(str(inspect.getsourcefile(Settings))).read_text()))
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert names == set(re.findall(r"^\| `(LAKEHOUSE_\w+)` \|", readme, re.MULTILINE))


def test_settings_do_not_change_under_a_run() -> None:
    with pytest.raises(ValidationError):
        Settings.from_environment({}).root = "elsewhere"


def test_the_definitions_load_with_an_empty_environment(tmp_path: Path) -> None:
    """Without a home, a landing zone or a lake, from any folder, and without making one."""
    root = Path(__file__).parents[1]
    script = (
        "from lakehouse_assets.definitions import defs\n"
        "print(len(list(defs.resolve_asset_graph().get_all_asset_keys())))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(root)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(told.stdout) > 10
    assert list(tmp_path.iterdir()) == []
