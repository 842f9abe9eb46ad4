"""The manifest of a pack: a small log of tiles, whose leaves name the pack's files by digest.

So the pack is covered whole by one signed checkpoint, and programs that know logs can verify it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from infrastructure.packs.archive import ArchivedFile
from infrastructure.tlog.notes import Signer
from infrastructure.tlog.writing import TileLog

FOLDER = "log"
"""The folder of the manifest in a pack."""
_FORMAT = "workflows.pack.v1"


def leaf(pack_id: str, file: ArchivedFile) -> bytes:
    """What the manifest says of a file."""
    return f"{_FORMAT}\n{pack_id}\n{file.name}\n{file.size}\n{file.sha256}\n".encode()


def manifest(
    pack_id: str, files: Iterable[ArchivedFile], signer: Signer
) -> Iterator[tuple[str, bytes]]:
    """The files of the manifest, by their names in the pack."""
    with TemporaryDirectory() as made:
        folder = Path(made)
        log = TileLog(folder, signer)
        log.append(leaf(pack_id, file) for file in files)
        log.publish()
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield f"{FOLDER}/{path.relative_to(folder).as_posix()}", path.read_bytes()
