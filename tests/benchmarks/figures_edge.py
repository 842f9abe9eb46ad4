"""What the edge costs: tokens, a log line for every call, and HTTP."""

import json
from functools import partial

from google.protobuf.json_format import MessageToDict
from workflows import workflows_pb2 as pb

from infrastructure.identity.minting import SigningKey
from tests.benchmarks import bodies
from tests.benchmarks.figures_read import GET
from tests.benchmarks.figures_write import CREATE
from tests.benchmarks.processes import Server
from tests.benchmarks.results import H2LOAD, Row, Target
from tests.benchmarks.workbench import Workbench, adds

ISSUER, AUDIENCE = "https://issuer.example", "workflows"
FAR_OFF = 4_000_000_000  # seconds since 1970
TOKENS = "the same without authentication"
LINES = "the same without lines"
WIRE = "the same over gRPC"


def edge(bench: Workbench) -> list[Row]:
    """Each beside the same service without it, 128 in flight."""
    return [*tokens(bench), *lines(bench), *http(bench)]


def tokens(bench: Workbench) -> list[Row]:
    """CreateWorkflow by a caller with a token."""
    key = SigningKey(bench.directory / "tokens.pem")
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": bodies.USER, "role": "user", "exp": FAR_OFF}
    chosen = {
        "WORKFLOWS_AUTH": "jwt",
        "WORKFLOWS_JWT_KEYS": str(key.public),
        "WORKFLOWS_JWT_ISSUERS": ISSUER,
        "WORKFLOWS_JWT_AUDIENCES": AUDIENCE,
    }
    with_tokens, without = bench.with_settings("tokens", chosen), bench.service()
    creates = partial(_creates, bench)
    rates = bench.alternate(
        {
            "jwt": lambda: creates(with_tokens, key.sign(said)),
            "none": lambda: creates(without),
        }
    )
    what = "CreateWorkflow with jwt, 128 in flight"
    return [Row(what, "calls/s", H2LOAD, rates["jwt"], TOKENS, rates["none"], Target(0.95))]


def lines(bench: Workbench) -> list[Row]:
    """CreateWorkflow and GetWorkflow with a line in the log for every call."""
    every = bench.with_settings("every line", {"WORKFLOWS_LOG_CALLS": "all"})
    silent = bench.with_settings("no line", {"WORKFLOWS_LOG_CALLS": "none"})
    read = _read(bench)
    rates = bench.alternate(
        {
            "create": lambda: _creates(bench, every),
            "create, silent": lambda: _creates(bench, silent),
            "get": lambda: bench.loads.h2load(every, GET, bodies.frame(read), bench.sizes.calls),
            "get, silent": lambda: bench.loads.h2load(
                silent, GET, bodies.frame(read), bench.sizes.calls
            ),
        }
    )
    return [
        Row(
            f"{what}Workflow with a line for every call, 128 in flight",
            "calls/s",
            H2LOAD,
            rates[what.lower()],
            LINES,
            rates[f"{what.lower()}, silent"],
            target,
        )
        for what, target in (("Create", Target(0.95)), ("Get", None))
    ]


def http(bench: Workbench) -> list[Row]:
    """GetWorkflow over HTTP as JSON."""
    service, read, calls = bench.service(), _read(bench), bench.sizes.calls
    as_json = json.dumps(MessageToDict(read)).encode()
    rates = bench.alternate(
        {
            "http": lambda: bench.loads.over_http(service, GET, as_json, calls),
            "grpc": lambda: bench.loads.h2load(service, GET, bodies.frame(read), calls),
        }
    )
    what = "GetWorkflow over HTTP as JSON, 128 in flight"
    return [Row(what, "calls/s", H2LOAD, rates["http"], WIRE, rates["grpc"], Target(0.25))]


def _creates(bench: Workbench, server: Server, token: str = "") -> float:
    with adds(bench.main, bench.sizes.calls):
        return bench.loads.h2load(server, CREATE, bodies.create(), bench.sizes.calls, token=token)


def _read(bench: Workbench) -> pb.GetWorkflowRequest:
    """A reading call of one workflow."""
    [workflow_id] = bench.workflows("edge", 1)
    return pb.GetWorkflowRequest(id=workflow_id, user_id="edge")
