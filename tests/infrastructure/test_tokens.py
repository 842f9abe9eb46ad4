"""Tokens: what one must say to name a caller, and what is refused, with how much of a reason."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey, RSAKey
from structlog.testing import capture_logs

from application.access import Caller, Role
from infrastructure.identity.keys import KeyFile, KeysUnusable
from infrastructure.identity.tokens import LEEWAY, Policy, TokenRefused, Tokens
from tests.support.tokens import (
    AUDIENCE,
    FORGED,
    ISSUER,
    KEY,
    OTHER,
    PUBLIC,
    claims,
    jwks,
    part,
    token,
)

POLICY = Policy([ISSUER], [AUDIENCE], "role", {"user": Role.USER, "admin": Role.SERVICE})
UNVERIFIED = "the token is not one that this service can verify"


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


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
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
        ({"exp": float("nan")}, "exp"),
        ({"exp": 10**400}, "exp"),
        ({"exp": int(time.time()) - LEEWAY - 1}, "expired"),
        ({"nbf": int(time.time()) + 86_400}, "not valid yet"),
        ({"iss": "https://other.example"}, "iss"),
        ({"iss": [ISSUER]}, "iss"),
        ({"aud": "other"}, "aud"),
        ({"aud": None}, "aud"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": "al\x00ice"}, "sub"),
        ({"sub": "a" * 256}, "sub"),
        ({"jti": 7}, "jti"),
        ({"jti": "t\n1"}, "jti"),
        ({"role": None}, "role"),
        ({"role": "root"}, "role"),
        ({"role": ["user"]}, "role"),
    ],
)
def test_a_genuine_token_is_refused_with_its_reason(
    tokens: Tokens, differing: dict[str, Any], named: str
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


RSA = RSAKey.generate_key(2048, {"kid": "one"})


@pytest.mark.parametrize(
    "differing",
    [
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "x"},
        {"alg": "PS256"},
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
    ],
    ids=["kind", "algorithm", "use", "operations"],
)
def test_keys_that_are_for_something_else_are_skipped_and_said(
    file: Path, differing: dict[str, Any]
) -> None:
    other = {**RSA.as_dict(private=False), **differing}
    file.write_text(json.dumps({"keys": [other, KEY.as_dict(private=False)]}))

    with capture_logs() as said:
        tokens = Tokens(KeyFile(file), POLICY)

    assert [(entry["event"], entry["kid"]) for entry in said] == [("key skipped", "one")]
    assert tokens.verify(token())
    with pytest.raises(TokenRefused):
        tokens.verify(token(key=RSA, algorithm="RS256"))


def test_remembered_tokens_are_bounded_in_number(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.identity.tokens.REMEMBERED", 2)
    several = [token(claims(jti=f"t-{number}")) for number in range(3)]
    for one in several:
        tokens.verify(one)

    assert [tokens.known(one) is not None for one in several] == [False, True, True]


SMALL = generate_private_key(65537, 1024).public_key()  # noqa: S505 - small on purpose
SMALL_PEM = SMALL.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
# Zeros in front make it look longer than it is.
SMALL_JWK = {"kty": "RSA", "n": part(SMALL.public_numbers().n.to_bytes(256, "big")), "e": "AQAB"}


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
