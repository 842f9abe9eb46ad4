"""The command line: finds a command, runs it, and shows how it failed."""

import inspect
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from infrastructure import printable
from infrastructure.cli.commands import COMMANDS
from infrastructure.cli.program import program, typable
from infrastructure.cli.refusing import MISUSED, REFUSED, CommandFailed
from infrastructure.client.failures import Failure

_HELP = "Serve workflows, and talk to a service that runs."
_INTERRUPTED = 130  # exit code, as shells have it for Ctrl-C


def app() -> typer.Typer:
    """The command line as an application."""
    # Plain help: without a terminal, rich would cut and fold it, and read [brackets] as markup.
    commands = typer.Typer(
        cls=Commands,
        help=_HELP,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"max_content_width": 100},
    )
    commands.callback(invoke_without_command=True)(_begin)
    return commands


def _begin(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and stop.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of  # noqa: PLC0415 - seldom needed

        typer.echo(f"workflows {version_of('workflows-service')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
    else:
        return
    raise typer.Exit


class Commands(TyperGroup):
    """The commands of the table, loaded when they are run; every failure is shown here."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Their names."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, ready to parse its arguments; its module is imported."""
        if cmd_name not in COMMANDS:
            near = get_close_matches(cmd_name, COMMANDS, n=1)
            meant = f" Is {near[0]!r} meant?" if near else ""
            ctx.fail(f"There is no command {cmd_name!r}.{meant}")
        function = COMMANDS[cmd_name].load(cmd_name)
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        # A backspace alone on its line keeps the lines below it apart; raw docstrings spell it.
        written = (inspect.getdoc(function) or "").replace("\\b\n", "\b\n")
        help_text = typable(written, COMMANDS)
        single.command(name=cmd_name, help=help_text)(function)
        return get_command(single)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's signature
        """Lists the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.summary) for name, each in COMMANDS.items()])

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> Any:
        """Runs the command line and ends the process with its exit code."""
        given = list(sys.argv[1:] if args is None else args)
        sys.exit(_run(self, given))


def _run(group: TyperGroup, arguments: Sequence[str]) -> int:
    """The exit code of a command line; what failed is shown."""
    as_json = "--json" in arguments
    try:
        ended = TyperGroup.main(group, arguments, prog_name=program(), standalone_mode=False)
        sys.stdout.flush()
    except CommandFailed as failed:
        _show(failed.failure, failed.heading, as_json=as_json)
        return failed.exit_code
    except TyperException as misuse:
        _show(_misuse(misuse), as_json=as_json)
        return MISUSED
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except BrokenPipeError:  # The reader of our output has closed the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except Exception as fault:
        if as_json:
            _show(Failure("INTERNAL", f"{type(fault).__name__}: {fault}"), as_json=True)
        raise
    return ended if isinstance(ended, int) else 0


def _misuse(misuse: TyperException) -> Failure:
    context = getattr(misuse, "ctx", None)
    path = context.command_path if context else program()
    return Failure("USAGE", misuse.format_message(), hint=f"Help: {path} --help")


def _show(failure: Failure, heading: str = "", *, as_json: bool) -> None:
    said = Failure(
        failure.code,
        typable(failure.message, COMMANDS),
        failure.details,
        typable(failure.hint, COMMANDS),
    )
    if as_json:
        print(printable.as_json(said.as_json()), flush=True)  # noqa: T201 - this is the answer
        return
    from infrastructure.cli.failures import show  # noqa: PLC0415 - only when something failed

    show(said, heading)
