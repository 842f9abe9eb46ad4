"""The embedded PostgreSQL: it is waited for, taken over, and its refusals are ours to tell."""

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from infrastructure.postgres import embedded
from infrastructure.postgres.database import DatabaseUnusable, database
from infrastructure.postgres.embedded import EmbeddedPostgres, NotReady
from infrastructure.settings import Settings
from tests.support.waiting import until

Control = Callable[..., Any]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data directory without a server, and without what an earlier one left."""
    # A short path that another user can enter: sockets have short names, and root cannot serve.
    directory = Path(tempfile.mkdtemp(prefix="workflows-"))
    yield directory
    shutil.rmtree(directory)


def test_a_recovery_longer_than_the_package_waits_is_waited_for(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = embedded._package()
    control: Control = package.pg_ctl
    timeouts: list[subprocess.TimeoutExpired] = []

    def slow(arguments: list[str], **options: Any) -> Any:
        if timeouts or "start" not in arguments:
            return control(arguments, **options)
        control(["-W", *arguments[1:]], **options)  # Does not wait until the server is ready.
        until(lambda: embedded._Note.of(data_dir / "postgres").status)
        timeouts.append(subprocess.TimeoutExpired("pg_ctl", 10))
        raise timeouts[0]

    monkeypatch.setattr(package, "pg_ctl", slow)
    server = EmbeddedPostgres(data_dir)
    try:
        psycopg.connect(server.dsn).close()
    finally:
        server.stop()
    assert len(timeouts) == 1


def test_a_start_that_takes_for_ever_is_given_up(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise subprocess.TimeoutExpired("pg_ctl", 10)

    monkeypatch.setattr(embedded, "_handle", never)
    monkeypatch.setattr(embedded, "_READY_WITHIN", 0.0)
    with pytest.raises(NotReady):
        EmbeddedPostgres(data_dir)


def test_a_server_that_takes_no_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_READY_WITHIN", 0.0)
    with pytest.raises(NotReady):
        embedded._wait_until_ready("host=/nowhere")


def test_what_is_given_up_says_what_to_do(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object) -> None:
        raise NotReady

    monkeypatch.setattr(embedded, "_start", late)
    with (
        pytest.raises(DatabaseUnusable, match=f"recover.* see {data_dir}/postgres/log.* again"),
        database(Settings(data_dir=data_dir)),
    ):
        pytest.fail("there is no database")


def test_a_directory_of_another_version_is_refused_in_our_words_alone(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "PG_VERSION").write_text("12\n")
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(DatabaseUnusable, match="PostgreSQL did not start"),
        database(Settings(data_dir=data_dir)),
    ):
        pytest.fail("there is no database")
    assert not caplog.records


def test_the_notes_of_a_server_whose_number_a_stranger_has_are_removed(data_dir: Path) -> None:
    note, lock = _left(data_dir, os.getpid()), _locked(data_dir, data_dir)
    embedded._forget_stranger(data_dir)
    assert (note.exists(), lock.exists()) == (False, False)


def test_the_lock_of_a_server_elsewhere_stays(data_dir: Path) -> None:
    note, lock = _left(data_dir, os.getpid()), _locked(data_dir, data_dir / "elsewhere")
    embedded._forget_stranger(data_dir)
    assert (note.exists(), lock.exists()) == (False, True)


def test_the_note_of_a_server_whose_number_a_zombie_has_is_removed(data_dir: Path) -> None:
    with subprocess.Popen(["true"]) as dead:
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)  # It ended and is not yet buried.
        note = _left(data_dir, dead.pid)
        embedded._forget_stranger(data_dir)
    assert not note.exists()


@pytest.mark.parametrize("number", ["", "nonsense", "4194305"])
def test_the_note_that_names_no_process_is_left_to_postgresql(data_dir: Path, number: str) -> None:
    note = _left(data_dir, number)
    embedded._forget_stranger(data_dir)
    assert note.exists()


def test_the_note_of_a_server_that_runs_stays(postgres: str) -> None:
    directory = Path(psycopg.conninfo.conninfo_to_dict(postgres)["host"])  # type: ignore[arg-type] # the host of a socket is text
    embedded._forget_stranger(directory)
    assert (directory / "postmaster.pid").exists()


def _left(data_dir: Path, number: object) -> Path:
    """The note of a server with this number that was killed."""
    note = data_dir / "postmaster.pid"
    note.write_text(f"{number}\n{data_dir}\n0\n5432\n{data_dir}\n\n0 0\nready   \n")
    return note


def _locked(socket_dir: Path, data_dir: Path) -> Path:
    """The lock that a server on a data directory keeps beside its socket."""
    lock = socket_dir / ".s.PGSQL.5432.lock"
    lock.write_text(f"{os.getpid()}\n{data_dir}\n0\n5432\n{socket_dir}\n\n")
    return lock
