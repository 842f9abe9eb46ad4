"""Tokens of tests: genuine ones, and every kind of forgery."""

import hmac
import json
import time
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws, jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import KeySet, OKPKey

ISSUER, AUDIENCE = "https://issuer.example", "workflows"
KEY = OKPKey.generate_key("Ed25519", {"kid": "one"})
OTHER = OKPKey.generate_key("Ed25519", {"kid": "one"})
PUBLIC = KEY.as_pem(private=False)

Claims = dict[str, Any]


def claims(**differing: Any) -> Claims:
    """Claims that name alice, for ten minutes; None leaves one out."""
    given = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "role": "user",
        "exp": int(time.time()) + 600,
        "jti": "t-1",
    } | differing
    return {name: value for name, value in given.items() if value is not None}


def token(
    said: Claims | None = None, key: Any = KEY, algorithm: str = "Ed25519", **header: Any
) -> str:
    """A signed token."""
    head = {"alg": algorithm, "kid": "one", "typ": "JWT"} | header
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # EdDSA has a newer name.
        return jwt.encode(head, said or claims(), key, algorithms=[algorithm])


def jwks(*keys: Any) -> bytes:
    """The file of these keys, public parts only."""
    return json.dumps(KeySet(list(keys)).as_dict(private=False)).encode()


def part(value: bytes) -> str:
    """A part of a token."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def by_hand(header: Claims, sign: Callable[[bytes], bytes]) -> str:
    """A token of a kind that no library makes any more."""
    signed = ".".join(part(json.dumps(each).encode()) for each in (header, claims()))
    return f"{signed}.{part(sign(signed.encode()))}"


def hmac_by_public_key(text: bytes) -> bytes:
    """A signature for which the public key served as the secret."""
    return hmac.digest(PUBLIC, text, "sha256")


def _signed(text: bytes) -> bytes:
    private = KEY.private_key
    assert isinstance(private, Ed25519PrivateKey)
    return private.sign(text)


FORGED: Mapping[str, Callable[[], str]] = {
    "empty": lambda: "",
    "malformed": lambda: "a.b.c",
    "alg none": lambda: by_hand({"alg": "none"}, lambda _: b""),
    "hmac by the public key": lambda: by_hand({"alg": "HS256"}, hmac_by_public_key),
    "other key": lambda: token(key=OTHER),
    "unknown kid": lambda: token(kid="two"),
    "cut": lambda: token()[:-4] + "AAAA",
    "long": lambda: token() + "x" * 10_000,
    "no object": lambda: jws.serialize_compact(
        {"alg": "Ed25519", "kid": "one"}, b"[]", KEY, algorithms=["Ed25519"]
    ),
    "crit": lambda: by_hand({"alg": "Ed25519", "crit": ["x"], "x": 1}, _signed),
}
"""Tokens that are not genuine, by what is wrong with them."""

UNFIT: Mapping[str, Callable[[], Claims]] = {
    "expired": lambda: claims(exp=int(time.time()) - 60),
    "not yet valid": lambda: claims(nbf=int(time.time()) + 60),
    "wrong audience": lambda: claims(aud="others"),
    "wrong issuer": lambda: claims(iss="https://elsewhere.example"),
    "no subject": lambda: claims(sub=None),
    "no expiry": lambda: claims(exp=None),
    "no role": lambda: claims(role=None),
    "unknown role": lambda: claims(role="root"),
}
"""Claims of genuine tokens that name nobody here, by what is wrong with them."""
