"""The wheels: the client is the stubs and a channel, and the service does not carry them."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CONTRACTS = ("workflows", "history", "admin")
STUBS = {
    "workflows/__init__.py",
    "workflows/client.py",
    "workflows/service_config.json",
    "workflows/py.typed",
    "workflows/workflows.protoset",
    *(
        f"workflows/{contract}{kind}"
        for contract in CONTRACTS
        for kind in (".proto", "_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")
    ),
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels of service and client."""
    folder = tmp_path_factory.mktemp("wheels")
    build = ["wheel", "--quiet", "--no-build-isolation", "--no-deps", "--no-index"]
    subprocess.run(
        [sys.executable, "-m", "pip", *build, "-w", folder, ROOT, ROOT / "proto"], check=True
    )
    return folder


def content(wheel: Path) -> set[str]:
    """The files of a wheel, without those about the distribution itself."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_client_is_the_stubs_with_types_protos_and_a_channel(wheels: Path) -> None:
    (wheel,) = wheels.glob("workflows_service_client-*.whl")
    assert content(wheel) >= STUBS
    assert {name.partition("/")[0] for name in content(wheel)} == {"workflows"}
    assert not [name for name in content(wheel) if "contract" in name]


def test_the_service_does_not_carry_the_client(wheels: Path) -> None:
    (wheel,) = wheels.glob("workflows_service-*.whl")
    folders = {name.partition("/")[0] for name in content(wheel)}
    assert folders == {"domain", "application", "infrastructure"}
    ours = {
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours <= content(wheel)
    assert "infrastructure/postgres/roles.sql" in content(wheel)


def test_the_client_works_alone(wheels: Path, tmp_path: Path) -> None:
    (wheel,) = wheels.glob("workflows_service_client-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "import workflows.client, workflows.workflows_pb2_grpc as stubs; print(stubs.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(tmp_path))


def test_what_runs_needs_no_tool_that_builds_or_tests() -> None:
    locked = names_in("requirements.lock")
    assert not locked & {"hatchling", "editables", "buf-bin", "pytest", "pip-audit"}


def test_every_dependency_stands_in_the_table_with_its_reason() -> None:
    table = (ROOT / "SECURITY.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["embedded"],
    ]
    ours = {"workflows-service-client"}
    named = {canonicalize_name(Requirement(each).name) for each in wanted} - ours
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    listed = {line.split("`")[1] for line in rows}
    assert named <= listed
    assert listed <= named | names_in("requirements.lock")
    assert names_in("requirements.lock") <= listed
    assert all(line.count("|") == 6 for line in rows)


def names_in(lock: str) -> set[str]:
    """The distributions that a lock file pins."""
    lines = (ROOT / lock).read_text().splitlines()
    return {line.partition("==")[0] for line in lines if line[:1].isalpha()}
