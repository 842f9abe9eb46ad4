"""Commands that happen once: which key they carry, what they asked, how a repeat is answered."""

from hashlib import sha256

from application.ports import LedgerEntry, LedgerKey
from domain.commands import Command, CreateWorkflow, IncrementFailures, UpdateWorkflow
from domain.errors import IdempotencyKeyReused, WorkflowNotFound
from domain.workflow import Workflow


def ledger_key(command: Command) -> LedgerKey | None:
    """The key under which a command happens once, or None where it has none.

    An idempotency key belongs to its user and method, a job to its workflow.
    """
    match command:
        case CreateWorkflow(user_id=user_id, idempotency_key=key) if key:
            return LedgerKey(f"create/{user_id}", key)
        case UpdateWorkflow(user_id=user_id, idempotency_key=key) if key:
            return LedgerKey(f"update/{user_id}", key)
        case IncrementFailures(id=workflow_id, job_id=key) if key:
            return LedgerKey(f"increment/{workflow_id}", key)
    return None


def request_hash(command: Command) -> bytes:
    """SHA-256 of what a command asked for, the same for ever and in every process.

    No field can hold a NUL, so joining by it is unambiguous.
    """
    match command:
        case CreateWorkflow():
            parts: tuple[object, ...] = (
                command.name,
                command.payload,
                command.kind,
                command.interval,
                command.max_consecutive_job_failures_allowed,
                command.log_retention,
            )
        case UpdateWorkflow():
            parts = (
                command.id,
                command.name,
                command.payload,
                command.interval,
                command.max_consecutive_job_failures_allowed,
            )
        case _:
            parts = (command.id,)
    return sha256("\0".join(map(str, parts)).encode()).digest()


def check_repeat(entry: LedgerEntry, command: Command, workflow: Workflow | None) -> None:
    """Makes sure that a repeat may be answered from the ledger.

    Raises IdempotencyKeyReused for another request, WorkflowNotFound for another owner.
    """
    if entry.request_hash != request_hash(command):
        raise IdempotencyKeyReused(entry.workflow_id)
    others = workflow is not None and command.user_id not in ("", workflow.user_id)
    if isinstance(command, IncrementFailures) and others:
        raise WorkflowNotFound(command.id)
