"""A page in a browser speaks to the HTTP door by the client that Connect's own authors keep."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.service import Service

SOURCES = Path(__file__).with_name("web_client")
ROOT = Path(__file__).parents[2]
WITHIN = 120.0  # seconds: patience with a slow machine, not an expectation


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client, its libraries and the contract; skips where these cannot be had."""
    folder = tmp_path_factory.mktemp("page")
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("Node and npm are not installed")
    for file in SOURCES.iterdir():
        shutil.copy(file, folder)
    install = ("npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts")
    installed = run(*install, folder=folder)
    if installed.returncode != 0:
        pytest.skip(f"Connect's libraries cannot be installed here: {installed.stderr[-300:]}")
    buf = Path(sys.executable).with_name("buf")
    subprocess.run((buf, "build", ROOT / "proto", "-o", folder / "contract.binpb"), check=True)
    return folder


@pytest.mark.parametrize("form", ["json", "binary"])
def test_a_page_calls_the_service_as_any_client_does(
    page: Path, serve: Callable[..., Service], form: str
) -> None:
    url = f"http://{serve(WORKFLOWS_HTTP_LISTEN='127.0.0.1:0').announced['http']}"

    done = run("node", "client.mjs", url, "contract.binpb", form, "ada", folder=page)

    assert done.returncode == 0, done.stderr
    info = "google.rpc.ErrorInfo"
    assert json.loads(done.stdout) == {
        "replayed": "true",
        "version": "1",
        "workflow": ["From a page", '{"ü": 1}', 5, "1"],
        "listed": [True],
        "invalid": {"code": "InvalidArgument", "details": [info, "google.rpc.BadRequest"]},
        "missing": {"code": "NotFound", "details": [info, "google.rpc.ResourceInfo"]},
        "late": "DeadlineExceeded",
    }


def run(*command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """A command in a folder, and what it printed."""
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=WITHIN, check=False
    )
