"""The command line: one subcommand a file."""

import typer

from infrastructure.cli.call import call
from infrastructure.cli.health import health
from infrastructure.cli.seed.command import seed
from infrastructure.cli.serve import migrate, serve

_HELP = "Serve workflows, and talk to a service that runs."


def app() -> typer.Typer:
    """The command and its subcommands."""
    commands = typer.Typer(
        help=_HELP, no_args_is_help=True, add_completion=False, rich_markup_mode="rich"
    )
    for command in (serve, migrate, seed, call, health):
        commands.command()(command)
    return commands
