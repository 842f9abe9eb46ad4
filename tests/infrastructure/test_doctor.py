"""The doctor names what is wrong with a database and around it, and a command that helps."""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infrastructure.doctor import surroundings
from infrastructure.doctor.diagnosis import Diagnosis, State
from infrastructure.doctor.examination import examine
from infrastructure.doctor.rights import needed
from infrastructure.followers.places import take_turn
from infrastructure.postgres.explanations import RIGHTS
from infrastructure.postgres.place import Place
from infrastructure.proof.checkpointing import Checkpointing
from infrastructure.proof.keys import SigningKey
from infrastructure.proof.logs import Logs
from infrastructure.settings import load
from infrastructure.wiring.clock import now
from infrastructure.wiring.store import CONNECTIONS_A_WORKER
from tests.faults.nemesis import TERMINATE
from tests.faults.writers import writer
from tests.support import followers
from tests.support.certificates import LOCAL, Authority
from tests.support.command_line import workflows
from tests.support.database import execute
from tests.support.given import create
from tests.support.service import Service
from tests.support.waiting import until

WELL, DOUBTFUL, ILL = State.WELL, State.DOUBTFUL, State.ILL
NOWHERE = "postgresql://me@127.0.0.1:1/mine"


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    """A folder for logs of checkpoints."""
    return Logs(tmp_path / "log")


@pytest.fixture
def covered(database: str, logs: Logs) -> str:
    """The DSN of a database whose one event a checkpoint covers."""
    with writer(database) as commands:
        commands.done(create())
    key = SigningKey.made("workflows.test")
    with followers.run(database, Checkpointing(logs, lambda: key, 0.1)):
        until(lambda: "1 of 1" in seen(database, logs, "checkpoints").seen)
    return database


@pytest.fixture
def role(database: str) -> Iterator[str]:
    """The DSN of a role with the rights of a service."""
    execute(database, RIGHTS.read_text(encoding="utf-8"))
    execute(database, "CREATE ROLE served LOGIN PASSWORD 'secret' IN ROLE workflows_service")
    try:
        yield make_conninfo(database, user="served", password="secret")
    finally:
        execute(database, "DROP OWNED BY served, workflows_service")
        execute(database, "DROP ROLE served, workflows_service")


def examined(database: str, logs: Logs | None = None, **settings: Any) -> list[Diagnosis]:
    """All that is found; each that is not well has a remedy with a command."""
    given = settings if logs is None else settings | {"log_dir": logs.root}
    found = list(examine(load(database_url=database, **given), now))
    for diagnosis in found:
        assert bool(diagnosis.advice) == (diagnosis.state is not WELL), diagnosis
        assert bool(shlex.split(diagnosis.command)) == (diagnosis.state is not WELL), diagnosis
    return found


def seen(database: str, logs: Logs | None, subject: str, **settings: Any) -> Diagnosis:
    """What is found about one subject."""
    found = examined(database, logs, **settings)
    [diagnosis] = [each for each in found if each.subject == subject]
    return diagnosis


def test_where_a_role_of_its_own_serves_all_is_well(role: str, logs: Logs) -> None:
    kept = {"WORKFLOWS_LOG_DIR": str(logs.root), "WORKFLOWS_LOG_KEY": str(logs.root / "log.key")}
    with Service("--database-url", role, **kept) as service:
        service.client.created("alice")
        until(lambda: {each.state for each in examined(role, logs)} == {WELL})
        found = examined(role, logs)
    assert [diagnosis.subject for diagnosis in found] == [
        *(
            "credentials",
            "database",
            "clock",
            "connections",
            "disk",
            "disk",
            "schema",
            "rights",
            "statements",
        ),
        *("followers", "followers", "checkpoints"),
    ]


@pytest.mark.parametrize(
    ("change", "reason", "remedy"),
    [
        ({"host": "nowhere.invalid", "hostaddr": ""}, "resolve host|translate host", "getent"),
        ({"host": "127.0.0.1", "port": "1"}, "Connection refused", "pg_isready"),
        ({"dbname": "nowhere"}, "does not exist", "createdb"),
        ({"user": "nobody", "password": "x"}, "authentication failed", r"\password nobody"),
        ({"options": "-c default_transaction_read_only=on"}, "read-only", "ALTER DATABASE"),
    ],
)
def test_a_database_that_cannot_be_used(
    database: str, change: dict[str, str], reason: str, remedy: str
) -> None:
    _, found = examined(make_conninfo(database, **change))
    assert (found.subject, found.state) == ("database", ILL)
    assert any(word in found.seen for word in reason.split("|"))
    assert remedy in found.command


def test_a_schema_that_is_behind(empty_database: str) -> None:
    found = examined(empty_database)[-1]
    assert (found.subject, found.state, found.command) == ("schema", ILL, "workflows migrate")


def test_a_role_that_lacks_rights_is_told_which(role: str, database: str) -> None:
    execute(database, "REVOKE INSERT ON workflow_events, access_log FROM workflows_service")
    found = {each.subject: each for each in examined(role)}
    assert "lacks INSERT on workflow_events, INSERT on access_log" in found["rights"].seen
    assert "GRANT workflows_service TO" in found["rights"].command
    assert "roles.sql" in found["rights"].command
    assert found["statements"].state is ILL


def test_every_right_in_the_file_is_asked_for() -> None:
    asked = set(needed())
    assert ("INSERT", "workflow_events", "") in asked
    assert ("UPDATE", "user_holds", "released_by") in asked
    assert ("EXECUTE", "begin_erasure_v1", "") in asked
    assert len(asked) == len(list(needed()))
    grants = RIGHTS.read_text(encoding="utf-8").count("\nGRANT ")
    assert grants == RIGHTS.read_text(encoding="utf-8").count("TO workflows_service;")


def test_a_role_that_can_do_more_than_serve(database: str) -> None:
    found = seen(database, None, "rights")
    assert found.state is DOUBTFUL
    assert "it is a superuser" in found.seen


def test_statements_that_are_refused_when_the_database_is_reached(database: str) -> None:
    execute(database, "ALTER TABLE command_ledger RENAME TO ledger")
    found = {each.subject: each for each in examined(database)}
    assert found["statements"].state is ILL
    assert "command_ledger" in found["statements"].seen


@pytest.mark.parametrize(("ahead", "state"), [(0, WELL), (10, DOUBTFUL), (-60, ILL)])
def test_a_clock_that_differs_from_the_database(database: str, ahead: int, state: State) -> None:
    def wrong() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=ahead)

    found = {each.subject: each for each in examine(load(database_url=database), wrong)}
    assert found["clock"].state is state


def test_a_database_that_is_lost_meanwhile(database: str) -> None:
    def ending() -> datetime:
        execute(database, TERMINATE)
        return now()

    found = list(examine(load(database_url=database), ending))[-1]
    assert (found.subject, found.state, found.command) == ("database", ILL, "workflows doctor")


def test_more_workers_than_there_are_connections(database: str) -> None:
    assert seen(database, None, "connections", workers=1).state is WELL
    assert seen(database, None, "connections", workers=64).state is ILL


def test_other_clients_that_leave_too_few_connections(role: str, database: str) -> None:
    execute(database, f"ALTER ROLE served CONNECTION LIMIT {CONNECTIONS_A_WORKER}")
    assert seen(role, None, "connections").state is WELL
    with writer(make_conninfo(database, application_name="theirs")) as held:
        held.done(create())
        assert seen(role, None, "connections").state is DOUBTFUL


@pytest.mark.parametrize(("free", "state"), [(1, ILL), (2**29, DOUBTFUL), (2**40, WELL)])
def test_a_disk_with_little_room(
    covered: str, logs: Logs, monkeypatch: pytest.MonkeyPatch, free: int, state: State
) -> None:
    monkeypatch.setattr(surroundings, "free_at", lambda _: (free, 2**41))
    found = [each for each in examined(covered, logs) if each.subject == "disk"]
    assert found[0].state is state
    assert str(logs.root) in found[0].seen


def test_a_follower_that_nobody_runs(covered: str, logs: Logs) -> None:
    never, stopped = (each for each in examined(covered, logs) if each.subject == "followers")
    assert (never.seen, never.state) == ("search has never run", DOUBTFUL)
    assert (stopped.state, stopped.command) == (DOUBTFUL, "workflows serve")
    assert "no process runs it" in stopped.seen


def test_a_follower_that_fails_and_one_that_runs(covered: str) -> None:
    followers.prepare(covered)
    follower = followers.Copying(fault=RuntimeError("no more room"))

    def of_copying() -> list[Diagnosis]:
        return [each for each in examined(covered) if "copying" in each.seen]

    with followers.run(covered, follower):
        until(lambda: any(each.state is ILL for each in of_copying()))
        assert "RuntimeError: no more room" in of_copying()[0].seen
        follower.fault = None
        until(lambda: [each.state for each in of_copying()] == [WELL])


def test_a_follower_whose_process_is_frozen(covered: str, logs: Logs) -> None:
    execute(covered, "UPDATE followers SET updated_at = now() - interval '2 min'")
    with psycopg.connect(covered) as frozen:
        assert take_turn(frozen, "checkpoints")
        found = [each for each in examined(covered, logs) if "no life for 12" in each.seen]
    assert [each.state for each in found] == [ILL]


def test_events_that_no_checkpoint_covers(covered: str, logs: Logs) -> None:
    with writer(covered) as commands:
        commands.done(create(id="0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e70"))
    assert seen(covered, logs, "checkpoints", log_every=0.1).state is WELL  # It may still come.
    execute(
        covered,
        """ALTER TABLE workflow_events DISABLE TRIGGER ALL;
        UPDATE workflow_events SET state = convert_to(regexp_replace(convert_from(state, 'UTF8'),
            '"recorded_at":"....', '"recorded_at":"2020'), 'UTF8')""",
    )
    found = seen(covered, logs, "checkpoints")
    assert (found.state, "1 of 2 events" in found.seen) == (ILL, True)


def test_a_log_that_covers_more_than_the_database_holds(covered: str, logs: Logs) -> None:
    execute(covered, "TRUNCATE workflow_events, workflows, command_ledger")
    found = seen(covered, logs, "checkpoints")
    assert found.state is ILL
    assert found.command == "workflows epoch new && workflows log new-origin"


def test_a_log_of_another_epoch(covered: str, logs: Logs) -> None:
    execute(covered, "UPDATE feed_epoch SET epoch = epoch + 1")
    found = seen(covered, logs, "checkpoints")
    assert (found.state, found.command) == (ILL, "workflows log new-origin")


def test_a_log_that_is_damaged(covered: str, logs: Logs) -> None:
    (epoch,) = logs.epochs()
    (logs.folder(epoch) / "checkpoint").write_text("nothing")
    assert seen(covered, logs, "checkpoints").state is ILL


@pytest.mark.parametrize(("days", "state"), [(-30, WELL), (0, DOUBTFUL), (2, ILL)])
def test_a_certificate_that_ends(tmp_path: Path, days: int, state: State) -> None:
    authority = Authority(tmp_path)
    pem = authority.sign("service", LOCAL)
    settings = load(tls_cert=pem, tls_key=pem.with_suffix(".key"), database_url=NOWHERE)
    found = list(examine(settings, lambda: datetime.now(UTC) + timedelta(days=days)))
    assert (found[1].subject, found[1].state) == ("credentials", state)


def test_a_certificate_without_its_key(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pem, other = authority.sign("service", LOCAL), authority.sign("other", LOCAL)
    found = next(examine(load(tls_cert=pem, tls_key=other.with_suffix(".key")), now))
    assert (found.subject, found.state) == ("credentials", ILL)
    assert "cannot be used for TLS" in found.seen


def test_commands_for_the_embedded_server_go_through_its_own_shell(tmp_path: Path) -> None:
    place = Place((("/socket", "5432"),), "postgres", "postgres", tmp_path)
    assert place.sql("SELECT 1") == f"workflows psql --data-dir {tmp_path} -c 'SELECT 1'"


def test_looking_makes_no_data(tmp_path: Path) -> None:
    _, found = examine(load(data_dir=tmp_path / "data"), now)
    assert (found.state, found.command) == (ILL, "workflows serve")
    assert not (tmp_path / "data").exists()


def test_the_command_shows_a_table_and_remedies_and_ends_with_1_if_something_is_ill() -> None:
    shown = workflows("doctor", "--database-url", NOWHERE)
    assert shown.exit_code == 1
    assert "pg_isready -h 127.0.0.1 -p 1 -U me" in shown.stdout
    as_json = workflows("doctor", "--database-url", NOWHERE, "--json")
    assert as_json.exit_code == 1
    assert '"healthy": false' in as_json.stdout


def test_what_is_doubtful_ends_with_0(database: str) -> None:
    assert workflows("doctor", "--database-url", database).exit_code == 0
