"""The forms of the cursors of histories, and what each is bound to."""

from application import cursors
from application.seals import Form
from domain.filters import Filters

HISTORY_FORM = Form(
    1,
    "does not belong to this history; the cursor of the page before, with the same workflow, order"
    " and types, is accepted",
)
"""Holds the version at which the page ended."""

LIST_FORM = Form(
    2,
    "does not belong to this list; the cursor of the page before, with the same user and filters,"
    " is accepted",
)
"""Holds the position of the list, and that of the creation with which the page ended."""


def history_question(workflow_id: str, types: frozenset[str], *, newest_first: bool) -> str:
    """All that must be the same on each page of a history."""
    return "\0".join(["history", workflow_id, str(newest_first), *sorted(types)])


def list_question(user_id: str, filters: Filters) -> str:
    """All that must be the same on each page of a list of the past."""
    return f"list as of\0{cursors.question(user_id, filters)}"
