"""What can be set, and what is refused with words that help."""

import pytest
from pydantic import ValidationError

from infrastructure.settings import Settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of a developer's own reaches these tests."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"WORKFLOWS_{name.upper()}", raising=False)


def complaint(**given: object) -> str:
    """What is said about a setting that is refused."""
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate(given)
    [error] = refused.value.errors()
    return str(error["msg"])


def test_without_any_setting_it_serves_on_the_port_that_clients_know() -> None:
    settings = Settings()
    assert settings.listen == "127.0.0.1:50052"
    assert settings.database_url is None
    assert settings.terminate_at_threshold


def test_every_setting_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "listen": "[::1]:7",
        "database_url": "postgresql:///elsewhere",
        "data_dir": "elsewhere",
        "page_size": "7",
        "terminate_at_threshold": "false",
        "workers": "7",
        "wire": "handled",
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
    assert "no authentication yet" in said
    assert "127.0.0.1" in said


@pytest.mark.parametrize("listen", ["", "50052", ":50052", "127.0.0.1", "localhost:http", "::1"])
def test_what_is_no_address_is_refused_with_an_example(listen: str) -> None:
    assert "is no host:port such as 127.0.0.1:50052" in complaint(listen=listen)


@pytest.mark.parametrize("port", ["65536", "99999", "-1"])
def test_what_is_no_port_is_refused_with_an_example(port: str) -> None:
    assert "is no host:port such as" in complaint(listen=f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    "setting",
    [{"page_size": 0}, {"page_size": 1001}, {"workers": 0}, {"workers": 65}, {"page_sise": 5}],
)
def test_values_out_of_bounds_and_unknown_names_are_refused(setting: dict[str, int]) -> None:
    assert complaint(**setting)


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
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"database_url": url})
    assert "is no PostgreSQL URL or DSN such as" in str(refused.value)
    assert "hunter2" not in str(refused.value)
