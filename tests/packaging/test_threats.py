"""Each threat in SECURITY.md has an answer, and a test that exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
KINDS = "STRIDE"
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[tuple[str, str, str, str]]:
    """The table: kind, threat, answer, tests."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| ([A-Z]) \| (.*?) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    assert len(found) == len(re.findall(r"^\| [A-Z] \|", text, re.MULTILINE))
    return found


def test_every_kind_of_threat_is_answered() -> None:
    assert {kind for kind, *_ in rows()} == set(KINDS)
    assert all(threat and answer for _, threat, answer, _ in rows())


def test_every_test_that_is_named_exists() -> None:
    for _, threat, _, tests in rows():
        named = _TEST.findall(tests)
        assert named, f"no test for: {threat}"
        assert _TEST.sub("", tests).strip(", ") == "", f"not read as tests: {tests}"
        for file, name in named:
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
            assert name in functions, f"{file} has no {name}"
