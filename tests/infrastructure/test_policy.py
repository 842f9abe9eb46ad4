"""Policies: whose signatures make a checkpoint valid, read as c2sp.org/tlog-policy says."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infrastructure.tlog.notes import COSIGNATURE, SIGNATURE, Note, Signer
from infrastructure.tlog.policy import Policy, PolicyRefused

LOG = Signer("log.example", SIGNATURE, Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
WITNESSES = [
    Signer(f"w{n}.example", COSIGNATURE, Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32))
    for n in (2, 3, 4)
]
VKEYS = [signer.verifier for signer in WITNESSES]
NAMED = f"log {LOG.verifier}\nwitness a {VKEYS[0]}\nwitness b {VKEYS[1]}\nwitness c {VKEYS[2]}\n"
TEXT = "log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


def note(*signers: Signer) -> Note:
    """A checkpoint that these signed."""
    return Note(TEXT, [signer.line(TEXT, 1) for signer in signers])


@pytest.mark.parametrize(
    ("rule", "enough", "short"),
    [
        ("quorum none\n", [], None),
        ("quorum a\n", WITNESSES[:1], WITNESSES[1:]),
        ("group g 2 a b c\nquorum g\n", WITNESSES[1:], WITNESSES[2:]),
        ("group g any a b c\nquorum g\n", WITNESSES[2:], []),
        ("group g all a b c\nquorum g\n", WITNESSES, WITNESSES[:2]),
        ("group g any a b\ngroup h all g c\nquorum h\n", WITNESSES[1:], WITNESSES[:2]),
    ],
)
def test_a_quorum_is_met_by_enough_witnesses_and_the_log(
    rule: str, enough: list[Signer], short: list[Signer] | None
) -> None:
    policy = Policy.parse(NAMED + rule)

    assert policy.met_by(note(LOG, *enough))
    assert not policy.met_by(note(WITNESSES[0], *enough))
    assert short is None or not policy.met_by(note(LOG, *short))
    assert Policy.parse(str(policy)) == policy


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quorum none\nquorum none\n",
        "quorum a\n",
        f"log {VKEYS[0]}\nquorum none\n",
        f"witness a {LOG.verifier}\nquorum a\n",
        f"witness a {VKEYS[0]}\nwitness b {VKEYS[0]}\nquorum a\n",
        f"witness none {VKEYS[0]}\nquorum none\n",
        NAMED + "group g 4 a b c\nquorum g\n",
        NAMED + "group g 0 a b c\nquorum g\n",
        NAMED + "group g any\nquorum g\n",
        NAMED + "group g 1 a a\nquorum g\n",
        NAMED + "group g 1 a\ngroup h 1 a\nquorum h\n",
        NAMED + "group g 1 h\ngroup h 1 a\nquorum g\n",
        NAMED + "nonsense\nquorum none\n",
    ],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(PolicyRefused):
        Policy.parse(text)
