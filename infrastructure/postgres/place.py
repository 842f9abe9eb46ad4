"""The place of a database, safe to show: hosts with their ports, and no password."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

_PORT = "5432"


@dataclass(frozen=True, slots=True)
class Place:
    """A database at one server or at several, and the user who asks for it.

    `data_dir` is that of the embedded server; only `workflows psql` knows how to reach that one.
    """

    hosts: tuple[tuple[str, str], ...]
    database: str
    user: str
    data_dir: Path | None = None

    @classmethod
    def of(cls, connection: Connection[Any]) -> "Place":
        """The place to which a connection leads."""
        info = connection.info
        return cls(((info.host, str(info.port)),), info.dbname, info.user)

    @classmethod
    def asked_for(cls, dsn: str) -> "Place":
        """The place to which a DSN leads, host by host."""
        asked: Mapping[str, Any] = conninfo_to_dict(dsn)
        hosts = str(asked.get("host") or asked.get("hostaddr") or "").split(",")
        ports = str(asked.get("port") or _PORT).split(",")
        if len(ports) < len(hosts):
            ports = ports * len(hosts)
        user = str(asked.get("user") or "")
        database = str(asked.get("dbname") or user or "postgres")
        return cls(tuple(zip(hosts, ports, strict=False)), database, user)

    def __str__(self) -> str:
        pairs = [f"{host or 'local socket'}:{port or _PORT}" for host, port in self.hosts]
        return f"{','.join(pairs)}/{self.database}"

    def command(self, program: str, *arguments: str) -> str:
        """A command of PostgreSQL's for the first of the servers, as it can be typed."""
        host, port = self.hosts[0]
        flags = [*(["-h", host] if host else []), *(["-p", port] if port else [])]
        flags += ["-U", self.user] if self.user else []
        return shlex.join([program, *flags, *arguments])

    def sql(self, *statements: str, file: str = "") -> str:
        """The command that runs statements there, as a user who may; a file of them comes first."""
        if self.data_dir is not None:
            where = ["--data-dir", str(self.data_dir)]
            return shlex.join(["workflows", "psql", *where, "-c", "; ".join(statements)])
        arguments = ["-d", self.database, *(["-f", file] if file else [])]
        for statement in statements:
            arguments += ["-c", statement]
        return Place(self.hosts, self.database, "").command("psql", *arguments)


def holds_a_bare_separator(dsn: str) -> bool:
    """Whether a URL has an @ or a / in its user or password that libpq takes for its end.

    The rest of the password would be read as host or database name, and be shown.
    """
    scheme, _, rest = dsn.partition("://")
    if scheme not in ("postgresql", "postgres"):
        return False
    authority, _, path = rest.partition("?")[0].partition("/")
    return authority.count("@") > 1 or "@" in path
