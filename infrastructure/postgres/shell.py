"""How people and their programs connect to the database that the service uses."""

from collections.abc import Mapping

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

_SECRETS = {"password": "PGPASSWORD"}  # parameters that no command line may show
# Parameters that only repeat defaults are left out: older clients do not know all of them.
_UNSAID = {
    "client_encoding": "UTF8",
    "sslmode": "disable",
    "sslcertmode": "disable",
    "require_auth": "scram-sha-256",
    "min_protocol_version": "3.0",
    "max_protocol_version": "3.0",
}


def for_people(dsn: str) -> tuple[str, Mapping[str, str]]:
    """A DSN without default values, and variables for the values that it must not show."""
    given = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value}
    secrets = {variable: given[name] for name, variable in _SECRETS.items() if name in given}
    usual = {**_usual(), **_UNSAID}
    said = {n: v for n, v in given.items() if n not in _SECRETS and usual.get(n) != v}
    return make_conninfo("", **said), secrets


def _usual() -> Mapping[str, str]:
    """The values that libpq uses if a DSN has none."""
    return {
        option.keyword.decode(): option.compiled.decode()
        for option in Conninfo.get_defaults()
        if option.compiled is not None
    }
