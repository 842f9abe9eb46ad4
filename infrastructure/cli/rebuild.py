"""`workflows rebuild`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from infrastructure.cli.flags import settings_of, with_settings
from infrastructure.cli.options import Json
from infrastructure.cli.printing import print_line_of_json
from infrastructure.cli.progress import ProgressLine
from infrastructure.cli.refusing import refusals

if TYPE_CHECKING:
    from application.rebuild import Rebuilt


@with_settings("database_url", "data_dir")
def rebuild(
    *,
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="Only drop the table that was replaced.")
    ] = False,
    search: Annotated[
        bool, typer.Option("--search", help="Only empty the search: a server fills it again.")
    ] = False,
    as_json: Json = False,
    **given: Any,
) -> None:
    """Make the current-state rows anew from the events, while the service goes on.

    A second table is filled, follows what is recorded meanwhile, is compared with the live one row
    by row, and takes its place in one short transaction. The old table is kept until --drop-old.
    After an interruption, the same command goes on where it ended. Needs the role that migrates.

    \b
    Examples:
      workflows rebuild
      workflows rebuild --drop-old
      workflows rebuild --search
      workflows rebuild --database-url postgresql://owner@db.example/workflows --json
    """
    settings = settings_of(given)
    # Imported here, so that the help is shown without waiting for a database's library.
    from psycopg import Connection, OperationalError  # noqa: PLC0415 - as above

    from application import rebuild as work  # noqa: PLC0415 - as above
    from application.ports import StoredDataDamaged, StoreUnavailable  # noqa: PLC0415 - as above
    from infrastructure.postgres.connection import with_network_guards  # noqa: PLC0415 - as above
    from infrastructure.postgres.database import (  # noqa: PLC0415 - as above
        DatabaseUnusable,
        database,
    )
    from infrastructure.readmodel import shadow  # noqa: PLC0415 - as above
    from infrastructure.readmodel.rebuilding import (  # noqa: PLC0415 - as above
        PostgresShadowTable,
    )
    from infrastructure.search.follower import begin_search_again  # noqa: PLC0415 - as above

    refused = (DatabaseUnusable, OperationalError, shadow.RebuildRefused)
    with (
        refusals(*refused, StoredDataDamaged, StoreUnavailable),
        database(settings) as found,
        Connection.connect(with_network_guards(found.dsn), autocommit=True) as connection,
    ):
        connection.execute("SET timezone = 'UTC'")
        if search:
            _show_emptied(begin_search_again(connection), as_json=as_json)
            return
        if drop_old:
            _show_dropped(shadow.drop_old(connection), as_json=as_json)
            return
        if shadow.claim(connection) and not as_json:
            typer.echo("goes on where the last rebuild ended", err=True)
        line = ProgressLine()
        rebuilt = work.rebuild(PostgresShadowTable(connection), line)
        line.end()
    _show(rebuilt, as_json=as_json)


def _show_dropped(was_there: bool, *, as_json: bool) -> None:
    if as_json:
        print_line_of_json({"dropped": was_there})
    else:
        typer.echo("dropped the old table" if was_there else "there is no old table")


def _show_emptied(position: int, *, as_json: bool) -> None:
    if as_json:
        print_line_of_json({"emptied": position})
    else:
        typer.echo(
            f"emptied the search of the events up to position {position}; a server that runs"
            " followers fills it again, and each search says how far that is"
        )


def _show(rebuilt: "Rebuilt", *, as_json: bool) -> None:
    found = rebuilt.differences
    if as_json:
        print_line_of_json(
            {
                "compared": rebuilt.compared,
                "seconds": round(rebuilt.seconds, 3),
                "differences": dict(found.kinds),
                "columns": dict(found.columns),
                "examples": [
                    {"workflow": each.workflow_id, "kind": each.kind, "columns": each.columns}
                    for each in found.examples
                ],
            }
        )
        return
    typer.echo(f"rebuilt {rebuilt.compared:,} rows in {rebuilt.seconds:.1f} s; they serve now")
    if not found.kinds:
        typer.echo("no old row differed")
    for kind, count in found.kinds.items():
        typer.echo(f"old rows, {kind}: {count:,}")
    for each in found.examples:
        columns = f": {', '.join(each.columns)}" if each.columns else ""
        typer.echo(f"  {each.workflow_id} {each.kind}{columns}")
    typer.echo("the old table is kept; to drop it: workflows rebuild --drop-old")
