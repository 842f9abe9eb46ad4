"""The decisions on a batch of commands, in order. Nothing is recorded yet.

A draft is pure. It is given what the store holds, decides each command on the state that the
commands before it lead to, and gathers one change for each workflow. When the store has recorded
the changes, `outcomes` gives each command its own.

Every answer is provisional until then. It may depend on a change that the store leaves out, because
another process changed the workflow first. Such a command has no outcome: it must be decided again.
"""

from collections.abc import Mapping, Sequence

from application.causes import new_events
from application.ledger import LedgerDigests, check_repeat
from application.ports import NO_FEED, Change, Feed, LedgerEntry, LedgerKey, Loaded, Origin
from domain.commands import Command
from domain.values import value
from domain.workflow import decide, replay


@value()
class Submission:
    """A command and who asked for it."""

    command: Command
    origin: Origin


@value()
class Done:
    """The answer to a command that was accepted.

    `version` is the stream version that the answer reflects. `position` is the feed position up
    to which the command's effect is contained. `replayed` is true if the ledger answered. `feed`
    is what the position counts in.
    """

    workflow_id: str
    version: int
    position: int
    threshold_reached: bool
    replayed: bool = False
    feed: Feed = NO_FEED


Outcome = Done | Exception
"""The outcome of a command: Done, or the exception (a refusal or a fault) that ended it."""


class Draft:
    """The decisions on one batch, and the changes that follow from them."""

    def __init__(self, loaded: Loaded, digests: LedgerDigests) -> None:
        self._loaded = loaded
        self._digests = digests
        self._changes: dict[str, Change] = {}
        self._keys: set[LedgerKey] = set()
        self._answers: list[tuple[int, str, Outcome | None]] = []

    @property
    def changes(self) -> Sequence[Change]:
        """What the store must record: at most one change for each workflow."""
        return list(self._changes.values())

    def decide(self, place: int, submission: Submission, key: LedgerKey | None) -> None:
        """Decides the command at this place of the batch; `key` is its ledger key, if any.

        If deciding raises, the exception is the outcome of this command alone, and the draft does
        not change.
        """
        command = submission.command
        answer: Outcome | None
        try:
            answer = self._decide(command, submission.origin, key)
        except Exception as refusal:  # noqa: BLE001 - a fault in one must not harm its neighbours
            answer = refusal
        self._answers.append((place, command.id, answer))

    def outcomes(self, ends: Mapping[str, int], feed: Feed) -> dict[int, Outcome]:
        """The outcomes by place, once the store has recorded the changes.

        `ends` gives the position of the last event of each recorded change by workflow id, and
        `feed` what positions count in. Commands that must be decided again are absent.
        """
        found: dict[int, Outcome] = {}
        for place, workflow_id, answer in self._answers:
            if answer is None:
                continue
            change = self._changes.get(workflow_id)
            if change is None:
                found[place] = _placed(answer, None, 0, feed)
            elif workflow_id in ends:
                found[place] = _placed(answer, change, ends[workflow_id], feed)
        return found

    def _decide(self, command: Command, origin: Origin, key: LedgerKey | None) -> Done | None:
        if key in self._keys:
            return None  # The draft has this key: its entry will answer.
        stream = self._loaded.streams.get(command.id)
        if key and (entry := self._loaded.ledger.get(key)):
            check_repeat(entry, self._digests.request(command), command, stream)
            return _repeated(entry)
        change = self._changes.get(command.id)
        before = change.workflow if change else stream.state(command.id) if stream else None
        events = decide(before, command)
        after = replay(events, before)
        if after is None:
            raise ValueError(f"{type(command).__name__} led to no workflow")
        change = change or Change(command.id, stream, after)
        base_version = change.version
        version = base_version + len(events)
        done = Done(command.id, version, stream.position if stream else 0, after.threshold_reached)
        if key:
            request = self._digests.request(command)
            entry = LedgerEntry(command.id, request, version, done.threshold_reached)
            change.ledger[key] = entry  # No step after this line can fail.
            self._keys.add(key)
        if events or key:
            change.workflow = after
            change.events += new_events(events, command, origin, base_version)
            self._changes[command.id] = change
        return done


def _repeated(entry: LedgerEntry) -> Done:
    return Done(
        entry.workflow_id, entry.version, entry.position, entry.threshold_reached, replayed=True
    )


def _placed(answer: Outcome, change: Change | None, end: int, feed: Feed) -> Outcome:
    """The answer with its feed position. Its change, if there is one, is recorded."""
    if not isinstance(answer, Done):
        return answer
    position = answer.position
    if change is not None and not answer.replayed:
        position = change.position(answer.version, end)
    return Done(
        answer.workflow_id,
        answer.version,
        position,
        answer.threshold_reached,
        answer.replayed,
        feed,
    )
