"""What a door offers: methods and streams behind their guard, and the services they belong to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.descriptor import ServiceDescriptor

from application.access import Door, rule_of
from infrastructure.wire.calls import Method, StreamMethod


@dataclass(frozen=True, slots=True)
class Served:
    """Guarded methods and streams by full names (/package.Service/Method), and their services."""

    services: Sequence[ServiceDescriptor]
    methods: Mapping[str, Method]
    streams: Mapping[str, StreamMethod] = field(default_factory=dict)

    @property
    def public(self) -> "Served":
        """Without what only the internal door has."""
        return Served(
            [service for service in self.services if any(map(_is_public, _paths(service)))],
            {path: method for path, method in self.methods.items() if _is_public(path)},
            {path: method for path, method in self.streams.items() if _is_public(path)},
        )


def _paths(service: ServiceDescriptor) -> list[str]:
    return [f"/{service.full_name}/{method.name}" for method in service.methods]


def _is_public(path: str) -> bool:
    _, service, method = path.split("/")
    return rule_of(service, method).door is Door.PUBLIC
