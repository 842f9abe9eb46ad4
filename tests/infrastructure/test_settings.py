"""What can be set, and what is refused with words that help."""

from pathlib import Path

import pytest

from infrastructure.settings import (
    Setting,
    Settings,
    SettingsRefused,
    described,
    load,
    load_only,
    unknown_variables,
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of a developer's own reaches these tests."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"WORKFLOWS_{name.upper()}", raising=False)


def complaint(**given: object) -> str:
    """The message about a setting that is refused."""
    with pytest.raises(SettingsRefused) as refused:
        load(**given)
    return str(refused.value)


def test_without_any_setting_it_serves_on_the_port_that_clients_know() -> None:
    settings = Settings()
    assert settings.listen == "127.0.0.1:50052"
    assert settings.database_url is None
    assert settings.terminate_at_threshold


def test_every_setting_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "auth": "jwt,mtls",
        "insecure_listen_anywhere": "true",
        "listen": "[::1]:7",
        "internal_listen": "unix:/run/workflows",
        "http_listen": "[::1]:8",
        "http_origins": "https://example.com, http://127.0.0.1:3000",
        "tls_cert": "cert.pem",
        "tls_key": "key.pem",
        "tls_client_ca": "ca.pem",
        "jwt_keys": "keys.json",
        "jwt_issuers": "one, two",
        "jwt_audiences": "three",
        "jwt_role_claim": "https://example.org/role",
        "jwt_roles": '{"admin": "service"}',
        "mtls_roles": '{"spiffe://example/billing": "service"}',
        "database_url": "postgresql:///elsewhere",
        "data_dir": "elsewhere",
        "migrate": "false",
        "followers": "false",
        "page_size": "7",
        "terminate_at_threshold": "false",
        "catalogue": "elsewhere.toml",
        "workers": "7",
        "health_alias": "workflows-service",
        "wire": "handled",
        "calls": "7",
        "shed_at": "7",
        "calls_per_caller": "7",
        "calls_per_connection": "7",
        "request_bytes": "70000",
        "metadata_bytes": "9000",
        "window_bytes": "70000",
        "unread_bytes": "70000",
        "unread_bytes_of_all": "70000",
        "patience": "7.5",
        "log_dir": "log",
        "log_key": "log.key",
        "log_name": "workflows.example.com",
        "log_every": "7.5",
        "handshake": "7.5",
        "rate": "7",
        "rate_seconds": "7",
        "longest_wait": "7.5",
        "streams": "7",
        "streams_per_caller": "7",
        "connection_age": "7.5",
        "connection_grace": "7.5",
        "connection_idle": "7.5",
        "ping_every": "7.5",
        "log_calls": "none",
        "traces": "http://127.0.0.1:4318/v1/traces",
    }
    assert values.keys() == Settings.model_fields.keys()
    for name, value in values.items():
        monkeypatch.setenv(f"WORKFLOWS_{name.upper()}", value)
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    chosen = dict(Settings())
    assert all(chosen[name] != defaults[name] for name in values)


def test_a_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOWS_PAGE_SIZE", "7")
    assert Settings(page_size=8).page_size == 8


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:0", "127.9.9.9:65535", "localhost:50052", "[::1]:50052"]
)
def test_loopback_addresses_are_accepted(listen: str) -> None:
    assert Settings(listen=listen).listen == listen


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:50052", "[::]:50052", "192.168.1.2:50052", "example.com:50052", "*:1"]
)
def test_addresses_that_others_can_reach_are_refused_with_a_way_out(listen: str) -> None:
    said = complaint(listen=listen)
    assert "there is no authentication" in said
    assert "127.0.0.1" in said


@pytest.mark.parametrize("listen", ["", "50052", ":50052", "127.0.0.1", "localhost:http", "::1"])
def test_what_is_no_address_is_refused_with_an_example(listen: str) -> None:
    assert "is no host:port such as 127.0.0.1:50052" in complaint(listen=listen)


@pytest.mark.parametrize("port", ["65536", "99999", "-1"])
def test_what_is_no_port_is_refused_with_an_example(port: str) -> None:
    assert "is no host:port such as" in complaint(listen=f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    "setting",
    [{"page_size": 0}, {"page_size": 1001}, {"workers": 0}, {"workers": 65}, {"page_size": "many"}],
)
def test_a_value_out_of_bounds_is_refused_with_its_source_and_the_bounds(
    setting: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    ((name, value),) = setting.items()
    described_setting = next(each for each in described() if each.name == name)
    rest = f": must be {described_setting.accepts}; left out, it is {described_setting.default}"
    assert complaint(**setting) == f"{described_setting.flag} {value}{rest}"
    monkeypatch.setenv(described_setting.variable, str(value))
    assert complaint() == f"{described_setting.variable}={value}{rest}"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in described():
        monkeypatch.setenv(setting.variable, "")
    assert load() == Settings.model_construct()


def test_a_variable_that_is_no_setting_is_named_with_the_one_that_is_meant() -> None:
    environment = {"WORKFLOWS_PAGE_SISE": "7", "WORKFLOWS_MOOD": "good", "WORKFLOWS_WORKERS": "2"}
    assert unknown_variables(environment) == [
        "WORKFLOWS_MOOD is no setting of this version; it is ignored",
        "WORKFLOWS_PAGE_SISE is no setting; is WORKFLOWS_PAGE_SIZE meant?",
    ]


def test_the_readme_lists_every_setting_as_it_is() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    rows = [
        f"| `{s.variable}` | `{s.flag}`{_switch(s)} | {s.meaning}{_accepts(s)} | `{s.default}` |"
        for s in described()
    ]
    assert "\n".join(rows) in readme, "README.md needs:\n" + "\n".join(rows)


def _switch(setting: Setting) -> str:
    return f", `--no-{setting.flag.removeprefix('--')}`" if setting.is_switch else ""


def _accepts(setting: Setting) -> str:
    return f"; {setting.accepts}" if setting.accepts and not setting.is_switch else ""


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@/db?host=/run/postgresql",
        "postgresql://postgres:@/postgres?host=/tmp/socket",
        "host=localhost password=hunter2 dbname=workflows",
    ],
)
def test_a_database_is_accepted_in_every_form_and_its_password_never_shown(url: str) -> None:
    settings = Settings.model_validate({"database_url": url})
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == url
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    "url", ["mysql://me:hunter2@db/x", "postgresql://me:hunter2@[db/x", "password=hunter2 nope"]
)
def test_an_unreadable_database_is_refused_without_showing_its_password(url: str) -> None:
    said = complaint(database_url=url)
    assert said.startswith("--database-url: is no PostgreSQL URL or DSN such as")
    assert "hunter2" not in said


def test_a_command_is_not_refused_for_a_setting_that_it_does_not_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORKFLOWS_LISTEN", "0.0.0.0:50052")
    monkeypatch.setenv("WORKFLOWS_DATA_DIR", "elsewhere")
    found = load_only({"data_dir": None, "database_url": "dbname=mine"})
    assert (str(found.data_dir), found.listen) == ("elsewhere", "127.0.0.1:50052")
    with pytest.raises(SettingsRefused, match="can be reached from elsewhere"):
        load_only({"listen": None})
