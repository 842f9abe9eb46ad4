"""The one write road: a batch of commands in, an outcome for each out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from application.ledger import check_repeat, ledger_key, request_hash
from application.ports import (
    AppendRefused,
    Change,
    EventStore,
    LedgerEntry,
    LedgerKey,
    Loaded,
    NewEvent,
    Origin,
    OutcomeUnknown,
    StoredDataDamaged,
    StoreUnavailable,
)
from domain.commands import Command, CreateWorkflow
from domain.workflow import decide, replay


class Contended(Exception):
    """The workflow kept changing under this command; nothing was recorded, and a retry is safe."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A command and who asked for it."""

    command: Command
    origin: Origin


@dataclass(frozen=True, slots=True)
class Done:
    """How a command was answered.

    `version` is the stream version that the answer reflects, `position` the feed position up to
    which its effect is contained, `replayed` whether the ledger answered.
    """

    workflow_id: str
    version: int
    position: int
    threshold_reached: bool
    replayed: bool = False


Outcome = Done | Exception
Waiting = Sequence[tuple[int, Submission, LedgerKey | None]]
"""Commands that wait for an outcome: their place in the batch, and the key they carry."""


class CommandHandler:
    """Decides commands on current state and records what follows."""

    def __init__(self, store: EventStore, *, attempts: int = 32, within: float = 10.0) -> None:
        """`attempts` and `within` seconds bound how long a command is decided anew."""
        self._store = store
        self._attempts = attempts
        self._within = within

    def handle(self, batch: Sequence[Submission]) -> list[Outcome]:
        """Handles each command as if alone, in the order given: none harms its neighbours.

        A command whose workflow moved, or whose key was taken, between load and append is decided
        again on what is there now. Outcomes stand in the order of the batch; an exception among
        them is that command's refusal or fault.
        """
        outcomes: dict[int, Outcome] = {}
        waiting: Waiting = [(i, s, ledger_key(s.command)) for i, s in enumerate(batch)]
        give_up_at = monotonic() + self._within
        for _ in range(self._attempts):
            outcomes |= self._attempt(waiting)
            waiting = [item for item in waiting if item[0] not in outcomes]
            if not waiting or monotonic() > give_up_at:
                break
        return [outcomes.get(index) or Contended() for index in range(len(batch))]

    def _attempt(self, waiting: Waiting) -> dict[int, Outcome]:
        """One load, a decision for each, one append; what must be decided again is left out.

        Where the store cannot take or read the whole, halves are tried, down to the one at fault.
        """
        try:
            decisions = _Decisions(self._load(waiting))
            verdicts = [(index, decisions.decide(asked, key)) for index, asked, key in waiting]
            changes = decisions.changes
            positions = self._store.append(list(changes.values())) if changes else {}
        except (StoreUnavailable, OutcomeUnknown) as fault:
            return dict.fromkeys((index for index, _, _ in waiting), fault)
        except (AppendRefused, StoredDataDamaged) as fault:
            if len(waiting) == 1:
                return {waiting[0][0]: fault}
            middle = len(waiting) // 2
            return self._attempt(waiting[:middle]) | self._attempt(waiting[middle:])
        settled = ((index, _settle(verdict, changes, positions)) for index, verdict in verdicts)
        return {index: outcome for index, outcome in settled if outcome is not None}

    def _load(self, waiting: Waiting) -> Loaded:
        commands = [submission.command for _, submission, _ in waiting]
        ids = {c.id for c in commands if not isinstance(c, CreateWorkflow)}
        keys = {key for _, _, key in waiting if key is not None}
        return self._store.load(ids, keys) if ids or keys else Loaded({}, {})


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What was decided for a command; without an answer, it must wait for the next attempt."""

    workflow_id: str
    answer: Outcome | None


class _Decisions:
    """Decides commands one after the other, each on the state that those before it lead to."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._keys: set[LedgerKey] = set()
        self.changes: dict[str, Change] = {}

    def decide(self, submission: Submission, key: LedgerKey | None) -> _Verdict:
        command = submission.command
        try:
            return _Verdict(command.id, self._decide(command, submission.origin, key))
        except Exception as refusal:  # noqa: BLE001 - a fault in one must not harm its neighbours
            return _Verdict(command.id, refusal)

    def _decide(self, command: Command, origin: Origin, key: LedgerKey | None) -> Done | None:
        if key and key in self._keys:
            return None  # A twin of this command is being recorded: its entry will answer.
        if key and (entry := self._loaded.ledger.get(key)):
            return self._repeat(entry, command)
        stream = self._loaded.streams.get(command.id)
        change = self.changes.get(command.id)
        workflow = change.workflow if change else stream.workflow if stream else None
        events = decide(workflow, command)
        after = replay(events, workflow)
        if after is None:
            raise ValueError(f"{type(command).__name__} led to no workflow")
        change = change or Change(command.id, stream, after)
        if events or key:
            self.changes[command.id] = change
            change.workflow = after
            change.events += [NewEvent(e, origin, key.key if key else "") for e in events]
        if key:
            self._keys.add(key)
            change.ledger[key] = LedgerEntry(
                command.id, request_hash(command), change.version, after.threshold_reached
            )
        position = stream.position if stream else 0
        return Done(command.id, change.version, position, after.threshold_reached)

    def _repeat(self, entry: LedgerEntry, command: Command) -> Done:
        stream = self._loaded.streams.get(command.id)
        check_repeat(entry, command, stream.workflow if stream else None)
        return Done(
            entry.workflow_id,
            entry.version,
            entry.position,
            entry.threshold_reached,
            replayed=True,
        )


def _settle(
    verdict: _Verdict, changes: Mapping[str, Change], positions: Mapping[str, int]
) -> Outcome | None:
    """The final outcome; None where it rests on a change that was not recorded."""
    answer = verdict.answer
    change = changes.get(verdict.workflow_id)
    if change is None:
        return answer
    end = positions.get(verdict.workflow_id)
    if end is None:
        return None
    if isinstance(answer, Done) and not answer.replayed and answer.version > change.base_version:
        position = end - (change.version - answer.version)
        return Done(answer.workflow_id, answer.version, position, answer.threshold_reached)
    return answer
