"""Bearer tokens: signed JSON Web Tokens, verified once and remembered until they expire."""

import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import Any, TypeGuard

from joserfc import jws
from joserfc.errors import BadSignatureError, JoseError

from application.access import Caller, Role, Unauthenticated
from infrastructure.identity.keys import KeyFile, KeySet

ALGORITHMS = ("Ed25519", "EdDSA", "ES256", "RS256")
LEEWAY = 30  # seconds by which clocks may differ
MAX_TOKEN_BYTES = 8 * 1024
REMEMBERED = 10_000  # verified tokens
_END_OF_TIME = 10**12  # seconds
_MAX_NAME = 255  # characters
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class TokenRefused(Unauthenticated):
    """A token does not prove who the caller is."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The claims that a token must have, and how its role is read.

    `roles` maps the words of the claim `role_claim` to roles of this service.
    """

    issuers: Collection[str]
    audiences: Collection[str]
    role_claim: str
    roles: Mapping[str, Role]


class Tokens:
    """Verifies tokens. Safe on any thread."""

    def __init__(
        self, keys: KeyFile, policy: Policy, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives seconds since 1970."""
        self._keys = keys
        self._policy = policy
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()
        self._generation = 0
        self._changing = Lock()

    def known(self, token: str) -> Caller | None:
        """Who a remembered token speaks for; None if `verify` must find out. Takes about 1 us."""
        generation = self._keys.current().generation
        if generation != self._generation:
            self._forget(generation)
        known = self._known.get(sha256(token.encode()).digest())
        return known[0] if known is not None and self._clock() < known[1] else None

    def verify(self, token: str) -> Caller:
        """Who the token speaks for. Takes up to half a millisecond. Raises TokenRefused."""
        known = self.known(token)
        if known is not None:
            return known
        keys = self._keys.current()
        caller, expires = self._verified(token, keys)
        self._remember(sha256(token.encode()).digest(), caller, expires, keys.generation)
        return caller

    def _forget(self, generation: int) -> None:
        with self._changing:
            self._known.clear()
            self._generation = generation

    def _remember(self, digest: bytes, caller: Caller, expires: float, generation: int) -> None:
        with self._changing:
            if generation != self._generation:
                return  # The keys changed meanwhile: perhaps the one that verified it was removed.
            self._known[digest] = (caller, expires)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    def _verified(self, token: str, keys: KeySet) -> tuple[Caller, float]:
        claims = _signed_claims(token, keys)
        expires = _times(claims, self._clock())
        _one_of(claims, "iss", self._policy.issuers)
        _one_of(claims, "aud", self._policy.audiences)
        subject = claims.get("sub")
        if not _is_name(subject):
            raise TokenRefused(
                "the token has no sub that names who calls: 1 to 255 characters, no control ones"
            )
        word = claims.get(self._policy.role_claim)
        role = self._policy.roles.get(word) if isinstance(word, str) else None
        if role is None:
            raise TokenRefused(
                f"the token's claim {self._policy.role_claim!r} gives no role;"
                f" one of {', '.join(sorted(self._policy.roles))} is accepted"
            )
        token_id = claims.get("jti", "")
        if token_id != "" and not _is_name(token_id):
            raise TokenRefused("the token's jti must be a text as sub is")
        return Caller(claims["iss"], subject, frozenset({role}), token_id), expires


class _Registry(jws.JWSRegistry):
    """The library's registry, without its warning that EdDSA has a new name: it is in use."""

    def get_alg(self, name: str) -> Any:
        """The algorithm of this name. Raises KeyError for one that is not accepted here."""
        if name not in ALGORITHMS:
            raise KeyError(name)
        return self.algorithms[name]


_REGISTRY = _Registry(algorithms=ALGORITHMS)
_NOT_GENUINE = "the token is not one that this service can verify"


def _signed_claims(token: str, keys: KeySet) -> dict[str, Any]:
    """The claims of a token whose signature holds. Raises TokenRefused.

    A token that is not proved genuine is refused with the same sentence, whatever is wrong with it.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenRefused(_NOT_GENUINE)
    try:
        header = jws.extract_compact(token.encode()).headers()
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS or "crit" in header:
            raise TokenRefused(_NOT_GENUINE)
        for key in keys.candidates(kid if isinstance(kid, str) else None, algorithm):
            with suppress(BadSignatureError):
                signed = jws.deserialize_compact(token, key, registry=_REGISTRY)
                claims = json.loads(signed.payload)
                if isinstance(claims, dict):
                    return claims
    except (JoseError, ValueError) as malformed:
        raise TokenRefused(_NOT_GENUINE) from malformed
    raise TokenRefused(_NOT_GENUINE)


def _times(claims: Mapping[str, Any], now: float) -> float:
    """When the token expires. Raises TokenRefused if it has expired or is not valid yet."""
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if not _is_moment(expires):
        raise TokenRefused("the token has no exp; it must say when it expires")
    if expires + LEEWAY <= now:
        raise TokenRefused("the token has expired; get a new one")
    if not _is_moment(begins) or begins - LEEWAY > now:
        raise TokenRefused("the token is not valid yet; look at nbf and at the clocks")
    return float(expires) + LEEWAY


def _one_of(claims: Mapping[str, Any], name: str, accepted: Collection[str]) -> None:
    value = claims.get(name)
    values = value if isinstance(value, list) else [value]
    if not any(isinstance(one, str) and one in accepted for one in values):
        raise TokenRefused(f"the token's {name} is not one that this service accepts")
    if name == "iss" and not isinstance(value, str):
        raise TokenRefused("the token's iss must be one text")


def _is_moment(value: object) -> TypeGuard[float]:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return 0 <= value < _END_OF_TIME  # JSON as Python reads it has NaN.


def _is_name(value: object) -> TypeGuard[str]:
    """Whether a value can be recorded as the name of somebody or something."""
    return isinstance(value, str) and 0 < len(value) <= _MAX_NAME and not _CONTROL.search(value)
