"""`workflows token`: what it mints, a service that is set as it says accepts."""

from pathlib import Path

import pytest

from application.access import Role
from infrastructure.identity.keys import KeyFile
from infrastructure.identity.tokens import TokenRefused, Tokens
from infrastructure.settings import Settings
from infrastructure.wiring.access import credentials
from tests.support.command_line import answer, refusal
from tests.support.tokens import PUBLIC


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Where the key pair is made."""
    return tmp_path / "pair.pem"


def test_a_token_is_accepted_by_a_service_that_is_set_as_the_command_says(
    key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minted = answer("token", "billing", "--role", "service", "--key", str(key), "--json")
    for setting in minted["settings"].split():
        monkeypatch.setenv(*setting.split("=", 1))

    accepted = credentials(Settings())

    assert accepted is not None
    assert isinstance(accepted._tokens, Tokens)
    caller = accepted._tokens.verify(minted["token"])
    assert (caller.subject, caller.roles) == ("billing", frozenset({Role.SERVICE}))
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_pair_that_is_there_signs_further_tokens(key: Path) -> None:
    answer("token", "alice", "--key", str(key), "--json")
    public = key.with_name("pair.pem.pub").read_bytes()

    answer("token", "bob", "--key", str(key), "--json")

    assert key.with_name("pair.pem.pub").read_bytes() == public
    assert KeyFile(key.with_name("pair.pem.pub")).current().keys


@pytest.mark.parametrize("content", [b"no key", PUBLIC], ids=["other", "public"])
def test_a_file_that_holds_no_private_key_is_refused_and_kept(key: Path, content: bytes) -> None:
    key.write_bytes(content)

    assert str(key) in refusal("token", "alice", "--key", str(key))
    assert key.read_bytes() == content


def test_a_token_ends(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minted = answer("token", "alice", "--key", str(key), "--seconds", "1", "--json")
    for setting in minted["settings"].split():
        monkeypatch.setenv(*setting.split("=", 1))
    accepted = credentials(Settings())
    assert accepted is not None
    assert isinstance(accepted._tokens, Tokens)
    accepted._tokens._clock = lambda: 4_000_000_000.0

    with pytest.raises(TokenRefused, match="expired"):
        accepted._tokens.verify(minted["token"])
