"""What a server notes in its directory while it runs, and whether it is still true."""

from dataclasses import dataclass
from pathlib import Path

_STATUS_LINE = 7  # of postmaster.pid, counted from 0


@dataclass(frozen=True, slots=True)
class PidFile:
    """What a server notes in its directory while it runs; one that was killed leaves it behind."""

    pid: int = -1
    status: str = ""
    socket_folder: str = ""

    @classmethod
    def of(cls, cluster: Path) -> "PidFile":
        """What the file in a cluster says; pid -1 if it says nothing yet, or no more."""
        try:
            lines = (cluster / "postmaster.pid").read_text().splitlines()
            pid = int(lines[0])
        except (FileNotFoundError, IndexError, ValueError):
            return cls()
        if len(lines) <= _STATUS_LINE:  # The server writes its status last.
            return cls(pid)
        return cls(pid, lines[_STATUS_LINE].strip(), lines[4])


def forget_stranger(cluster: Path, socket: Path) -> None:
    """Removes the pid files of a server that ended, if another process has its pid now.

    PostgreSQL would take that process for the server. A pid that no process has is left to
    PostgreSQL, which looks whether any part of the server still uses its memory.
    """
    left = PidFile.of(cluster)
    if Path(f"/proc/{left.pid}").exists() and not serves(left.pid, cluster):
        (cluster / "postmaster.pid").unlink()
    for lock in socket.glob(".s.PGSQL.*.lock"):
        # The folder is ours alone, and no server listens there now.
        lock.unlink()


def serves(pid: int, cluster: Path) -> bool:
    """Whether this process is a PostgreSQL server that lives in the directory."""
    process = Path(f"/proc/{pid}")
    try:
        name, _, facts = (process / "stat").read_text().partition("(")[2].rpartition(")")
        return name == "postgres" and facts.split()[0] != "Z" and cluster.samefile(process / "cwd")
    except PermissionError:
        return True  # Another user's PostgreSQL: in doubt, nobody's pid file is removed.
    except OSError:
        return False
