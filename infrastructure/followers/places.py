"""The table of followers: how far each has come, what went wrong last, and which one runs."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from application.followers import FollowerPlace, FollowerState
from application.ports import Feed, FeedEnd

LOCKS = 5005202
"""The class of the advisory locks; the lock of a follower is the hash of its name in it."""

# If the machine of a holder is lost, the server notices within seconds and frees the lock.
_GREETING = """
    SET synchronous_commit = off;
    SET tcp_keepalives_idle = 2;
    SET tcp_keepalives_interval = 1;
    SET tcp_keepalives_count = 3
"""

_TAKE = f"SELECT pg_try_advisory_lock({LOCKS}, hashtext(%s))"
_PLACE = "SELECT epoch, position FROM followers WHERE name = %s FOR UPDATE"
_BEGIN = """
    INSERT INTO followers (name, epoch, position) VALUES (%s, %s, %s)
    ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, position = excluded.position
"""
_MOVE = """
    UPDATE followers SET position = %(to)s, updated_at = clock_timestamp(), failures = 0
    WHERE name = %(name)s AND epoch = %(epoch)s AND position = %(after)s
"""
_FAIL = """
    INSERT INTO followers (name, epoch, position, failures, fault, fault_at)
    VALUES (%(name)s, %(epoch)s, 0, 1, %(fault)s, clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET
        failures = followers.failures + 1, fault = excluded.fault, fault_at = excluded.fault_at
"""
_STATES = f"""
    SELECT f.name, f.epoch, f.position, greatest(0, last.position - f.position),
           EXISTS (
               SELECT FROM pg_locks AS l
               WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
                 AND l.classid = {LOCKS}
                 AND l.objid = (hashtext(f.name)::bigint & 4294967295)::oid
                 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           ),
           f.updated_at, f.failures, f.fault, f.fault_at
    FROM followers AS f,
         (SELECT coalesce(max(notification_id), 0) AS position FROM workflow_events) AS last
    ORDER BY f.name
"""  # noqa: S608 - a number of ours
MAX_FAULT = 1000  # characters


class PlaceMoved(Exception):
    """Another process moved a follower that this process believed to run."""


def greet(connection: Connection[Any]) -> None:
    """Prepares a new session of a follower.

    A commit does not wait for the disk: what a crash loses is lost with the position, and handled
    again.
    """
    connection.execute(_GREETING)


def take_turn(connection: Connection[Any], name: str) -> bool:
    """Whether this session runs the follower from now on, until the session ends."""
    return connection.execute(_TAKE, (name,)).fetchone() == (True,)


def place_of(connection: Connection[Any], name: str) -> FollowerPlace | None:
    """The place of a follower, which nobody else changes before the transaction ends."""
    found = connection.execute(_PLACE, (name,)).fetchone()
    return None if found is None else FollowerPlace(Feed(found[0]), found[1])


def begin_at(connection: Connection[Any], name: str, place: FollowerPlace) -> None:
    """Sets where a follower goes on, whatever was stored."""
    connection.execute(_BEGIN, (name, place.feed.epoch, place.position))


def move(connection: Connection[Any], name: str, place: FollowerPlace, to: int) -> None:
    """Stores that a follower came from a place to a later position, and that all is well.

    Raises PlaceMoved if it was not at that place.
    """
    where = {"name": name, "epoch": place.feed.epoch, "after": place.position, "to": to}
    if connection.execute(_MOVE, where).rowcount != 1:
        raise PlaceMoved(f"follower {name} is not at position {place.position} any more")


def failed(connection: Connection[Any], name: str, end: FeedEnd | None, fault: str) -> None:
    """Stores what went wrong."""
    epoch = end.feed.epoch if end else 0
    connection.execute(_FAIL, {"name": name, "epoch": epoch, "fault": fault[:MAX_FAULT]})


def follower_states(connection: Connection[Any]) -> Sequence[FollowerState]:
    """All followers that ever ran on this database, by name."""
    return [
        FollowerState(name, FollowerPlace(Feed(epoch), position), *rest)
        for name, epoch, position, *rest in connection.execute(_STATES).fetchall()
    ]
