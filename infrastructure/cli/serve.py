"""`workflows serve`."""

from time import monotonic
from typing import Any

from infrastructure.cli.flags import settings_of, with_settings
from infrastructure.cli.options import Json
from infrastructure.cli.refusing import refusals


@with_settings()
def serve(as_json: Json = False, **given: Any) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Ctrl-C lets calls in flight finish; a second one does not wait for them, a third ends the
    process. Every flag is also a variable, which is named beside it; the flag wins.

    \b
    Examples:
      workflows serve
      workflows serve --listen 127.0.0.1:50053 --workers 2
      workflows serve --database-url postgresql://me@db.example/workflows
    """
    began = monotonic()
    settings = settings_of(given)
    # Imported here, so that the help is shown without waiting for all of the service.
    from infrastructure.cli.announcement import announce  # noqa: PLC0415 - as above
    from infrastructure.process import service  # noqa: PLC0415 - as above
    from infrastructure.telemetry.events import LoggedEvents  # noqa: PLC0415 - as above
    from infrastructure.telemetry.logs import configure_logs  # noqa: PLC0415 - as above

    lines = configure_logs()
    try:
        with refusals(*service.REFUSALS):
            service.serve(
                settings,
                LoggedEvents(),
                lambda serving: announce(serving, monotonic() - began, as_json=as_json),
            )
    finally:
        lines.flush()  # Log lines come before the message about them.
