"""The commands: one module each, imported only when it is used."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class Command:
    """The module of a command, and what the command does in one line.

    `function` is the name of its function; empty if it is the command's own.
    """

    module: str
    summary: str
    function: str = ""

    def load(self, name: str) -> Callable[..., Any]:
        """The function that carries the command out."""
        function: Callable[..., Any] = getattr(import_module(self.module), self.function or name)
        return function


COMMANDS = {
    "serve": Command("infrastructure.cli.serve", "Serve until Ctrl-C or SIGTERM."),
    "migrate": Command("infrastructure.cli.migrate", "Bring the database to today's schema."),
    "seed": Command("infrastructure.cli.seed.command", "Fill the service with examples."),
    "call": Command("infrastructure.cli.call", "Call a method of the service."),
    "describe": Command("infrastructure.cli.describe", "Show what a method takes and returns."),
    "history": Command("infrastructure.cli.past.history", "Show what happened to a workflow."),
    "as-of": Command("infrastructure.cli.past.as_of", "Show a workflow as it was.", "as_of"),
    "diff": Command("infrastructure.cli.past.diff", "Show what differs between two versions."),
    "list": Command("infrastructure.cli.past.listing", "List workflows as they were.", "listing"),
    "what-if": Command(
        "infrastructure.cli.past.what_if", "Show what a command would do.", "what_if"
    ),
    "prove": Command("infrastructure.cli.past.prove", "Prove an event by a signed checkpoint."),
    "export": Command("infrastructure.cli.past.export", "Write an evidence pack."),
    "import": Command("infrastructure.cli.importing", "Import an evidence pack.", "importing"),
    "search": Command("infrastructure.cli.past.search", "Find events across workflows."),
    "watch": Command("infrastructure.cli.past.watch", "Show events as they are recorded."),
    "verify": Command("infrastructure.cli.past.verify", "Verify that nothing was changed."),
    "token": Command("infrastructure.cli.token", "Make a token for development."),
    "epoch": Command("infrastructure.cli.epoch", "Begin a new epoch after a restore."),
    "erase": Command("infrastructure.cli.erase", "Erase all that is known of a user."),
    "erasures": Command("infrastructure.cli.past.trails", "Show what was erased, and the proofs."),
    "hold": Command("infrastructure.cli.hold", "Hold a user against erasure."),
    "release": Command("infrastructure.cli.hold", "Release the hold on a user."),
    "accesses": Command("infrastructure.cli.past.trails", "Show who read the history of others."),
    "check": Command("infrastructure.cli.check", "Compare rows and ledger with the events."),
    "rebuild": Command("infrastructure.cli.rebuild", "Make the rows anew from the events."),
    "log": Command("infrastructure.cli.log", "Show the log of checkpoints, or begin a new one."),
    "witness": Command("infrastructure.cli.witness", "Cosign the checkpoints of a log."),
    "psql": Command("infrastructure.cli.psql", "Open PostgreSQL's shell on the database."),
    "doctor": Command("infrastructure.cli.doctor", "Examine the database; say what to do."),
    "health": Command("infrastructure.cli.health", "Tell whether the service is alive and ready."),
}
"""Every command by its name, in the order of the help."""
