"""Views of current workflows: what readers see."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from domain.filters import Filters
from domain.values import value
from domain.workflow import Workflow

OTHER_BYTES = 256
"""Room for a listed workflow without its name and payload: id, times, counts and framing."""


@value()
class View:
    """A workflow as readers see it, after the first `version` events of its stream."""

    id: str
    workflow: Workflow
    version: int


class Unread:
    """Stands for a workflow that is too large to be read together with others."""


UNREAD = Unread()


class ListedWorkflow(NamedTuple):
    """A workflow as a list shows it; its fields mean what they mean in Workflow.

    `created_position` is the feed position of its creation: newest first is highest first.
    """

    id: str
    name: str
    payload: str
    kind: str
    build_status: str
    interval: int
    failures: int
    max_failures: int
    log_retention: bool
    created_at: datetime
    updated_at: datetime
    terminated_at: datetime | None
    created_position: int


class Slice(NamedTuple):
    """Part of a list, newest workflow first.

    `end` is the position of creation of the last workflow that the slice reaches; None if no
    others follow. `unreadable` are the ids of workflows that belong to the list, and cannot be
    shown because their stored data is damaged.
    """

    workflows: Sequence[ListedWorkflow]
    end: int | None
    unreadable: Sequence[str] = ()


class WorkflowViews(Protocol):
    """Views of current workflows. Every later call sees what a committed append changed.

    Each method raises StoreUnavailable.
    """

    def get(self, ids: Collection[str]) -> Mapping[str, View | Unread]:
        """The workflows of these ids by id, deleted ones too; missing ids are absent.

        A workflow that is too large to be read with others is UNREAD; if one id is asked for alone,
        it is always read.
        """
        ...

    def page(
        self, user_id: str, filters: Filters, before: int | None, limit: int, room: int
    ) -> Slice:
        """A user's workflows that meet the filters, newest first, created before a position.

        At most `limit` of them, and no more than fit into `room` bytes; the first one is always
        included, whatever its size. A workflow takes its name, its payload and OTHER_BYTES. Raises
        SearchTooBroad if they cannot be found within a reasonable number of rows or time.
        """
        ...
