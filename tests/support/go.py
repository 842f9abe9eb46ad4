"""Programs in Go that read what we write, with libraries that we did not write."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def built(module: Path, program: Path, package: str = ".") -> Path:
    """A program of a Go module's package; the test is skipped if Go or the libraries are away."""
    if shutil.which("go") is None:
        pytest.skip("Go is not on this machine")
    done = subprocess.run(
        ["go", "build", "-trimpath", "-o", program, package],
        cwd=module,
        env=os.environ | {"CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if "proxy" in done.stderr or "dial" in done.stderr:
        pytest.skip("the libraries cannot be fetched here")
    assert done.returncode == 0, done.stderr
    return program
