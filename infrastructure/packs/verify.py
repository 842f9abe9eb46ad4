"""Verifies an evidence pack: python3 verify.py PACK [POLICY]

POLICY is a file with the keys of log and witnesses, from those you trust. Without it, the one in
the pack is used: compare its keys. Prints PASS, or FAIL and what is broken, with exit code 1.
Needs Python 3.11 and `cryptography` only.
"""

import json
import sys
from base64 import b64decode, b64encode
from hashlib import file_digest, sha256
from itertools import zip_longest
from pathlib import Path
from zipfile import ZipFile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LOG, WITNESS = 1, 4  # kinds of keys
Key = tuple[str, int, bytes]  # name, kind, public bytes


def need(holds: object, broken: str) -> None:
    if not holds:
        raise ValueError(broken)


def decoded(text: str) -> bytes:
    data = b64decode(text, validate=True)
    need(b64encode(data).decode() == text, f"{text} is not how its bytes are written")
    return data


def key_of(vkey: str) -> Key:
    name, _, encoded = vkey.split("+", 2)
    return name, decoded(encoded)[0], decoded(encoded)[1:]


def opened(note: str, keys: list[Key]) -> tuple[list[str], set[Key]]:
    """The lines of a signed note, and those of the keys that signed it."""
    (text, _, signatures), found = note.rpartition("\n\n"), set()
    for line in signatures.removesuffix("\n").split("\n"):
        mark, name, encoded = line.split(" ")
        need(mark == "\u2014" and note[-1] == "\n", "a signature is malformed")
        data = decoded(encoded)
        for key in keys:
            key_id = sha256(f"{key[0]}\n".encode() + bytes([key[1]]) + key[2]).digest()[:4]
            if (key[0], key_id) == (name, data[:4]):
                signed, signature = f"{text}\n", data[4:]
                if key[1] == WITNESS:
                    time, signature = int.from_bytes(data[4:12], "big"), data[12:]
                    signed = f"cosignature/v1\ntime {time}\n{text}\n"
                Ed25519PublicKey.from_public_bytes(key[2]).verify(signature, signed.encode())
                found.add(key)
    return text.split("\n"), found


def checkpoint_of(note: str, policy: str) -> tuple[list[str], Key, list[str]]:
    """The lines of a checkpoint that is signed as a policy asks, the log's key, and who signed."""
    rules = [line.split() for line in policy.splitlines() if line and not line.startswith("#")]
    named = [rule for rule in rules if rule[0] in ("log", "witness")]
    keys = {rule[1]: key_of(rule[1 + (rule[0] == "witness")]) for rule in named}
    text, signers = opened(note, [*keys.values()])
    met = {"none", *(name for name, key in keys.items() if key in signers)}
    for kind, name, *rest in rules:
        if kind == "group":
            least = {"any": 1, "all": len(rest) - 1}.get(rest[0]) or int(rest[0])
            met |= {name} if len(met.intersection(rest[1:])) >= least else set()
        need(kind in ("group", "witness") or name in met, "it is not signed as the policy asks")
    (log,) = [keys[name] for kind, name, *_ in rules if kind == "log" and text[0] == keys[name][0]]
    return text, log, sorted(name for name, *_ in signers)


def root_of(hashes: list[bytes]) -> bytes:
    """The root of a tree over the hashes of leaves (RFC 6962)."""
    half = 1 << max(0, (len(hashes) - 1).bit_length() - 1)
    both = b"\1" + root_of(hashes[:half]) + root_of(hashes[half:]) if hashes[1:] else b""
    return sha256(both).digest() if both else hashes[0]


def led_to(leaf: bytes, at: int, size: int, path: list[str]) -> bytes:
    """The root to which a path leads from the leaf `at` of `size`; other bytes if none."""
    if size == 1 or not path:
        return leaf if size == 1 and not path else b""
    half, beside = 1 << (size - 1).bit_length() - 1, decoded(path[-1])
    if at < half:
        return sha256(b"\1" + led_to(leaf, at, half, path[:-1]) + beside).digest()
    return sha256(b"\1" + beside + led_to(leaf, at - half, size - half, path[:-1])).digest()


def check_files(pack: ZipFile, name: str, log: Key) -> None:
    """Every file is as the manifest says, and that is signed by the log's key for this pack."""
    note = pack.read("log/checkpoint").decode()
    (origin, size, root), signers = opened(note, [(name, LOG, log[2])])
    need(signers and origin == name, "log/checkpoint is not signed by the log's key")
    own = [f"log/tile/entries/000.p/{size}", f"log/tile/0/000.p/{size}", "log/checkpoint"]
    bundle, leaves = pack.read(own[0]), list[bytes]()
    while bundle:
        end = 2 + int.from_bytes(bundle[:2], "big")
        leaves, bundle = [*leaves, bundle[2:end]], bundle[end:]
    hashes = [sha256(b"\0" + leaf).digest() for leaf in leaves]
    need(root_of(hashes) == decoded(root), f"{own[0]} was changed")
    need(pack.read(own[1]) == b"".join(hashes), f"{own[1]} was changed")
    files = {leaf.decode().split("\n")[2]: leaf.decode().split("\n")[4] for leaf in leaves}
    need(sorted(pack.namelist()) == sorted([*own, *files]), "the pack has not just its own files")
    for file, digest in files.items():
        found = file_digest(pack.open(file), "sha256").hexdigest()  # type: ignore[arg-type] # it fits
        need(found == digest, f"{file} was changed")


def check_events(pack: ZipFile, feed: str, note: str, size: int, root: bytes) -> str:
    """Each event is as it was recorded, follows the one before, and is in the log."""
    number, epoch = feed.split("/")
    last, chains, erased, count = 0, dict[str, tuple[int, str]](), 0, 0
    for line, proven in zip_longest(pack.open("events.jsonl"), pack.open("proofs.jsonl")):
        event, proof = json.loads(line), json.loads(proven)
        at, version, name = event["position"], event["version"], event["workflow_id"]
        need(last < at == proof["position"] <= size, f"position {at} is not in its place")
        state, digest = json.loads(event["state"]), sha256(event["state"].encode()).hexdigest()
        before = (version - 1, state["previous"])
        need(chains.get(name, before) == before, f"an event is missing before position {at}")
        if event["content"] is not None:
            content = bytes.fromhex(event["salt"]) + event["content"].encode()
            need(sha256(content).hexdigest() == state["content"], f"content of {at} was changed")
        names = f"{at}\n{name}\n{version}\n{event['name']}\n{digest}"
        leaf = f"\0workflows.event.v1\n{epoch}/{number}\n{names}\n".encode()
        begin, *path = proof["proof"].removesuffix(f"\n\n{note}").split("\n")[1:]
        found = led_to(sha256(leaf).digest(), at - 1, size, path)
        need(begin == f"index {at - 1}" and found == root, f"the proof of {at} does not fit")
        last, count, erased = at, count + 1, erased + (event["content"] is None)
        chains[name] = (version, digest)
    return f"events: {count}, workflows: {len(chains)}, erased: {erased}"


def verified(path: str, policy: str = "") -> str:
    """What a pack proves. Raises ValueError, KeyError or another for what is broken."""
    with ZipFile(path) as pack:
        note, facts = pack.read("checkpoint").decode(), json.loads(pack.read("pack.json"))
        policy = policy or pack.read("policy").decode()
        (_, size, root), log, signers = checkpoint_of(note, policy)
        check_files(pack, f"{log[0].rpartition('/')[0]}/pack/{facts['id']}", log)
        found = check_events(pack, facts["feed"], note, int(size), decoded(root))
    return f"{found}; in a log of {size} signed by {', '.join(signers)}. The policy:\n{policy}"


if __name__ == "__main__":
    try:
        print("PASS", verified(sys.argv[1], *(Path(each).read_text() for each in sys.argv[2:])))
    except Exception as broken:  # noqa: BLE001 - whatever a changed file leads to
        print("FAIL", str(broken) or type(broken).__name__)
        sys.exit(1)
