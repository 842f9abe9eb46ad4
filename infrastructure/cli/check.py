"""`workflows check`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from infrastructure.cli.flags import settings_of, with_settings
from infrastructure.cli.options import Json
from infrastructure.cli.printing import print_line_of_json
from infrastructure.cli.progress import ProgressLine
from infrastructure.cli.refusing import REFUSED, refusals

if TYPE_CHECKING:
    from application.check import Checked


@with_settings("database_url", "data_dir")
def check(
    *,
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, help="Look at so many workflows and entries only."),
    ] = None,
    as_json: Json = False,
    **given: Any,
) -> None:
    """Compare rows and ledger with the events, while the service goes on.

    Each row must be the fold of its workflow's events, each workflow must have its row, and each
    entry of the ledger must name an event. Ends with 1 if anything is damaged; `workflows rebuild`
    makes the rows anew.

    \b
    Examples:
      workflows check
      workflows check --sample 1000
    """
    settings = settings_of(given)
    # Imported here, so that the help is shown without waiting for a database's library.
    from psycopg import Connection, OperationalError  # noqa: PLC0415 - as above

    from application.check import check as compare  # noqa: PLC0415 - as above
    from infrastructure.postgres.connection import with_network_guards  # noqa: PLC0415 - as above
    from infrastructure.postgres.database import (  # noqa: PLC0415 - as above
        DatabaseUnusable,
        database,
    )
    from infrastructure.readmodel.checking import CheckedPostgres  # noqa: PLC0415 - as above

    line = ProgressLine()
    with (
        refusals(DatabaseUnusable, OperationalError),
        database(settings) as found,
        Connection.connect(with_network_guards(found.dsn), autocommit=True) as connection,
    ):
        connection.execute("SET timezone = 'UTC'")
        checked = compare(CheckedPostgres(connection, sample), line)
    line.end()
    _show(checked, as_json=as_json)
    if checked.damaged:
        raise typer.Exit(REFUSED)


def _show(checked: "Checked", *, as_json: bool) -> None:
    if as_json:
        print_line_of_json(
            {
                "damaged": checked.damaged,
                "workflows": checked.workflows,
                "events": checked.events,
                "ledger_entries": checked.ledger_entries,
                "seconds": round(checked.seconds, 3),
                "found": dict(checked.kinds),
                "findings": [
                    {
                        "kind": found.kind,
                        "workflow": found.workflow_id,
                        "detail": found.detail,
                        "position": found.position,
                    }
                    for found in checked.findings
                ],
            }
        )
        return
    typer.echo(
        f"looked at {checked.workflows:,} workflows with {checked.events:,} events,"
        f" and {checked.ledger_entries:,} ledger entries, in {checked.seconds:.1f} s"
    )
    for kind, count in checked.kinds.items():
        typer.echo(f"{kind}: {count:,}")
    for finding in checked.findings:
        detail = f": {finding.detail}" if finding.detail else ""
        typer.echo(f"  {finding.workflow_id} {finding.kind}{detail}")
    typer.echo("DAMAGED" if checked.damaged else "sound")
