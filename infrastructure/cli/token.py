"""`workflows token`: a token for development."""

import time
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any

import typer

from application.access import Role
from infrastructure.cli.flags import settings_of, with_settings
from infrastructure.cli.options import Json
from infrastructure.cli.printing import print_line_of_json
from infrastructure.cli.refusing import misused, refusals
from infrastructure.settings import Settings

_ISSUER = _AUDIENCE = "workflows-development"
_LONGEST = 365 * 24 * 3600


@with_settings("jwt_issuers", "jwt_audiences", "jwt_role_claim", "jwt_roles")
def token(
    subject: Annotated[str, typer.Argument(help="Who calls: the user's id, or a service's name.")],
    role: Annotated[Role, typer.Option(help="What the caller may do.")] = Role.USER,
    key: Annotated[
        Path, typer.Option(help="PEM file of the private key; a pair is made if there is none.")
    ] = Path("workflows-development.pem"),
    seconds: Annotated[
        int, typer.Option(min=1, max=_LONGEST, help="How long the token is valid.")
    ] = 3600,
    as_json: Json = False,
    **given: Any,
) -> None:
    r"""Make a token for development, and the key pair that signs it.

    The token goes to stdout; how a service accepts it goes to stderr. In production, an identity
    provider makes tokens.

    \b
    Examples:
      workflows token alice
      workflows token billing --role service
      curl -H "authorization: Bearer $(workflows token alice)" ...
    """
    settings = settings_of(given | {"auth": "none"})
    # Imported here, so that the help is shown without waiting for the library of tokens.
    from infrastructure.identity.minting import KeyUnusable, SigningKey  # noqa: PLC0415 - as above

    with refusals(KeyUnusable):
        pair = SigningKey(key)
    issuer = next(iter(settings.issuers), _ISSUER)
    audience = next(iter(settings.audiences), _AUDIENCE)
    minted = pair.sign(
        {
            "iss": issuer,
            "aud": audience,
            "sub": subject,
            settings.jwt_role_claim: _word(settings, role),
            "exp": int(time.time()) + seconds,
            "jti": token_hex(8),
        }
    )
    serving = (
        f"WORKFLOWS_AUTH=jwt WORKFLOWS_JWT_KEYS={pair.public} WORKFLOWS_JWT_ISSUERS={issuer}"
        f" WORKFLOWS_JWT_AUDIENCES={audience}"
    )
    if as_json:
        print_line_of_json({"token": minted, "public_key": str(pair.public), "settings": serving})
        return
    if pair.made:
        typer.echo(f"made {pair.path} and {pair.public}; this accepts its tokens:", err=True)
        typer.echo(f"  {serving} workflows serve", err=True)
    typer.echo(minted)


def _word(settings: Settings, role: Role) -> str:
    """The word for a role in the claim."""
    words = [word for word, meant in settings.roles_of_words.items() if meant is role]
    if not words:
        misused(f"WORKFLOWS_JWT_ROLES has no word for {role}")
    return words[0]
