"""What a listed workflow must match."""

import re
from datetime import datetime
from typing import Protocol
from unicodedata import normalize

from domain import fields
from domain.catalogue import Catalogue
from domain.errors import Violation
from domain.values import value

_DOTTED_I = re.compile("i\u0307+")


def folded(text: str) -> str:
    """A text as searches compare it: Unicode's NFKC_Casefold, and a dotted i is an i.

    So upper and lower case, canonically equal spellings (NFC, NFD) and spellings that differ in
    width or in invisible characters are alike, and `i` finds U+0130. Folding twice changes nothing.
    """
    if text.isascii():
        return text.lower()
    seen = fields.INVISIBLE_CHARACTER.sub("", text)
    cased = normalize("NFKC", normalize("NFKD", normalize("NFD", seen).casefold()).casefold())
    return normalize("NFC", _DOTTED_I.sub("i", normalize("NFD", cased)))


class Filterable(Protocol):
    """What filters look at; a Workflow has it, and so has a row of a list."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def build_status(self) -> str: ...
    @property
    def interval(self) -> int: ...
    @property
    def terminated_at(self) -> datetime | None: ...


@value(kw_only=True)
class Filters:
    """Filters of ListWorkflows, all of which must hold; an empty or 0 one does not filter.

    `query` is part of the name. Both are compared after `folded`; there are no wildcards. Intervals
    are in minutes.
    """

    query: str = ""
    kind: str = ""
    build_status: str = ""
    is_terminated: bool = False
    interval_min: int = 0
    interval_max: int = 0

    def violations(self, catalogue: Catalogue) -> list[Violation]:
        """The filters with a value that no workflow of this catalogue could have."""
        return fields.violations(
            [
                ("filters.query", fields.optional_text(self.query)),
                ("filters.kind", catalogue.kind(self.kind) if self.kind else None),
                (
                    "filters.build_status",
                    catalogue.build_status(self.build_status) if self.build_status else None,
                ),
                ("filters.interval_min", fields.interval_bound(self.interval_min)),
                (
                    "filters.interval_max",
                    fields.interval_bound(self.interval_max) or self._empty_range(),
                ),
            ]
        )

    def _empty_range(self) -> str | None:
        # An invalid interval_min is named itself; comparing it with interval_max has no sense then.
        if 0 < self.interval_max < self.interval_min <= fields.MAX_INTERVAL:
            return f"is below interval_min; {self.interval_min} or more, or 0 is accepted"
        return None

    def matches(self, workflow: Filterable) -> bool:
        """Whether a workflow matches every filter that is set; the read model's SQL agrees."""
        return (
            folded(self.query) in folded(workflow.name)
            and self.kind in ("", workflow.kind)
            and self.build_status in ("", workflow.build_status)
            and (not self.is_terminated or workflow.terminated_at is not None)
            and (not self.interval_min or workflow.interval >= self.interval_min)
            and (not self.interval_max or workflow.interval <= self.interval_max)
        )
