"""Keeps web pages of strangers away from a service that trusts whoever is on its machine.

A page may give its own name the address 127.0.0.1, and then calls what listens there as if it were
its own server. The name stands in the request, so names that are not this machine's are refused.
"""

from ipaddress import ip_address

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_REFUSED = {
    "code": "permission_denied",
    "message": "Without authentication, this door answers by a name of this machine only:"
    " call it by localhost or a loopback address, or set WORKFLOWS_AUTH.",
}


class ThisMachine:
    """An ASGI application before another one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        host = dict(scope["headers"]).get(b"host", b"")
        app = self._app if is_this_machine(host.decode("latin-1")) else _refused
        await app(scope, receive, send)


_refused = JSONResponse(_REFUSED, 403)


def is_this_machine(host: str) -> bool:
    """Whether the host of a request is this machine by any address of its own, or by its name."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    name = name.strip("[]").lower().rstrip(".")
    if name in ("", "localhost") or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
