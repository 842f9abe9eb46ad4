"""What a listed workflow must meet."""

from dataclasses import dataclass

from domain import fields
from domain.workflow import Workflow


def folded(text: str) -> str:
    """A text as searches compare it: upper and lower case alike, whatever the locale."""
    return text.casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Filters of ListWorkflows, all of which must hold; an empty or 0 one does not filter.

    `query` is part of the name, upper and lower case alike, and knows no wildcards. Intervals
    are in minutes. Raises InvalidFields for values that no workflow could have.
    """

    query: str = ""
    kind: str = ""
    build_status: str = ""
    is_terminated: bool = False
    interval_min: int = 0
    interval_max: int = 0

    def __post_init__(self) -> None:
        fields.refuse_invalid(
            ("filters.query", fields.optional_text(self.query)),
            ("filters.kind", fields.kind(self.kind) if self.kind else None),
            (
                "filters.build_status",
                fields.build_status(self.build_status) if self.build_status else None,
            ),
            ("filters.interval_min", fields.interval_bound(self.interval_min)),
            (
                "filters.interval_max",
                fields.interval_bound(self.interval_max) or self._empty_range(),
            ),
        )

    def _empty_range(self) -> str | None:
        # An interval_min that no workflow could have is named itself; nothing is good beside it.
        if 0 < self.interval_max < self.interval_min <= fields.MAX_INTERVAL:
            return f"is below interval_min; {self.interval_min} or more, or 0 is accepted"
        return None

    def matches(self, workflow: Workflow) -> bool:
        """Whether a workflow meets all that is set; the SQL of the read model says the same."""
        return (
            folded(self.query) in folded(workflow.name)
            and self.kind in ("", workflow.kind)
            and self.build_status in ("", workflow.build_status)
            and (not self.is_terminated or workflow.terminated_at is not None)
            and (not self.interval_min or workflow.interval >= self.interval_min)
            and (not self.interval_max or workflow.interval <= self.interval_max)
        )
