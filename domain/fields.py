"""The bounds of each field.

A check returns None if the value is valid. Otherwise it returns what is wrong and what is accepted.
"""

import re
from collections.abc import Iterable

from domain.errors import InvalidFields, Violation

MAX_TEXT = 255  # characters
MAX_INTERVAL = 525_600  # minutes: a year
MAX_FAILURES = 100
MAX_GENERATION = 2**63 - 1

_CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f]")
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
INVISIBLE_CHARACTER = re.compile(f"[{_INVISIBLE}]")
"""Characters with Unicode's property Default_Ignorable_Code_Point: they may be invisible."""
# The braille blank and the interlinear marks are drawn as nothing too, though not ignorable.
_VISIBLE_CHARACTER = re.compile(rf"[^\s{_INVISIBLE}\u2800\ufff9-\ufffb]")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")

Check = tuple[str, str | None]


def refuse_invalid(*checks: Check) -> None:
    """Raises InvalidFields, which names every invalid field, if there is one."""
    for _, complaint in checks:
        if complaint is not None:
            raise InvalidFields(violations(checks))


def violations(checks: Iterable[Check]) -> list[Violation]:
    """The failed checks, as violations."""
    return [Violation(field, complaint) for field, complaint in checks if complaint]


def name(value: str) -> str | None:
    """A name: 1 to 255 characters, no control characters, at least one that can be seen."""
    complaint = required_text(value)
    if complaint is None and (
        value.isspace() if value.isascii() else not _VISIBLE_CHARACTER.search(value)
    ):
        return "holds nothing but spaces or invisible characters; a name that shows is accepted"
    return complaint


def required_text(value: str) -> str | None:
    """An owner: 1 to 255 characters, no control characters."""
    if not value:
        return f"is empty; 1 to {MAX_TEXT} characters are accepted"
    return optional_text(value)


def optional_text(value: str) -> str | None:
    """A key, a job or a query: at most 255 characters, no control characters."""
    if len(value) > MAX_TEXT:
        return f"is {len(value)} characters long; at most {MAX_TEXT} are accepted"
    if not value.isprintable() and _CONTROL_CHARACTER.search(value):
        return "holds a control character; only printable text is accepted"
    return None


def workflow_id(value: str) -> str | None:
    """An id as CreateWorkflow returns it: a UUID in lower case, with hyphens."""
    if _UUID.match(value):
        return None
    return "is not a UUID; the id that CreateWorkflow returned is accepted"


def interval(value: int) -> str | None:
    """Minutes between runs: 1 to 525600."""
    if 1 <= value <= MAX_INTERVAL:
        return None
    return f"is {value}; 1 to {MAX_INTERVAL} minutes are accepted"


def max_failures(value: int) -> str | None:
    """Consecutive failures that are allowed: 1 to 100."""
    if 1 <= value <= MAX_FAILURES:
        return None
    return f"is {value}; 1 to {MAX_FAILURES} are accepted"


def generation(value: int) -> str | None:
    """A guard on the generation: 0 for none."""
    if 0 <= value <= MAX_GENERATION:
        return None
    return f"is {value}; 0 to {MAX_GENERATION} are accepted"


def interval_bound(value: int) -> str | None:
    """An end of a range of intervals: 0 for none."""
    if 0 <= value <= MAX_INTERVAL:
        return None
    return f"is {value}; 0 to {MAX_INTERVAL} minutes are accepted"
