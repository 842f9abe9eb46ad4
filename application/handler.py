"""The write path: takes a batch of commands, returns an outcome for each.

The steps: load what the commands need, decide them in a draft, append the changes, gather the
outcomes. Commands that another process overtook are tried again. If the whole batch fails, it is
split into halves until the command at fault is found.
"""

from collections.abc import Mapping, Sequence
from time import monotonic

from application.damage import Damaged, known_damage
from application.draft import Draft, Outcome, Submission
from application.ledger import LedgerDigests
from application.ports import EventStore, LedgerKey, Loaded, OutcomeUnknown, StoreUnavailable
from domain.commands import CreateWorkflow


class Contended(Exception):
    """The workflow kept changing under this command; nothing was recorded, and a retry is safe."""


Waiting = Mapping[int, Submission]
"""The commands that have no outcome yet, by their place in the batch."""


class CommandHandler:
    """Decides commands on current state and records what follows."""

    def __init__(
        self,
        store: EventStore,
        digests: LedgerDigests,
        *,
        attempts: int = 32,
        within: float = 10.0,
        damaged: Damaged | None = None,
    ) -> None:
        """A command is decided at most `attempts` times, and not again after `within` seconds."""
        self._store = store
        self._digests = digests
        self._attempts = attempts
        self._within = within
        self._damaged = Damaged() if damaged is None else damaged

    def handle(self, batch: Sequence[Submission]) -> list[Outcome]:
        """Handles the commands in their order, each as if it were the only one.

        Returns the outcomes in the order of the batch. If an outcome is an exception, it is the
        refusal or fault of that command alone. Contended means: other processes changed the
        workflow first in every attempt.
        """
        outcomes: dict[int, Outcome] = {}
        waiting: Waiting = dict(enumerate(batch))
        give_up_at = monotonic() + self._within
        for _ in range(self._attempts):
            outcomes |= self._attempt(waiting)
            waiting = {place: asked for place, asked in waiting.items() if place not in outcomes}
            if not waiting or monotonic() > give_up_at:
                break
        return [outcomes.get(place) or Contended() for place in range(len(batch))]

    def _attempt(self, waiting: Waiting) -> dict[int, Outcome]:
        """The outcomes of one attempt; commands to be decided again are absent.

        If the store is lost, every command fails. Any other exception is the fault of one command:
        halves of the batch are tried until that command is alone.
        """
        try:
            if self._damaged and (known := self._known_damage(waiting)):
                rest = {place: asked for place, asked in waiting.items() if place not in known}
                return known | self._attempt(rest)
            return self._together(waiting)
        except (StoreUnavailable, OutcomeUnknown) as lost:
            return dict.fromkeys(waiting, lost)
        except Exception as fault:  # noqa: BLE001 - it is the outcome of the command at fault
            if len(waiting) == 1:
                [(place, asked)] = waiting.items()
                return {place: self._damaged.found(asked.command.id, fault)}
        items, middle = list(waiting.items()), len(waiting) // 2
        return self._attempt(dict(items[:middle])) | self._attempt(dict(items[middle:]))

    def _known_damage(self, waiting: Waiting) -> dict[int, Outcome]:
        known = self._damaged.among(asked.command.id for asked in waiting.values())
        return {
            place: known_damage(asked.command.id)
            for place, asked in waiting.items()
            if asked.command.id in known
        }

    def _together(self, waiting: Waiting) -> dict[int, Outcome]:
        """One load, a decision for each command, one append."""
        keys = {place: self._digests.key(asked.command) for place, asked in waiting.items()}
        draft = Draft(self._load(waiting, keys), self._digests)
        for place, asked in waiting.items():
            draft.decide(place, asked, keys[place])
        changes = draft.changes
        ends = self._store.append(changes) if changes else {}
        return draft.outcomes(ends, self._store.current_feed)

    def _load(self, waiting: Waiting, keys: Mapping[int, LedgerKey | None]) -> Loaded:
        commands = (asked.command for asked in waiting.values())
        ids = {command.id for command in commands if not isinstance(command, CreateWorkflow)}
        known_keys = {key for key in keys.values() if key}
        return self._store.load(ids, known_keys) if ids or known_keys else Loaded({}, {})
