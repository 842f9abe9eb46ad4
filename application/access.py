"""Who may call which method: the callers, their roles, and the table of all methods."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """The roles of callers."""

    USER = "user"
    """Owns workflows: only those whose `user_id` is the caller's subject."""
    SERVICE = "service"
    """Another service: internal methods too, and any owner's workflows."""
    AUDITOR = "auditor"
    """Reads the history of every user's workflows."""
    ADMIN = "admin"
    """Erases, verifies and exports."""


class Door(StrEnum):
    """The way by which a method is reached."""

    PUBLIC = "public"
    """Any client."""
    INTERNAL = "internal"
    """Services, auditors and operators. It may have an address of its own."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller, as the verified credential names it. `token_id` is empty if there is none."""

    issuer: str
    subject: str
    roles: frozenset[Role]
    token_id: str = ""
    name: str = field(init=False, compare=False)
    """The caller by its issuer and subject."""
    actor: str = field(init=False, compare=False)
    """The caller as it is recorded with every event that it causes."""

    def __post_init__(self) -> None:
        """Puts the names together once: a caller that is remembered makes many calls."""
        name = f"{self.issuer}|{self.subject}" if self.issuer else self.subject
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "actor", f"{name}#{self.token_id}" if self.token_id else name)


ANONYMOUS = Caller("", "anonymous", frozenset(Role))
"""The caller of every call while the service runs without authentication: it may do all."""


@dataclass(frozen=True, slots=True)
class Rule:
    """By which door a method is reached, and the roles of which a caller must have one.

    A caller that only its role of a user admits must name itself as the owner, unless the method is
    about no owner (`own` is False). If the method is `recorded`, each call of it that does not read
    the caller's own history is recorded before it is answered; nothing else is needed for that.
    """

    door: Door
    roles: frozenset[Role]
    own: bool = True
    recorded: bool = False

    def admit(self, caller: Caller) -> None:
        """Raises NotPermitted if the caller has none of the roles."""
        if not self.roles & caller.roles:
            raise NotPermitted

    def admit_for(self, caller: Caller, owner: str) -> None:
        """Raises NotPermitted if the caller may not call the method for the owner that it names."""
        if caller is ANONYMOUS or not self.own or owner == caller.subject:
            return
        if self.roles & caller.roles == _USER:
            raise NotPermitted


class Unauthenticated(Exception):
    """A call does not prove who the caller is.

    The text is a sentence for the client. It has details only if the credential is genuine.
    """


class NotPermitted(Exception):
    """The caller may not do this, whether or not the things that it names exist."""


class NoRule(Exception):
    """A method stands in no row of the table, so nothing may serve it."""


def _rule(door: Door, *roles: Role, own: bool = True, recorded: bool = False) -> Rule:
    return Rule(door, frozenset(roles), own, recorded)


def _reads(*roles: Role) -> Rule:
    """The rule of a method that reads or exports history."""
    return _rule(Door.INTERNAL, *roles, recorded=True)


_USER = frozenset({Role.USER})
_OWNERS = _rule(Door.PUBLIC, Role.USER, Role.SERVICE)
_SERVICES = _rule(Door.INTERNAL, Role.SERVICE)
_READERS = _reads(Role.USER, Role.AUDITOR)
_EXAMINERS = _reads(Role.AUDITOR, Role.ADMIN)
_AUDITORS = _rule(Door.INTERNAL, Role.AUDITOR, Role.ADMIN)
_ADMINS = _rule(Door.INTERNAL, Role.ADMIN)

ACCESS: Mapping[str, Mapping[str, Rule]] = {
    "workflows.WorkflowsService": {
        "CreateWorkflow": _OWNERS,
        "UpdateWorkflow": _OWNERS,
        "UpdateWorkflowBuildStatus": _SERVICES,
        "GetWorkflow": _OWNERS,
        "GetWorkflowByID": _SERVICES,
        "IncrementWorkflowConsecutiveJobFailuresCount": _SERVICES,
        "ResetWorkflowConsecutiveJobFailuresCount": _SERVICES,
        "TerminateWorkflow": _OWNERS,
        "DeleteWorkflow": _OWNERS,
        "ListWorkflows": _OWNERS,
    },
    "workflows.history.v1.WorkflowHistoryService": {
        "GetWorkflowHistory": _READERS,
        "GetWorkflowAsOf": _READERS,
        "DiffWorkflow": _READERS,
        "ListWorkflowsAsOf": _READERS,
        "SearchEvents": _READERS,
        "WatchEvents": _reads(Role.USER, Role.SERVICE, Role.AUDITOR),
        "VerifyWorkflow": _reads(Role.USER, Role.AUDITOR, Role.ADMIN),
        "VerifyFeed": _EXAMINERS,
        "GetProof": _reads(Role.USER, Role.AUDITOR, Role.ADMIN),
        "GetCheckpoint": _rule(Door.INTERNAL, *Role, own=False),
        "WhatIf": _reads(Role.USER, Role.SERVICE, Role.AUDITOR),
        "ExportPack": _reads(Role.USER, Role.AUDITOR, Role.ADMIN),
    },
    "workflows.admin.v1.WorkflowAdminService": {
        "EraseUser": _ADMINS,
        "ListErasures": _AUDITORS,
        "HoldUser": _ADMINS,
        "ReleaseHold": _ADMINS,
        "ListAccesses": _AUDITORS,
    },
}
"""The rule of every method, by the full name of its service. Nothing else grants access."""


def rule_of(service: str, method: str) -> Rule:
    """The rule of a service's method. Raises NoRule."""
    rule = ACCESS.get(service, {}).get(method)
    if rule is None:
        raise NoRule(f"{service}/{method} has no row in ACCESS; add one to application/access.py")
    return rule
