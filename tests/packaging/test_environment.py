"""`.ci/environment` makes an environment whole again, however far an earlier run came."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "environment"
LOCKS = ("requirements", "requirements-build", "requirements-dev", "requirements-generator")
FILES = (*(f"{lock}.lock" for lock in LOCKS), "pyproject.toml")

# Stands for a Python: it makes environments of itself, and writes down what pip is asked for.
PYTHON = """#!/bin/sh
case "$1 $2" in
  "-m venv") [ -n "$BROKEN_VENV" ] && { mkdir -p "$3/bin"; echo "no ensurepip" >&2; exit 1; }
             mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo made >> made ;;
  "-m pip")  [ -n "$BROKEN_PIP" ] && exit 1; echo "$@" >> installed ;;
  *)         [ "$1" = -c ] && case "$2" in *base_prefix*) echo "NAME"; exit ;; esac
             exec REAL "$@" ;;
esac
"""


class Clone:
    """A working copy with the script and what it reads, and Pythons that only pretend."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".ci").mkdir(parents=True)
        shutil.copy(SCRIPT, folder / ".ci")
        (folder / "proto").mkdir()
        for name in (*FILES, "proto/pyproject.toml"):
            (folder / name).write_text(name)
        self.python("python3")

    def python(self, name: str) -> Path:
        """A Python of this name."""
        path = self.folder / name
        path.write_text(PYTHON.replace("NAME", name).replace("REAL", sys.executable))
        path.chmod(0o755)
        return path

    def make(self, purpose: str = "run", python: str = "", **environment: str) -> tuple[int, str]:
        """Runs the script; its exit code, and what it says."""
        done = subprocess.run(
            [self.folder / ".ci" / "environment", ".venv", purpose, *([python] if python else [])],
            cwd="/",
            env={"PATH": f"{self.folder}:{os.environ['PATH']}", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def count(self, what: str) -> int:
        """How often an environment was made, or pip was run."""
        path = self.folder / what
        return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A clone without an environment, in a folder whose name has a space."""
    return Clone(tmp_path / "a clone")


def test_an_environment_is_made_once_and_says_so(clone: Clone) -> None:
    code, said = clone.make()
    assert (code, said.count("Preparing the environment in .venv (once;")) == (0, 1)
    installed = clone.count("installed")
    assert clone.make() == (0, "")
    assert (clone.count("made"), clone.count("installed")) == (1, installed)


def test_tools_for_tests_are_added_to_it_and_the_service_needs_no_more(clone: Clone) -> None:
    clone.make("run")
    assert clone.make("dev")[0] == 0
    installed = (clone.folder / "installed").read_text()
    assert "requirements-dev.lock" in installed
    assert "--target .venv/generator -r requirements-generator.lock" in installed
    assert clone.make("run") == clone.make("dev") == (0, "")
    assert clone.count("made") == 1


def test_without_ensurepip_the_package_that_brings_it_is_named_and_nothing_is_left(
    clone: Clone,
) -> None:
    code, said = clone.make(BROKEN_VENV="1")
    assert code == 1
    assert "no ensurepip" in said
    assert "apt install python3-venv" in said
    assert not (clone.folder / ".venv").exists()
    assert clone.make()[0] == 0


def test_half_an_environment_is_made_anew(clone: Clone) -> None:
    (clone.folder / ".venv" / "bin").mkdir(parents=True)
    (clone.folder / ".venv" / "left over").touch()
    assert clone.make()[0] == 0
    assert not (clone.folder / ".venv" / "left over").exists()


def test_an_installation_that_broke_off_is_made_anew(clone: Clone) -> None:
    clone.make()
    (clone.folder / "requirements.lock").write_text("something new")
    code, said = clone.make(BROKEN_PIP="1")
    assert code != 0
    assert "the next make begins anew" in said
    assert clone.make()[0] == 0
    assert clone.count("made") == 2


def test_other_lock_files_are_installed_in_place(clone: Clone) -> None:
    clone.make()
    (clone.folder / "requirements.lock").write_text("something new")
    assert clone.make()[0] == 0
    assert clone.count("made") == 1
    assert clone.make() == (0, "")


def test_a_clone_that_moved_gets_a_new_environment(clone: Clone, tmp_path: Path) -> None:
    clone.make()
    moved = tmp_path / "elsewhere"
    shutil.move(clone.folder, moved)
    clone.folder = moved
    assert clone.make()[0] == 0
    assert clone.count("made") == 2


def test_another_python_makes_a_new_environment_and_is_kept(clone: Clone) -> None:
    clone.make()
    other = str(clone.python("python3-other"))
    assert clone.make(python=other)[0] == 0
    assert clone.count("made") == 2
    assert clone.make() == clone.make(python=other) == (0, "")


def test_a_python_that_went_away_is_replaced(clone: Clone) -> None:
    clone.make()
    (clone.folder / ".venv" / "bin" / "python").unlink()
    assert clone.make()[0] == 0
    assert clone.count("made") == 2


def test_what_is_no_python_that_is_new_enough_is_refused(clone: Clone) -> None:
    code, said = clone.make(python="/bin/false")
    assert (code, "PYTHON=/bin/false is no Python 3.11 or newer" in said) == (1, True)
