"""Folders of our own outside the data directory: short, private, and found again after a crash.

The name of a socket has at most 107 bytes, and a user whom the server runs as may be unable to
enter the folders above the data directory. So the socket, and a copy of the programs if it is
needed, lie elsewhere. A link in the data directory names each of these folders.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

from infrastructure.postgres.owners import Owner

_PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - only folders of our own making are used
_PREFIX = "workflows-"
_PRIVATE = 0o700


def private_folder(link: Path, owner: Owner) -> Path:
    """The folder that the link names: mode 0700, the owner's, and of our own making.

    A folder that was removed is made again under its name; one that is no longer private is not
    touched, and the link gets a new folder. Raises OSError if no place allows a folder.
    """
    folder = _named_by(link)
    if folder is not None:
        with suppress(OSError):
            folder.mkdir(mode=_PRIVATE)
            _give(folder, owner)
        if _is_private(folder, owner):
            return folder
    folder = _new_folder(os.ST_RDONLY)
    _give(folder, owner)
    _point(link, folder)
    return folder


def public_folder(link: Path) -> Path:
    """A new folder from which programs can be run; every user may enter it, only we may write.

    Raises OSError if no place allows one.
    """
    remove(link)
    folder = _new_folder(os.ST_RDONLY | os.ST_NOEXEC)
    _point(link, folder)
    folder.chmod(0o755)
    return folder


def remove(link: Path) -> None:
    """Removes the folder that the link names, if it is one of ours, and the link."""
    folder = _named_by(link)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    link.unlink(missing_ok=True)


def _named_by(link: Path) -> Path | None:
    """The folder that a link names; None if we cannot have made it."""
    try:
        folder = link.readlink()
    except OSError:
        return None
    ours = str(folder.parent) in _PLACES and folder.name.startswith(_PREFIX)
    return folder if ours else None


def _is_private(folder: Path, owner: Owner) -> bool:
    try:
        facts = folder.lstat()
    except OSError:
        return False
    private = stat.S_ISDIR(facts.st_mode) and stat.S_IMODE(facts.st_mode) == _PRIVATE
    return private and facts.st_uid == owner.uid


def _new_folder(unwanted: int) -> Path:
    refused: OSError = FileNotFoundError("no place for a folder")
    for place in _places(unwanted):
        try:
            return Path(mkdtemp(prefix=_PREFIX, dir=place))
        except OSError as error:
            refused = error
    raise refused


def _places(unwanted: int) -> Iterator[str]:
    """Places in which nobody else can rename our folder, on file systems without these flags."""
    for place in _PLACES:
        with suppress(OSError):
            mode = Path(place).stat().st_mode
            is_safe = bool(mode & stat.S_ISVTX) or not mode & 0o022
            if is_safe and not os.statvfs(place).f_flag & unwanted:
                yield place


def _give(folder: Path, owner: Owner) -> None:
    if owner.uid != os.geteuid():
        os.chown(folder, owner.uid, owner.gid, follow_symlinks=False)


def _point(link: Path, folder: Path) -> None:
    """Points the link to the folder, atomically: there is a valid link at every moment."""
    new = link.with_name(f"{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(folder)
    new.replace(link)
