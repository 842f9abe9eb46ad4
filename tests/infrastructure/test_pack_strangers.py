"""One pack read by three strangers: its own verifier elsewhere, torchwood, and tessera's fsck.

Each must accept it as it is, and refuse it if one byte of any file that it reads is another.
"""

import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from tests.support.database import execute
from tests.support.go import built
from tests.support.packs import clean_python, flipped, judged, read_pack, write_pack, zipped
from tests.support.proofs import KeptLog, write
from tests.support.stores import open_store

SOURCE = Path(__file__).with_name("pack_oracle")
FSCK = "github.com/transparency-dev/tessera/cmd/fsck"
WITHIN = 20.0  # seconds: it goes on for ever if it meets a mismatch
WORKFLOWS = 150  # with two events each: so the log has more than one tile
ALL = frozenset(
    {
        "README.md",
        "verify.py",
        "pack.json",
        "policy",
        "checkpoint",
        "descriptors.binpb",
        "events.jsonl",
        "proofs.jsonl",
        "receipts.jsonl",
        "log/checkpoint",
        "log/tile/0/000.p/9",
        "log/tile/entries/000.p/9",
    }
)


@pytest.fixture(name="pack", scope="module")
def pack_of_a_cosigned_log(
    postgres: str, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A pack of the whole feed, in which one event was erased."""
    folder = tmp_path_factory.mktemp("pack")
    execute(postgres, f"CREATE DATABASE packed TEMPLATE {migrated}")
    kept = KeptLog(make_conninfo(postgres, dbname="packed"), folder)
    with open_store(kept.dsn) as store:
        first, *_ = write(store, WORKFLOWS, events=2)
        kept.follow()
        kept.cosign()
        store.forget(first, 2)
    yield write_pack(kept, folder / "pack.zip")
    execute(postgres, "DROP DATABASE packed WITH (FORCE)")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has `cryptography`, and nothing of ours."""
    return clean_python(tmp_path_factory.mktemp("clean") / "venv")


@pytest.fixture(scope="module")
def torchwood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that reads a pack with torchwood."""
    return built(SOURCE, tmp_path_factory.mktemp("torchwood") / "oracle")


@pytest.fixture(scope="module")
def fsck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tessera's own program."""
    return built(SOURCE, tmp_path_factory.mktemp("fsck") / "fsck", FSCK)


@pytest.fixture(params=sorted(ALL))
def changed(request: pytest.FixtureRequest, pack: Path, tmp_path: Path) -> tuple[str, Path]:
    """The name of a file, and the pack with one byte of it changed."""
    files = read_pack(pack)
    content = files[request.param] or b"\n"
    files[request.param] = flipped(content, len(content) // 2)
    return request.param, zipped(files, tmp_path / "pack.zip")


def test_its_own_verifier_passes_it_where_nothing_of_ours_is(pack: Path, python: Path) -> None:
    ours: list[str | Path] = [python, "-I", "-c", "import infrastructure"]
    assert subprocess.run(ours, capture_output=True, check=False).returncode == 1
    policy = pack.with_name("policy")
    policy.write_bytes(read_pack(pack)["policy"])
    for given in ((), (policy,)):
        said = judged(python, pack, *given)
        assert said.stdout.startswith("PASS events: 300, workflows: 150, erased: 1;"), said


def test_its_own_verifier_fails_a_changed_byte(
    changed: tuple[str, Path], pack: Path, python: Path
) -> None:
    _, other = changed
    said = judged(python, other, verifier_of=pack)
    assert (said.returncode, said.stderr) == (1, "")
    assert said.stdout.startswith("FAIL ")


def test_torchwood_accepts_it(pack: Path, torchwood: Path) -> None:
    said = subprocess.run([torchwood, pack], capture_output=True, text=True, check=False)
    assert said.stdout == "9 files and 300 proofs hold\n", said.stderr


def test_torchwood_refuses_a_changed_byte(changed: tuple[str, Path], torchwood: Path) -> None:
    said = subprocess.run([torchwood, changed[1]], capture_output=True, text=True, check=False)
    assert said.returncode != 0
    assert not said.stdout


def test_fsck_accepts_its_manifest(pack: Path, fsck: Path, tmp_path: Path) -> None:
    files = read_pack(pack)
    said = checked(fsck, files, pack_key(files), tmp_path)
    assert "Successfully fsck'd log with size 9" in said
    assert "fsck failed" not in said


@pytest.mark.parametrize("name", sorted(name for name in ALL if name.startswith("log/")))
def test_fsck_refuses_a_changed_byte_of_the_manifest(
    pack: Path, fsck: Path, tmp_path: Path, name: str
) -> None:
    files = read_pack(pack)
    key = pack_key(files)
    files[name] = flipped(files[name], len(files[name]) // 2)
    said = checked(fsck, files, key, tmp_path)
    assert "Successfully" not in said


def checked(fsck: Path, files: dict[str, bytes], vkey: str, folder: Path) -> str:
    """What fsck says of the manifest; its exit code is 0 whatever it finds."""
    for name, content in files.items():
        if name.startswith("log/"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    key = folder / "key"
    key.write_text(vkey)
    flags = ["--ui=false", "--N=4", f"--storage_url=file://{folder}/log/", f"--public_key={key}"]
    said = b""
    with suppress(subprocess.TimeoutExpired):
        said = subprocess.run(
            [fsck, *flags], capture_output=True, timeout=WITHIN, check=False
        ).stderr
    return said.decode()


def pack_key(files: dict[str, bytes]) -> str:
    """The log's key under the name of the pack, as the pack's README says."""
    rule: Sequence[str] = files["policy"].decode().split()
    public = b64decode(rule[1].split("+", 2)[2])
    name = files["log/checkpoint"].decode().split("\n")[0]
    key_id = sha256(f"{name}\n".encode() + public).hexdigest()[:8]
    return f"{name}+{key_id}+{b64encode(public).decode()}"
