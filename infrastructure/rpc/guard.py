"""The outermost wrapper of every method of ours: whatever is raised inside leaves as a status."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import grpc
import structlog
from grpc.aio import AbortError

from infrastructure.rpc.errors import refusal_of
from infrastructure.rpc.gate import Gate
from infrastructure.rpc.servicer import Context, Method

_UNEXPECTED = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS})
_log = structlog.get_logger()


def handlers(service: str, methods: Mapping[str, Method], gate: Gate) -> grpc.GenericRpcHandler:
    """The handlers of a service: bytes in and out, so that even their decoding is guarded."""
    return grpc.method_handlers_generic_handler(
        service,
        {
            name: grpc.unary_unary_rpc_method_handler(guarded(name, method, gate))
            for name, method in methods.items()
        },
    )


def guarded(name: str, method: Method, gate: Gate) -> Callable[[bytes, Context], Awaitable[bytes]]:
    """The method behind the gate, with every error mapped and no text of an unexpected one."""

    async def call(request: bytes, context: Context) -> bytes:
        try:
            gate.enter()
            try:
                return (await method(request, context)).SerializeToString()
            finally:
                gate.leave()
        except (AbortError, asyncio.CancelledError):
            raise
        except Exception as error:
            refusal = refusal_of(error)
            if refusal.code in _UNEXPECTED:
                _log.error("call failed", method=name, reason=refusal.reason, exc_info=error)
            await context.abort(refusal.code, refusal.text(), refusal.trailing())
            raise

    return call
