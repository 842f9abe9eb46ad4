"""Trouble with the database, sorted by SQLSTATE: each kind has one answer."""

import psycopg
import pytest
from psycopg.errors import lookup

from infrastructure.postgres.sqlstates import SQLSTATES, UNKNOWN, Trouble, is_certain, trouble_of

# What callers are told, whether they may try again, whether the connection is renewed, and whether
# readiness falls at once.
ROWS = {
    "08006": ("STORE_UNAVAILABLE", True, True, False),
    "0A000": ("STORE_UNAVAILABLE", True, True, False),
    "25006": ("STORE_READ_ONLY", True, True, True),
    "25P02": ("STORE_UNAVAILABLE", True, True, False),
    "25P03": ("STORE_BUSY", True, False, False),
    "25P04": ("STORE_BUSY", True, False, False),
    "26000": ("STORE_UNAVAILABLE", True, True, False),
    "28000": ("STORE_FORBIDS", False, True, True),
    "28P01": ("STORE_FORBIDS", False, True, True),
    "3D000": ("STORE_SCHEMA", False, True, True),
    "3F000": ("STORE_SCHEMA", False, True, True),
    "40001": ("STORE_BUSY", True, False, False),
    "40P01": ("STORE_BUSY", True, False, False),
    "42501": ("STORE_FORBIDS", False, True, True),
    "42703": ("STORE_SCHEMA", False, True, True),
    "42883": ("STORE_SCHEMA", False, True, True),
    "42P01": ("STORE_SCHEMA", False, True, True),
    "53100": ("STORE_FULL", True, False, True),
    "53200": ("STORE_FULL", True, False, True),
    "53300": ("STORE_UNAVAILABLE", True, True, False),
    "55006": ("STORE_BUSY", True, False, False),
    "55P03": ("STORE_BUSY", True, False, False),
    "57014": ("STORE_BUSY", True, False, False),
    "57P01": ("STORE_UNAVAILABLE", True, True, False),
    "57P02": ("STORE_UNAVAILABLE", True, True, False),
    "57P03": ("STORE_UNAVAILABLE", True, True, False),
    "58030": ("STORE_FULL", True, False, True),
    "XX001": ("STORED_DATA_DAMAGED", False, False, False),
    "XX002": ("STORED_DATA_DAMAGED", False, False, False),
    "XX000": ("STORE_REFUSED", False, False, False),
    "23505": ("STORE_REFUSED", False, False, False),
    "22P05": ("STORE_REFUSED", False, False, False),
}
SETTLED_BY_LOOKING = {"08006", "25P02", "53300", "57P01", "57P02", "57P03"}


def told(trouble: Trouble) -> tuple[str, bool, bool, bool]:
    return (trouble.reason, trouble.retry, trouble.renew, trouble.unready)


@pytest.mark.parametrize("code", ROWS)
def test_each_code_has_its_answer(code: str) -> None:
    error = lookup(code)("a password stands here")
    assert told(trouble_of(error)) == ROWS[code]
    assert is_certain(error) is (code not in SETTLED_BY_LOOKING)
    assert "password" not in str(trouble_of(error).refusal(error))


def test_every_row_of_the_table_is_asserted() -> None:
    longest = {
        max((k for k in SQLSTATES if code.startswith(k)), key=len, default="") for code in ROWS
    }
    assert longest - {""} == SQLSTATES.keys()
    assert trouble_of(lookup("XX000")("x")) is UNKNOWN


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (psycopg.OperationalError("server closed the connection"), "STORE_UNAVAILABLE"),
        (psycopg.InterfaceError("the connection is closed"), "STORE_UNAVAILABLE"),
        (psycopg.OperationalError('"h", port 1 failed: session is read-only'), "STORE_READ_ONLY"),
        (psycopg.OperationalError("server is in hot standby mode"), "STORE_READ_ONLY"),
        (psycopg.DataError("timestamp too large (after year 10K)"), "STORED_DATA_DAMAGED"),
        (psycopg.ProgrammingError("the query has 2 placeholders"), "STORE_REFUSED"),
    ],
)
def test_an_error_without_a_code_is_sorted_by_its_kind(error: psycopg.Error, reason: str) -> None:
    assert trouble_of(error).reason == reason
    assert not is_certain(error)
