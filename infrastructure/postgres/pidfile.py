"""The pid file of a server, and whether the server that wrote it still runs."""

from dataclasses import dataclass
from pathlib import Path

_STATUS_LINE = 7  # of postmaster.pid, counted from 0


@dataclass(frozen=True, slots=True)
class PidFile:
    """The content of postmaster.pid; a server that was killed leaves the file behind."""

    pid: int = -1
    status: str = ""
    socket_folder: str = ""

    @classmethod
    def of(cls, cluster: Path) -> "PidFile":
        """Reads the file of a cluster; pid is -1 if the file is missing or incomplete."""
        try:
            lines = (cluster / "postmaster.pid").read_text().splitlines()
            pid = int(lines[0])
        except (FileNotFoundError, IndexError, ValueError):
            return cls()
        if len(lines) <= _STATUS_LINE:  # The server writes its status last.
            return cls(pid)
        return cls(pid, lines[_STATUS_LINE].strip(), lines[4])


def remove_stale_pid_file(cluster: Path, socket: Path) -> None:
    """Removes the pid files of a server that ended, if another process has its pid now.

    PostgreSQL would take that process for the server. If no process has the pid, the files stay:
    PostgreSQL itself then checks whether any process of the server still uses its memory.
    """
    left = PidFile.of(cluster)
    if Path(f"/proc/{left.pid}").exists() and not serves(left.pid, cluster):
        (cluster / "postmaster.pid").unlink()
    for lock in socket.glob(".s.PGSQL.*.lock"):
        # Only we can enter the folder, and no server listens there now.
        lock.unlink()


def serves(pid: int, cluster: Path) -> bool:
    """Whether the process with this pid is a PostgreSQL server of the directory."""
    process = Path(f"/proc/{pid}")
    try:
        name, _, facts = (process / "stat").read_text().partition("(")[2].rpartition(")")
        return name == "postgres" and facts.split()[0] != "Z" and cluster.samefile(process / "cwd")
    except PermissionError:
        return True  # Another user's PostgreSQL. In doubt, the pid file is not removed.
    except OSError:
        return False
