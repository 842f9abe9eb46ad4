"""`workflows log`: the log of checkpoints on this machine."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infrastructure.cli.flags import settings_of, with_settings
from infrastructure.cli.options import Json
from infrastructure.cli.printing import print_line_of_json
from infrastructure.cli.refusing import give_up, refusals

if TYPE_CHECKING:
    from infrastructure.proof.logs import Logs
    from infrastructure.settings import Settings


class Action(StrEnum):
    """What can be done about the log."""

    SHOW = "show"
    NEW_ORIGIN = "new-origin"
    POLICY = "policy"


@with_settings("database_url", "data_dir", "log_dir", "log_key", "log_name")
def log(
    action: Annotated[Action, typer.Argument(help="What to do.")] = Action.SHOW,
    witness: Annotated[
        list[str] | None,
        typer.Option(metavar="VKEY", help="Key of a witness; may be given more than once."),
    ] = None,
    quorum: Annotated[
        int | None, typer.Option(min=0, help="How many of the witnesses must have cosigned.")
    ] = None,
    as_json: Json = False,
    **given: Any,
) -> None:
    """Show the log of checkpoints, its keys and its policy; or begin a new one.

    `new-origin` begins the log of a new epoch, after a restore: the old log stays as it is, and
    signs nothing any more. `policy` says whose cosignatures make a checkpoint valid.

    \b
    Examples:
      workflows log
      workflows log policy --witness witness.example+0a1b2c3d+BExampleKey= --quorum 1
      workflows epoch new && workflows log new-origin
    """
    settings = settings_of(given)
    # Imported here, so that the help is shown without waiting for a database's library.
    from infrastructure.proof.keys import KeyUnusable  # noqa: PLC0415 - as above
    from infrastructure.proof.logs import logs_of  # noqa: PLC0415 - as above
    from infrastructure.tlog.checkpoints import LogRefused  # noqa: PLC0415 - as above
    from infrastructure.tlog.notes import NoteRefused  # noqa: PLC0415 - as above
    from infrastructure.tlog.policy import PolicyRefused  # noqa: PLC0415 - as above

    logs = logs_of(settings)
    if logs is None:
        give_up("No log is kept for this database. Name its folder: --log-dir", "NO_LOG")
    with refusals(KeyUnusable, LogRefused, NoteRefused, PolicyRefused):
        if action is Action.NEW_ORIGIN:
            _begin(settings, logs)
        elif action is Action.POLICY:
            _keep_policy(logs, witness or [], quorum)
        _show(settings, logs, as_json=as_json)


def _begin(settings: "Settings", logs: "Logs") -> None:
    """Begins the log of the database's epoch."""
    from contextlib import closing  # noqa: PLC0415 - as in log()

    from psycopg import OperationalError  # noqa: PLC0415 - as in log()

    from infrastructure.eventstore.feed import feed_end  # noqa: PLC0415 - as in log()
    from infrastructure.postgres.connection import (  # noqa: PLC0415 - as in log()
        connect,
        with_network_guards,
    )
    from infrastructure.postgres.database import (  # noqa: PLC0415 - as in log()
        DatabaseUnusable,
        database,
    )
    from infrastructure.proof.keys import signing_key  # noqa: PLC0415 - as in log()

    with (
        refusals(DatabaseUnusable, OperationalError),
        database(settings) as found,
        closing(connect(with_network_guards(found.dsn))) as connection,
    ):
        epoch = feed_end(connection).feed.epoch
    if epoch in logs.epochs():
        give_up(
            f"Epoch {epoch} of the database has a log already. A new origin belongs to a new epoch."
            " Run: workflows epoch new",
            "ORIGIN_EXISTS",
        )
    logs.begin(epoch, signing_key(settings).log_signer(epoch).verifier)


def _keep_policy(logs: "Logs", witnesses: list[str], quorum: int | None) -> None:
    from infrastructure.tlog.notes import Verifier  # noqa: PLC0415 - as in log()
    from infrastructure.tlog.policy import Policy  # noqa: PLC0415 - as in log()

    epoch = _newest(logs)
    policy = logs.policy(epoch)
    assert policy is not None  # noqa: S101 - an epoch is known by its policy
    verifiers = [Verifier.parse(vkey) for vkey in witnesses]
    least = len(verifiers) if quorum is None else quorum
    logs.keep_policy(epoch, Policy.of(policy.logs[0], verifiers, least))


def _show(settings: "Settings", logs: "Logs", *, as_json: bool) -> None:
    from infrastructure.proof.keys import signing_key  # noqa: PLC0415 - as in log()
    from infrastructure.tlog.checkpoints import newest  # noqa: PLC0415 - as in log()

    epoch = _newest(logs)
    policy = logs.policy(epoch)
    assert policy is not None  # noqa: S101 - an epoch is known by its policy
    [verifier] = policy.logs
    signed = newest(logs.source(epoch), verifier)
    key = signing_key(settings)
    facts = {
        "folder": str(logs.folder(epoch)),
        "origin": verifier.name,
        "events": signed.checkpoint.size if signed else 0,
        "key": str(verifier),
        "receipts_key": str(key.signer(key.name).verifier),
        "policy": str(policy),
    }
    if as_json:
        print_line_of_json(facts)
        return
    for name, value in facts.items():
        first, *others = str(value).splitlines()
        typer.echo(f"{name.replace('_', ' '):<13} {first}")
        for line in others:
            typer.echo(f"{'':<13} {line}")


def _newest(logs: "Logs") -> int:
    epochs = logs.epochs()
    if not epochs:
        give_up(f"There is no log in {logs.root} yet; the service begins it.", "NO_LOG")
    return epochs[-1]
