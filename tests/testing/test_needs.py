"""What tests a running service needs the stubs, not the service."""

import os
import subprocess
import sys
from pathlib import Path

import workflows_testing

KIT = Path(workflows_testing.__file__).parents[1]
ABSENT = """
import sys
sys.modules.update(dict.fromkeys(["domain", "application", "infrastructure", "pytest"]))
import workflows_testing.checks, workflows_testing.machine, workflows_testing.workload
"""


def test_all_but_lives_and_their_strategies_do_without_the_service() -> None:
    subprocess.run(
        [sys.executable, "-c", ABSENT],
        env={**os.environ, "PYTHONPATH": str(KIT)},
        check=True,
        timeout=60,
    )
