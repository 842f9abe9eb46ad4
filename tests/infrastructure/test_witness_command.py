"""`workflows witness` and `workflows log`: what an operator and a witness type."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from infrastructure.proof.keys import SigningKey, read_or_make
from infrastructure.proof.logs import Logs
from infrastructure.tlog.checkpoints import newest
from infrastructure.tlog.notes import Note
from infrastructure.tlog.policy import Policy
from infrastructure.tlog.writing import TileLog
from tests.support.command_line import answer, refusal, workflows

EPOCH = 7


class Operated:
    """A log of an operator."""

    def __init__(self, folder: Path) -> None:
        self.key: SigningKey = read_or_make(folder / "log.key", "workflows.example")
        self.folder = folder
        self.logs = Logs(folder / "log")
        self.verifier = self.key.log_signer(EPOCH).verifier
        self.logs.begin(EPOCH, self.verifier)

    def grow(self, size: int, text: str = "leaf") -> None:
        """Signs a checkpoint of so many leaves."""
        log = TileLog(self.logs.folder(EPOCH), self.key.log_signer(EPOCH))
        log.append(f"{text} {number}".encode() for number in range(log.size, size))
        log.publish()

    def keep_policy(self, *arguments: str) -> Policy:
        """The policy after `workflows log policy`."""
        answer("log", "policy", *arguments, "--data-dir", str(self.folder), "--json")
        return self.policy

    @property
    def policy(self) -> Policy:
        """The policy as it is."""
        found = self.logs.policy(EPOCH)
        assert found is not None
        return found


@pytest.fixture
def operated(tmp_path: Path) -> Operated:
    log = Operated(tmp_path / "operator")
    log.grow(300)
    return log


def cosigned(place: object, folder: Path, *arguments: str) -> Any:
    """What a witness says that cosigns."""
    return answer("witness", str(place), "--folder", str(folder), "--json", *arguments)


def refused(place: object, folder: Path) -> str:
    """What a witness says that refuses."""
    return refusal("witness", str(place), "--folder", str(folder))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder's address on a web server."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_witness_asks_for_the_key_once_and_then_cosigns(
    operated: Operated, tmp_path: Path
) -> None:
    assert str(operated.verifier) in refused(operated.logs.root, tmp_path / "w")

    cosigned(operated.logs.root, tmp_path / "w", "--log-key", str(operated.verifier))
    operated.grow(700)
    second = cosigned(operated.logs.root, tmp_path / "w")

    assert second["size"] == 700
    policy = operated.keep_policy("--witness", second["witness"])
    assert policy.met_by(Note.parse(Path(second["written"]).read_text()))
    shown = workflows("log", "--data-dir", str(operated.folder)).stdout
    assert str(operated.verifier) in shown


def test_a_witness_reads_a_log_from_a_web_server(operated: Operated, tmp_path: Path) -> None:
    with served(operated.logs.folder(EPOCH)) as address:
        said = cosigned(address, tmp_path / "w", "--log-key", str(operated.verifier))
        assert "no file policy" in refused(f"{address}/nowhere", tmp_path / "w")

    written = Path(said["written"])
    assert written.is_relative_to(tmp_path / "w")
    assert Note.parse(written.read_text()).signed_by([operated.verifier])


def test_a_witness_refuses_a_log_that_was_rewritten_with_its_own_key(
    operated: Operated, tmp_path: Path
) -> None:
    cosigned(operated.logs.root, tmp_path / "w", "--log-key", str(operated.verifier))
    operated.logs.folder(EPOCH).rename(tmp_path / "the true one")
    operated.logs.begin(EPOCH, operated.verifier)
    operated.grow(400, "forged")

    assert "rewritten" in refused(operated.logs.root, tmp_path / "w")


def test_witnesses_meet_on_one_checkpoint(operated: Operated, tmp_path: Path) -> None:
    """Checkpoints come every second: two witnesses would hardly ever see the same one."""
    key = ("--log-key", str(operated.verifier))
    folders = [tmp_path / name for name in ("a", "b", "c")]
    vkeys = [cosigned(operated.logs.root, folder, *key)["witness"] for folder in folders]
    named = [word for vkey in vkeys for word in ("--witness", vkey)]
    policy = operated.keep_policy(*named, "--quorum", "2")
    for number, folder in enumerate([*folders, *folders]):
        operated.grow(301 + number)
        last = cosigned(operated.logs.root, folder)

    signed = newest(operated.logs.source(EPOCH), operated.verifier)
    assert signed is not None
    assert not policy.met_by(signed.note)
    assert policy.met_by(Note.parse(Path(last["written"]).read_text()))


def test_there_is_no_log_where_none_is_kept(tmp_path: Path) -> None:
    assert "--log-dir" in refusal("log", "--database-url", "postgresql:///elsewhere")
    assert "the service begins it" in refusal("log", "--data-dir", str(tmp_path))
