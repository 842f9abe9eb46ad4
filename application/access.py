"""Who calls: what a verified credential says, and the roles that it can give."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a caller may be; the table of methods says which roles each method admits."""

    USER = "user"
    """Owns workflows: only those whose `user_id` is the caller's subject."""
    SERVICE = "service"
    """Another service: internal methods too, and any owner's workflows."""
    AUDITOR = "auditor"
    """Reads the history of everybody."""
    ADMIN = "admin"
    """Erases, verifies and exports."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as a verified credential says it. `token_id` is empty if it has none."""

    issuer: str
    subject: str
    role: Role
    token_id: str = ""

    @property
    def actor(self) -> str:
        """The caller as it is recorded with every event that it causes."""
        token = f"#{self.token_id}" if self.token_id else ""
        return f"{self.issuer}|{self.subject}{token}"
