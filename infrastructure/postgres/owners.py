"""Users that PostgreSQL's programs run as: never root; if root starts them, an unused id."""

import grp
import os
import pwd
import random
from pathlib import Path
from typing import NamedTuple

from infrastructure.postgres.unusable import DatabaseUnusable

_UIDS_WITHOUT_ACCOUNT = range(61184, 65520)  # what systemd, too, takes users without account from
_CHOWN, _SETGID, _SETUID = (1 << bit for bit in (0, 6, 7))  # of CapEff, see capabilities(7)


class Owner(NamedTuple):
    """The user and the group that a program runs as."""

    uid: int
    gid: int


def server_owner(keeper: Owner) -> Owner:
    """The user that a new cluster belongs to: never root."""
    if os.geteuid() != 0:
        return Owner(os.geteuid(), os.getegid())
    if keeper.uid != 0:
        return keeper
    return _without_account()


def _without_account() -> Owner:
    """A user id and a group id that no account and no process has."""
    running = {_uid_of(process) for process in Path("/proc").iterdir() if process.name.isdecimal()}
    uids = list(_UIDS_WITHOUT_ACCOUNT)
    random.SystemRandom().shuffle(uids)
    free = next(u for u in uids if u not in running and not (has_account(u) or _is_group(u)))
    return Owner(free, free)


def _uid_of(process: Path) -> int:
    try:
        return process.stat().st_uid
    except OSError:  # The process has ended.
        return 0


def has_account(uid: int) -> bool:
    """Whether the system knows a user by a name."""
    try:
        return bool(pwd.getpwuid(uid))
    except KeyError:
        return False


def _is_group(gid: int) -> bool:
    try:
        return bool(grp.getgrgid(gid))
    except KeyError:
        return False


def any_account() -> Owner:
    """A user with an account, because initdb needs one: the user nobody, if it exists."""
    accounts = [account for account in pwd.getpwall() if account.pw_uid != 0]
    if not accounts:
        raise DatabaseUnusable(
            "PostgreSQL does not run as root, and this machine has no other user."
            " Start as another user, or use a PostgreSQL elsewhere: --database-url"
        )
    chosen = min(accounts, key=lambda account: (account.pw_name != "nobody", account.pw_uid))
    return Owner(chosen.pw_uid, chosen.pw_gid)


def maker_for(owner: Owner) -> Owner:
    """The user that makes a cluster for its owner: initdb insists on an account.

    Raises DatabaseUnusable if there is no such user.
    """
    if has_account(owner.uid):
        return owner
    if os.geteuid() == 0:
        return any_account()
    raise DatabaseUnusable(
        f"PostgreSQL makes a new database for a user with an account only, and the uid {owner.uid}"
        f" has none here. Give it one (in /etc/passwd: workflows:x:{owner.uid}:{owner.gid}::/:),"
        " start as another user, or use a PostgreSQL elsewhere: --database-url"
    )


def check_rights(*owners: Owner) -> None:
    """Raises DatabaseUnusable if this user may not act as one of these."""
    for owner in owners:
        if owner.uid != os.geteuid() and not _may_become(owner.uid):
            raise DatabaseUnusable(
                "PostgreSQL does not run as root, and here root may not act as another user (the"
                f" rights chown, setuid, setgid, and a mapped uid {owner.uid}). Start as another"
                " user, or use a PostgreSQL elsewhere: --database-url"
            )


def give_all(folder: Path, owner: Owner) -> None:
    """Gives a folder and all that lies in it to a user, following no link."""
    for _, folders, files, at in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            os.chown(name, *owner, dir_fd=at, follow_symlinks=False)
    os.chown(folder, *owner)


def _may_become(uid: int) -> bool:
    """Whether this user is root and may act as that one; in a container it may not."""
    status = Path("/proc/self/status").read_text().partition("CapEff:")[2].split()[0]
    rights = _CHOWN | _SETGID | _SETUID
    ranges = (
        map(int, line.split()) for line in Path("/proc/self/uid_map").read_text().splitlines()
    )
    mapped = any(first <= uid < first + count for first, _, count in ranges)
    return mapped and int(status, 16) & rights == rights
