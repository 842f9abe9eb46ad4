"""The files for containers, Kubernetes, systemd and Prometheus are valid, and fit the service."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import promql_parser
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from ruamel.yaml import YAML

from infrastructure.cli.commands import COMMANDS
from infrastructure.postgres.explanations import RIGHTS
from infrastructure.postgres.programs import installed
from infrastructure.settings import OF_CLIENTS, PREFIX, described, load
from tests.support.database import execute, value

DEPLOY = Path(__file__).parents[2] / "infrastructure" / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
COMPOSE = DEPLOY / "compose" / "compose.yaml"
UNIT = DEPLOY / "systemd" / "workflows.service"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
RISK = 20  # tenths: what systemd-analyze may count against the unit at most
SOMEWHERE = "postgresql://app@db.example/workflows"

Facts = Mapping[str, Any]


def run(*command: str | Path) -> str:
    """What a validator says; it must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tool(name: str) -> Path:
    """A validator of this environment."""
    return Path(sys.executable).with_name(name)


def documents(path: Path) -> list[Any]:
    """The YAML documents of a file, without empty ones."""
    return [each for each in YAML(typ="safe").load_all(path.read_text()) if each]


def of_kind(*kinds: str) -> list[Facts]:
    """The Kubernetes objects of these kinds."""
    found = [each for path in MANIFESTS for each in documents(path)]
    return [each for each in found if each["kind"] in kinds]


def accepted(environment: Mapping[str, str]) -> None:
    """The settings of a service with this environment are accepted together."""
    given = {name.removeprefix(PREFIX).lower(): text for name, text in environment.items()}
    load(**({"database_url": SOMEWHERE} | given))


def test_the_container_file_has_no_fault() -> None:
    run(tool("hadolint"), DEPLOY / "container" / "Containerfile")


def test_the_compose_file_fits_its_schema() -> None:
    run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", COMPOSE)


def test_the_manifests_fit_kubernetes() -> None:
    said = run(tool("kubernetes-validate"), "--strict", *MANIFESTS)
    assert "FAIL" not in said


def test_the_unit_is_valid_and_has_a_sandbox(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on the PATH, which checks units")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/workflows/bin/workflows", sys.executable))
    run("systemd-analyze", "verify", unit)
    run("systemd-analyze", "security", "--offline=yes", f"--threshold={RISK}", "--no-pager", unit)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    known = {setting.variable for setting in described()} | set(OF_CLIENTS)
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+", path.read_text(encoding="utf-8")))
    assert named <= known


@pytest.mark.parametrize("name", ["README.md", "OPERATIONS.md", "SECURITY.md"])
def test_every_command_that_a_page_shows_exists(name: str) -> None:
    text = (DEPLOY.parents[1] / name).read_text(encoding="utf-8")
    programs = re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL) + re.findall(
        r"`([^`\n]+)`", text
    )
    shown = re.findall(r"(?:^|[/ ])workflows ([a-z][a-z-]+)\b", "\n".join(programs), re.MULTILINE)
    assert set(shown) <= set(COMMANDS)


def test_the_settings_of_each_deployment_are_accepted_together() -> None:
    (compose,) = documents(COMPOSE)
    accepted(compose["services"]["service"]["environment"] | {"WORKFLOWS_DATABASE_URL": SOMEWHERE})
    accepted(dict(_of_the_unit()))
    image = dict(_of_the_image())
    accepted(image | {"WORKFLOWS_INSECURE_LISTEN_ANYWHERE": "true"})
    (shared,) = of_kind("ConfigMap")
    for process in of_kind("Deployment", "StatefulSet"):
        (container,) = process["spec"]["template"]["spec"]["containers"]
        own = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        accepted(shared["data"] | own)


def _of_the_image() -> Iterator[tuple[str, str]]:
    text = (DEPLOY / "container" / "Containerfile").read_text().replace("\\\n", " ")
    (line,) = [line for line in text.splitlines() if line.startswith("ENV ")]
    for assignment in line.split()[1:]:
        name, equals, value = assignment.partition("=")
        assert equals, f"{assignment} sets nothing"
        if name.startswith(PREFIX):
            yield name, value


def _of_the_unit() -> Iterator[tuple[str, str]]:
    lines = UNIT.read_text().splitlines() + (UNIT.with_suffix(".env")).read_text().splitlines()
    for line in lines:
        name, _, text = line.removeprefix("Environment=").partition("=")
        if name.startswith(PREFIX):
            yield name, text


def test_what_selects_pods_selects_those_of_a_template() -> None:
    templates = [each["spec"]["template"] for each in of_kind("Deployment", "StatefulSet")]
    labels = [template["metadata"]["labels"].items() for template in templates]
    for service in of_kind("Service"):
        assert any(service["spec"]["selector"].items() <= each for each in labels)
    for chooser in of_kind("Deployment", "StatefulSet", "PodDisruptionBudget"):
        chosen = chooser["spec"]["selector"]["matchLabels"].items()
        assert any(chosen <= each for each in labels)
    (policy,) = of_kind("NetworkPolicy")
    assert all(policy["spec"]["podSelector"]["matchLabels"].items() <= each for each in labels)


def test_every_pod_runs_without_rights_and_says_how_it_is() -> None:
    for process in of_kind("Deployment", "StatefulSet"):
        pod = process["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
        assert container["lifecycle"]["preStop"]


def test_every_expression_of_alerts_and_dashboard_is_a_query() -> None:
    (alerts,) = documents(DEPLOY / "prometheus" / "alerts.yaml")
    asked = [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    dashboard = json.loads((DEPLOY / "grafana" / "workflows.json").read_text())
    asked += [
        target["expr"].replace("$__rate_interval", "5m")
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    ]
    assert len(asked) > len(alerts["groups"][0]["rules"])
    for expression in asked:
        promql_parser.parse(expression)


def test_the_role_of_the_compose_file_can_serve_and_nothing_else(database: str) -> None:
    psql: list[str | Path] = [installed() / "bin" / "psql", database, "-v", "ON_ERROR_STOP=1"]
    role = [
        *psql,
        "-v",
        "password=it's",
        "-f",
        str(RIGHTS),
        "-f",
        COMPOSE.with_name("app_role.sql"),
    ]
    try:
        for _ in range(2):
            run(*role)
        app = make_conninfo(database, user="app", password="it's")
        assert value(app, "SELECT count(*) FROM workflow_events") == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            execute(app, "DELETE FROM workflow_events")
    finally:
        execute(database, "DROP OWNED BY app, workflows_service; DROP ROLE app, workflows_service")
