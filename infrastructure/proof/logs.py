"""The folder of logs: one for each epoch, so that no log ever contradicts what it has signed.

Under the folder, each epoch has a folder of its own, which is a whole log: `checkpoint`, `tile/`,
`policy` and `cosigned/`. It can be copied with any tool and served by any web server.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infrastructure.settings import Settings
from infrastructure.tlog.files import FolderSource, replace_file
from infrastructure.tlog.notes import Verifier
from infrastructure.tlog.policy import POLICY, Policy, PolicyRefused

_FOLDER = "log"


@dataclass(frozen=True, slots=True)
class Logs:
    """The logs of all epochs under a folder."""

    root: Path

    def epochs(self) -> Sequence[int]:
        """The epochs that have a log, oldest first."""
        if not self.root.is_dir():
            return []
        names = [path.parent.name for path in self.root.glob(f"*/{POLICY}")]
        return sorted(int(name) for name in names if name.isdecimal())

    def folder(self, epoch: int) -> Path:
        """The folder of the log of an epoch, which may not exist."""
        return self.root / str(epoch)

    def source(self, epoch: int) -> FolderSource:
        """The log of an epoch, for reading."""
        return FolderSource(self.folder(epoch))

    def policy(self, epoch: int) -> Policy | None:
        """The policy of the log of an epoch; None if it has no log.

        Raises PolicyRefused for one that cannot be used.
        """
        try:
            text = (self.folder(epoch) / POLICY).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        policy = Policy.parse(text)
        if len(policy.logs) != 1:
            raise PolicyRefused(f"the policy names {len(policy.logs)} logs, and needs one")
        return policy

    def begin(self, epoch: int, log: Verifier) -> None:
        """Begins the log of an epoch, signed by this key; no cosignature is asked for yet."""
        self.keep_policy(epoch, Policy.of(log))

    def keep_policy(self, epoch: int, policy: Policy) -> None:
        """Writes the policy of an epoch."""
        replace_file(self.folder(epoch) / POLICY, str(policy).encode())


def logs_of(settings: Settings) -> Logs | None:
    """The logs of an installation; None if it keeps none.

    An embedded database has them beside it. Another database may be served by several machines, so
    there they are only if a folder was named.
    """
    if settings.log_dir is not None:
        return Logs(settings.log_dir)
    return Logs(settings.data_dir / _FOLDER) if settings.database_url is None else None
