"""Metrics: every moment that an observer sees leaves a number on the page that is scraped."""

import json
import os
import re
import subprocess
import sys
from inspect import getmembers, isfunction
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

import infrastructure
from infrastructure.identity.cause import Cause
from infrastructure.telemetry.metrics import FOLDER, MetricsObserver, page
from infrastructure.telemetry.observer import Observer

SEEN = {
    "call_ended": (("workflows.WorkflowsService/GetWorkflow", "OK", 0.02, Cause(())), {}),
    "batch_taken": (("writes", 7, 5, 0.25), {}),
    "batch_finished": (("writes", 5, 0.2), {}),
    "appended": ((3, 0.004), {}),
    "conflicted": ((2,), {}),
    "settled": ((), {"recorded": True}),
    "loaded": ((0.003,), {}),
    "session_opened": ((), {}),
    "session_closed": ((), {"lost": True}),
    "followed": (("search", 42, 3), {}),
    "follower_failed": (("search",), {}),
}
DEPLOY = Path(infrastructure.__file__).parent / "deploy"
LINES = {
    "call_ended": 'rpc_server_call_duration_seconds_count{rpc_method="workflows.WorkflowsService/'
    'GetWorkflow",rpc_status_code="OK"} 1.0',
    "batch_taken": 'workflows_lane_waiting{lane="writes"} 7.0',
    "batch_finished": 'workflows_batch_duration_seconds_sum{lane="writes"} 0.2',
    "appended": "workflows_events_recorded_total 3.0",
    "conflicted": "workflows_conflicts_total 2.0",
    "settled": 'workflows_appends_settled_total{recorded="true"} 1.0',
    "loaded": "workflows_load_duration_seconds_count 1.0",
    "session_opened": "workflows_sessions_open 1.0",
    "session_closed": "workflows_sessions_lost_total 1.0",
    "followed": 'workflows_follower_lag_events{follower="search"} 3.0',
    "follower_failed": 'workflows_follower_failures_total{follower="search"} 1.0',
}
PROCESS = """
from prometheus_client import CollectorRegistry
from infrastructure.identity.cause import Cause
from infrastructure.telemetry.metrics import MetricsObserver, page
registry = CollectorRegistry()
MetricsObserver(registry).appended(3, 0.1)
print(page(registry)[0].decode())
"""


@pytest.mark.parametrize(
    "moment", [name for name, _ in getmembers(Observer, isfunction) if name[0] != "_"]
)
def test_each_moment_is_on_the_page(moment: str) -> None:
    registry = CollectorRegistry()
    positional, named = SEEN[moment]

    getattr(MetricsObserver(registry), moment)(*positional, **named)

    content, media_type = page(registry)
    assert LINES[moment] in content.decode().splitlines()
    assert media_type.startswith("text/plain")


def test_processes_that_share_a_folder_are_summed(tmp_path: Path) -> None:
    environment = os.environ | {FOLDER: str(tmp_path)}

    pages = [
        subprocess.run(
            [sys.executable, "-c", PROCESS],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]

    assert "workflows_events_recorded_total 6.0" in pages[1].splitlines()


def test_dashboard_and_alerts_ask_for_metrics_that_exist() -> None:
    registry = CollectorRegistry()
    observer = MetricsObserver(registry)
    for moment, (positional, named) in SEEN.items():
        getattr(observer, moment)(*positional, **named)
    families = list(text_string_to_metric_families(page(registry)[0].decode()))
    known = {family.name for family in families}
    known |= {sample.name for family in families for sample in family.samples}

    for text in (dashboard_questions(), (DEPLOY / "prometheus" / "alerts.yaml").read_text()):
        asked = set(re.findall(r"\b(?:workflows|rpc_server)_[a-z_]+", text))
        assert asked
        assert asked <= known, f"unknown: {sorted(asked - known)}"


def dashboard_questions() -> str:
    """Every question that a panel of the dashboard puts to Prometheus, one a line."""
    dashboard = json.loads((DEPLOY / "grafana" / "workflows.json").read_text())
    targets = [each for panel in dashboard["panels"] for each in panel.get("targets", ())]
    return "\n".join(target["expr"] for target in targets)
