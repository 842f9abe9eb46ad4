"""The settings as flags of a command: texts, bounds and defaults come from settings.py."""

import inspect
import os
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from infrastructure import printable
from infrastructure.cli.refusing import give_up
from infrastructure.settings import (
    Setting,
    Settings,
    SettingsRefused,
    described,
    load_only,
    unknown_variables,
)

F = TypeVar("F", bound=Callable[..., None])


def with_settings(*names: str) -> Callable[[F], F]:
    """Gives a command a flag for each of these settings, or for every one.

    The command must take them as keyword arguments; None means that a flag was not given.
    """
    chosen = [setting for setting in described() if not names or setting.name in names]

    def decorate(command: F) -> F:
        own = [p for p in inspect.signature(command).parameters.values() if p.kind != p.VAR_KEYWORD]
        flags = [
            inspect.Parameter(
                setting.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=_flag(setting),
            )
            for setting in chosen
        ]
        signature = inspect.Signature([*flags, *(p.replace(kind=p.KEYWORD_ONLY) for p in own)])
        command.__signature__ = signature  # type: ignore[attr-defined] # functions have room for it
        command.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
        return command

    return decorate


def settings_of(given: dict[str, Any]) -> Settings:
    """The settings that a command has flags for, of these and the environment; others are unset.

    Warns of variables that are no settings.
    """
    for warning in unknown_variables(os.environ):
        typer.echo(f"warning: {printable.line(warning)}", err=True)
    try:
        return load_only(given)
    except SettingsRefused as refused:
        give_up(str(refused), "SETTING_REFUSED")


def _flag(setting: Setting) -> Any:
    """The option of a setting. Its value is read by the settings, which know the right words."""
    facts = [setting.accepts if not setting.is_switch else "", f"default {setting.default}"]
    known = ", ".join(fact for fact in (*facts, setting.variable) if fact)
    text = f"{setting.meaning[:1].upper()}{setting.meaning[1:]}. [{known}]"
    if setting.is_switch:
        switch = f"{setting.flag}/--no-{setting.flag.removeprefix('--')}"
        return Annotated[bool | None, typer.Option(switch, help=text, show_default=False)]
    metavar = setting.name.rpartition("_")[2].upper()
    return Annotated[
        str | None, typer.Option(setting.flag, metavar=metavar, help=text, show_default=False)
    ]
