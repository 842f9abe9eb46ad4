"""Why a database cannot be used, in sentences: what is wrong, and what to do."""

import errno
import pwd
from pathlib import Path


class DatabaseUnusable(Exception):
    """The database cannot be used; the text explains why, and what to do next."""

    def __init__(self, what: str, advice: str = "", command: str = "") -> None:
        """`what` is wrong, `advice` says what to do, and `command` is what can be typed then."""
        remedy = ": ".join(part for part in (advice, command) if part)
        super().__init__(". ".join(part for part in (what, remedy) if part))
        self.what = what
        self.advice = advice
        self.command = command


def data_dir_unusable(data_dir: Path, reason: str, remedy: str = "") -> DatabaseUnusable:
    """The refusal of a data directory of the embedded PostgreSQL."""
    return DatabaseUnusable(
        f"The embedded PostgreSQL cannot use {data_dir}: {reason.rstrip('.')}",
        f"{remedy}, or choose another folder" if remedy else "Choose another folder",
        "workflows serve --data-dir FOLDER",
    )


def refused_by_the_system(data_dir: Path, error: OSError) -> DatabaseUnusable:
    """The refusal of a data directory with the error of the operating system."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return data_dir_unusable(data_dir, "its disk is full", "Make room there")
        case errno.EROFS:
            return data_dir_unusable(data_dir, "it lies on a read-only file system")
        case errno.EACCES | errno.EPERM:
            whose = f"it belongs to {_owner_of(data_dir)}, and this user may not write there"
            return data_dir_unusable(data_dir, whose, "Start as that user")
        case errno.ENOTDIR | errno.EEXIST:
            return data_dir_unusable(data_dir, "it is no folder")
        case _:
            return data_dir_unusable(data_dir, error.strerror or "the system refuses it")


def name_of(uid: int) -> str:
    """A user's name, or the uid if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the user with uid {uid}"


def _owner_of(folder: Path) -> str:
    """The owner of a folder, or of the closest folder above it that can be seen."""
    for seen in (folder, *folder.absolute().parents):
        try:
            return name_of(seen.stat().st_uid)
        except OSError:
            continue
    return "somebody else"
