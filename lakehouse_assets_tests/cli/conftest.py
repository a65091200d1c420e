"""The command as a person calls it, and the sample landing zone built by it once for all tests that only look."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from lakehouse_assets.cli.app import app
from lakehouse_assets_tests.once import once

ROOT = Path(__file__).parent.parent.parent


class Answer(NamedTuple):
    """What a command left: exit status, standard output and standard error."""

    status: int
    text: str
    errors: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Place(NamedTuple):
    """A folder with a landing zone, a lake and Dagster's home, and the command on them."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LAKEHOUSE_LANDING": str(self.folder / "landing"),
            "LAKEHOUSE_ROOT": str(self.folder / "lake"),
            "DAGSTER_HOME": str(self.folder / "home"),
        }

    def run(self, *arguments: str, **environment: str) -> Answer:
        """Call `lakehouse` in this process; a fault in it fails the test with its traceback."""
        done = CliRunner().invoke(app, list(arguments), env=self.environment | environment)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Answer(done.exit_code, done.stdout, done.stderr)

    def copy_to(self, folder: Path) -> Place:
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Place(folder)


type_of_places = Callable[[Path], Place]


@pytest.fixture(scope="session")
def new_place() -> type_of_places:
    """Makes a place with the sample landed and nothing built."""

    def make(folder: Path) -> Place:
        (folder / "home").mkdir(parents=True)
        shutil.copy(ROOT / "dagster.yaml", folder / "home")
        shutil.copytree(ROOT / "data" / "landing", folder / "landing")
        return Place(folder)

    return make


class Demo(NamedTuple):
    """A place in which the demo has run, and what it said."""

    place: Place
    said: Answer


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, new_place: type_of_places) -> Demo:
    """For looking only: a test that changes anything works on a copy."""

    def build(folder: Path) -> None:
        said = new_place(folder / "place").run("demo", "--json")
        (folder / "said.json").write_text(json.dumps(said))

    folder = once(tmp_path_factory, "demo", build)
    return Demo(Place(folder / "place"), Answer(*json.loads((folder / "said.json").read_text())))
