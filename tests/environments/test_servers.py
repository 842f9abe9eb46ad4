"""Servers and poolers that are not what the service needs are refused at the start."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from infrastructure.postgres.inspection import inspect
from infrastructure.postgres.owners import Owner
from infrastructure.postgres.programs import HERE, Programs, installed
from infrastructure.postgres.unusable import DatabaseUnusable
from tests.environments.users import IS_ROOT, as_user, nobody
from tests.support.database import answers
from tests.support.waiting import until

OLD = Path("/usr/lib/postgresql/15")
POOLER = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"


def server(programs: Path, folder: Path, *, standby: bool = False) -> Iterator[str]:
    """The DSN of a server made by these programs, as a user who is not root."""
    for name in ("data", "socket"):
        (folder / name).mkdir()
        os.chown(folder / name, *nobody())
    folder.chmod(0o711)
    data, running = folder / "data", Programs(programs, Owner(*nobody()))
    with (folder / "log").open("wb") as log:
        made = running.start(
            "initdb", "-D", HERE, "-U", "postgres", "--no-sync", folder=data, output=log.fileno()
        )
        assert made.wait() == 0, (folder / "log").read_text()
        if standby:
            (data / "standby.signal").touch()
        process = running.start(
            "postgres",
            *("-D", HERE, "-c", "listen_addresses=", "-c", "fsync=off"),
            *("-c", f"unix_socket_directories={folder / 'socket'}"),
            folder=data,
            output=log.fileno(),
        )
    dsn = f"host={folder / 'socket'} user=postgres dbname=postgres"
    try:
        until(lambda: answers(dsn))
        yield dsn
    finally:
        process.terminate()
        process.wait()


def test_a_server_that_is_too_old(folder: Path) -> None:
    if not OLD.exists():
        pytest.skip("there is no PostgreSQL 15 here: apt-get install postgresql-15")
    for dsn in server(OLD, folder):
        with pytest.raises(DatabaseUnusable, match=r"is version 15\.\d+; 17 or newer is needed"):
            inspect(dsn, 1)


def test_a_standby(folder: Path) -> None:
    for dsn in server(installed(), folder, standby=True):
        with pytest.raises(DatabaseUnusable, match="target_session_attrs=read-write"):
            inspect(dsn, 1)


@pytest.fixture(params=["session", "transaction"])
def pooler(
    request: pytest.FixtureRequest, postgres: str, folder: Path
) -> Iterator[tuple[str, str]]:
    """The mode of a pooler before the test server, and its DSN."""
    if not Path(POOLER).exists():
        pytest.skip("there is no PgBouncer here: apt-get install pgbouncer")
    behind = conninfo_to_dict(postgres)
    password = Path(str(behind["passfile"])).read_text().strip().rpartition(":")[2]
    owner = Path(str(behind["host"])).stat()
    (folder / "pgbouncer.ini").write_text(
        f"""[databases]
        pooled = host={behind["host"]} user=postgres password={password} dbname=postgres
        [pgbouncer]
        listen_addr =
        listen_port = 6432
        unix_socket_dir = {folder}
        auth_type = any
        pool_mode = {request.param}
        ignore_startup_parameters = extra_float_digits
        """
    )
    for path in (folder, folder / "pgbouncer.ini"):
        os.chown(path, owner.st_uid, owner.st_gid)
    prefix = as_user(owner.st_uid, owner.st_gid) if IS_ROOT else []
    with subprocess.Popen(
        [*prefix, POOLER, str(folder / "pgbouncer.ini")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        dsn = f"host={folder} port=6432 user=postgres dbname=pooled"
        until(lambda: answers(dsn))
        yield request.param, dsn
        process.terminate()


def test_a_pooler_is_refused_unless_each_client_keeps_its_session(pooler: tuple[str, str]) -> None:
    mode, dsn = pooler
    if mode == "session":
        assert inspect(dsn, 1).place.database == "pooled"
    else:
        with pytest.raises(DatabaseUnusable, match="set pool_mode = session there"):
            inspect(dsn, 1)
