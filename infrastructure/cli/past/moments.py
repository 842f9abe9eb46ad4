"""Moments of the past, as people write them on a command line."""

import re
from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from workflows import history_pb2 as pb

from infrastructure.cli.refusing import misused

_POSITION = re.compile(r"[0-9]{1,18}")
_AGO = re.compile(r"([0-9]{1,9}) (second|minute|hour|day|week)s? ago")


def one_moment(
    at: str | None, version: int | None, position: int | None, now: datetime
) -> pb.Moment | None:
    """The moment that one of three options names; None if none does. Ends the command for two."""
    if sum(given is not None for given in (at, version, position)) > 1:
        misused("A moment is named once: by --at, by --version, or by --position.")
    if version is not None:
        return pb.Moment(version=version)
    if position is not None:
        return pb.Moment(position=position)
    return None if at is None else moment_of(at, now)


def time_of(text: str, now: datetime) -> Timestamp:
    """The time that a text names. Ends the command if it names none; see `moment_of`."""
    moment = moment_of(text, now)
    if not moment.HasField("time"):
        misused(f"{text!r} is a position; give a time with its zone, or such as '2 hours ago'")
    return moment.time


def moment_of(text: str, now: datetime) -> pb.Moment:
    """The moment that a text names: RFC 3339, a position, or such as "2 hours ago".

    Ends the command if it names none. `now` is the time from which "ago" counts.
    """
    if _POSITION.fullmatch(text):
        return pb.Moment(position=int(text))
    time = Timestamp()
    try:
        if ago := _AGO.fullmatch(text):
            time.FromDatetime(now - timedelta(**{f"{ago[2]}s": int(ago[1])}))
        else:
            time.FromJsonString(text)
    except (ValueError, OverflowError):
        misused(
            f"{text!r} is no moment; give a time with its zone (2026-11-25T06:30:00Z), a position"
            ' of the feed (1200), or a time from now ("2 hours ago")'
        )
    return pb.Moment(time=time)
