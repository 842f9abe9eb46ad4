"""Puts small mistakes into the modules that decide, and shows which of them no test notices.

Usage: python -m tests.mutants [FILE ...]; all targets if no file is given.

Fails if less than 90 of 100 mistakes in a file are noticed, or if one that is not is missing from
MUTANTS.md, which gives the reason for each.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.operators import changes
from tests.mutants.trial import LIBRARIES, tree_of, unnoticed, warm_up

PAGE = Path(__file__).with_name("MUTANTS.md")
NOTICED_MIN = 0.9

_DOMAIN = ("tests/domain",)
_APPLICATION = (
    "tests/application/test_handler.py",
    "tests/application/test_once.py",
    "tests/application/test_trouble.py",
    "tests/application/test_queries.py",
)
_BATCHER = (
    "tests/infrastructure/test_batcher.py",
    "tests/infrastructure/test_batcher_schedules.py",
)
_ERRORS = ("tests/infrastructure/test_errors.py",)

TARGETS: dict[str, Sequence[str]] = {
    "domain/commands.py": (*_DOMAIN, *_APPLICATION),
    "domain/errors.py": (*_DOMAIN, *_APPLICATION, *_ERRORS),
    "domain/events.py": ("tests/infrastructure/test_stored_form.py", *_DOMAIN),
    "domain/fields.py": ("tests/domain/test_fields.py", *_DOMAIN, *_APPLICATION),
    "domain/filters.py": ("tests/domain/test_filters.py", *_DOMAIN, *_APPLICATION),
    "domain/catalogue.py": (
        "tests/infrastructure/test_catalogue.py",
        "tests/infrastructure/test_payload_form.py",
        *_DOMAIN,
    ),
    "domain/uris.py": ("tests/domain/test_uris.py",),
    "domain/workflow.py": (*_DOMAIN, *_APPLICATION),
    "application/draft.py": _APPLICATION,
    "application/damage.py": ("tests/application/test_damage.py", *_APPLICATION),
    "application/handler.py": _APPLICATION,
    "infrastructure/lanes/batcher.py": _BATCHER,
    "infrastructure/rpc/details.py": _ERRORS,
    "infrastructure/rpc/errors.py": _ERRORS,
}
"""The files with their fast tests, the nearest first."""


def main(paths: Sequence[str]) -> int:
    """The exit code: 0 if all is as MUTANTS.md says."""
    warm_up(*LIBRARIES)
    explained = set(re.findall(r"^- (.*\.py .*)$", PAGE.read_text(), re.MULTILINE))
    failed = False
    for path in paths:
        made = list(changes(path, tree_of(path)))
        left = [change.name for change in unnoticed(made, TARGETS[path])]
        share = 1 - len(left) / len(made)
        print(f"{path}: {len(made) - len(left)} of {len(made)} noticed ({share:.0%})", flush=True)
        unexplained = [name for name in left if name not in explained]
        for name in unexplained:
            print(f"- {name}", flush=True)
        failed |= share < NOTICED_MIN or bool(unexplained)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(TARGETS)))
