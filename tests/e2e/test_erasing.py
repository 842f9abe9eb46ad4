"""A user is erased through the service and its command line, and a hold refuses it."""

import json
from pathlib import Path

from tests.support.command_line import workflows
from tests.support.database import value
from tests.support.service import Service

USER = ("--user", "alice", "--reason", "request 7")
BASIS = ("--legal-basis", "GDPR Art. 17(1)(a)")


def test_a_user_is_held_released_and_erased(database: str, tmp_path: Path) -> None:
    with Service("--database-url", database, "--data-dir", str(tmp_path)) as service:
        mine, others = service.client.created("alice"), service.client.created("bob")
        where = ("--target", service.address)
        assert workflows("hold", *USER, *where).exit_code == 0
        refused = workflows("erase", *USER, *BASIS, *where)
        assert refused.exit_code == 1
        assert "USER_HELD" in refused.output
        assert workflows("release", *USER, *where).exit_code == 0
        result = workflows("erase", *USER, *BASIS, *where, "--json")
        assert result.exit_code == 0, result.output
        done = json.loads(result.stdout)
        assert (done["workflows"], done["events"]) == (1, 1)
        assert mine in done["receipt"]
        assert not service.client.walk("alice")
        assert len(service.client.walk("bob")) == 1
        assert others not in done["receipt"]
        assert service.client.created("alice")
    assert value(database, "SELECT count(*) FROM erasures WHERE receipt IS NOT NULL") == 1
    assert (tmp_path / "receipts" / done["receipt_id"]).is_file()
