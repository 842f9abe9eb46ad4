"""Lists: newest first, in pages that stay stable while workflows come and go."""

import json
from collections.abc import Callable
from functools import partial

import pytest
from workflows import workflows_pb2 as pb

from tests.support.client import Client, together
from tests.support.service import Service


def test_the_newest_comes_first(client: Client, user: str) -> None:
    created = [client.created(user) for _ in range(5)]
    assert client.walk(user) == created[::-1]


def test_a_change_does_not_move_a_workflow(client: Client, user: str) -> None:
    created = [client.created(user) for _ in range(3)]
    client.update(created[0], user, interval=6)
    assert client.walk(user) == created[::-1]


def test_a_user_without_workflows_has_an_empty_list(client: Client, user: str) -> None:
    assert client.page(user) == pb.ListWorkflowsResponse()


def test_a_list_holds_only_the_users_own(client: Client, user: str, other_user: str) -> None:
    mine = client.created(user)
    client.create(other_user)
    assert client.walk(user) == [mine]


def test_another_process_lists_what_was_written(
    client: Client, elsewhere: Client, user: str
) -> None:
    kept, deleted = client.created(user), client.created(user)
    client.delete(deleted, user)
    assert elsewhere.walk(user) == [kept]


@pytest.mark.parametrize(
    ("count", "sizes"), [(2, [2]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (7, [3, 3, 1])]
)
def test_pages_are_full_but_the_last_which_has_no_cursor(
    client: Client, paging: Client, user: str, count: int, sizes: list[int]
) -> None:
    for _ in range(count):
        client.create(user)
    found: list[int] = []
    cursor = ""
    while not found or cursor:
        page = paging.page(user, cursor)
        found.append(len(page.workflows))
        cursor = page.cursor
    assert found == sizes


def test_a_cursor_of_one_process_is_good_at_another(
    client: Client, paging: Client, user: str
) -> None:
    created = [client.created(user) for _ in range(5)]
    cursor = paging.page(user).cursor
    assert [listed.id for listed in client.page(user, cursor).workflows] == created[1::-1]


def test_a_cursor_can_be_used_again(client: Client, paging: Client, user: str) -> None:
    for _ in range(5):
        client.create(user)
    cursor = paging.page(user).cursor
    assert paging.page(user, cursor) == paging.page(user, cursor)


def test_a_walk_is_stable_while_workflows_come_and_go(paging: Client, user: str) -> None:
    created = [paging.created(user) for _ in range(12)]
    seen: list[str] = []
    deleted: list[str] = []
    cursor = ""
    while not seen or cursor:
        page = paging.page(user, cursor)
        seen += [listed.id for listed in page.workflows]
        cursor = page.cursor
        paging.create(user)
        # One of the walk's past, and one of its future.
        for gone in (seen[-1], created[len(deleted) // 2]):
            if gone not in deleted:
                paging.delete(gone, user)
                deleted.append(gone)
    assert [i for i in seen if i not in deleted] == [i for i in created[::-1] if i not in deleted]
    assert len(seen) == len(set(seen))
    assert set(seen) <= set(created)


def test_a_walk_survives_the_end_of_the_workflow_at_its_cursor(
    client: Client, paging: Client, user: str
) -> None:
    created = [client.created(user) for _ in range(5)]
    page = paging.page(user)
    client.delete(page.workflows[-1].id, user)
    rest = paging.page(user, page.cursor).workflows
    assert [listed.id for listed in rest] == created[1::-1]


def test_a_user_with_large_payloads_can_be_listed(client: Client, user: str) -> None:
    large = json.dumps({"run": "x" * 200_000})
    created = [client.created(user, kind="script", payload=large) for _ in range(60)]
    assert client.walk(user) == created[::-1]


def test_a_user_with_the_largest_payloads_can_be_listed(client: Client, user: str) -> None:
    wide = '{"run": "' + "ä" * ((2**20 - 11) // 2) + '"}'
    created = [client.created(user, kind="script", payload=wide) for _ in range(8)]
    assert client.walk(user) == created[::-1]


def test_large_pages_of_long_names_can_be_listed(serve: Callable[..., Service]) -> None:
    client = serve(WORKFLOWS_PAGE_SIZE="1000").client
    large = {"kind": "script", "payload": json.dumps({"run": "x" * 3100}), "name": "🚀" * 255}
    together([partial(client.create, "alice", **large)] * 1000, at_once=50)
    assert len(client.walk("alice")) == 1000
