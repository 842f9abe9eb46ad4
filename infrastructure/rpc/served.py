"""What a door offers: methods and streams behind their guard, and the services they belong to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.descriptor import ServiceDescriptor

from infrastructure.wire.calls import Method, StreamMethod


@dataclass(frozen=True, slots=True)
class Served:
    """Guarded methods and streams by full names (/package.Service/Method), and their services."""

    services: Sequence[ServiceDescriptor]
    methods: Mapping[str, Method]
    streams: Mapping[str, StreamMethod] = field(default_factory=dict)
