"""Tokens: what one must say to name a caller, and what is refused, with how much of a reason."""

import hmac
import json
import time
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws, jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from application.access import Caller, Role
from infrastructure.identity.keys import KeyFile, KeysUnusable
from infrastructure.identity.tokens import LEEWAY, Policy, TokenRefused, Tokens

ISSUER, AUDIENCE = "https://issuer.example", "workflows"
POLICY = Policy([ISSUER], [AUDIENCE], "role", {"user": Role.USER, "admin": Role.SERVICE})
KEY = OKPKey.generate_key("Ed25519", {"kid": "one"})
OTHER = OKPKey.generate_key("Ed25519", {"kid": "one"})
UNVERIFIED = "the token is not one that this service can verify"

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


@pytest.fixture(name="file")
def key_file(tmp_path: Path) -> Path:
    """The file that holds the public part of KEY."""
    path = tmp_path / "keys.json"
    path.write_bytes(jwks(KEY))
    return path


@pytest.fixture
def tokens(file: Path) -> Tokens:
    """What verifies tokens with that file."""
    return Tokens(KeyFile(file, look_every=0), POLICY)


def test_a_token_names_its_caller(tokens: Tokens) -> None:
    caller = tokens.verify(token())

    assert caller == Caller(ISSUER, "alice", frozenset({Role.USER}), "t-1")
    assert caller.actor == f"{ISSUER}|alice#t-1"


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (KEY, "EdDSA"),
        (ECKey.generate_key("P-256", {"kid": "one"}), "ES256"),
        (RSAKey.generate_key(2048, {"kid": "one"}), "RS256"),
    ],
    ids=["EdDSA", "ES256", "RS256"],
)
def test_each_algorithm_is_accepted(file: Path, key: Any, algorithm: str) -> None:
    file.write_bytes(jwks(key))

    assert Tokens(KeyFile(file), POLICY).verify(token(key=key, algorithm=algorithm))


def test_the_words_of_another_issuer_become_roles(tokens: Tokens) -> None:
    assert tokens.verify(token(claims(role="admin"))).roles == {Role.SERVICE}


PUBLIC = KEY.as_pem(private=False)


def _part(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def by_hand(header: Claims, sign: Callable[[bytes], bytes]) -> str:
    """A token of a kind that no library makes any more."""
    signed = ".".join(_part(json.dumps(part).encode()) for part in (header, claims()))
    return f"{signed}.{_part(sign(signed.encode()))}"


def hmac_by_public_key(text: bytes) -> bytes:
    """A signature for which the public key served as the secret."""
    return hmac.digest(PUBLIC, text, "sha256")


def _signed(text: bytes) -> bytes:
    private = KEY.private_key
    assert isinstance(private, Ed25519PrivateKey)
    return private.sign(text)


@pytest.mark.parametrize(
    "forged",
    [
        lambda: "",
        lambda: "a.b.c",
        lambda: by_hand({"alg": "none"}, lambda _: b""),
        lambda: by_hand({"alg": "HS256"}, hmac_by_public_key),
        lambda: token(key=OTHER),
        lambda: token(kid="two"),
        lambda: token()[:-4] + "AAAA",
        lambda: token() + "x" * 10_000,
        lambda: jws.serialize_compact(
            {"alg": "Ed25519", "kid": "one"}, b"[]", KEY, algorithms=["Ed25519"]
        ),
        lambda: by_hand({"alg": "Ed25519", "crit": ["x"], "x": 1}, _signed),
    ],
    ids=[
        "empty",
        "malformed",
        "none",
        "hmac",
        "other-key",
        "unknown-kid",
        "cut",
        "long",
        "no-object",
        "crit",
    ],
)
def test_a_token_that_is_not_genuine_is_refused_without_a_reason(
    tokens: Tokens, forged: Callable[[], str]
) -> None:
    with pytest.raises(TokenRefused) as refused:
        tokens.verify(forged())

    assert str(refused.value) == UNVERIFIED


@pytest.mark.parametrize(
    ("differing", "named"),
    [
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"exp": int(time.time()) - LEEWAY - 1}, "expired"),
        ({"nbf": int(time.time()) + LEEWAY + 60}, "not valid yet"),
        ({"iss": "https://other.example"}, "iss"),
        ({"iss": [ISSUER]}, "iss"),
        ({"aud": "other"}, "aud"),
        ({"aud": None}, "aud"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"role": None}, "role"),
        ({"role": "root"}, "role"),
        ({"role": ["user"]}, "role"),
    ],
)
def test_a_genuine_token_is_refused_with_its_reason(
    tokens: Tokens, differing: Claims, named: str
) -> None:
    with pytest.raises(TokenRefused) as refused:
        tokens.verify(token(claims(**differing)))

    assert named in str(refused.value)


def test_clocks_may_differ_by_the_leeway(tokens: Tokens) -> None:
    now = int(time.time())

    assert tokens.verify(token(claims(exp=now - LEEWAY + 20, nbf=now + LEEWAY - 20)))


def test_one_of_several_audiences_is_enough(tokens: Tokens) -> None:
    assert tokens.verify(token(claims(aud=["other", AUDIENCE])))


def test_a_remembered_token_ends_with_its_key(tokens: Tokens, file: Path) -> None:
    """A verified token is remembered, but no longer than the key that verified it is trusted."""
    remembered = token()
    tokens.verify(remembered)
    file.write_bytes(jwks(OTHER, RSAKey.generate_key(2048)))

    with pytest.raises(TokenRefused):
        tokens.verify(remembered)
    assert tokens.verify(token(key=OTHER))


def test_a_remembered_token_expires(file: Path) -> None:
    moments = iter([time.time(), time.time() + 600 + LEEWAY + 1, time.time() + 600 + LEEWAY + 1])
    tokens = Tokens(KeyFile(file), POLICY, lambda: next(moments))
    remembered = token()
    tokens.verify(remembered)

    with pytest.raises(TokenRefused, match="expired"):
        tokens.verify(remembered)


def test_a_broken_file_leaves_the_keys_before(tokens: Tokens, file: Path) -> None:
    file.write_bytes(b"half a file")

    assert tokens.verify(token())


def test_a_pem_file_holds_one_key(file: Path) -> None:
    file.write_bytes(PUBLIC)

    assert Tokens(KeyFile(file), POLICY).verify(token())


def test_keys_of_unknown_kinds_are_skipped(file: Path) -> None:
    listed = [{"kty": "AKP", "alg": "ML-DSA-44", "pub": "x"}, KEY.as_dict(private=False)]
    file.write_text(json.dumps({"keys": listed}))

    assert Tokens(KeyFile(file), POLICY).verify(token())


SMALL = generate_private_key(65537, 1024).public_key()  # noqa: S505 - small on purpose
SMALL_PEM = SMALL.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
SMALL_JWK = {"kty": "RSA", "n": _part(SMALL.public_numbers().n.to_bytes(128, "big")), "e": "AQAB"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b'{"keys": []}',
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}',
        SMALL_PEM,
        json.dumps({"keys": [SMALL_JWK]}).encode(),
    ],
    ids=["empty", "no-keys", "none", "broken-pem", "secret", "small-pem", "small-jwk"],
)
def test_a_file_without_a_usable_key_is_refused(file: Path, text: bytes) -> None:
    file.write_bytes(text)

    with pytest.raises(KeysUnusable):
        KeyFile(file)


def test_a_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable, match=r"absent\.pem cannot be read"):
        KeyFile(tmp_path / "absent.pem")


def test_a_private_key_in_the_file_is_refused(file: Path) -> None:
    """The file is of public keys: a private one in it is a mistake."""
    file.write_bytes(KEY.as_pem(private=True))

    with pytest.raises(KeysUnusable):
        KeyFile(file)
