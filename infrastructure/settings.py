"""All settings of the service, each from the environment (WORKFLOWS_...) or from a flag."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from infrastructure.address import DEFAULT_ADDRESS, Address


class Settings(BaseSettings):
    """What can be chosen about a running service."""

    model_config = SettingsConfigDict(
        env_prefix="WORKFLOWS_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    listen: Annotated[
        str, Field(description="Address to serve on, host:port; without authentication, loopback.")
    ] = DEFAULT_ADDRESS
    database_url: Annotated[
        SecretStr | None,
        Field(description="PostgreSQL 17 or newer as a URL or DSN; unset: the embedded one."),
    ] = None
    data_dir: Annotated[
        Path, Field(description="Folder in which the embedded PostgreSQL keeps its data.")
    ] = Path(".data")
    page_size: Annotated[
        int, Field(ge=1, le=1000, description="Most workflows that a page of a list holds.")
    ] = 50
    terminate_at_threshold: Annotated[
        bool, Field(description="Whether a workflow ends when its failures reach their maximum.")
    ] = True
    workers: Annotated[
        int, Field(ge=1, le=64, description="Server processes that share the address.")
    ] = 1
    wire: Annotated[
        Literal["auto", "direct", "handled"],
        Field(
            description="What carries the calls: direct (grpcio's core, fast), handled (its public"
            " server), or auto: direct if the grpcio that is installed was tested with it."
        ),
    ] = "auto"

    @field_validator("listen")
    @classmethod
    def _loopback_only(cls, listen: str) -> str:
        address = Address.parse(listen)
        if not address.is_loopback:
            raise ValueError(
                f"{address.host} can be reached from elsewhere, and there is no authentication"
                " yet; use a loopback address such as 127.0.0.1"
            )
        return listen

    @field_validator("database_url")
    @classmethod
    def _readable(cls, database_url: SecretStr | None) -> SecretStr | None:
        # Imported when needed: the command line reads settings' texts without a database's library.
        from psycopg import ProgrammingError  # noqa: PLC0415 - as above
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - as above

        try:
            conninfo_to_dict(database_url.get_secret_value() if database_url else "")
        except ProgrammingError as unreadable:
            # The parser's own message may repeat the password.
            raise ValueError(
                "is no PostgreSQL URL or DSN such as postgresql://user@host:5432/workflows"
            ) from unreadable
        return database_url
