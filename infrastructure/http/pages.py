"""What the HTTP door shows beside the methods: probes, metrics, and a description of itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from infrastructure.comments import comments
from infrastructure.http.bounds import Bounds
from infrastructure.http.call import Outcome
from infrastructure.http.codec import Code, refused
from infrastructure.http.connect import Connect, Tell, routes
from infrastructure.http.openapi import document
from infrastructure.rpc.served import Served

_REMEMBERED = 7200  # seconds that a browser remembers what a page of another origin may do

Checks = Mapping[str, Callable[[], str]]
"""What readiness depends on, by names that operators understand: why each fails, or nothing."""

Details = Callable[[], Mapping[str, Any]]
"""What else readiness tells."""

Page = Callable[[], tuple[bytes, str]]
"""Makes a page: its content, and its media type."""


def application(
    served: Served,
    checks: Checks,
    details: Details,
    measured: Page,
    bounds: Bounds,
    origins: Sequence[str] = (),
    tell: Tell = lambda *_: None,
) -> ASGIApp:
    """The door as an ASGI application; `measured` is what /metrics shows.

    Web pages of `origins` may call it from browsers. `tell` is told of requests that are refused
    before they reach a method.
    """
    others = pages(served, checks, details, measured)
    methods = routes(served.services, served.methods)
    connect = Connect(methods, others, bounds, tell)
    if not origins:
        return connect
    return CORSMiddleware(
        connect,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],  # A call's metadata is free.
        expose_headers=["*"],
        max_age=_REMEMBERED,
    )


def pages(served: Served, checks: Checks, details: Details, measured: Page) -> Starlette:
    """All that is no request for a method. See `application`."""

    def alive(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    def ready(_: Request) -> Response:
        found = {name: why() for name, why in checks.items()}
        failing = {name: why for name, why in found.items() if why}
        status = "not ready" if failing else "ready"
        answer = {"status": status, "failing": failing, **details()}
        return JSONResponse(answer, 503 if failing else 200)

    def metrics(_: Request) -> Response:
        content, media_type = measured()
        return Response(content, headers={"content-type": media_type})

    def described(_: Request) -> Response:
        return JSONResponse(document(served.services, served.methods, comments()))

    def unknown(request: Request) -> Response:
        text = f"There is no method {request.url.path}."
        status, headers, body = refused(Outcome(code=Code.UNIMPLEMENTED, text=text), 404)
        return Response(body, status, {name.decode(): value.decode() for name, value in headers})

    return Starlette(
        routes=[
            Route("/livez", alive),
            Route("/readyz", ready),
            Route("/metrics", metrics),
            Route("/openapi.json", described),
            Route("/{service}/{method}", unknown, methods=["POST"]),
        ]
    )
