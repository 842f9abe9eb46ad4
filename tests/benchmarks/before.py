"""An earlier revision of the service, in a folder and an environment of its own."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.benchmarks.processes import ServerFailed

_ROOT = Path(__file__).parents[2]
_INSTALLED_WITHIN = 600.0  # seconds


def installed(revision: str, directory: Path) -> Path:
    """The command `workflows` of a revision, installed below a directory.

    Raises ServerFailed if the revision is unknown or cannot be installed.
    """
    tree = directory / "before"
    archive = _output("git", "-C", str(_ROOT), "archive", "--format=tar", revision)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(tree, filter="data")
    _output("make", "-C", str(tree), ".venv/.run", f"PYTHON={sys.executable}")
    return tree / ".venv" / "bin" / "workflows"


def _output(*command: str) -> bytes:
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=_INSTALLED_WITHIN)
    except subprocess.CalledProcessError as failed:
        raise ServerFailed(f"{' '.join(command)}: {failed.stderr.decode()[-2000:]}") from None
    return done.stdout
