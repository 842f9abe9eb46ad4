"""The gRPC server: its methods and its address."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from grpc_health.v1 import health_pb2

from infrastructure.identity.cause import Cause
from infrastructure.rpc.errors import refusal_of
from infrastructure.rpc.health import HEALTH, Health
from infrastructure.rpc.reflection import Reflection
from infrastructure.rpc.served import Served
from infrastructure.telemetry.observer import Observer
from infrastructure.wire.calls import Call, NotServed, Services, Stream, UnreadAnswers, Wire
from infrastructure.wire.choice import Choice, body
from infrastructure.wire.limits import Limits

_MARGIN = 1.0  # seconds in which the library must end cancelled calls


class AddressInUse(Exception):
    """Something else listens on the address."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} is in use. Stop what listens there, or serve elsewhere:"
            " workflows serve --listen 127.0.0.1:50053"
        )


class StopFailed(Exception):
    """Calls or threads of the server did not end in time; only the end of the process ends them."""


class Server:
    """Our methods beside health and reflection, on one address."""

    def __init__(
        self,
        choice: Choice,
        health: Health,
        limits: Limits,
        observer: Observer,
        *,
        shares_port: bool,
    ) -> None:
        """`choice` selects the wire's body. With `shares_port`, processes may share one port."""
        self._body = body(choice)
        self._observer = observer
        self._health = health
        self._limits = limits
        # The wire has threads of its own; this one refuses unknown methods.
        self._server = grpc.server(
            ThreadPoolExecutor(1, "unknown"),
            options=limits.options(shares_port=shares_port, pending=self._body.pending),
        )
        self._wire: Wire | None = None

    def start(
        self, address: str, served: Served, encryption: grpc.ServerCredentials | None = None
    ) -> int:
        """Serves methods and streams on an address, and returns its port.

        Without `encryption`, the connections are plain. Raises AddressInUse.
        """
        try:
            if encryption is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, encryption)
        except RuntimeError as taken:
            raise AddressInUse(address) from taken
        reflection = _reflection(served.services)
        services = Services(
            methods={**served.methods, **self._health.methods},
            streams={**served.streams, **self._health.streams, **reflection.streams},
            refuse=self._refuse,
            urgent=frozenset(self._health.methods),
        )
        self._wire = self._body(self._server, services, self._limits)
        self._server.start()
        self._wire.open()
        return port

    @property
    def alive(self) -> bool:
        """Whether the threads that take calls do their work."""
        return self._wire is None or self._wire.alive

    def stop(self, within: float) -> None:
        """Takes no more calls, and ends those that are not answered after so many seconds.

        Raises StopFailed if they do not end even then.
        """
        if not self._server.stop(within).wait(within + _MARGIN):
            raise StopFailed("calls did not end when they were cancelled")

    def close(self) -> None:
        """Ends the threads. The server must have stopped, and no call may be answered any more.

        Raises StopFailed.
        """
        if self._wire is not None and not self._wire.close(_MARGIN):
            raise StopFailed("the threads that take calls did not end")

    def _refuse(self, call: Call | Stream, reason: NotServed, method: str) -> None:
        """Ends a call that reached no guard as the guard does, with details."""
        refusal = refusal_of(reason)
        call.refuse(refusal.code, refusal.text(), refusal.trailing())
        if isinstance(reason, UnreadAnswers):
            return  # The guard has told of this call when it answered.
        cause = Cause(call.metadata)
        self._observer.call_ended(method.removeprefix("/"), refusal.code.name, 0.0, cause)


def _reflection(services: Sequence[ServiceDescriptor]) -> Reflection:
    """Reflection of these services and of health."""
    files: dict[str, FileDescriptor] = {}
    waiting = [health_pb2.DESCRIPTOR, *(service.file for service in services)]
    while waiting:
        file = waiting.pop()
        if file.name not in files:
            files[file.name] = file
            waiting.extend(file.dependencies)
    names = [*(service.full_name for service in services), HEALTH]
    return Reflection(names, list(files.values()))
