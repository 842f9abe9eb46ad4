"""The channel of the client module gives each call what it lacks, and lets no token travel open."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from workflows import client
from workflows import workflows_pb2 as pb
from workflows.client import EARLIER, TIMEOUT, connected, tls
from workflows.workflows_pb2_grpc import WorkflowsServiceStub

from application.access import ACCESS
from infrastructure.contract import SERVICE
from infrastructure.rpc.method import LaneName
from infrastructure.rpc.workflows.methods import METHODS

JOB = pb.IncrementWorkflowConsecutiveJobFailuresCountRequest
HOST = "127.0.0.1"


@dataclass
class Heard(grpc.GenericRpcHandler):
    """A service that notes what it is called with, and refuses the tokens that a test names."""

    requests: list[Any] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    remaining: list[float] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def service(self, handler_call_details: Any) -> Any:
        """Answers each method with an empty message."""
        name = handler_call_details.method.rpartition("/")[2]
        read = getattr(pb, f"{name}Request").FromString
        return grpc.unary_unary_rpc_method_handler(self._answer, read, lambda empty: empty)

    def _answer(self, request: Any, context: Any) -> bytes:
        self.requests.append(request)
        token = str(dict(context.invocation_metadata()).get("authorization", ""))
        self.tokens.append(token)
        self.remaining.append(context.time_remaining())
        if token in self.refused:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "This token is not accepted.")
        return b""


@pytest.fixture
def heard() -> Heard:
    """What the service has heard."""
    return Heard()


@pytest.fixture
def serve(heard: Heard) -> Iterator[Callable[..., str]]:
    """Serves, with a certificate if one is given, and returns the address."""
    server = grpc.server(ThreadPoolExecutor(2), handlers=[heard])

    def started(credentials: Any = None) -> str:
        port = (
            server.add_secure_port(f"{HOST}:0", credentials)
            if credentials
            else server.add_insecure_port(f"{HOST}:0")
        )
        server.start()
        return f"{HOST}:{port}"

    yield started
    server.stop(0).wait()


def test_a_call_without_a_key_gets_one_of_its_own(serve: Callable[..., str], heard: Heard) -> None:
    request = pb.CreateWorkflowRequest(user_id="ada")
    with connected(serve()) as channel:
        service = WorkflowsServiceStub(channel)
        service.CreateWorkflow(request)
        service.CreateWorkflow(request)
        service.CreateWorkflow(pb.CreateWorkflowRequest(idempotency_key="mine"))
        service.IncrementWorkflowConsecutiveJobFailuresCount(JOB(id="1"))

    first, second, third, job = heard.requests
    assert first.idempotency_key
    assert second.idempotency_key not in {"", first.idempotency_key}
    assert third.idempotency_key == "mine"
    assert job.job_id
    assert request == pb.CreateWorkflowRequest(user_id="ada"), "the caller's message is untouched"


def test_a_call_without_a_time_out_gets_one(serve: Callable[..., str], heard: Heard) -> None:
    with connected(serve()) as channel:
        service = WorkflowsServiceStub(channel)
        service.GetWorkflow(pb.GetWorkflowRequest())
        service.GetWorkflow(pb.GetWorkflowRequest(), timeout=600)

    by_default, given = heard.remaining
    assert by_default < TIMEOUT + 5 < 590 < given


def test_a_token_is_fetched_again_before_it_ends(serve: Callable[..., str], heard: Heard) -> None:
    tokens = iter([lasting(EARLIER - 1), lasting(3600), "never fetched"])
    with connected(serve(), token=lambda: next(tokens)) as channel:
        service = WorkflowsServiceStub(channel)
        for _ in range(3):
            service.GetWorkflow(pb.GetWorkflowRequest())

    ending, lasts, again = heard.tokens
    assert ending != lasts == again


def test_a_token_is_fetched_again_after_it_was_refused(
    serve: Callable[..., str], heard: Heard
) -> None:
    tokens = iter(["revoked", "valid", "never fetched"])
    heard.refused.add("Bearer revoked")
    with connected(serve(), token=lambda: next(tokens)) as channel:
        service = WorkflowsServiceStub(channel)
        with pytest.raises(grpc.RpcError):
            service.GetWorkflow(pb.GetWorkflowRequest())
        service.GetWorkflow(pb.GetWorkflowRequest())
        service.GetWorkflow(pb.GetWorkflowRequest())

    assert heard.tokens == ["Bearer revoked", "Bearer valid", "Bearer valid"]


def test_a_token_does_not_leave_the_machine_in_the_open() -> None:
    with (
        pytest.raises(ValueError, match=r"Give tls=tls\(\)"),
        connected("workflows.example:443", token=lambda: "secret"),
    ):
        raise AssertionError("it was connected")


def test_the_server_is_known_by_the_authorities_that_are_given(
    serve: Callable[..., str], heard: Heard, tmp_path: Path
) -> None:
    certificate, key = self_signed()
    (tmp_path / "ca.pem").write_bytes(certificate)
    address = serve(grpc.ssl_server_credentials([(key, certificate)]))

    with connected(address, tls=tls(tmp_path / "ca.pem"), token=lambda: "mine") as channel:
        WorkflowsServiceStub(channel).GetWorkflow(pb.GetWorkflowRequest())
    with connected(address, tls=tls(), timeout=1) as channel, pytest.raises(grpc.RpcError):
        WorkflowsServiceStub(channel).GetWorkflow(pb.GetWorkflowRequest())

    assert heard.tokens == ["Bearer mine"]


def test_only_reads_and_calls_with_a_key_are_repeated() -> None:
    ours = {name["method"] for name in repeated() if name["service"] == SERVICE.full_name}

    assert ours == {
        row.name
        for row in METHODS
        if row.lane is not LaneName.WRITES
        or {"idempotency_key", "job_id"} & {*row.request.DESCRIPTOR.fields_by_name}
    }


def test_what_is_repeated_exists() -> None:
    for name in repeated():
        assert name["service"] in ACCESS
        assert name.get("method") in {None, *ACCESS[name["service"]]}


def repeated() -> list[dict[str, str]]:
    """The names of methods, or of whole services, that the policy repeats."""
    config = json.loads((Path(client.__file__).parent / "service_config.json").read_text())
    policies = [policy for policy in config["methodConfig"] if "retryPolicy" in policy]
    return [name for policy in policies for name in policy["name"]]


def lasting(seconds: float) -> str:
    """A token that ends after so many seconds, in the form of a JWT."""
    claims = json.dumps({"exp": time.time() + seconds}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.signature"


def self_signed() -> tuple[bytes, bytes]:
    """A certificate for this machine and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem), key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
