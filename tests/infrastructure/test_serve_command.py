"""`workflows serve` and `workflows migrate` as processes: what they print, refuse and leave."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import psutil
import pytest
from psycopg import connect
from psycopg.conninfo import conninfo_to_dict

from infrastructure.postgres.migrate import available
from infrastructure.postgres.stored_functions import known
from tests.support.command_line import answer, one_line
from tests.support.service import COMMAND, Service

ENDS_WITHIN = 60.0  # seconds: patience with a slow machine, not an expectation
SECRET = "hunter2"
APPLIED = [*(file.name for file in available()), *(made.name for made in known())]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder for an embedded PostgreSQL."""
    folder = Path(mkdtemp(prefix="workflows-"))
    yield folder
    rmtree(folder)


def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """The exit code of a command that ends by itself, its stdout, and its stderr on one line."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("WORKFLOWS_")}
    ended = subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN,
        env=clean | {"WORKFLOWS_HTTP_LISTEN": "off"} | environment,
        check=False,
    )
    return ended.returncode, ended.stdout, one_line(ended.stderr)


def refused(*arguments: str, exit_code: int = 1, **environment: str) -> str:
    """What a command that must not start says; it prints no traceback and announces nothing."""
    ended, printed, said = run(*arguments, **environment)
    assert (ended, printed) == (exit_code, ""), said
    assert "Traceback" not in said
    return said


def servers_on(folder: Path) -> Sequence[psutil.Process]:
    """The PostgreSQL servers whose data lies in a folder."""
    return [
        process
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["name"] == "postgres"
        and Path(process.info["cwd"] or "/").is_relative_to(folder)
    ]


def test_serve_announces_its_address_in_one_line_of_json(database: str) -> None:
    process = subprocess.Popen(
        [COMMAND, "serve", "--json", "--listen", "127.0.0.1:0", "--database-url", database],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        assert answer("health", "--target", announced["address"], "--wait", "60", "--json")
        process.send_signal(signal.SIGINT)
        assert process.wait(ENDS_WITHIN) == 0
        assert process.stdout.read() == ""
    assert announced["database"].startswith("PostgreSQL ")
    assert announced["next"] == f"{COMMAND} seed --target {announced['address']}"
    assert announced["workers"] == 1


def test_a_second_server_on_the_port_says_that_it_is_taken(database: str) -> None:
    with Service("--database-url", database) as first:
        flags = ("--listen", first.address, "--database-url", database)
        alone = refused("serve", *flags)
        among_workers = refused("serve", *flags, "--workers", "2")
    assert alone.startswith(f"error {first.address} is in use. Stop what listens there")
    assert among_workers == alone


def test_an_address_that_others_can_reach_is_refused() -> None:
    said = refused("serve", "--listen", "0.0.0.0:50052")
    assert said.startswith("error --listen 0.0.0.0:50052: 0.0.0.0 can"), said
    assert "0.0.0.0 can be reached from elsewhere, and there is no authentication" in said
    assert "use a loopback address such as 127.0.0.1" in said


@pytest.mark.parametrize(
    ("flag", "value", "complaint"),
    [
        ("--listen", "nonsense", "--listen nonsense: 'nonsense' is no host:port such as"),
        ("--listen", "[/]:x", "--listen [/]:x: '[/]:x' is no host:port such as"),
        ("--page-size", "0", "--page-size 0: must be 1 to 1000; left out, it is 50"),
        ("--workers", "65", "--workers 65: must be 1 to 64"),
        ("--workers", "many", "--workers many: must be 1 to 64"),
    ],
)
def test_a_bad_value_is_refused_with_what_is_accepted(
    flag: str, value: str, complaint: str
) -> None:
    assert refused("serve", flag, value).startswith(f"error {complaint}")


def test_a_bad_value_in_the_environment_is_refused_like_a_flag() -> None:
    said = refused("serve", WORKFLOWS_PAGE_SIZE="many")
    assert said.startswith("error WORKFLOWS_PAGE_SIZE=many: must be 1 to 1000")


def test_an_unknown_flag_is_refused_with_the_way_to_help() -> None:
    said = refused("serve", "--prot", "1", exit_code=2)
    assert "No such option: --prot" in said
    assert said.endswith(f"Help: {COMMAND} serve --help")


@pytest.mark.parametrize("command", ["serve", "migrate"])
@pytest.mark.parametrize(
    "url", [f"postgresql://me:{SECRET}@127.0.0.1:1/workflows", f"postgresql://me:{SECRET}@[db/x"]
)
def test_an_unusable_database_is_refused_without_its_password(command: str, url: str) -> None:
    if command == "serve":
        said = refused(command, "--database-url", url)
    else:
        said = refused(command, WORKFLOWS_DATABASE_URL=url)
    assert said.startswith("error ")
    assert SECRET not in said


def test_a_refused_password_is_not_shown_either(postgres: str) -> None:
    folder = conninfo_to_dict(postgres)["host"]
    said = refused("serve", "--database-url", f"host={folder} user=nobody password={SECRET}")
    assert "cannot be used" in said
    assert SECRET not in said


def test_a_data_folder_that_cannot_be_used_is_refused(data_dir: Path) -> None:
    occupied = data_dir / "occupied"
    occupied.write_text("no folder")
    said = refused("serve", "--data-dir", str(occupied))
    assert f"error The embedded PostgreSQL cannot use {occupied}: " in said
    assert "it is no folder. Choose another folder: " in said
    assert said.endswith("workflows serve --data-dir FOLDER")


def test_ctrl_c_ends_the_service_and_leaves_no_postgresql_behind(data_dir: Path) -> None:
    with Service("--data-dir", str(data_dir)) as service:
        assert service.announced["data"] == str(data_dir)
        assert servers_on(data_dir)
        os.kill(service.pid, signal.SIGINT)
        assert service.wait() == 0
    assert not servers_on(data_dir)


def test_what_was_recorded_is_there_after_a_restart(data_dir: Path) -> None:
    flags = ("--data-dir", str(data_dir))
    with Service(*flags) as service:
        before = answer("seed", "--target", service.address, "--json")
    with Service(*flags) as service:
        after = answer("seed", "--target", service.address, "--json")
    assert after["recorded"] == 0
    assert after["workflows"] == before["workflows"]


def test_migrate_says_what_it_applied_and_then_nothing(empty_database: str) -> None:
    flags = ("migrate", "--database-url", empty_database)
    assert run(*flags) == (0, "".join(f"applied {name}\n" for name in APPLIED), "")
    assert run(*flags) == (0, "applied nothing: up to date\n", "")


def test_migrate_as_json_lists_what_it_applied(empty_database: str) -> None:
    flags = ("migrate", "--json", "--database-url", empty_database)
    assert json.loads(run(*flags)[1]) == {"applied": APPLIED}
    assert json.loads(run(*flags)[1]) == {"applied": []}


def test_a_database_of_another_version_is_refused(database: str) -> None:
    with connect(database) as connection:
        connection.execute("UPDATE schema_migrations SET sha256 = 'other'")
    for command in ("serve", "migrate"):
        said = refused(command, "--database-url", database)
        assert "was applied to this database in another form" in said
