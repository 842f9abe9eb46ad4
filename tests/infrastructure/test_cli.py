"""`workflows call` against a real service, and what every command says when there is none."""

import json
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.status_pb2 import Status
from psycopg.conninfo import make_conninfo

from infrastructure.cli.commands import COMMANDS
from infrastructure.contract import DETAILS_KEY, SERVICE
from infrastructure.lanes.refusals import Overloaded
from infrastructure.rpc.errors import refusal_of
from tests.support.command_line import (
    NOWHERE,
    answer,
    grpc_server,
    one_line,
    refusal,
    workflows,
)
from tests.support.database import execute, value
from tests.support.service import Service

NO_ID = "0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f"
NIGHTLY = {
    "user_id": "eve",
    "name": "nightly [bold]",
    "kind": "http",
    "payload": '{"url": "https://example.com"}',
    "interval": 5,
    "max_consecutive_job_failures_allowed": 3,
}


@pytest.fixture(scope="module")
def module_database(postgres: str, migrated: str) -> str:
    """The DSN of a migrated database that the tests of this module share."""
    execute(postgres, f"CREATE DATABASE cli TEMPLATE {migrated}")
    return make_conninfo(postgres, dbname="cli")


@pytest.fixture(scope="module")
def target(module_database: str) -> Iterator[str]:
    """The address of a service."""
    with Service("--database-url", module_database) as service:
        yield service.address


def test_call_sends_json_and_prints_every_field_of_the_response(target: str) -> None:
    created = answer("call", "CreateWorkflow", json.dumps(NIGHTLY), "--target", target)
    found = answer("call", "GetWorkflowByID", json.dumps(created), "--target", target)
    assert {name: found[name] for name in NIGHTLY} == NIGHTLY
    assert (found["generation"], found["terminated_at"], found["log_retention"]) == ("1", "", True)


def test_call_matches_the_method_in_any_case_and_fields_by_either_name(target: str) -> None:
    request = '{"userId": "nobody", "filters": {"intervalMin": 1, "interval_max": 9}}'
    assert answer("call", "listWORKFLOWS", request, "--target", target) == {
        "workflows": [],
        "cursor": "",
    }


def test_call_takes_a_payload_as_an_object_and_a_full_method_name(target: str) -> None:
    request = json.dumps(NIGHTLY | {"payload": {"url": "https://example.com", "ä": [1]}})
    full_name = "/workflows.WorkflowsService/CreateWorkflow"
    created = answer("call", full_name, request, "--target", target)
    found = answer("call", "GetWorkflowByID", json.dumps(created), "--target", target)
    assert found["payload"] == '{"url": "https://example.com", "ä": [1]}'


def test_call_reads_the_request_from_stdin(target: str) -> None:
    request = json.dumps(NIGHTLY | {"name": "Nächtlich"}).encode()
    created = answer("call", "CreateWorkflow", "-", "--target", target, stdin=request)
    found = answer("call", "GetWorkflowByID", json.dumps(created), "--target", target)
    assert found["name"] == "Nächtlich"


def test_call_shows_the_trailing_metadata_apart_from_the_response(target: str) -> None:
    request = json.dumps(NIGHTLY | {"idempotency_key": "once"})
    first = workflows("call", "CreateWorkflow", request, "--target", target)
    again = workflows("call", "CreateWorkflow", request, "--target", target)
    assert first.stdout == again.stdout
    assert "x-workflow-version 1 · x-event-position" in first.stderr
    assert "x-replayed" not in first.stderr
    assert "x-replayed true" in again.stderr


def test_call_as_json_answers_with_response_and_trailing_metadata(target: str) -> None:
    request = json.dumps(NIGHTLY)
    printed = answer("call", "CreateWorkflow", request, "--target", target, "--json")
    assert printed["response"]["id"]
    assert printed["trailing"]["x-workflow-version"] == "1"


def test_call_sends_the_metadata_that_it_is_given(target: str, module_database: str) -> None:
    request = json.dumps(NIGHTLY)
    found = ("x-request-id=r-7", "traceparent=00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    flags = [flag for pair in found for flag in ("--metadata", pair)]
    created = answer("call", "CreateWorkflow", request, "--target", target, *flags)
    query = "SELECT content FROM workflow_events WHERE originator_id = %s"
    metadata = json.loads(value(module_database, query, created["id"]))
    assert (metadata["request_id"], metadata["trace_id"]) == ("client:r-7", "a" * 32)


def test_call_names_each_bad_field_once(target: str) -> None:
    request = json.dumps(NIGHTLY | {"name": "", "interval": 0})
    said = refusal("call", "CreateWorkflow", request, "--target", target)
    assert said.startswith("error INVALID_ARGUMENT (INVALID_FIELDS) name is empty")
    assert (said.count("is empty"), said.count("interval is 0")) == (1, 1)


def test_call_shows_which_workflow_was_not_found(target: str) -> None:
    said = refusal("call", "GetWorkflowByID", f'{{"id": "{NO_ID}"}}', "--target", target)
    assert said.startswith("error NOT_FOUND (WORKFLOW_NOT_FOUND)")
    assert said.endswith(f"workflow {NO_ID}")


def test_call_shows_which_precondition_failed_and_how(target: str) -> None:
    created = answer("call", "CreateWorkflow", json.dumps(NIGHTLY), "--target", target)
    request = json.dumps(created | {"build_status": "success", "generation": 7})
    said = refusal("call", "UpdateWorkflowBuildStatus", request, "--target", target)
    assert said.startswith("error FAILED_PRECONDITION (STALE_GENERATION)")
    assert f"STALE_GENERATION workflows/{created['id']}" in said
    assert "given 7" in said


def refused_with(code: grpc.StatusCode, message: str, trailing: Any) -> str:
    """The output about a call that a server refuses in this way."""

    def refuse(_: Any, context: Any) -> Any:
        context.set_trailing_metadata(trailing)
        context.abort(code, message)

    method: Any = grpc.unary_unary_rpc_method_handler(refuse)
    handler = grpc.method_handlers_generic_handler(SERVICE.full_name, {"ListWorkflows": method})
    with grpc_server() as (server, target):
        server.add_generic_rpc_handlers((handler,))
        server.start()
        return refusal("call", "ListWorkflows", "--target", target)


def test_call_shows_when_to_try_again() -> None:
    overloaded = refusal_of(Overloaded())
    said = refused_with(overloaded.code, overloaded.text(), overloaded.trailing())
    assert said.startswith("error UNAVAILABLE (OVERLOADED)")
    assert re.search(r"retry after \d+\.\d{3}s\Z", said)  # Each refusal spreads its callers.
    assert "Is the service running" not in said


@pytest.mark.parametrize(
    ("packed", "shown"),
    [
        (AnyMessage(type_url="type.googleapis.com/google.rpc.BadRequest"), ""),
        (AnyMessage(type_url="type.googleapis.com/google.rpc.PreconditionFailure"), ""),
        (AnyMessage(type_url="type.googleapis.com/google.rpc.BadRequest", value=b"\xff"), ""),
        (AnyMessage(type_url="x/their.Own", value=b"\xff"), " their.Own {'value': 'ff'}"),
    ],
)
def test_details_that_say_nothing_do_not_hide_the_error(packed: AnyMessage, shown: str) -> None:
    trailing = ((DETAILS_KEY, Status(details=[packed]).SerializeToString()),)
    said = refused_with(grpc.StatusCode.ABORTED, "No [luck].", trailing)
    assert said == f"error ABORTED No [luck].{shown}"


def test_call_as_json_answers_with_the_decoded_error(target: str) -> None:
    result = workflows("call", "GetWorkflow", "{}", "--target", target, "--json")
    error = json.loads(result.stdout)["error"]
    info, bad = error["details"]
    assert (result.exit_code, error["code"]) == (1, "INVALID_ARGUMENT")
    assert (info["type"], info["reason"]) == ("google.rpc.ErrorInfo", "INVALID_FIELDS")
    assert [v["field"] for v in bad["field_violations"]] == ["id", "user_id"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["Nope"], "there is no method 'Nope'; there are CreateWorkflow UpdateWorkflow "),
        (
            ["CreateWorkflows"],
            "there is no method 'CreateWorkflows'; is one of these meant?",
        ),
        (["GetWorkflow", '{"user_idd": "x"}'], "Is 'user_id' meant?"),
        (["GetWorkflow", '{"id": "1", "id": "2"}'], "'id' stands twice in one object"),
        (["GetWorkflow", "{"], "the request is no JSON: "),
        (["GetWorkflow", "[" * 100_000], "the request is no JSON: "),
        (["GetWorkflow", "[1]"], "the request is no JSON object; give one: "),
        (["GetWorkflow", '{"name": "x"}'], "GetWorkflowRequest takes id (text), user_id (text)"),
        (["GetWorkflow", '{"id": 5}'], "GetWorkflowRequest takes id (text), user_id (text)"),
        (["GetWorkflow", "-"], "the request is no JSON: "),
        (["GetWorkflow", "--metadata", "Key"], "'Key' is no metadata; give a lower-case key"),
        (["GetWorkflow", "--metadata", "x-bin=1"], "'x-bin=1' is no metadata; give a"),
    ],
)
def test_call_refuses_what_it_cannot_send(arguments: list[str], complaint: str) -> None:
    said = refusal("call", *arguments, "--target", NOWHERE, stdin=b"\xff", exit_code=2)
    assert complaint in said


@pytest.mark.parametrize("command", [["call", "ListWorkflows"], ["health"], ["seed"]])
def test_an_unreachable_service_is_reported_with_what_to_do(command: list[str]) -> None:
    said = refusal(*command, "--target", NOWHERE)
    assert said.startswith("error UNAVAILABLE")
    assert f"Start it: workflows serve --listen {NOWHERE}" in said
    assert "proxy" not in said


def test_a_proxy_never_stands_before_this_machine(target: str) -> None:
    request = ("call", "ListWorkflows", '{"user_id": "nobody"}', "--target", target)
    assert workflows(*request, http_proxy=f"http://{NOWHERE}").exit_code == 0


def test_a_proxy_on_the_way_to_another_machine_is_named() -> None:
    request = ("call", "ListWorkflows", "--timeout", "0.2", "--target", "192.0.2.1:2")
    assert "http_proxy is set" in refusal(*request, http_proxy=f"http://{NOWHERE}")


@pytest.mark.parametrize("target", ["", "127.0.0.1", "http://127.0.0.1:1", "127.0.0.1:65536", ":1"])
def test_a_target_that_is_no_address_is_refused(target: str) -> None:
    result = workflows("health", "--target", target)
    assert result.exit_code == 2
    assert "is no host:port such as" in one_line(result.stderr)


def test_the_target_may_come_from_the_environment(target: str) -> None:
    result = workflows("call", "ListWorkflows", '{"user_id": "nobody"}', WORKFLOWS_LISTEN=target)
    assert json.loads(result.stdout) == {"workflows": [], "cursor": ""}


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_explains_itself_with_examples(command: str) -> None:
    result = workflows(command, "--help")
    assert result.exit_code == 0
    assert f"Examples: workflows {command}" in one_line(result.stdout)
    assert "--json" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (["srve"], 2, "USAGE"),
        (["call", "--nope"], 2, "USAGE"),
        (["call", "Nope"], 2, "USAGE"),
        (["health", "--target", "nowhere"], 2, "USAGE"),
        (["health", "--target", NOWHERE], 1, "UNAVAILABLE"),
        (["serve", "--page-size", "0"], 1, "SETTING_REFUSED"),
        (["migrate", "--database-url", "host=/nowhere"], 1, "DATABASE_UNUSABLE"),
        (["serve", "--listen", "127.0.0.1:50052", "--database-url", "host=/x"], 1, None),
    ],
)
def test_with_json_every_failure_is_one_line_of_json(
    arguments: list[str], exit_code: int, code: str | None
) -> None:
    result = workflows(*arguments, "--json")
    (line,) = result.stdout.splitlines()
    error = json.loads(line)["error"]
    assert (result.exit_code, error["code"]) == (exit_code, code or error["code"])
    assert error["message"]


def test_describe_shows_each_field_with_the_comment_of_the_contract() -> None:
    said = workflows("describe", "createworkflow").stdout
    assert "takes CreateWorkflowRequest\n  user_id  text\n      Owner of the workflow: 1 to" in said
    listed = answer("describe", "--json")["methods"]
    assert [each["name"] for each in listed] == [method.name for method in SERVICE.methods]
    assert all(
        part["comment"] for each in listed for part in (each, *each["takes"], *each["returns"])
    )


def test_text_of_others_cannot_reach_the_terminal_as_control(target: str) -> None:
    evil = "\x1b[2J\u202egnp.exe"
    request = json.dumps({"user_id": evil})
    said = workflows("call", "ListWorkflows", request, "--target", target, "--metadata", "é=1")
    assert "\x1b" not in said.output
    created = json.dumps(NIGHTLY | {"user_id": "mallory", "name": "a\u202eb"})
    refused = workflows("call", "CreateWorkflow", created, "--target", target)
    listed = workflows("call", "ListWorkflows", '{"user_id": "mallory"}', "--target", target)
    assert "\u202e" not in refused.output + listed.output


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (["--help"], ("grpc", "rich", "pydantic", "psycopg", "structlog")),
        (["serve", "--help"], ("grpc", "rich", "psycopg", "structlog")),
        (["call", "Nope"], ("grpc", "pydantic_settings", "psycopg", "structlog")),
        (["health", "--target", NOWHERE], ("pydantic_settings", "psycopg", "structlog")),
    ],
)
def test_a_command_imports_only_what_it_needs(
    arguments: list[str], unneeded: Sequence[str]
) -> None:
    program = (
        "import atexit, sys; from infrastructure.cli.main import main;"
        "atexit.register(lambda: print('modules:', *sys.modules)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    imported = done.stdout.partition("modules:")[2].split()
    assert imported
    assert not set(unneeded) & set(imported)


@pytest.mark.parametrize(("columns", "shape"), [(120, "table"), (60, "list")])
def test_a_table_that_does_not_fit_a_terminal_gives_way_to_a_list(columns: int, shape: str) -> None:
    headings = ("workflow", "state")
    rows = [("x" * 70, "active")]
    shown = on_terminal(
        columns,
        "from infrastructure.cli.printing import print_table, styled;"
        f"print_table({headings}, [[styled(cell) for cell in row] for row in {rows}])",
    )
    assert ("workflow: " in shown) == (shape == "list")
    assert "x" * 60 in shown
    assert "…" not in shown


def on_terminal(columns: int, program: str) -> str:
    """What a program prints on a terminal of this width."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, columns))
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "", "NO_COLOR": "1"}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # Linux reports this when no writer is left.
            while piece := os.read(ours, 4096):
                shown += piece
    os.close(ours)
    return shown.decode()
