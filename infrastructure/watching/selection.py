"""Which moments a watch is shown, and as what."""

from collections.abc import Callable, Sequence

from application.history.entries import Entry, entries
from application.history.proofs import SignedLogs
from application.history.states import states
from application.ports import EventFeed, Record, RecordedEvent, Records, Version
from application.search import type_named
from application.watches import WatchFilter
from domain.events import Created
from domain.workflow import Workflow
from infrastructure.watching.ring import Moment
from infrastructure.watching.watch import Watch

OWNERS = 50_000
"""How many owners of workflows are kept in memory."""


class Selection:
    """Puts into a watch what it asks for. For one thread.

    An event is decoded and rendered when the first watch needs it, and then shown to all.
    """

    def __init__(
        self,
        feed: EventFeed,
        records: Records,
        logs: SignedLogs,
        render: Callable[[Entry, int], bytes],
    ) -> None:
        """`render` shows an entry as it is sent, given the size of the newest checkpoint too."""
        self._feed = feed
        self._records = records
        self._logs = logs
        self._render_entry = render
        self._owners: dict[str, str | None] = {}

    def put(self, watch: Watch, moments: Sequence[Moment]) -> None:
        """Puts in what matches among the moments that follow, until the watch is full.

        Raises StoreUnavailable, or StoredDataDamaged if one of them cannot be read; then nothing
        was put in.
        """
        wanted = self._matching(watch.filter, moments)
        self._render([moment for moment in wanted if not moment.shown])
        for moment in wanted:
            if watch.is_full:
                return
            watch.put(moment.stored.position, moment.shown)
            watch.position = moment.stored.position
        watch.position = moments[-1].stored.position

    def _matching(self, wanted: WatchFilter, moments: Sequence[Moment]) -> Sequence[Moment]:
        if wanted.workflow_id:
            moments = [m for m in moments if m.stored.workflow_id == wanted.workflow_id]
        if wanted.types:
            moments = [m for m in moments if type_named(m.stored.name) in wanted.types]
        if wanted.user_id:
            owners = self._owners_of(moments)
            moments = [m for m in moments if owners[m.stored.workflow_id] == wanted.user_id]
        return moments

    def forget(self) -> None:
        """Forgets whose the workflows are."""
        self._owners.clear()

    def _event(self, moment: Moment) -> RecordedEvent:
        if moment.event is None:
            moment.event = self._feed.decode(moment.stored)
        return moment.event

    def _owners_of(self, moments: Sequence[Moment]) -> dict[str, str | None]:
        """The owners of the workflows of moments; None for one that was erased."""
        if len(self._owners) > OWNERS:
            self._owners.clear()
        for moment in moments:
            if moment.stored.version == 1 and moment.stored.workflow_id not in self._owners:
                created = self._event(moment).event
                owner = created.user_id if isinstance(created, Created) else None
                self._owners[moment.stored.workflow_id] = owner
        ids = {moment.stored.workflow_id for moment in moments}
        unknown = [workflow_id for workflow_id in ids if workflow_id not in self._owners]
        if unknown:
            found = self._records.ask(lambda record: _owners(record, unknown))
            self._owners.update(zip(unknown, found, strict=True))
        return self._owners

    def _render(self, moments: Sequence[Moment]) -> None:
        if not moments:
            return
        events = [self._event(moment) for moment in moments]
        shown, feed = self._records.ask(lambda record: (entries(record, events), record.place.feed))
        signed = self._logs.size(feed)
        for moment, entry in zip(moments, shown, strict=True):
            moment.shown = self._render_entry(entry, signed)


def _owners(record: Record, ids: Sequence[str]) -> list[str | None]:
    """The owner that each workflow was created for."""
    created = states(record, [Version(workflow_id, 1) for workflow_id in ids])
    return [state.user_id if isinstance(state, Workflow) else None for state in created]
