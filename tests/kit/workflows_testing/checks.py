"""Rules for every history, whatever happened to servers, database and connections meanwhile.

Pure functions over recorded calls and, if there is one, the service's log. Each returns what it
finds wrong; an empty list is a history without fault. `x-workflow-version` makes this cheap: the
order of a workflow's writes is known and need not be searched for.

lost    a call that was acknowledged has no effect
twice   a call, or the calls of one key, had more than one effect
stale   a call does not see what was acknowledged before it began
torn    two reads of one version show different things
lied    a call that was refused, so without effect, has an effect
gap     the log misses a version or a position, or has one twice
feed    a reader of the feed got entries out of order, twice, or not at all
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from workflows_testing.history import Call, LogEntry, Outcome

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

CREATE = "CreateWorkflow"
DELETE = "DeleteWorkflow"
INCREMENT = "IncrementWorkflowConsecutiveJobFailuresCount"
ALWAYS_RECORD = {CREATE, DELETE, INCREMENT}
"""Methods that add to the log if they succeed and are no repeat."""

READS = {"GetWorkflow", "GetWorkflowByID"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault: the rule that is broken, and what was seen."""

    rule: str
    seen: str


def check(
    calls: Sequence[Call],
    log: Sequence[LogEntry] | None = None,
    feeds: Iterable[Sequence[int]] = (),
) -> list[Finding]:
    """All checks; those of the log only if there is one."""
    found = [*check_versions(calls), *check_keys(calls)]
    if log is not None:
        found += [*check_log(log), *check_effects(calls, log)]
        for positions in feeds:
            found += check_feed(positions, log)
    return found


def check_versions(calls: Iterable[Call]) -> list[Finding]:
    """Each workflow's versions against the times at which its calls began and ended."""
    found: list[Finding] = []
    for of_one in _grouped(calls, lambda call: call.workflow_id).values():
        answered = [call for call in of_one if call.ok and call.version and not call.replayed]
        found += [*_stale(answered), *_overwritten(answered), *_torn(answered)]
        found += _vanished(of_one)
    return found


def check_keys(calls: Iterable[Call]) -> list[Finding]:
    """All successful calls of one key got the same reply."""
    found = []
    keyed = (call for call in calls if call.key and call.ok)
    for key, same in _grouped(keyed, lambda call: call.key).items():
        replies = {(c.workflow_id, c.version, c.reply.get("threshold_reached")) for c in same}
        if len(replies) > 1:
            found.append(Finding("twice", f"{key} was answered in different ways: {replies}"))
    return found


def check_log(log: Sequence[LogEntry]) -> list[Finding]:
    """Positions and each workflow's versions are 1, 2, 3 and so on."""
    found = []
    positions = [entry.position for entry in log]
    if positions != list(range(1, len(log) + 1)):
        found.append(Finding("gap", f"positions are not 1 to {len(log)}: {_breaks(positions)}"))
    for workflow_id, entries in _grouped(log, lambda entry: entry.workflow_id).items():
        versions = [entry.version for entry in entries]
        if versions != list(range(1, len(versions) + 1)):
            found.append(Finding("gap", f"versions of {workflow_id}: {_breaks(versions)}"))
    return found


def check_effects(calls: Sequence[Call], log: Sequence[LogEntry]) -> list[Finding]:
    """Each call's effect in the log: there if it succeeded, once at most, none if refused."""
    by_request = _grouped(log, lambda entry: entry.request_id)
    found = _applied_twice(by_request[call.id] for call in calls if call.id in by_request)
    keyed = {call.id: call.key for call in calls if call.key}
    by_key = _grouped((e for e in log if e.request_id in keyed), lambda e: keyed[e.request_id])
    for key, entries in by_key.items():
        if len({entry.request_id for entry in entries}) > 1:
            found.append(Finding("twice", f"{key} took effect in more than one call"))
    for call in calls:
        entries = by_request.get(call.id, [])
        if call.outcome is Outcome.REFUSED and entries:
            found.append(Finding("lied", f"{call} was refused and is in the log: {entries}"))
        elif call.ok and call.method in ALWAYS_RECORD:
            entries = by_key.get(call.key, []) if call.key else entries
            if not entries or entries[-1].version != call.version:
                found.append(Finding("lost", f"{call} is not in the log at its version"))
    return found


def check_feed(positions: Sequence[int], log: Sequence[LogEntry]) -> list[Finding]:
    """One reader's positions, in the order of their arrival, are a run of the log's."""
    if not positions:
        return []
    first, last = positions[0], positions[-1]
    right = [entry.position for entry in log if first <= entry.position <= last]
    if list(positions) == right:
        return []
    return [Finding("feed", f"a reader got {_breaks(positions)} between {first} and {last}")]


def check_reads(
    calls: Iterable[Call], shown: Callable[[str, int], Mapping[str, Any]]
) -> list[Finding]:
    """Each read shows what `shown(workflow_id, version)`, the fold of the log, returns."""
    found = []
    for call in calls:
        if call.ok and call.method in READS:
            right = shown(call.workflow_id, call.version)
            if {name: call.reply.get(name) for name in right} != right:
                found.append(Finding("torn", f"{call} does not show {right}"))
    return found


def _stale(answered: Sequence[Call]) -> list[Finding]:
    """Calls with a version below one that another call returned before they began."""
    found = []
    ended = sorted(answered, key=lambda call: call.returned)
    highest: Call | None = None
    place = 0
    for call in sorted(answered, key=lambda call: call.called):
        while place < len(ended) and ended[place].returned < call.called:
            if highest is None or ended[place].version > highest.version:
                highest = ended[place]
            place += 1
        if highest and call.version < highest.version + (call.method in ALWAYS_RECORD):
            found.append(Finding("stale", f"{call} began after the end of {highest}"))
    return found


def _overwritten(answered: Sequence[Call]) -> list[Finding]:
    """Writes with the same version in their replies: one of them is lost."""
    writes = (c for c in answered if c.method in ALWAYS_RECORD)
    # A job that is delivered twice at once may be answered twice: check_keys() judges those.
    by_version = _grouped(writes, lambda call: call.version)
    return [
        Finding("lost", f"version {version} was given to {same}")
        for version, same in by_version.items()
        if len({call.key or call.id for call in same}) > 1
    ]


def _torn(answered: Sequence[Call]) -> list[Finding]:
    reads = (call for call in answered if call.method in READS)
    by_version = _grouped(reads, lambda call: (call.method, call.version))
    return [
        Finding("torn", f"one version shows {[call.reply for call in same]}")
        for same in by_version.values()
        if any(call.reply != same[0].reply for call in same)
    ]


def _vanished(of_one: Sequence[Call]) -> list[Finding]:
    """NOT_FOUND for the owner of a workflow that no call has deleted."""
    created = [call for call in of_one if call.method == CREATE and call.ok]
    if not created:
        return []
    born, owner = min(call.returned for call in created), created[0].request["user_id"]
    deleted = min((call.called for call in of_one if call.method == DELETE), default=None)
    return [
        Finding("lost", f"{call} did not find a workflow that was created and not deleted")
        for call in of_one
        if call.code == "NOT_FOUND"
        and call.called > born
        and call.request.get("user_id", owner) == owner
        and (deleted is None or call.returned < deleted)
    ]


def _applied_twice(by_request: Iterable[Sequence[LogEntry]]) -> list[Finding]:
    """One call records an event of one name once, and all its events side by side."""
    found = []
    for entries in by_request:
        names = [entry.name for entry in entries]
        apart = any(b.version != a.version + 1 for a, b in pairwise(entries))
        if len(names) != len(set(names)) or apart:
            found.append(Finding("twice", f"one call recorded {entries}"))
    return found


def _breaks(numbers: Sequence[int]) -> str:
    """The places at which numbers that should rise by one do not."""
    breaks = [f"{b} after {a}" for a, b in pairwise(numbers) if b != a + 1]
    return ", ".join(breaks[:5]) or f"begin with {numbers[0] if numbers else 'nothing'}"


def _grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)
