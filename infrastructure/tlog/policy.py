"""Policies (c2sp.org/tlog-policy): whose signatures make a checkpoint valid."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from infrastructure.tlog.notes import COSIGNATURE, SIGNATURE, Note, NoteRefused, Verifier

POLICY = "policy"
"""The file that holds the policy of a log."""
NONE = "none"


class PolicyRefused(Exception):
    """A text is no policy. The text explains why."""


@dataclass(frozen=True, slots=True)
class Group:
    """At least `least` of the members, witnesses or other groups, must have cosigned."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """The logs, the witnesses by name, the groups by name, and the quorum: a name, or `none`."""

    logs: tuple[Verifier, ...]
    witnesses: Mapping[str, Verifier]
    groups: Mapping[str, Group]
    quorum: str

    @classmethod
    def parse(cls, text: str) -> "Policy":
        """The policy in a text. Raises PolicyRefused."""
        draft = _Draft()
        for number, line in enumerate(text.split("\n"), 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            try:
                draft.take(words)
            except (PolicyRefused, NoteRefused) as refused:
                raise PolicyRefused(f"line {number} of the policy: {refused}") from refused
        if len(draft.quorums) != 1:
            raise PolicyRefused(f"the policy has {len(draft.quorums)} quorum lines, and needs one")
        return cls(tuple(draft.logs), draft.witnesses, draft.groups, draft.quorums[0])

    @classmethod
    def of(cls, log: Verifier, witnesses: Sequence[Verifier] = (), least: int = 0) -> "Policy":
        """The policy that asks for a log's signature, and for `least` of some witnesses."""
        named = {f"w{number}": witness for number, witness in enumerate(witnesses, 1)}
        if not 0 <= least <= len(named):
            raise PolicyRefused(f"{least} of {len(named)} witnesses cannot be asked for")
        if not least:
            return cls((log,), named, {}, NONE)
        return cls((log,), named, {"witnesses": Group(least, tuple(named))}, "witnesses")

    def __str__(self) -> str:
        """The policy as a file."""
        lines = [f"log {log}" for log in self.logs]
        lines += [f"witness {name} {key}" for name, key in self.witnesses.items()]
        lines += [
            f"group {name} {group.least} {' '.join(group.members)}"
            for name, group in self.groups.items()
        ]
        return "\n".join([*lines, f"quorum {self.quorum}", ""])

    def cosigners(self, note: Note) -> Sequence[str]:
        """The names of those witnesses whose valid cosignatures a note carries."""
        found = note.signed_by(self.witnesses.values())
        return [key.name for key in self.witnesses.values() if key in found]

    def met_by(self, note: Note) -> bool:
        """Whether a note is signed by one of the logs, and cosigned as the quorum asks.

        Raises NoteRefused if a signature of a known key is wrong.
        """
        found = note.signed_by([*self.logs, *self.witnesses.values()])
        cosigned = {name for name, key in self.witnesses.items() if key in found}
        return any(log in found for log in self.logs) and self._holds(self.quorum, cosigned)

    def _holds(self, name: str, cosigned: Collection[str]) -> bool:
        if name == NONE or name in cosigned:
            return True
        group = self.groups.get(name)
        if group is None:
            return False
        return sum(self._holds(member, cosigned) for member in group.members) >= group.least


class _Draft:
    """A policy while its lines are read."""

    def __init__(self) -> None:
        self.logs: list[Verifier] = []
        self.witnesses: dict[str, Verifier] = {}
        self.groups: dict[str, Group] = {}
        self.quorums: list[str] = []

    def take(self, words: Sequence[str]) -> None:
        """Takes the words of a line. Raises PolicyRefused or NoteRefused."""
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self.logs.append(_key(vkey, SIGNATURE, self.logs))
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                self._check_new(name)
                self.witnesses[name] = _key(vkey, COSIGNATURE, self.witnesses.values())
            case ["group", name, least, *members]:
                self._check_new(name)
                self.groups[name] = self._group(least, members)
            case ["quorum", name] if name == NONE or self._knows(name):
                self.quorums.append(name)
            case _:
                raise PolicyRefused(f"{' '.join(words)!r} is not understood")

    def _knows(self, name: str) -> bool:
        return name in self.witnesses or name in self.groups

    def _check_new(self, name: str) -> None:
        if name == NONE or self._knows(name):
            raise PolicyRefused(f"the name {name} is taken")

    def _group(self, least: str, members: Sequence[str]) -> Group:
        taken = {member for group in self.groups.values() for member in group.members}
        if len({*members}) < len(members) or not all(map(self._knows, members)):
            raise PolicyRefused("a group lists names that stand above it, each once")
        if taken.intersection(members):
            raise PolicyRefused("a name is a member of two groups")
        words = {"any": "1", "all": str(len(members))}
        asked = words.get(least, least)
        if not asked.isdecimal() or not 1 <= int(asked) <= len(members):
            raise PolicyRefused(f"{least} of {len(members)} members cannot be asked for")
        return Group(int(asked), tuple(members))


def _key(vkey: str, kind: int, others: Collection[Verifier]) -> Verifier:
    key = Verifier.parse(vkey)
    if key.kind != kind:
        raise PolicyRefused(f"{key.name} has a key of another kind")
    if any(key.public == other.public for other in others):
        raise PolicyRefused(f"the key of {key.name} stands twice")
    return key
