"""What the commands of auditors show, against a real service."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from infrastructure.cli.past.moments import moment_of
from infrastructure.cli.refusing import CommandFailed
from tests.support.client import Client
from tests.support.command_line import NOWHERE, answer, one_line, refusal, workflows

NOW = datetime(2026, 11, 25, 6, 30, tzinfo=UTC)


@pytest.fixture
def told(client: Client, user: str) -> str:
    """A workflow that a second failed job terminated, and that was deleted."""
    workflow_id = client.created(user, max_consecutive_job_failures_allowed=2)
    for job in ("j-1", "j-2"):
        client.increment(workflow_id, job)
    client.delete(workflow_id, user)
    return workflow_id


def shown(client: Client, *arguments: str) -> str:
    """What a command that succeeds prints, on one line."""
    result = workflows(*arguments, "--target", client.address)
    assert result.exit_code == 0, result.output
    return one_line(result.stdout)


def test_history_shows_who_what_and_why_and_how_much_is_left(client: Client, told: str) -> None:
    said = shown(client, "history", told, "--limit", "4", "--utc")
    assert "5 events · true at position" in said
    assert "who anonymous by IncrementWorkflowConsecutiveJobFailuresCount" in said
    assert "why failure 2 of 2 by job j-2" in said
    assert "consecutive_job_failures_count 1 → 2" in said
    assert said.endswith("1 more events: --limit 5")
    assert said.index("deleted") < said.index("terminated") < said.index("failure incremented")


def test_history_as_json_begins_with_the_oldest_if_asked(client: Client, told: str) -> None:
    given = ("history", told, "--oldest-first", "--json", "--target", client.address)
    assert [event["version"] for event in answer(*given)["events"]] == list("12345")


def test_history_as_a_picture_loads_nothing(client: Client, told: str, tmp_path: Path) -> None:
    file = tmp_path / "history.svg"
    shown(client, "history", told, "--svg", str(file))
    picture = file.read_text(encoding="utf-8")
    assert ET.fromstring(picture).tag.endswith("svg")  # noqa: S314 - we wrote it
    assert "terminated" in picture
    assert "url(http" not in picture.replace('"', "")


def test_as_of_shows_a_deleted_workflow_at_any_kind_of_moment(client: Client, told: str) -> None:
    assert "consecutive_job_failures_count 1" in shown(client, "as-of", told, "--version", "2")
    given = ("history", told, "--oldest-first", "--json", "--target", client.address)
    [_, second, *_] = answer(*given)["events"]
    for moment in (("--position", second["position"]), ("--at", second["position"])):
        assert "version 2 · true at" in shown(client, "as-of", told, *moment)
    assert "deleted_at" in shown(client, "as-of", told)


def test_diff_shows_each_field_that_differs(client: Client, told: str) -> None:
    said = shown(client, "diff", told, "1", "3")
    assert "version 1 → 3" in said
    assert "consecutive_job_failures_count 0 → 2" in said
    assert "nothing differs" in shown(client, "diff", told, "2", "2")


def test_list_shows_what_was_there_before_the_deletion(
    client: Client, told: str, user: str
) -> None:
    given = ("history", told, "--json", "--target", client.address)
    [deleted, *_] = answer(*given)["events"]
    before = str(int(deleted["position"]) - 1)
    assert f"{told} nightly http" in shown(client, "list", "--user", user, "--at", before)
    assert told not in shown(client, "list", "--user", user)


def test_a_workflow_of_another_is_refused_as_data(client: Client, told: str) -> None:
    result = workflows("history", told, "--user", "x", "--target", client.address, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("text", "before_now"),
    [
        ("2 hours ago", timedelta(hours=2)),
        ("1 week ago", timedelta(weeks=1)),
        ("2026-11-25T07:00:00+01:00", timedelta(minutes=30)),
    ],
)
def test_a_moment_is_a_time_or_a_time_from_now(text: str, before_now: timedelta) -> None:
    assert moment_of(text, NOW).time.ToDatetime(tzinfo=UTC) == NOW - before_now


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-25", "-1", "999999999 weeks ago"])
def test_what_is_no_moment_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(CommandFailed, match="is no moment; give a time with its zone"):
        moment_of(text, NOW)


def test_two_moments_are_refused() -> None:
    given = ("as-of", "x", "--version", "1", "--position", "2", "--target", NOWHERE)
    assert "A moment is named once" in refusal(*given, exit_code=2)
