"""A payload comes back byte for byte, whatever JSON text it is."""

import json
from collections.abc import Callable

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workflows_testing import strategies

from tests.support.client import Client
from tests.support.service import Service
from tests.support.waiting import is_alive, until

SPELLINGS = {
    "odd whitespace": ' \t\r\n{ "run"\t:\n"x" }\r\n ',
    "escapes": r'{"run": "\u0041\/\u00e4\n\ud83d\ude80\"\\"}',
    "an escaped NUL": r'{"run": "\u0000"}',
    "wide characters": '{"run": "ä日本🚀\u2028\ufeff"}',
    "a noncharacter": '{"run": "\uffff"}',
    "DEL": '{"run": "\x7f"}',
    "order of keys": '{"z": 1, "a": 2, "m": {"y": 1, "b": 2}}',
    "equal keys in different objects": '{"run": {"run": 2}}',
    "empty keys": '{"": {"": []}}',
    "numbers": '{"n": [1.0, 1.00, 1e2, 1E+2, -0, -0.0, 1e-400, 0.1234567890123456789012345]}',
    "large integers": '{"n": [9007199254740993, 18446744073709551616, ' + "7" * 400 + "]}",
    "a nesting of 64": '{"x": ' + "[" * 63 + "]" * 63 + "}",
    "SQL": """{"run": "'; DROP TABLE workflows; --", "x": "%s %(x)s $1"}""",
    "1 MiB": '{"run": "' + "x" * (2**20 - 11) + '"}',
    "1 MiB of wide characters": '{"run": "' + "ä" * ((2**20 - 12) // 2) + ' "}',
    "1 MiB of whitespace": "{" + " " * (2**20 - 2) + "}",
    "1 MiB of small parts": '{"x":[' + ",".join(["[]"] * 349523) + "]}",
}
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.mark.parametrize("payload", SPELLINGS.values(), ids=SPELLINGS)
def test_a_payload_comes_back_as_it_came_in(client: Client, user: str, payload: str) -> None:
    workflow_id = client.created(user, kind="script", payload=payload)
    assert client.get(workflow_id, user).message.payload == payload
    assert client.get_by_id(workflow_id).message.payload == payload
    [listed] = client.page(user).workflows
    assert listed.payload == payload


@pytest.mark.parametrize("payload", SPELLINGS.values(), ids=SPELLINGS)
def test_a_new_payload_comes_back_as_it_came_in(client: Client, user: str, payload: str) -> None:
    workflow_id = client.created(user, kind="script")
    client.update(workflow_id, user, payload=payload)
    assert client.get(workflow_id, user).message.payload == payload


def test_another_spelling_is_another_payload(client: Client, user: str) -> None:
    workflow_id = client.created(user, kind="script", payload='{"run": 1}')
    client.update(workflow_id, user, payload='{"run":1}')
    found = client.get(workflow_id, user).message
    assert (found.payload, found.generation) == ('{"run":1}', 2)


def test_a_payload_stays_while_other_things_change(client: Client, user: str) -> None:
    payload = SPELLINGS["1 MiB"]
    workflow_id = client.created(user, kind="script", payload=payload)
    client.increment(workflow_id)
    client.build(workflow_id, "building")
    client.terminate(workflow_id, user)
    assert client.get(workflow_id, user).message.payload == payload


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=strategies.kinds(), data=st.data())
def test_any_payload_comes_back_as_it_came_in(
    client: Client, user: str, kind: str, data: st.DataObject
) -> None:
    payload = data.draw(strategies.payloads(kind))
    workflow_id = client.created(user, kind=kind, payload=payload)
    assert client.get(workflow_id, user).message.payload == payload


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=_TEXT, escaped=st.booleans())
def test_any_text_in_a_payload_comes_back_as_it_came_in(
    client: Client, user: str, text: str, escaped: bool
) -> None:
    payload = json.dumps({text: [text]}, ensure_ascii=escaped)
    workflow_id = client.created(user, kind="script", payload=payload)
    assert client.get(workflow_id, user).message.payload == payload


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=strategies.names(), interval=strategies.intervals(), maximum=strategies.maxima())
def test_any_name_and_number_comes_back_as_it_came_in(
    client: Client, user: str, name: str, interval: int, maximum: int
) -> None:
    asked = {"name": name, "interval": interval, "max_consecutive_job_failures_allowed": maximum}
    found = client.get(client.created(user, **asked), user).message
    assert {field: getattr(found, field) for field in asked} == asked


def test_the_largest_payload_is_as_large_as_the_contract_says() -> None:
    largest = [text for what, text in SPELLINGS.items() if what.startswith("1 MiB")]
    assert {len(text.encode()) for text in largest} == {2**20}


def test_the_process_that_checks_large_payloads_ends_with_the_service_however_that_ends(
    serve: Callable[..., Service], user: str
) -> None:
    service = serve()
    assert not psutil.Process(service.pid).children()
    service.client.created(user, kind="script", payload=SPELLINGS["1 MiB"])
    [examining] = psutil.Process(service.pid).children()
    examining.terminate()  # A stop may tell all processes at once; this one ends with the service.
    service.client.created(user, kind="script", payload=SPELLINGS["1 MiB"])
    assert is_alive(examining.pid)
    service.kill()
    until(lambda: not is_alive(examining.pid))
