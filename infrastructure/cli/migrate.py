"""`workflows migrate`."""

from typing import Any

import typer

from infrastructure.cli.flags import settings_of, with_settings
from infrastructure.cli.options import Json
from infrastructure.cli.printing import print_line_of_json
from infrastructure.cli.refusing import refusals


@with_settings("database_url", "data_dir")
def migrate(as_json: Json = False, **given: Any) -> None:
    """Bring the database to today's schema. `serve` does the same when it starts.

    \b
    Examples:
      workflows migrate
      workflows migrate --database-url postgresql://owner@db.example/workflows --json
    """
    settings = settings_of(given)
    # Imported here, so that the help is shown without waiting for a database's library.
    from infrastructure.postgres.database import (  # noqa: PLC0415 - as above
        DatabaseUnusable,
        database,
    )
    from infrastructure.postgres.migrate import (  # noqa: PLC0415 - as above
        migrate as apply_migrations,
    )
    from infrastructure.postgres.stored_functions import SchemaMismatch  # noqa: PLC0415 - as above
    from infrastructure.readmodel.refolding import fold_names_again  # noqa: PLC0415 - as above

    with refusals(DatabaseUnusable, SchemaMismatch), database(settings) as found:
        applied = list(apply_migrations(found.dsn))
        fold_names_again(found.dsn)
    if as_json:
        print_line_of_json({"applied": applied})
        return
    for name in applied or ["nothing: up to date"]:
        typer.echo(f"applied {name}")
