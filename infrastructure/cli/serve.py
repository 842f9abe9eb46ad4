"""`workflows serve` and `workflows migrate`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from infrastructure.cli.options import Json
from infrastructure.cli.rendering import give_up
from infrastructure.postgres.database import Database, DatabaseUnusable, database
from infrastructure.postgres.migrate import migrate as apply_migrations
from infrastructure.postgres.stored_functions import SchemaMismatch
from infrastructure.process.supervisor import Supervisor, reserved
from infrastructure.process.worker import serve_one
from infrastructure.rpc.server import AddressInUse
from infrastructure.settings import Settings
from infrastructure.telemetry.logs import configure_logs

AUTH_MODE = "none: anyone on this machine may call every method; loopback only"

Listen = Annotated[str | None, typer.Option(help="Address to serve on, host:port.")]
DatabaseUrl = Annotated[
    str | None, typer.Option(help="PostgreSQL 17 or newer; unset: the embedded one.")
]
DataDir = Annotated[Path | None, typer.Option(help="Where the embedded PostgreSQL keeps its data.")]
PageSize = Annotated[int | None, typer.Option(help="Most workflows in a page of a list.")]
Terminate = Annotated[
    bool | None, typer.Option(help="Whether reaching the failure maximum ends a workflow.")
]
Workers = Annotated[int | None, typer.Option(help="Server processes that share the address.")]


def serve(
    listen: Listen = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    page_size: PageSize = None,
    terminate_at_threshold: Terminate = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Every flag is also a variable: --page-size is WORKFLOWS_PAGE_SIZE.

    [bold]Examples[/bold]

    workflows serve

    workflows serve --listen 127.0.0.1:50053 --workers 2

    workflows serve --database-url postgresql://me@db.example/workflows
    """
    configure_logs()
    settings = _settings(
        listen=listen,
        database_url=database_url,
        data_dir=data_dir,
        page_size=page_size,
        terminate_at_threshold=terminate_at_threshold,
        workers=workers,
    )
    try:
        with database(settings) as found:
            apply_migrations(found.dsn)
            _serve(settings, found, as_json=as_json)
    except (AddressInUse, DatabaseUnusable, SchemaMismatch) as refused:
        give_up(str(refused))


def migrate(
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Bring the database to today's schema. `serve` does the same when it starts.

    [bold]Examples[/bold]

    workflows migrate

    workflows migrate --database-url postgresql://owner@db.example/workflows --json
    """
    try:
        with database(_settings(database_url=database_url, data_dir=data_dir)) as found:
            applied = list(apply_migrations(found.dsn))
    except (DatabaseUnusable, SchemaMismatch) as refused:
        give_up(str(refused))
    if as_json:
        Console().print_json(data={"applied": applied})
    else:
        Console().print(
            *(f"applied {name}" for name in applied or ["nothing: up to date"]), sep="\n"
        )


def _serve(settings: Settings, found: Database, *, as_json: bool) -> None:
    if settings.workers == 1:
        host = settings.listen.rpartition(":")[0]
        serve_one(
            settings, found.dsn, lambda port: _announce(f"{host}:{port}", found, 1, as_json=as_json)
        )
        return
    with reserved(settings.listen) as address:
        Supervisor(
            settings.model_copy(update={"listen": address}),
            found.dsn,
            lambda: _announce(address, found, settings.workers, as_json=as_json),
        ).run()


def _announce(address: str, found: Database, workers: int, *, as_json: bool) -> None:
    facts = {
        "address": address,
        "database": found.description,
        "data": str(found.data_dir.resolve()) if found.data_dir else "in that database",
        "auth": AUTH_MODE,
        "workers": workers,
        "next": f"workflows seed --target {address}",
    }
    if as_json:
        print(json.dumps(facts), flush=True)  # noqa: T201 - this is the answer
        return
    table = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        table.add_row(f"[bold]{name}[/bold]", str(value))
    console = Console()
    console.print("[bold green]Workflows Service[/bold green] serves. Ctrl-C stops it.")
    console.print(table)
    sys.stdout.flush()


def _settings(**given: Any) -> Settings:
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as invalid:
        give_up("\n".join(_complaint(error) for error in invalid.errors()))


def _complaint(error: Mapping[str, Any]) -> str:
    """A validation error in our words, without the validator's own."""
    setting = ".".join(map(str, error["loc"]))
    return f"{setting}: {error['msg'].removeprefix('Value error, ')}"
