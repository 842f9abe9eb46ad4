"""`workflows epoch new`."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from infrastructure.cli.flags import settings_of, with_settings
from infrastructure.cli.options import Json
from infrastructure.cli.printing import print_line_of_json
from infrastructure.cli.refusing import refusals


class Action(StrEnum):
    """What can be done about epochs."""

    NEW = "new"


@with_settings("database_url", "data_dir")
def epoch(
    action: Annotated[Action, typer.Argument(help="What to do.")],  # noqa: ARG001 - one so far
    as_json: Json = False,
    **given: Any,
) -> None:
    """Begin a new epoch, after the database was restored or a failover lost something.

    Servers refuse a database that lost what they have seen, until a new epoch begins. Cursors of
    lists and positions of events that were given out before are then refused in words.

    \b
    Examples:
      workflows epoch new
      workflows epoch new --database-url postgresql://owner@db.example/workflows
    """
    settings = settings_of(given)
    # Imported here, so that the help is shown without waiting for a database's library.
    from psycopg import OperationalError  # noqa: PLC0415 - as above

    from infrastructure.eventstore.horizon import begin_epoch  # noqa: PLC0415 - as above
    from infrastructure.postgres.connection import (  # noqa: PLC0415 - as above
        connect,
        with_network_guards,
    )
    from infrastructure.postgres.database import (  # noqa: PLC0415 - as above
        DatabaseUnusable,
        database,
    )

    with (
        refusals(DatabaseUnusable, OperationalError),
        database(settings) as found,
        connect(with_network_guards(found.dsn)) as connection,
    ):
        feed = begin_epoch(connection)
    if as_json:
        print_line_of_json({"epoch": feed.epoch, "feed": str(feed)})
    else:
        typer.echo(f"epoch {feed.epoch} began; positions now count in feed {feed}")
