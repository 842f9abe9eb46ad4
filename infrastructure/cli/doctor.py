"""`workflows doctor`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from infrastructure.cli.commands import COMMANDS
from infrastructure.cli.flags import settings_of, with_settings
from infrastructure.cli.options import Json
from infrastructure.cli.printing import console, print_line_of_json, print_table, styled
from infrastructure.cli.program import typable
from infrastructure.cli.refusing import REFUSED

if TYPE_CHECKING:
    from infrastructure.doctor.diagnosis import Diagnosis

_STYLES = {"well": "green", "doubtful": "yellow", "ill": "bold red"}


@with_settings()
def doctor(as_json: Json = False, **given: Any) -> None:
    r"""Examine the database and all that a service on it needs, and say what to do.

    Give it the settings of the service. Whatever is not well is shown with its remedy. Ends with 1
    if something is ill, so that a service cannot do its work; what is doubtful ends with 0.

    \b
    Examples:
      workflows doctor
      workflows doctor --database-url postgresql://app@db.example/workflows --workers 4
      workflows doctor --json | jq '.diagnoses[] | select(.state != "well")'
    """
    settings = settings_of(given)
    # Imported here, so that the help is shown without waiting for a database's library.
    from infrastructure.doctor.diagnosis import State  # noqa: PLC0415 - as above
    from infrastructure.doctor.examination import examine  # noqa: PLC0415 - as above
    from infrastructure.wiring.clock import now  # noqa: PLC0415 - as above

    with console(errors=True).status("examining"):
        found = list(examine(settings, now))
    is_ill = any(diagnosis.state is State.ILL for diagnosis in found)
    if as_json:
        print_line_of_json({"healthy": not is_ill, "diagnoses": [_facts(each) for each in found]})
    else:
        _show(found)
    if is_ill:
        raise typer.Exit(REFUSED)


def _facts(diagnosis: "Diagnosis") -> dict[str, str]:
    return {
        "subject": diagnosis.subject,
        "state": diagnosis.state,
        "seen": diagnosis.seen,
        "advice": typable(diagnosis.advice, COMMANDS),
        "command": typable(diagnosis.command, COMMANDS),
    }


def _show(found: Sequence["Diagnosis"]) -> None:
    rows = [
        (
            styled(diagnosis.subject),
            styled(diagnosis.state, _STYLES[diagnosis.state]),
            styled(diagnosis.seen),
        )
        for diagnosis in found
    ]
    print_table(("subject", "state", "seen"), rows)
    out = console()
    for facts in map(_facts, found):
        if facts["advice"]:
            out.print(styled(f"{facts['subject']}: {facts['advice']}:"))
            out.print(styled(f"  {facts['command']}", "bold"))
