"""Evidence packs of a test: made of a database and its log, changed, and verified elsewhere."""

import json
import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from application.exports import ExportRequest
from infrastructure.packs.archive import ArchivedFile
from infrastructure.packs.manifest import FOLDER, manifest
from infrastructure.packs.packing import PackMaker
from infrastructure.proof.keys import SigningKey
from tests.support.proofs import KEY, KeptLog

NEEDED = ("cryptography", "cffi", "pycparser", "_cffi_backend")
"""What a verifier needs beside Python, and what that needs."""


def asked(
    workflow_id: str = "",
    user_id: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> ExportRequest:
    """An export; of the whole feed if nothing is chosen."""
    return ExportRequest(workflow_id, user_id, since, until)


def maker(kept: KeptLog, key: SigningKey = KEY) -> PackMaker:
    """What makes packs of a database and its log."""
    return PackMaker(kept.dsn, kept.logs, lambda: key, lambda: datetime.now(UTC))


def write_pack(kept: KeptLog, path: Path, wanted: ExportRequest | None = None) -> Path:
    """A pack in a file."""
    with path.open("wb") as file:
        for piece in maker(kept).pieces(wanted or asked()):
            file.write(piece.data)
    return path


def read_pack(path: Path) -> dict[str, bytes]:
    """The files of a pack, in their order."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: Mapping[str, bytes], path: Path) -> Path:
    """A zip file of these files."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def signed_anew(files: Mapping[str, bytes], path: Path, key: SigningKey = KEY) -> Path:
    """A pack of these files with a manifest that fits them, as who has the key can make one."""
    pack_id = json.loads(files["pack.json"])["id"]
    kept = {name: file for name, file in files.items() if not name.startswith(f"{FOLDER}/")}
    named = [ArchivedFile(n, len(file), sha256(file).hexdigest()) for n, file in kept.items()]
    made = dict(manifest(pack_id, named, key.signer(f"{key.name}/pack/{pack_id}")))
    return zipped(kept | made, path)


def flipped(content: bytes, at: int) -> bytes:
    """A content of which one bit is another."""
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def clean_python(folder: Path) -> Path:
    """A Python in an environment of its own, which has `cryptography` and nothing of ours."""
    venv.create(folder, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    for name in NEEDED:
        found = find_spec(name)
        assert found is not None
        assert found.origin is not None
        place = Path(found.origin)
        place = place.parent if place.name == "__init__.py" else place
        (packages / place.name).symlink_to(place)
    return folder / "bin" / "python"


def judged(
    python: Path, pack: Path, *policy: Path, verifier_of: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """What a verifier says of a pack, run by this Python as the pack's README tells.

    The verifier is the pack's own, or that of another pack, as if it were got elsewhere.
    """
    verifier = pack.with_suffix(".verify.py")
    verifier.write_bytes(read_pack(verifier_of or pack)["verify.py"])
    return subprocess.run(
        [python, verifier, pack, *policy],
        capture_output=True,
        text=True,
        check=False,
        cwd=pack.parent,
    )
