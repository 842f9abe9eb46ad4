"""Data directories that the embedded PostgreSQL cannot use are told apart, each with a way out."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from infrastructure.postgres import embedded, shelter
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.owners import Owner
from infrastructure.postgres.programs import copy_programs, installed, open_to_all
from infrastructure.postgres.unusable import DatabaseUnusable
from tests.environments.conftest import postmasters
from tests.environments.disks import mounted
from tests.environments.users import IS_ROOT, ServiceOfUser, needs_root
from tests.support.database import value
from tests.support.service import COMMAND, NotStarted


def refused(data_dir: Path) -> str:
    """Why a data directory is refused; no server is left on it."""
    with pytest.raises(DatabaseUnusable) as caught:
        EmbeddedPostgres(data_dir)
    assert not postmasters(data_dir)
    assert str(caught.value).startswith(f"The embedded PostgreSQL cannot use {data_dir}: ")
    assert str(caught.value).endswith("hoose another folder: workflows serve --data-dir FOLDER")
    return str(caught.value)


@pytest.fixture
def cluster(folder: Path) -> Path:
    """The place of a cluster in a folder that the user who runs the tests may use."""
    made = folder / "postgres"
    made.mkdir(mode=0o700)
    if IS_ROOT:
        os.chown(made, 61999, 61999)
    (folder / "passfile").touch()
    return made


def test_another_major_version(folder: Path, cluster: Path) -> None:
    (cluster / "PG_VERSION").write_text("12\n")
    said = refused(folder)
    assert "its data is of PostgreSQL 12, and the programs are of 18" in said
    assert "pg_dump of PostgreSQL 12" in said


def test_a_cluster_that_is_damaged_is_refused_with_what_the_server_says(
    folder: Path, cluster: Path
) -> None:
    (cluster / "PG_VERSION").write_text("18\n")
    (cluster / "postgresql.conf").touch()
    assert f'could not open file "{cluster}/global/pg_control"' in refused(folder)


def test_a_password_that_is_missing(folder: Path, cluster: Path) -> None:
    (cluster / "PG_VERSION").write_text("18\n")
    (folder / "passfile").unlink()
    assert "passfile is missing, without which nobody is let in" in refused(folder)


@needs_root
def test_a_cluster_of_root(folder: Path, cluster: Path) -> None:
    os.chown(cluster, 0, 0)
    assert "belongs to root, and PostgreSQL runs as the owner of its data only" in refused(folder)


@needs_root
def test_a_folder_of_another_user(folder: Path) -> None:
    folder.chmod(0o755)
    starting = ServiceOfUser("--data-dir", str(folder))
    with starting as service, pytest.raises(NotStarted) as caught:
        assert service.announced
    assert "it belongs to root, and this user may not write there" in caught.value.output


def test_a_folder_in_which_every_user_may_write(folder: Path) -> None:
    folder.chmod(0o777)
    assert f"Run: chmod o-w '{folder}'" in refused(folder)
    assert folder.stat().st_mode & 0o777 == 0o777


def test_a_file(folder: Path) -> None:
    (folder / "file").touch()
    assert "it is no folder" in refused(folder / "file")


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk on which no cluster has room."""
    yield from mounted(folder / "disk", "size=8m")


@pytest.fixture
def read_only_disk(folder: Path) -> Iterator[Path]:
    """A disk that cannot be written to."""
    yield from mounted(folder / "disk", "size=1m,ro")


def test_a_full_disk(small_disk: Path) -> None:
    assert "its disk is full. Make room there" in refused(small_disk)
    assert not list(small_disk.glob("postgres*"))


def test_a_read_only_disk(read_only_disk: Path) -> None:
    assert "it lies on a read-only file system" in refused(read_only_disk / "data")


def test_a_server_that_starts_or_stops_for_ever_elsewhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_TURN_WITHIN", 0.1)
    lock = folder / "start.lock"
    with subprocess.Popen(["flock", str(lock), "cat"], stdin=subprocess.PIPE) as other:
        while not lock.exists() or not _is_locked(lock):
            assert other.poll() is None
        with pytest.raises(DatabaseUnusable, match=rf"See who: fuser {lock}"):
            EmbeddedPostgres(folder)


def _is_locked(lock: Path) -> bool:
    return subprocess.run(["flock", "-n", str(lock), "true"], check=False).returncode != 0


def test_the_programs_are_copied_if_the_server_could_not_enter_their_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not IS_ROOT:
        pytest.skip("only root starts the server as another user")
    hidden = copy_programs(installed(), folder / "hidden")  # `folder` is closed to other users.
    assert not open_to_all(hidden)
    monkeypatch.setattr("infrastructure.postgres.cluster.installed", lambda: hidden)
    with closing(Stopped(EmbeddedPostgres(folder / "data"))) as server:
        copied = (folder / "data" / "programs").readlink()
        assert value(server.dsn, "SELECT count(*) FROM pg_extension") == 1
        assert (copied.stat().st_uid, copied.stat().st_mode & 0o777) == (0, 0o755)
    assert not copied.exists()


class Stopped:
    """A server that `closing` stops."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.dsn = server.dsn
        self.close = server.stop


def test_a_folder_for_the_socket_that_somebody_else_took_is_left_alone(folder: Path) -> None:
    link = folder / "socket"
    owner = Owner(os.geteuid(), os.getegid())
    first = shelter.private_folder(link, owner)
    assert shelter.private_folder(link, owner) == first
    first.rmdir()
    assert shelter.private_folder(link, owner) == first
    first.chmod(0o755)
    second = shelter.private_folder(link, owner)
    assert second != first
    assert first.stat().st_mode & 0o777 == 0o755
    first.rmdir()
    shelter.remove(link)
    assert not second.exists()


@needs_root
@pytest.mark.parametrize(
    "without", [["setpriv", "--bounding-set", "-setuid,-setgid"], ["unshare", "-r", "-U"]]
)
def test_root_that_may_not_act_as_another_user(folder: Path, without: list[str]) -> None:
    if subprocess.run([*without, "true"], check=False, capture_output=True).returncode:
        pytest.skip(f"{without[0]} does not work here")
    ended = subprocess.run(
        [*without, COMMAND, "migrate", "--data-dir", str(folder / "data")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert "here root may not act as another user" in " ".join(ended.stderr.split())
