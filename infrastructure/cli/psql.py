"""`workflows psql`."""

import os
import shlex
import shutil
import signal
import subprocess
from typing import Annotated, Any

import typer

from infrastructure.cli.flags import settings_of, with_settings
from infrastructure.cli.options import Json
from infrastructure.cli.printing import print_line_of_json
from infrastructure.cli.refusing import refusals


@with_settings("database_url", "data_dir")
def psql(
    *,
    show: Annotated[
        bool, typer.Option("--show", help="Only print how other programs connect.")
    ] = False,
    command: Annotated[
        str, typer.Option("--command", "-c", metavar="SQL", help="Run this and stop.")
    ] = "",
    as_json: Json = False,
    **given: Any,
) -> None:
    r"""Open PostgreSQL's shell on the database of the service.

    The embedded database is started if no service runs on it, and stopped afterwards. With --show
    or --json, no shell is opened.

    \b
    Examples:
      workflows psql
      workflows psql -c 'SELECT count(*) FROM workflow_events'
      workflows psql --show
    """
    settings = settings_of(given)
    # Imported here, so that the help is shown without waiting for a database's library.
    from infrastructure.postgres.database import (  # noqa: PLC0415 - as above
        DatabaseUnusable,
        database,
    )
    from infrastructure.postgres.programs import installed  # noqa: PLC0415 - as above
    from infrastructure.postgres.shell import for_people  # noqa: PLC0415 - as above

    with refusals(DatabaseUnusable), database(settings) as found:
        dsn, secrets = for_people(found.dsn)
        if as_json:
            print_line_of_json({"dsn": dsn, "database": found.description})
            return
        typer.echo(shlex.join(["psql", dsn]), err=not show)
        if show:
            return
        program = shutil.which("psql") or str(installed() / "bin" / "psql")
        arguments = ["-c", command] if command else []
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the shell: it ends a query.
        ended = subprocess.run(  # noqa: S603 - psql, with arguments of the user's own
            [program, dsn, *arguments], env={**os.environ, **secrets}, check=False
        )
    raise typer.Exit(ended.returncode)
