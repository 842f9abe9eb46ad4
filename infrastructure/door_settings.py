"""The settings of the doors: their addresses, their encryption, and who is admitted."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from application.access import Role
from infrastructure.address import DEFAULT_ADDRESS, Address

DEFAULT_HTTP = "127.0.0.1:50080"
_ORIGIN = re.compile(r"https?://[^\s/?#@,]+")


class DoorSettings(BaseSettings):
    """What can be chosen about the doors of a service."""

    auth: Annotated[
        Literal["none", "jwt", "mtls", "jwt,mtls"],
        Field(
            description="how callers prove who they are: not at all (on this machine only), by"
            " tokens, by certificates of clients, or by either"
        ),
    ] = "none"
    insecure_listen_anywhere: Annotated[
        bool,
        Field(description="whether anyone may reach a service without authentication"),
    ] = False
    listen: Annotated[
        str,
        Field(description="address to serve on, or unix:/path; loopback only, unless auth is set"),
    ] = DEFAULT_ADDRESS
    internal_listen: Annotated[
        str | None,
        Field(
            validate_default=True,
            description="address of the internal door; if set, only it has internal methods,"
            " history and administration",
        ),
    ] = None
    http_listen: Annotated[
        str | None,
        Field(description="address of the HTTP door; off: no HTTP"),
    ] = DEFAULT_HTTP
    http_origins: Annotated[
        str,
        Field(
            description="origins of web pages that may call the HTTP door from browsers, such as"
            " https://example.com, comma-separated; *: any; unset: none"
        ),
    ] = ""
    tls_cert: Annotated[
        Path | None,
        Field(description="PEM file of the service's certificate and its chain; unset: no TLS"),
    ] = None
    tls_key: Annotated[
        Path | None,
        Field(validate_default=True, description="PEM file of the certificate's private key"),
    ] = None
    tls_client_ca: Annotated[
        Path | None,
        Field(validate_default=True, description="PEM file of the authorities of clients"),
    ] = None
    jwt_keys: Annotated[
        Path | None,
        Field(
            validate_default=True,
            description="PEM or JWKS file of the public keys that sign tokens, read again when it"
            " changes",
        ),
    ] = None
    jwt_issuers: Annotated[
        str, Field(validate_default=True, description="accepted iss of tokens, comma-separated")
    ] = ""
    jwt_audiences: Annotated[
        str, Field(validate_default=True, description="accepted aud of tokens, comma-separated")
    ] = ""
    jwt_role_claim: Annotated[
        str, Field(min_length=1, description="claim of a token that holds the caller's role")
    ] = "role"
    jwt_roles: Annotated[
        str,
        Field(
            description="JSON object from the words of that claim to user, service, auditor or"
            " admin; unset: each role by its own name"
        ),
    ] = ""
    mtls_roles: Annotated[
        str,
        Field(
            validate_default=True,
            description="JSON object from a name in clients' certificates (SAN: URI or DNS) to a"
            " role",
        ),
    ] = ""

    @field_validator("listen", "internal_listen", "http_listen")
    @classmethod
    def _reachable_by_whom(cls, listen: str | None, info: ValidationInfo) -> str | None:
        if listen is None or (info.field_name == "http_listen" and listen == "off"):
            if info.field_name == "internal_listen" and info.data.get("auth") == "jwt,mtls":
                raise ValueError(
                    "is needed with auth jwt,mtls: certificates are asked for at the internal"
                    " door, tokens are enough at the others"
                )
            return None
        address = Address.parse(listen)
        trusted = info.data.get("auth") != "none" or info.data.get("insecure_listen_anywhere")
        if not address.is_loopback and not trusted:
            raise ValueError(
                f"{address.host} can be reached from elsewhere, and there is no authentication;"
                " use a loopback address such as 127.0.0.1, set WORKFLOWS_AUTH to jwt or mtls, or"
                " give --insecure-listen-anywhere if a mesh in front admits callers"
            )
        return listen

    @field_validator("http_origins")
    @classmethod
    def _origins(cls, text: str) -> str:
        for origin in _listed(text):
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"has {origin}, which is no origin such as https://example.com:8443"
                )
        return text

    @field_validator("tls_key")
    @classmethod
    def _beside_its_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if (key is None) != (info.data.get("tls_cert") is None):
            raise ValueError("goes with WORKFLOWS_TLS_CERT: give both, or neither")
        return key

    @field_validator("tls_client_ca")
    @classmethod
    def _for_certificates(cls, authorities: Path | None, info: ValidationInfo) -> Path | None:
        if (authorities is not None) != ("mtls" in info.data.get("auth", "")):
            raise ValueError("goes with WORKFLOWS_AUTH=mtls: give both, or neither")
        if authorities is not None and info.data.get("tls_cert") is None:
            raise ValueError("needs WORKFLOWS_TLS_CERT and WORKFLOWS_TLS_KEY too")
        return authorities

    @field_validator("jwt_keys", "jwt_issuers", "jwt_audiences")
    @classmethod
    def _for_tokens(cls, value: Any, info: ValidationInfo) -> Any:
        if "jwt" in info.data.get("auth", "") and not value:
            raise ValueError("is needed with WORKFLOWS_AUTH=jwt; `workflows token` makes a pair")
        return value

    @field_validator("jwt_roles")
    @classmethod
    def _words_of_roles(cls, text: str) -> str:
        _roles(text)
        return text

    @field_validator("mtls_roles")
    @classmethod
    def _names_of_roles(cls, text: str, info: ValidationInfo) -> str:
        if not _roles(text) and "mtls" in info.data.get("auth", ""):
            raise ValueError(
                "is needed with WORKFLOWS_AUTH=mtls, such as"
                ' {"spiffe://example/billing": "service"}'
            )
        return text

    @property
    def origins(self) -> Sequence[str]:
        """The origins of web pages that may call the HTTP door."""
        return _listed(self.http_origins)

    @property
    def issuers(self) -> Sequence[str]:
        """The accepted issuers of tokens."""
        return _listed(self.jwt_issuers)

    @property
    def audiences(self) -> Sequence[str]:
        """The accepted audiences of tokens."""
        return _listed(self.jwt_audiences)

    @property
    def roles_of_words(self) -> Mapping[str, Role]:
        """The role for each word of a token's claim."""
        return _roles(self.jwt_roles) or {role.value: role for role in Role}

    @property
    def roles_of_names(self) -> Mapping[str, Role]:
        """The role for each name in clients' certificates."""
        return _roles(self.mtls_roles)


def _listed(text: str) -> Sequence[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _roles(text: str) -> Mapping[str, Role]:
    """Raises ValueError."""
    if not text:
        return {}
    try:
        return {str(word): Role(role) for word, role in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError) as unreadable:
        raise ValueError(
            f'is no JSON object such as {{"admin": "service"}} to {", ".join(Role)}'
        ) from unreadable
