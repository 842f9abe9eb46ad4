"""The settings that bound what clients may take: of a connection, of their share, and in all."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings


class LimitSettings(BaseSettings):
    """What can be chosen about bounds. Where 0 is accepted, it means that there is no bound."""

    page_size: Annotated[
        int, Field(ge=1, le=1000, description="most workflows in a page of a list")
    ] = 50
    calls: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="calls under way at once, of all doors; others are refused",
        ),
    ] = 8192
    shed_at: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="calls under way at which those that change something are refused, so that"
            " reads go on",
        ),
    ] = 6144
    calls_per_caller: Annotated[
        int,
        Field(
            ge=0,
            le=100_000,
            description="calls of one caller at once; without authentication, of one connection;"
            " 0: as many as the lanes' shares admit",
        ),
    ] = 0
    calls_per_connection: Annotated[
        int, Field(ge=1, le=100_000, description="calls of one connection at once; others wait")
    ] = 1000
    request_bytes: Annotated[
        int, Field(ge=65_536, le=67_108_864, description="largest request that is read")
    ] = 1_114_112
    metadata_bytes: Annotated[
        int, Field(ge=8_192, le=1_048_576, description="most metadata that a call may carry")
    ] = 16_384
    window_bytes: Annotated[
        int, Field(ge=65_535, le=16_777_216, description="how far a client may send ahead")
    ] = 262_144
    unread_bytes: Annotated[
        int,
        Field(ge=65_536, le=1_073_741_824, description="unread answers of one connection"),
    ] = 8_388_608
    unread_bytes_of_all: Annotated[
        int,
        Field(ge=65_536, le=17_179_869_184, description="unread answers of all connections"),
    ] = 67_108_864
    patience: Annotated[
        float,
        Field(ge=0.5, le=600, description="seconds a call waits for its client"),
    ] = 10.0
    handshake: Annotated[
        float,
        Field(
            ge=0.5,
            le=120,
            description="seconds a new connection has to speak HTTP, its TLS handshake included",
        ),
    ] = 10.0
    rate: Annotated[
        int,
        Field(
            ge=0,
            le=1_000_000,
            description="what the calls of one caller may cost in any `rate_seconds`: a lookup 1, a"
            " change 2, a list 5, a history, a stream or administration 10; 0: no bound",
        ),
    ] = 0
    rate_seconds: Annotated[
        int, Field(ge=1, le=3600, description="seconds in which the cost of calls is counted")
    ] = 10
    longest_wait: Annotated[
        float,
        Field(
            ge=0.1,
            le=86_400,
            description="seconds after which a call is no longer waited for, whatever its deadline",
        ),
    ] = 300.0
    streams: Annotated[
        int, Field(ge=1, le=100_000, description="streams at once; others are refused")
    ] = 1000
    streams_per_caller: Annotated[
        int, Field(ge=0, le=100_000, description="streams of one caller at once; 0: no bound")
    ] = 100
    connection_age: Annotated[
        float,
        Field(
            ge=0,
            le=604_800,
            description="seconds, 10 % more or less, after which a connection takes no new calls;"
            " 0: never",
        ),
    ] = 3600.0
    connection_grace: Annotated[
        float,
        Field(
            ge=1,
            le=86_400,
            description="seconds that the calls of such a connection have to end",
        ),
    ] = 330.0
    connection_idle: Annotated[
        float,
        Field(
            ge=0,
            le=604_800,
            description="seconds without a call after which a connection is closed; 0: never",
        ),
    ] = 1800.0
    ping_every: Annotated[
        float,
        Field(
            ge=0.1,
            le=10,
            description="seconds that a client must leave between two keepalive pings",
        ),
    ] = 5.0
