"""The service starts for root and for a user, whatever path and shell, and stays private."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from infrastructure.postgres.shell import for_people
from tests.environments.conftest import postmasters
from tests.environments.users import IS_ROOT, as_user, facts_around, nobody, starters
from tests.support.service import Service

LEFT_OPEN = (b"application_name", b"connect_timeout", b"service")  # see the DSN
FOREIGN = {"LANG": "tr_TR.UTF-8", "LC_ALL": "de_DE.ISO-8859-1", "LC_CTYPE": "POSIX"}
SOMEBODY_ELSES = {
    "PGHOST": "db.invalid",
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "1",
    "PGUSER": "mallory",
    "PGPASSWORD": "wrong",
    "PGDATABASE": "theirs",
    "PGSERVICE": "theirs",
    "PGOPTIONS": "-c search_path=theirs",
    "PGSSLMODE": "verify-full",
    "PGTARGETSESSIONATTRS": "standby",
    "PGREQUIREAUTH": "none",
    "PGDATESTYLE": "German",
    "PGTZ": "Asia/Kathmandu",
    "PGCLIENTENCODING": "LATIN1",
    "PGDATA": "/nowhere",
    "TZ": "Asia/Kathmandu",
}
LOCALE = """
    SELECT datlocprovider = 'b' AND datlocale = 'C.UTF-8' AND lower('ÄÖ') = 'äö'
    FROM pg_database WHERE datname = current_database()
"""
REACH = """
import socket, sys
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except PermissionError:
    sys.exit(13)
"""


@pytest.mark.parametrize("starter", starters())
def test_it_is_private_and_changes_nothing_outside_its_folder(
    starter: type[Service], folder: Path
) -> None:
    awkward = folder / "a b'c\"d$e\\f" / f"ü{'l' * 140}"
    awkward.mkdir(parents=True)
    (awkward / "neighbour").touch(mode=0o640)
    if IS_ROOT and starter.__name__ == "ServiceOfUser":
        for path in (folder, awkward.parent, awkward):
            os.chown(path, *nobody())
    data_dir = awkward / "data"
    before, accounts = facts_around(data_dir), Path("/etc/passwd").read_text()
    with starter("--data-dir", str(data_dir), **FOREIGN, **SOMEBODY_ELSES) as service:
        workflow_id = service.client.created("alice")
        assert service.client.get(workflow_id, "alice").message.name == "nightly"
        assert "embedded" in service.announced["database"]
        assert facts_around(data_dir) == before
        assert_private(data_dir)
        elsewhere = (data_dir / "socket").readlink()
        assert service.stop() == 0, service.log()
    assert facts_around(data_dir) == before
    assert Path("/etc/passwd").read_text() == accounts
    assert not elsewhere.exists()
    assert not postmasters(folder)


def assert_private(data_dir: Path) -> None:
    """Nobody but the owner and root can read the data, or reach the socket, or run as root."""
    assert data_dir.stat().st_mode & 0o7777 == 0o700
    socket_folder = (data_dir / "socket").readlink()
    path = socket_folder / ".s.PGSQL.5432"
    assert len(bytes(path)) <= 107
    assert [p.stat().st_mode & 0o777 for p in (socket_folder, path)] == [0o700, 0o700]
    owner = (data_dir / "postgres").stat()
    assert (socket_folder.stat().st_uid, path.stat().st_uid) == (owner.st_uid, owner.st_uid)
    for pid in postmasters(data_dir):
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        assert set(status["Uid"].split()) == {str(owner.st_uid)} != {"0"}
        if IS_ROOT:
            assert (set(status["Gid"].split()), status["Groups"].split()) == (
                {str(owner.st_gid)},
                [],
            )
    if IS_ROOT:
        stranger = subprocess.run(
            [*as_user(65533, 65533), _python(), "-c", REACH, str(path)], check=False
        )
        assert stranger.returncode == 13
    assert_closed(data_dir, str(socket_folder))


def _python() -> str:
    return "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable


def assert_closed(data_dir: Path, socket_folder: str) -> None:
    """Only the password opens the database, which is the same whatever the shell says."""
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"host={socket_folder} user=postgres password='' passfile=/nowhere")
    password = (data_dir / "passfile").read_text().strip().rpartition(":")[2]
    with psycopg.connect(
        host=socket_folder, user="postgres", password=password, dbname="postgres"
    ) as connection:
        assert connection.execute(LOCALE).fetchone() == (True,)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)


def test_no_variable_of_libpq_reaches_the_embedded_connection(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for option in Conninfo.get_defaults():
        if option.envvar and option.keyword not in LEFT_OPEN:
            monkeypatch.setenv(option.envvar.decode(), "nonsense")
    with psycopg.connect(postgres) as connection:
        assert connection.info.user == "postgres"
    said, secrets = for_people(postgres)
    assert set(conninfo_to_dict(said)) == {"host", "user", "dbname", "passfile"}
    assert not secrets
