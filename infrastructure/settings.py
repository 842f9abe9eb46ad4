"""All settings of the service, each from the environment (WORKFLOWS_...) or from a flag.

Names, texts, bounds and defaults stand here once; flags, errors and README's table are made from
what `described` returns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import SettingsConfigDict

from infrastructure.door_settings import DoorSettings
from infrastructure.limit_settings import LimitSettings

PREFIX = "WORKFLOWS_"
OF_CLIENTS = ("WORKFLOWS_CA", "WORKFLOWS_TOKEN_FILE")
"""Variables that commands read which call a service; see cli/options.py."""


class Settings(LimitSettings, DoorSettings):
    """What can be chosen about a running service. An empty variable counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    database_url: Annotated[
        SecretStr | None,
        Field(description="PostgreSQL 17 or newer, as a URL or DSN; unset: the embedded one"),
    ] = None
    data_dir: Annotated[
        Path, Field(description="folder in which the embedded PostgreSQL keeps its data")
    ] = Path(".data")
    migrate: Annotated[
        bool,
        Field(description="whether a start migrates the database, or refuses an old schema"),
    ] = True
    followers: Annotated[
        bool,
        Field(
            description="whether this process may run the followers of the feed, and erase users"
        ),
    ] = True
    terminate_at_threshold: Annotated[
        bool, Field(description="whether a workflow ends when its failures reach their maximum")
    ] = True
    catalogue: Annotated[
        Path | None,
        Field(description="TOML file of kinds and build statuses; unset: the default catalogue"),
    ] = None
    workers: Annotated[
        int, Field(ge=1, le=64, description="server processes that share the address")
    ] = 1
    health_alias: Annotated[
        str | None, Field(max_length=255, description="a second name that health answers for")
    ] = None
    wire: Annotated[
        Literal["auto", "direct", "handled"],
        Field(
            description="what carries the calls: direct (grpcio's core, fast), handled (its public"
            " server), or auto: direct if the installed grpcio was tested with it"
        ),
    ] = "auto"
    log_dir: Annotated[
        Path | None,
        Field(
            description="folder of the log of checkpoints, best on another disk; unset: in the data"
            " folder of the embedded database, and no log for any other"
        ),
    ] = None
    log_key: Annotated[
        Path | None,
        Field(description="file of the key that signs checkpoints; unset: made in the data folder"),
    ] = None
    log_name: Annotated[
        str | None,
        Field(
            pattern=r"^[!-*,-~]{1,200}\z",
            description="name of a new signing key, such as workflows.example.com; unset: random",
        ),
    ] = None
    log_every: Annotated[
        float,
        Field(ge=0.1, le=3600, description="seconds until a checkpoint covers an event, if idle"),
    ] = 2.0
    log_calls: Annotated[
        Literal["all", "failed", "none"],
        Field(description="which calls leave a line in the log"),
    ] = "all"
    traces: Annotated[
        str | None,
        Field(description="URL of an OpenTelemetry collector (OTLP over HTTP); unset: no traces"),
    ] = None

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


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as people meet it; `accepts` is empty if its meaning says enough."""

    name: str
    meaning: str
    accepts: str
    default: str
    is_switch: bool
    is_secret: bool

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"{PREFIX}{self.name.upper()}"

    @property
    def flag(self) -> str:
        """The flag of `workflows serve`; a switch also has a --no- form."""
        return f"--{self.name.replace('_', '-')}"


class SettingsRefused(Exception):
    """Values that cannot be used: one sentence for each, with where it comes from."""


def described() -> Sequence[Setting]:
    """Every setting, in the order of the class."""
    return [_described(name, field) for name, field in Settings.model_fields.items()]


def load(**given: object) -> Settings:
    """The settings: what is given (None counts as not given), then the environment, then defaults.

    Raises SettingsRefused.
    """
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**chosen)
    except ValidationError as invalid:
        sentences = [_complaint(error, chosen) for error in invalid.errors(include_input=True)]
        raise SettingsRefused("\n".join(sentences)) from None


def load_only(given: Mapping[str, object]) -> Settings:
    """As `load`, but only the settings that are named count; all others have their defaults.

    So nobody is refused for a setting that a command does not use. Raises SettingsRefused.
    """
    fields = Settings.model_fields.items()
    unused = {name: field.default for name, field in fields if name not in given}
    return load(**(unused | dict(given)))


def unknown_variables(environment: Mapping[str, str]) -> Sequence[str]:
    """A sentence for each variable that looks like a setting of ours and is none."""
    known = [*(setting.variable for setting in described()), *OF_CLIENTS]
    unknown = [
        name for name in environment if name.upper().startswith(PREFIX) and name not in known
    ]
    return [f"{name} is no setting{_near(name.upper(), known)}" for name in sorted(unknown)]


def _near(name: str, known: Sequence[str]) -> str:
    names = [each.removeprefix(PREFIX) for each in known]
    near = get_close_matches(name.removeprefix(PREFIX), names, n=1, cutoff=0.7)
    return f"; is {PREFIX}{near[0]} meant?" if near else " of this version; it is ignored"


def _described(name: str, field: FieldInfo) -> Setting:
    is_switch = field.annotation is bool
    bounds = {
        kind: getattr(m, kind) for m in field.metadata for kind in ("ge", "le") if hasattr(m, kind)
    }
    accepts = "true or false" if is_switch else ""
    if bounds:
        accepts = f"{bounds['ge']} to {bounds['le']}"
    if get_origin(field.annotation) is Literal:
        *first, last = map(str, get_args(field.annotation))
        accepts = f"{', '.join(first)} or {last}"
    default = "unset" if field.default in (None, "") else str(field.default)
    return Setting(
        name=name,
        meaning=field.description or "",
        accepts=accepts,
        default=default.lower() if is_switch else default,
        is_switch=is_switch,
        is_secret="Secret" in str(field.annotation),
    )


def _complaint(error: Any, given: Mapping[str, object]) -> str:
    """The source of a refused value, the value, and what is accepted."""
    name = str(error["loc"][0]) if error["loc"] else ""
    setting = next((s for s in described() if s.name == name), None)
    if setting is None:
        return f"{name} is no setting of this version"
    source = f"{setting.flag} " if name in given else f"{setting.variable}="
    shown = source[:-1] if setting.is_secret else f"{source}{error['input']}"
    if error["type"] == "value_error":
        reason = str(error["ctx"]["error"])
    elif setting.accepts:
        reason = f"must be {setting.accepts}; left out, it is {setting.default}"
    else:
        reason = str(error["msg"])
    return f"{shown}: {reason}"
