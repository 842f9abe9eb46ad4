"""Whatever is called in whatever order at any process, the service does what its model does."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from workflows_testing.machine import service_machine

from tests.support.service import Service


def test_the_service_does_what_its_model_does(services: tuple[Service, ...]) -> None:
    run_state_machine_as_test(
        service_machine(*(service.address for service in services)),
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            suppress_health_check=list(HealthCheck),
        ),
    )
