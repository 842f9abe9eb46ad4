"""A user is erased: nothing of that user is left, whatever interrupts it, and every proof holds."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from application.draft import Done
from application.erasure import EraseUser, Erasures, HoldUser, UserHeld
from application.handler import CommandHandler
from application.ports import Change, Forgotten, UserBeingErased
from application.receipts import Erasure, KeptReceipt, ReceiptRefused, parse_receipt
from domain.commands import Command
from domain.errors import InvalidFields, WorkflowNotFound
from domain.filters import Filters
from infrastructure.eventstore.erasure import PostgresErasures
from infrastructure.postgres.session import Session
from infrastructure.proof.keys import SigningKey
from infrastructure.proof.receipts import FolderReceipts
from infrastructure.readmodel.views import PostgresViews
from tests.application.conftest import handle
from tests.support.command_line import answer
from tests.support.database import execute, select, value
from tests.support.given import ANYBODY, ID, OTHER_ID, create, delete, increment, update
from tests.support.stores import DIGESTS, OpenStore, open_store

USER, NEIGHBOUR = "erna@example.com", "norbert"
NAME, PAYLOAD = "Ernas Geheimnis", '{"url": "https://erna.example/secret"}'
ASKED = EraseUser(USER, "she asked for it", "GDPR Art. 17(1)(a)")
ADMIN = "https://issuer.example|admin"
KEY = SigningKey.made("workflows.test")

LIVE, GONE, UNLISTED, ROWLESS = (str(uuid4()) for _ in range(4))
IDS = {LIVE, GONE, UNLISTED, ROWLESS}


def failure(workflow_id: str, job_id: str = "") -> Command:
    return increment(id=workflow_id, user_id=ANYBODY, job_id=job_id)


TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"


class Killed(Exception):
    """Ends an erasure as a kill would."""


class Stumbling(PostgresErasures):
    """A store that dies before one of its steps."""

    def __init__(self, dsn: str, step: str) -> None:
        super().__init__(dsn)
        self._step = step

    def forget(self, receipt_id: str) -> Erasure:
        if self._step == "forget":
            raise Killed
        found = super().forget(receipt_id)
        if self._step == "sign":
            raise Killed
        return found

    def end(self, receipt_id: str, receipt: str | None) -> None:
        if self._step == "end":
            raise Killed
        super().end(receipt_id, receipt)


@pytest.fixture
def store(database: str) -> Iterator[OpenStore]:
    """Workflows of the user: live, deleted, without a row; and those of a neighbour."""
    with open_store(database) as opened:
        handler = CommandHandler(opened.store, DIGESTS)
        mine = {"user_id": USER, "name": NAME, "payload": PAYLOAD}
        handle(handler, *[create(id=i, idempotency_key=f"k{i}", **mine) for i in sorted(IDS)])
        handle(handler, create(id=ID, user_id=NEIGHBOUR), create(id=OTHER_ID, user_id=NEIGHBOUR))
        handle(
            handler,
            failure(LIVE, "j"),
            failure(ID, "j"),
        )
        handle(handler, delete(id=GONE, user_id=USER))
        execute(database, f"DELETE FROM workflows WHERE id = '{ROWLESS}'")
        execute(database, f"DELETE FROM lost_rows WHERE id = '{ROWLESS}'")
        execute(
            database,
            "INSERT INTO event_search (position, workflow_id, version, user_id, type,"
            " changed_fields, actor, caller, request_id, recorded_at)"
            " SELECT notification_id, originator_id, originator_version,"
            f" CASE WHEN originator_id IN ('{ID}', '{OTHER_ID}') THEN '{NEIGHBOUR}' ELSE '{USER}'"
            " END, 'created', '{}', 'a', 'a', 'r', now() FROM workflow_events",
        )
        yield opened


@pytest.fixture
def receipts(tmp_path: Path) -> FolderReceipts:
    return FolderReceipts(tmp_path, lambda: KEY)


@pytest.fixture
def erasures(store: OpenStore, receipts: FolderReceipts) -> Erasures:
    return Erasures(PostgresErasures(store.dsn), receipts, receipts.sign)


def traces(dsn: str) -> list[str]:
    """The tables in which something of the user can be found, as a dump shows them."""
    words = [USER, NAME, PAYLOAD.replace('"', ""), "erna.example", "Geheimnis"]
    found = []
    for (table,) in select(dsn, TABLES):
        rows = select(dsn, f"SELECT t::text FROM {table} AS t")
        texts = [row[0] + _decoded(row[0]) for row in rows]
        found += [table for text in texts if any(word in text for word in words)]
    return sorted(set(found))


def _decoded(text: str) -> str:
    """Bytes as PostgreSQL writes them, as text."""
    parts = [part.strip('"\\x),(') for part in text.split(",") if "\\x" in part]
    return "".join(bytes.fromhex(p).decode("utf-8", "replace") for p in parts if len(p) % 2 == 0)


def test_nothing_is_left_and_the_neighbour_is_unharmed(
    erasures: Erasures, store: OpenStore, receipts: FolderReceipts
) -> None:
    assert traces(store.dsn) == ["event_search", "workflow_events", "workflows"]
    before = store.rows(LIVE)
    erasure = erasures.erase(ASKED, ADMIN)
    assert {each.workflow_id for each in erasure.workflows} == IDS
    assert (erasure.events, erasure.ledger_entries, erasure.search_entries) == (6, 5, 6)
    assert traces(store.dsn) == []
    assert store.rows(LIVE) == before
    assert all(isinstance(event.event, Forgotten) for event in store.log.history(LIVE))
    with closing(Session(store.dsn)) as session:
        views = PostgresViews(session, store.store)
        assert views.get([*IDS, ID]).keys() == {ID}
        assert not views.page(USER, Filters(), None, 10, 10_000).workflows
    assert len(store.history(ID)) == 2
    assert value(store.dsn, "SELECT count(*) FROM command_ledger") == 1
    assert dict(receipts.kept()) == {erasure.id: erasure.receipt}
    checked = answer("check", "--database-url", store.dsn, "--json")
    assert (checked["damaged"], checked["found"]) == (False, {})


def test_the_receipt_names_no_person_and_proves_each_workflow(
    erasures: Erasures, store: OpenStore
) -> None:
    erasure = erasures.erase(ASKED, ADMIN)
    assert not any(word in erasure.receipt for word in (USER, NAME, "erna"))
    assert parse_receipt(erasure.receipt) == erasure
    for each in erasure.workflows:
        last = list(store.log.history(each.workflow_id))[-1]
        assert (each.events, each.position, each.digest) == (
            last.version,
            last.position,
            last.digest,
        )


def test_only_counted_nothing_goes(erasures: Erasures, store: OpenStore) -> None:
    counted = erasures.erase(ASKED._replace(validate_only=True), ADMIN)
    assert {each.workflow_id for each in counted.workflows} == IDS
    assert (counted.id, counted.receipt) == ("", "")
    done = erasures.erase(ASKED, ADMIN)
    assert (counted.events, counted.ledger_entries, counted.search_entries) == (
        done.events,
        done.ledger_entries,
        done.search_entries,
    )


def test_a_second_erasure_finds_nothing(erasures: Erasures, store: OpenStore) -> None:
    erasures.erase(ASKED, ADMIN)
    again = erasures.erase(ASKED, ADMIN)
    assert (again.id, again.workflows, again.events) == ("", [], 0)
    assert value(store.dsn, "SELECT count(*) FROM erasures") == 1


def test_the_user_may_begin_anew(erasures: Erasures, store: OpenStore) -> None:
    first = erasures.erase(ASKED, ADMIN)
    handler = CommandHandler(store.store, DIGESTS)
    new = str(uuid4())
    again, gone = handle(
        handler,
        create(id=new, user_id=USER, idempotency_key=f"k{LIVE}"),
        update(id=LIVE, user_id=USER),
    )
    assert isinstance(again, Done)
    assert not again.replayed
    assert isinstance(gone, WorkflowNotFound)
    second = erasures.erase(ASKED, ADMIN)
    assert [each.workflow_id for each in second.workflows] == [new]
    assert second.id != first.id


@pytest.mark.parametrize("step", ["forget", "sign", "end"])
def test_an_interrupted_erasure_fences_the_user_until_it_is_finished(
    store: OpenStore, receipts: FolderReceipts, step: str
) -> None:
    stumbling = Erasures(Stumbling(store.dsn, step), receipts, receipts.sign)
    with pytest.raises(Killed):
        stumbling.erase(ASKED, ADMIN)
    handler = CommandHandler(store.store, DIGESTS)
    refused, neighbour = handle(handler, create(id=str(uuid4()), user_id=USER), failure(OTHER_ID))
    assert isinstance(refused, UserBeingErased)
    assert isinstance(neighbour, Done)

    whole = Erasures(PostgresErasures(store.dsn), receipts, receipts.sign)
    assert whole.resume() == 1
    assert whole.resume() == 0
    assert traces(store.dsn) == []
    (done,) = handle(handler, create(id=str(uuid4()), user_id=USER))
    assert isinstance(done, Done)


@pytest.mark.parametrize(
    "command", [update(id=LIVE, user_id=USER), failure(LIVE), failure(ROWLESS)]
)
def test_a_fenced_workflow_takes_no_command(
    store: OpenStore, receipts: FolderReceipts, command: Command
) -> None:
    with pytest.raises(Killed):
        Erasures(Stumbling(store.dsn, "forget"), receipts, receipts.sign).erase(ASKED, ADMIN)
    (refused,) = handle(CommandHandler(store.store, DIGESTS), command)
    assert isinstance(refused, UserBeingErased)


class Late:
    """A store whose server stands still between a decision and its first append."""

    def __init__(self, store: OpenStore, meanwhile: Callable[[], object]) -> None:
        self._store = store.store
        self._meanwhile: list[Callable[[], object]] = [meanwhile]
        self.current_feed = store.store.current_feed
        self.load = store.store.load

    def append(self, changes: Sequence[Change]) -> object:
        while self._meanwhile:
            self._meanwhile.pop()()
        return self._store.append(changes)


@pytest.mark.parametrize("ids", [[LIVE], [ROWLESS], [LIVE, ROWLESS]], ids=len)
def test_what_was_decided_before_the_erasure_is_not_recorded_after_it(
    erasures: Erasures, store: OpenStore, ids: Sequence[str]
) -> None:
    late = Late(store, lambda: erasures.erase(ASKED, ADMIN))
    decided = CommandHandler(late, DIGESTS)  # type: ignore[arg-type] # the same methods
    outcomes = handle(decided, *map(failure, ids))
    assert all(isinstance(outcome, WorkflowNotFound) for outcome in outcomes)
    assert traces(store.dsn) == []


def test_what_was_decided_on_a_row_that_is_gone_is_decided_again(store: OpenStore) -> None:
    late = Late(store, lambda: execute(store.dsn, f"DELETE FROM workflows WHERE id = '{LIVE}'"))
    decided = CommandHandler(late, DIGESTS)  # type: ignore[arg-type] # the same methods
    (done,) = handle(decided, failure(LIVE))
    assert isinstance(done, Done)
    assert value(store.dsn, "SELECT failures FROM workflows WHERE id = %s", LIVE) == 2


def test_a_hold_beats_an_erasure(erasures: Erasures, store: OpenStore) -> None:
    erasures.hold(HoldUser(USER, "court case 7"), "the court")
    for asked in (ASKED, ASKED._replace(validate_only=True)):
        with pytest.raises(UserHeld, match=r"the court.*court case 7"):
            erasures.erase(asked, ADMIN)
    assert len(store.history(LIVE)) == 2
    erasures.hold(HoldUser(USER, "closed", release=True), "the court")
    assert erasures.erase(ASKED, ADMIN).events
    held = select(store.dsn, "SELECT user_id, reason, held_by, release_reason FROM user_holds")
    assert held == [(None, "court case 7", "the court", "closed")]


def test_a_restored_database_is_erased_again(
    erasures: Erasures, store: OpenStore, receipts: FolderReceipts, postgres: str
) -> None:
    name = conninfo_to_dict(store.dsn)["dbname"]
    execute(
        postgres,
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    execute(postgres, f"CREATE DATABASE {name}_backup TEMPLATE {name}")
    restored = make_conninfo(store.dsn, dbname=f"{name}_backup")
    execute(
        restored,
        "INSERT INTO access_log (actor, caller, method, user_id, request_id)"
        f" VALUES ('eve', 'eve', 'ListWorkflowsAsOf', '{USER}', 'r');"
        f" INSERT INTO user_holds (user_id, reason, held_by) VALUES ('{USER}', 'r', 'h')",
    )
    erasure = erasures.erase(ASKED, ADMIN)
    assert {"access_log", "user_holds", "workflow_events"} <= set(traces(restored))
    try:
        again = Erasures(PostgresErasures(restored), receipts, receipts.sign)
        assert again.resume() == 1
        assert traces(restored) == []
        assert select(restored, "SELECT number, receipt FROM erasures") == [(1, erasure.receipt)]
        assert again.resume() == 0
        assert receipts.proof(KeptReceipt(1, erasure.id, erasure.receipt)) == erasure.proof
    finally:
        execute(postgres, f"DROP DATABASE {name}_backup WITH (FORCE)")


def test_a_receipt_of_another_key_erases_nothing(store: OpenStore, tmp_path: Path) -> None:
    forged = FolderReceipts(tmp_path, lambda: SigningKey.made("stranger"))
    forged.keep(str(uuid4()), forged.sign("workflows.receipt.v1\n"))
    ours = FolderReceipts(tmp_path, lambda: KEY)
    with pytest.raises(ReceiptRefused, match="not signed by the key"):
        Erasures(PostgresErasures(store.dsn), ours, ours.sign).resume()


def test_erasures_are_logged_in_the_order_of_their_numbers(
    erasures: Erasures, store: OpenStore, receipts: FolderReceipts
) -> None:
    with pytest.raises(Killed):
        Erasures(Stumbling(store.dsn, "end"), receipts, receipts.sign).erase(ASKED, ADMIN)
    second = erasures.erase(ASKED._replace(user_id=NEIGHBOUR), ADMIN)
    assert (second.number, second.proof, receipts.logged) == (2, None, 0)

    assert erasures.resume() == 1

    assert receipts.logged == 2
    stored = list(PostgresErasures(store.dsn).receipts())
    assert [each.number for each in stored] == [1, 2]
    assert all(receipts.proof(each) for each in stored)


def test_a_receipt_that_was_taken_away_is_missed(
    erasures: Erasures, store: OpenStore, tmp_path: Path
) -> None:
    erasure = erasures.erase(ASKED, ADMIN)
    (tmp_path / "receipts" / erasure.id).unlink()
    execute(store.dsn, "DELETE FROM erasures")
    with pytest.raises(ReceiptRefused, match="covers 1 erasures, and only 0 receipts are known"):
        erasures.resume()


def test_a_lost_folder_is_filled_again(
    erasures: Erasures, receipts: FolderReceipts, tmp_path: Path
) -> None:
    erasure = erasures.erase(ASKED, ADMIN)
    (tmp_path / "receipts" / erasure.id).unlink()
    assert erasures.resume() == 0
    assert dict(receipts.kept()) == {erasure.id: erasure.receipt}


def test_fields_are_named(erasures: Erasures) -> None:
    with pytest.raises(InvalidFields) as refused:
        erasures.erase(EraseUser("", " ", "x" * 256), ADMIN)
    assert [v.field for v in refused.value.violations] == ["user_id", "reason", "legal_basis"]


def test_the_service_itself_can_change_no_event(erasures: Erasures, store: OpenStore) -> None:
    """Its role may call the functions, and nothing else; see environments/test_roles.py."""
    rights = select(
        store.dsn,
        "SELECT proname, prosecdef, proconfig::text FROM pg_proc WHERE proname ~ 'erasure|ledger_v'"
        " OR proname = 'forget_events_v1'",
    )
    assert len(rights) == 6
    assert all(is_definer and "pg_temp" in config for _, is_definer, config in rights)
    assert not value(
        store.dsn,
        "SELECT bool_or(has_function_privilege('pg_monitor', oid, 'EXECUTE')) FROM pg_proc"
        " WHERE prosecdef",
    )
