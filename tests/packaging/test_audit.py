"""`make audit` with a file of advisories: what concerns us is found, what does not is not."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.audit import audit, concerns

HASH = f"--hash=sha256:{'0' * 64}"


def advisory(*events: dict[str, str], **more: Any) -> dict[str, Any]:
    """An advisory on Some_Package for these ranges."""
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}]
    package = {"name": "Some_Package", "ecosystem": "PyPI"}
    affected = {"package": package, "ranges": ranges, **more}
    return {"id": "X-1", "details": "a fault", "affected": [affected]}


@pytest.mark.parametrize(
    ("events", "version", "concerned"),
    [
        (({"introduced": "0"},), "0.1", True),
        (({"introduced": "0"}, {"fixed": "1.10"}), "1.9", True),
        (({"introduced": "0"}, {"fixed": "1.10"}), "1.10", False),
        (({"introduced": "2"}, {"last_affected": "3"}), "3", True),
        (({"introduced": "2"}, {"last_affected": "3"}), "1", False),
        (({"introduced": "0"}, {"fixed": "1"}, {"introduced": "2"}), "2.1", True),
        (({"introduced": "0"}, {"fixed": "1"}, {"introduced": "2"}), "1.5", False),
    ],
)
def test_an_advisory_concerns_the_versions_of_its_ranges(
    events: tuple[dict[str, str], ...], version: str, concerned: bool
) -> None:
    assert concerns(advisory(*events), "some-package", version) == concerned
    assert not concerns(advisory(*events), "another", version)


def test_a_version_that_is_named_is_concerned() -> None:
    assert concerns(advisory(versions=["7"]), "some-package", "7")


@pytest.mark.parametrize(("version", "exit_code"), [("1.0", 1), ("2.0", 0)])
def test_pip_audit_reads_the_file(tmp_path: Path, version: str, exit_code: int) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"some-package=={version} {HASH}\n")
    found = advisory({"introduced": "0"}, {"fixed": "2.0"})
    as_list = tmp_path / "advisories.json"
    as_list.write_text(json.dumps([found]))
    as_export = tmp_path / "all.zip"
    with zipfile.ZipFile(as_export, "w") as archive:
        archive.writestr("X-1.json", json.dumps(found))
    assert audit(as_list, [lock]) == exit_code
    assert audit(as_export, [lock]) == exit_code
