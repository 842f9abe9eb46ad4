"""Client certificates: the names in them that stand for callers, and the roles of these."""

from collections.abc import Mapping, Sequence

from application.access import Caller, Role, Unauthenticated

ISSUER = "mtls"
"""The issuer of callers that a certificate proves, as it is recorded with their events."""


class Certificates:
    """Finds callers by the names in verified certificates."""

    def __init__(self, roles: Mapping[str, Role]) -> None:
        """`roles` are by the name that a certificate carries (SAN): a URI, or a DNS name."""
        self._roles = roles

    def caller(self, names: Sequence[str]) -> Caller:
        """The caller with these names. Raises Unauthenticated if none of them has a role."""
        for name in names:
            role = self._roles.get(name)
            if role is not None:
                return Caller(ISSUER, name, frozenset({role}))
        raise Unauthenticated("no name in the client's certificate has a role here")
