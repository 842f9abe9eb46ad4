"""What the README shows is run as it stands there, but for the address."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.go_client.workspace import GoWorkspace
from tests.support.service import Service

SNIPPETS = Path(__file__).with_name("snippets")
ROOT = Path(__file__).parents[2]
ADDRESS = "127.0.0.1:50052"
HTTP = "127.0.0.1:50080"
TOOLS = ".venv/bin/"
WITHIN = 600.0  # seconds: patience with a slow machine, not an expectation


@pytest.fixture
def alice(service: Service) -> "Alice":
    """The user of all snippets."""
    return Alice(service)


class Alice:
    """Her one workflow: whichever snippet comes first creates it, the others meet its key."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def snippet(self, name: str) -> str:
        """A snippet that calls the service under test."""
        return (SNIPPETS / name).read_text().replace(ADDRESS, self.address)

    @property
    def address(self) -> str:
        """The address of the service under test."""
        return self._service.address

    def workflow(self) -> str:
        """The id of her one workflow of this name; other tests may have made others."""
        (workflow_id,) = self._service.client.walk("alice", query="Nightly report")
        return workflow_id


def test_the_shell_creates_and_lists_a_workflow(alice: Alice) -> None:
    script = alice.snippet("call.sh").replace(TOOLS, f"{Path(sys.executable).parent}/")

    printed = run("bash", "-euo", "pipefail", "-c", script, WORKFLOWS_LISTEN=alice.address)

    created, page = documents(printed)
    assert created == {"id": alice.workflow()}
    (listed,) = page["workflows"]
    assert (listed["id"], listed["name"]) == (alice.workflow(), "Nightly report")


def test_curl_creates_and_lists_a_workflow(serve: Callable[..., Service]) -> None:
    service = serve(WORKFLOWS_HTTP_LISTEN="127.0.0.1:0")
    script = (SNIPPETS / "curl.sh").read_text().replace(HTTP, service.announced["http"])

    created, page = documents(run("bash", "-euo", "pipefail", "-c", script))

    assert created == {"id": Alice(service).workflow()}
    assert [listed["name"] for listed in page["workflows"]] == ["Nightly report"]


def test_a_tool_speaks_connect_to_the_http_door(serve: Callable[..., Service]) -> None:
    buf = str(Path(sys.executable).with_name("buf"))
    door = f"http://{serve(WORKFLOWS_HTTP_LISTEN='127.0.0.1:0').announced['http']}"
    call = ("curl", "--protocol", "connect", "--schema", "proto", "-d", '{"user_id": "nobody"}')

    listed = run(buf, *call, f"{door}/workflows.WorkflowsService/ListWorkflows")

    assert documents(listed) == [{}]


def test_a_tool_finds_the_methods_by_reflection(alice: Alice) -> None:
    buf = str(Path(sys.executable).with_name("buf"))
    call = ("curl", "--http2-prior-knowledge", "--protocol", "grpc", "-d", '{"user_id": "nobody"}')
    url = f"http://{alice.address}/workflows.WorkflowsService/ListWorkflows"

    assert documents(run(buf, *call, url)) == [{}]


def test_python_creates_and_gets_a_workflow(alice: Alice, tmp_path: Path) -> None:
    script = tmp_path / "call.py"
    script.write_text(alice.snippet("call.py"))

    output = run(sys.executable, str(script))

    assert output == f"{alice.workflow()} Nightly report pending\n"


def test_go_creates_and_gets_a_workflow(alice: Alice, tmp_path: Path) -> None:
    GoWorkspace(tmp_path / "skips where Go's modules cannot be had")
    (tmp_path / "go-example").mkdir()
    program = tmp_path / "go-example" / "main.go"
    program.write_text(alice.snippet("call.go"))
    stubs = f"{ROOT / '.ci' / 'go-stubs'} go-stubs {sys.executable}"
    script = alice.snippet("go.sh").replace("make go-stubs", stubs)

    output = run("bash", "-euo", "pipefail", "-c", script, folder=tmp_path)

    assert output == f"{alice.workflow()} Nightly report pending\n"
    assert not run("gofmt", "-l", str(program))


def test_the_kit_installs_alone_and_tests_a_service(alice: Alice, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    run(*pip, "--no-index", "--target", str(tmp_path), str(ROOT / "tests" / "kit"))
    test = tmp_path / "test_kit.py"
    test.write_text(alice.snippet("kit.py"))

    output = run(sys.executable, "-m", "pytest", "--quiet", str(test))

    assert "3 passed" in output


def test_the_readme_shows_every_snippet_as_it_is_run() -> None:
    shown = re.findall(
        r"<!-- snippet: (\S+) -->\n(?:```\w+\n(.*?)```\n)?",
        (ROOT / "README.md").read_text(),
        re.DOTALL,
    )

    assert sorted(shown) == sorted(
        (file.name, file.read_text())
        for file in SNIPPETS.iterdir()
        if file.suffix not in (".toml", ".svg")
    )


def run(*command: str, folder: Path = ROOT, **environment: str) -> str:
    """What a command prints; it must succeed, and reaches this machine without a proxy."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def documents(text: str) -> list[dict[str, Any]]:
    """The JSON documents that stand one after the other in a text."""
    found = []
    while text := text.lstrip():
        document, end = json.JSONDecoder().raw_decode(text)
        found.append(document)
        text = text[end:]
    return found
