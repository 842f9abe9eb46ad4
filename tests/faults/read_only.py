"""A database that takes no writes, as a standby or a demoted primary."""

from psycopg.conninfo import make_conninfo

from tests.support.database import execute


def turn_read_only(database: str) -> None:
    """New sessions on the database cannot write."""
    execute(_beside(database), "ALTER DATABASE faults SET default_transaction_read_only = on")


def turn_writable(database: str) -> None:
    """New sessions on the database can write again."""
    execute(_beside(database), "ALTER DATABASE faults RESET default_transaction_read_only")


def _beside(database: str) -> str:
    return make_conninfo(database, dbname="postgres")
