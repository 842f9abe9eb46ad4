"""The caller of a method, as its verified credential names it, and the roles of callers."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """The roles of callers; the table of methods lists the roles that each method admits."""

    USER = "user"
    """Owns workflows: only those whose `user_id` is the caller's subject."""
    SERVICE = "service"
    """Another service: internal methods too, and any owner's workflows."""
    AUDITOR = "auditor"
    """Reads the history of every user's workflows."""
    ADMIN = "admin"
    """Erases, verifies and exports."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller, as the verified credential names it. `token_id` is empty if there is none."""

    issuer: str
    subject: str
    role: Role
    token_id: str = ""

    @property
    def actor(self) -> str:
        """The caller as it is recorded with every event that it causes."""
        token = f"#{self.token_id}" if self.token_id else ""
        return f"{self.issuer}|{self.subject}{token}"
