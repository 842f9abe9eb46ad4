"""`workflows import`: an evidence pack into a database of one's own."""

from pathlib import Path
from typing import Annotated, Any

import typer

from infrastructure.cli.flags import settings_of, with_settings
from infrastructure.cli.options import Json
from infrastructure.cli.printing import print_line_of_json
from infrastructure.cli.refusing import refusals

Pack = Annotated[Path, typer.Argument(metavar="PACK", help="The pack, as `export` wrote it.")]
TrustedPolicy = Annotated[
    Path | None,
    typer.Option(
        "--policy", metavar="FILE", help="The keys that you trust; unset: those in the pack."
    ),
]


@with_settings("database_url", "data_dir")
def importing(
    pack: Pack, policy: TrustedPolicy = None, as_json: Json = False, **given: Any
) -> None:
    """Verify an evidence pack, and import it into an empty database: to look at it with all tools.

    States and digests are those of the service that exported it. Positions are counted anew, unless
    the pack holds the whole feed. Of a pack that is broken, nothing is imported.

    \b
    Examples:
      workflows import pack.zip --data-dir evidence --policy policy
      workflows serve --data-dir evidence --listen 127.0.0.1:50060
    """
    settings = settings_of(given)
    # Imported here, so that the help is shown without waiting for a database's library.
    from psycopg import Connection, OperationalError  # noqa: PLC0415 - as above

    from infrastructure.packs.importing import ImportRefused, import_pack  # noqa: PLC0415 - as above
    from infrastructure.postgres.connection import with_network_guards  # noqa: PLC0415 - as above
    from infrastructure.postgres.database import (  # noqa: PLC0415 - as above
        DatabaseUnusable,
        database,
    )
    from infrastructure.postgres.migrate import migrate  # noqa: PLC0415 - as above
    from infrastructure.postgres.stored_functions import SchemaMismatch  # noqa: PLC0415 - as above
    from infrastructure.readmodel.refolding import fold_names_again  # noqa: PLC0415 - as above

    with refusals(DatabaseUnusable, SchemaMismatch, OperationalError, ImportRefused, OSError):
        trusted = policy.read_text(encoding="utf-8") if policy else ""
        with database(settings) as found:
            migrate(found.dsn)
            fold_names_again(found.dsn)
            with Connection.connect(with_network_guards(found.dsn), autocommit=True) as connection:
                imported = import_pack(connection, pack, trusted)
    if as_json:
        print_line_of_json(imported._asdict())
        return
    typer.echo(f"imported {imported.events:,} events of {imported.workflows:,} workflows")
