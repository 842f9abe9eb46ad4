"""Whatever is called in whatever order at any process, the service does what its model does."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.e2e.machine import ServiceAndModel
from tests.support.service import Service


def test_the_service_does_what_its_model_does(
    services: tuple[Service, ...], shared_database: str
) -> None:
    class Machine(ServiceAndModel):
        clients = tuple(service.client for service in services)
        database = shared_database

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            suppress_health_check=list(HealthCheck),
        ),
    )
