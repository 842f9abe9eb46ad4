"""Who calls: found by the token that a call carries, or by the certificate of its connection.

Nothing else that a client says of itself is looked at.
"""

from application.access import Caller, Unauthenticated
from infrastructure.identity.certificates import Certificates
from infrastructure.identity.tokens import Tokens
from infrastructure.wire.calls import Call, Metadata, Stream

_SCHEME = "bearer "


class Credentials:
    """The kinds of credentials that are accepted. A token counts more than a certificate."""

    def __init__(self, tokens: Tokens | None, certificates: Certificates | None) -> None:
        """At least one of them."""
        self._tokens = tokens
        self._certificates = certificates

    def known(self, call: Call | Stream) -> Caller | None:
        """The caller, if that is known at once; None if `verified` must find out.

        Raises Unauthenticated.
        """
        if self._tokens is not None and (token := _token(call.metadata)) is not None:
            return self._tokens.known(token)
        return self._certified(call)

    def verified(self, call: Call | Stream) -> Caller:
        """The caller, found by verifying its token. May take a millisecond.

        Raises Unauthenticated.
        """
        if self._tokens is not None and (token := _token(call.metadata)) is not None:
            return self._tokens.verify(token)
        return self._certified(call)

    def _certified(self, call: Call | Stream) -> Caller:
        if self._certificates is not None and (names := call.identities):
            return self._certificates.caller(names)
        kinds = []
        if self._tokens is not None:
            kinds.append("a token (authorization: Bearer TOKEN)")
        if self._certificates is not None:
            kinds.append("a certificate of the client")
        raise Unauthenticated(f"the call carries no credential; send {' or '.join(kinds)}")


def _token(metadata: Metadata) -> str | None:
    """The bearer token of a call, None without one. Raises Unauthenticated for two of them."""
    found = None
    for key, value in metadata:
        if key == "authorization" and isinstance(value, str):
            if found is not None or value[: len(_SCHEME)].lower() != _SCHEME:
                raise Unauthenticated("authorization must be one Bearer TOKEN")
            found = value[len(_SCHEME) :].strip()
    return found
