"""Disks that are too small or read-only, where this user may mount one."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.environments.users import IS_ROOT


def mounted(at: Path, options: str) -> Iterator[Path]:
    """A disk in memory with these options of mount, at a new folder, until it is asked again."""
    at.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"mode=700,{options}", "none", str(at)]
    if not IS_ROOT or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this user cannot mount a disk here")
    yield at
    subprocess.run(["umount", str(at)], check=True)
