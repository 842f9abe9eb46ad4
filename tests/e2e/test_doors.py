"""The doors: encrypted, renewed without a restart, closed to strangers, and where they may be."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from cryptography.x509 import DNSName, UniformResourceIdentifier
from workflows import workflows_pb2 as pb
from workflows.workflows_pb2_grpc import WorkflowsServiceStub

from tests.support.certificates import LOCAL, Authority
from tests.support.database import select
from tests.support.service import Service
from tests.support.tokens import AUDIENCE, ISSUER, KEY, claims, jwks, token
from tests.support.waiting import until

BILLING = "spiffe://example.org/billing"
NOBODY = "0199c0de-0000-7000-8000-000000000001"
SOON = 10.0  # seconds
Code = grpc.StatusCode
Serve = Callable[..., Service]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that signs for the service and for its clients."""
    return Authority(tmp_path)


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> dict[str, str]:
    """The settings of a service that has a certificate, and asks for tokens and certificates."""
    keys = tmp_path / "keys.json"
    keys.write_bytes(jwks(KEY))
    certificate = authority.sign("service", LOCAL)
    return {
        "WORKFLOWS_TLS_CERT": str(certificate),
        "WORKFLOWS_TLS_KEY": str(certificate.with_suffix(".key")),
        "WORKFLOWS_TLS_CLIENT_CA": str(authority.file),
        "WORKFLOWS_MTLS_ROLES": f'{{"{BILLING}": "service", "audit.example.org": "auditor"}}',
        "WORKFLOWS_JWT_KEYS": str(keys),
        "WORKFLOWS_JWT_ISSUERS": ISSUER,
        "WORKFLOWS_JWT_AUDIENCES": AUDIENCE,
    }


@pytest.fixture
def both(serve: Serve, files: dict[str, str]) -> Service:
    """A service with all doors: certificates at the internal one, tokens at the others."""
    return serve(
        WORKFLOWS_AUTH="jwt,mtls",
        WORKFLOWS_INTERNAL_LISTEN="127.0.0.1:0",
        WORKFLOWS_HTTP_LISTEN="127.0.0.1:0",
        **files,
    )


def code(target: str, authority: Authority, certificate: Path | None, bearer: str = "") -> Any:
    """How a lookup of any workflow ends, which services may make."""
    pair = (
        (None, None)
        if certificate is None
        else (certificate.with_suffix(".key").read_bytes(), certificate.read_bytes())
    )
    credentials = grpc.ssl_channel_credentials(authority.file.read_bytes(), *pair)
    metadata = (("authorization", f"Bearer {bearer}"),) if bearer else ()
    with grpc.secure_channel(target, credentials) as channel:
        call = WorkflowsServiceStub(channel).GetWorkflowByID.future(
            pb.GetWorkflowByIDRequest(id=NOBODY), timeout=SOON, metadata=metadata
        )
        error: Any = call.exception(SOON)
        return error.code()


def test_a_certificate_names_its_caller_and_a_token_counts_more(
    both: Service, authority: Authority
) -> None:
    internal = both.announced["internal"]
    service = authority.sign("billing", [UniformResourceIdentifier(BILLING)])
    auditor = authority.sign("auditor", [DNSName("audit.example.org")])
    stranger = authority.sign("stranger", [DNSName("elsewhere.example.org")])
    by_common_name = authority.sign("common", [], common=BILLING)

    assert code(internal, authority, service) is Code.NOT_FOUND
    assert code(internal, authority, auditor) is Code.PERMISSION_DENIED
    assert code(internal, authority, stranger) is Code.UNAUTHENTICATED
    assert code(internal, authority, by_common_name) is Code.UNAUTHENTICATED
    assert code(internal, authority, None) is Code.UNAVAILABLE, "no handshake without one"
    assert code(internal, authority, service, token()) is Code.PERMISSION_DENIED
    assert code(internal, authority, service, "forged") is Code.UNAUTHENTICATED
    assert code(internal, authority, stranger, token(claims(role="service"))) is Code.NOT_FOUND


def test_the_public_door_takes_tokens_alone_and_has_no_internal_method(
    both: Service, authority: Authority
) -> None:
    bearer = token(claims(role="service"))

    assert code(both.address, authority, None, bearer) is Code.UNIMPLEMENTED
    context = ssl.create_default_context(cafile=authority.file)
    base = f"https://{both.announced['http']}"
    with httpx.Client(base_url=base, trust_env=False, verify=context) as http:
        path = "/workflows.WorkflowsService"
        asked = {"id": NOBODY, "user_id": "alice"}
        known = {"authorization": f"Bearer {token()}"}
        unknown = http.post(f"{path}/GetWorkflow", json=asked)
        assert (unknown.status_code, unknown.headers["www-authenticate"]) == (401, "Bearer")
        assert http.post(f"{path}/GetWorkflow", json=asked, headers=known).status_code == 404
        assert http.post(f"{path}/GetWorkflowByID", json=asked, headers=known).status_code == 404
        assert http.get("/livez").status_code == 200


def test_a_certificate_proves_a_caller_over_http_too(
    serve: Serve, files: dict[str, str], authority: Authority
) -> None:
    tokenless = {name: value for name, value in files.items() if "JWT" not in name}
    service = serve(WORKFLOWS_AUTH="mtls", WORKFLOWS_HTTP_LISTEN="127.0.0.1:0", **tokenless)
    certificate = authority.sign("billing", [UniformResourceIdentifier(BILLING)])
    context = ssl.create_default_context(cafile=authority.file)
    path = f"https://{service.announced['http']}/workflows.WorkflowsService/GetWorkflowByID"

    without = httpx.post(path, json={"id": NOBODY}, verify=context, trust_env=False)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    proved = httpx.post(path, json={"id": NOBODY}, verify=context, trust_env=False)

    assert (without.status_code, proved.status_code) == (401, 404)
    assert code(service.address, authority, certificate) is Code.NOT_FOUND


def test_a_new_certificate_is_shown_without_a_restart(
    both: Service, authority: Authority, files: dict[str, str]
) -> None:
    doors = [both.address, both.announced["http"]]
    before = [_shown(door) for door in doors]

    Path(files["WORKFLOWS_TLS_CERT"]).write_text("half a file")
    assert [_shown(door) for door in doors] == before
    authority.sign("service", LOCAL)
    until(lambda: all(_shown(door) not in before for door in doors))

    assert _shown(doors[0]) == _shown(doors[1])


def _shown(address: str) -> str:
    """The certificate that a door shows to a new connection."""
    host, _, port = address.rpartition(":")
    return ssl.get_server_certificate((host, int(port)), timeout=SOON)


def test_every_event_says_who_caused_it_and_for_whom(
    both: Service, authority: Authority, database: str
) -> None:
    certificate = authority.sign("billing", [UniformResourceIdentifier(BILLING)])
    pair = (certificate.with_suffix(".key").read_bytes(), certificate.read_bytes())
    credentials = grpc.ssl_channel_credentials(authority.file.read_bytes(), *pair)
    asked = pb.CreateWorkflowRequest(
        user_id="alice", name="n", kind="script", payload="{}", interval=1,
        max_consecutive_job_failures_allowed=2,
    )  # fmt: skip
    with grpc.secure_channel(both.announced["internal"], credentials) as channel:
        stub = WorkflowsServiceStub(channel)
        own = (("authorization", f"Bearer {token()}"),)
        created = stub.CreateWorkflow(asked, timeout=SOON, metadata=own)
        counted = pb.IncrementWorkflowConsecutiveJobFailuresCountRequest(
            id=created.id, user_id="alice"
        )
        stub.IncrementWorkflowConsecutiveJobFailuresCount(counted, timeout=SOON)

    contents = select(database, "SELECT content FROM workflow_events ORDER BY notification_id")

    first, second = (bytes(content).decode() for (content,) in contents)
    assert f"{ISSUER}|alice#t-1" in first
    assert "acted_for" not in first
    assert f"mtls|{BILLING}" in second
    assert "alice" in second


def test_a_socket_is_a_door_without_a_port(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "s"
    service = serve(WORKFLOWS_LISTEN=f"unix:{path}.grpc", WORKFLOWS_HTTP_LISTEN=f"unix:{path}.http")

    assert service.announced["http"] == f"unix:{path}.http"
    assert service.client.create("alice")
    with httpx.Client(transport=httpx.HTTPTransport(uds=f"{path}.http")) as http:
        assert http.get("http://service/readyz").status_code == 200


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"WORKFLOWS_AUTH": "jwt"}, "WORKFLOWS_JWT_KEYS"),
        ({"WORKFLOWS_AUTH": "mtls"}, "WORKFLOWS_TLS_CLIENT_CA"),
        ({"WORKFLOWS_TLS_CERT": "service.pem"}, "WORKFLOWS_TLS_KEY"),
        ({"WORKFLOWS_LISTEN": "0.0.0.0:0"}, "--insecure-listen-anywhere"),
        ({"WORKFLOWS_MTLS_ROLES": '{"x": "king"}'}, "user, service, auditor, admin"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(
    serve: Serve, settings: dict[str, str], said: str
) -> None:
    with pytest.raises(Exception, match=said):
        _ = serve(**settings).announced
