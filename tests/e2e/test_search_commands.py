"""What the commands that find and watch events show, against a real service."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from select import select
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.command_line import NOWHERE, answer, one_line, refusal, workflows
from tests.support.service import COMMAND, Service
from tests.support.waiting import until

WITHIN = 30.0  # seconds


@pytest.fixture
def told(client: Client, user: str) -> str:
    """A workflow that a failed job terminated; all its events can be found."""
    workflow_id = client.created(user, max_consecutive_job_failures_allowed=1)
    client.increment(workflow_id, f"job of {user}")
    until(lambda: len(found(client, "--workflow", workflow_id)["events"]) == 3)
    return workflow_id


def found(client: Client, *options: str) -> Any:
    """What a search answers as JSON; a list of events in any case."""
    return {"events": []} | answer("search", *options, "--json", "--target", client.address)


def shown(client: Client, *arguments: str) -> str:
    """What a command that succeeds prints, on one line."""
    result = workflows(*arguments, "--target", client.address)
    assert result.exit_code == 0, result.output
    return one_line(result.stdout)


def test_search_shows_each_event_with_its_workflow_and_how_far_it_is_complete(
    client: Client, told: str, user: str
) -> None:
    said = shown(client, "search", "--user", user, "--job", f"job of {user}", "--utc")
    assert said.index("terminated") < said.index("failure incremented")
    assert said.count(f"of {told}") == 2
    assert "2 events · complete up to position" in said


@pytest.mark.parametrize(
    ("options", "types"),
    [
        (["--type", "created", "--type", "terminated"], ["TERMINATED", "CREATED"]),
        (["--field", "consecutive_job_failures_count", "--oldest-first"],
         ["CREATED", "FAILURE_INCREMENTED"]),
        (["--actor", "policy:failure-threshold"], ["TERMINATED"]),
        (["--since", "1 hour ago", "--limit", "1"], ["TERMINATED"]),
        (["--until", "1 hour ago"], []),
    ],
)  # fmt: skip
def test_search_takes_each_filter(
    client: Client, told: str, options: list[str], types: list[str]
) -> None:
    events = found(client, "--workflow", told, *options)["events"]
    assert [each["type"].removeprefix("EVENT_TYPE_") for each in events] == types


def test_an_empty_search_says_which_option_emptied_it(client: Client, told: str) -> None:
    said = shown(client, "search", "--workflow", told, "--type", "deleted", "--request", "x")
    assert said.startswith("no event matches 0 events")
    said = shown(client, "search", "--workflow", told, "--request", "x")
    assert said.startswith("no event matches; without --request there are some")


def test_a_field_that_workflows_lack_is_refused(client: Client) -> None:
    result = workflows("search", "--field", "colour", "--target", client.address, "--json")
    assert result.exit_code == 1
    assert "is no field of a workflow" in json.loads(result.stdout)["error"]["message"]
    assert "no moment" in refusal("search", "--since", "x", "--target", NOWHERE, exit_code=2)


def test_watch_shows_events_and_ends_after_so_many(client: Client, told: str, user: str) -> None:
    given = ("watch", "--after", "0", "--user", user, "--type", "created", "--count", "1")
    assert f"of {told} who anonymous by CreateWorkflow" in shown(client, *given)
    result = workflows(*given, "--json", "--target", client.address)
    assert json.loads(result.stdout)["workflow_id"] == told


def test_a_watch_goes_on_where_it_was_when_its_server_was_killed(serve: Any, user: str) -> None:
    first: Service = serve()
    ids = [first.client.created(user) for _ in range(2)]
    with watching(first.address, "--after", "0", "--user", user) as command:
        seen = [next_id(command), next_id(command)]
        first.kill()
        second: Service = serve(WORKFLOWS_LISTEN=first.address)
        ids += [second.client.created(user) for _ in range(2)]
        seen += [next_id(command), next_id(command)]
        command.send_signal(signal.SIGINT)
        rest, said = command.communicate(timeout=WITHIN)
    assert (seen, rest, command.returncode) == (ids, b"", 130)
    last = said.decode().strip().rpartition("--after ")[2]
    more = second.client.created(user)
    result = workflows(
        *("watch", "--after", last, "--user", user, "--count", "1", "--json"),
        *("--target", second.address),
    )
    assert json.loads(result.stdout)["workflow_id"] == more


@contextmanager
def watching(address: str, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The command as a process of its own, which ends with the block."""
    with subprocess.Popen(
        [COMMAND, "watch", *options, "--json", "--target", address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as command:
        try:
            yield command
        finally:
            command.kill()


def next_id(command: "subprocess.Popen[bytes]") -> str:
    """The workflow of the next event that is shown."""
    assert command.stdout is not None
    assert select([command.stdout], [], [], WITHIN)[0], "nothing is shown"
    return str(json.loads(command.stdout.readline())["workflow_id"])
