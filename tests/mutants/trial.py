"""Runs tests against changed code, without a change of any file.

A trial is a fork. If the change lies in the body of a function, the tests are collected once and
each trial gives the function its changed code: thousands of trials take minutes. Any other change
needs modules that are imported anew, from the changed code, and tests that are collected anew.
"""

import ast
import gc
import importlib
import os
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import hypothesis
import pytest
from _pytest.runner import runtestprotocol

OURS = ("domain", "application", "infrastructure", "tests", "workflows_testing")
LIBRARIES = (
    "infrastructure.wiring.service",
    "tests.conftest",
    "tests.support.given",
    "hypothesis.stateful",
)
"""Modules that import the libraries which tests need."""
PROFILE = "workflows"
"""How tests/conftest.py lets Hypothesis search."""
CPU_SECONDS_MAX = 60
"""A changed loop may never end: the system ends such a trial, which counts as noticed."""
_OPTIONS = (
    *("-o", "addopts=", "-x", "-p", "no:terminal", "-p", "no:xdist", "-p", "no:cacheprovider"),
    *("-p", "no:unraisableexception"),  # It collects garbage three times, which is most of a trial.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # Hypothesis is imported already.
    "--hypothesis-seed=0",
)


@dataclass(frozen=True)
class Change:
    """A module with one change in it, which some test should notice.

    `function` is the qualified name of the function whose body is changed; empty if it is none.
    """

    path: str
    place: str
    text: str
    code: CodeType
    function: str = ""

    @property
    def name(self) -> str:
        """What identifies the change, whatever else moves in its file."""
        return f"{self.path} {self.place}: {self.text}"


def tree_of(path: str) -> ast.Module:
    """The syntax tree of a file of ours."""
    return ast.parse(Path(path).read_text())


def warm_up(*modules: str) -> None:
    """Imports these modules and forgets those of ours; the libraries stay."""
    for module in modules:
        importlib.import_module(module)
    for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
        if not name.startswith("tests.mutants"):
            del sys.modules[name]
    gc.collect()
    gc.freeze()  # So that trials share the memory of what is imported.


def unnoticed(changes: Sequence[Change], tests: Sequence[str]) -> list[Change]:
    """The changes that none of these test files notices.

    A function that is called when its module is imported shows its change only in a new import. So
    what passes with a changed body is tried again that way.
    """
    within = [change for change in changes if change.function]
    around = [change for change in changes if not change.function]
    reading, writing = os.pipe()
    session = _fork(lambda: _pytest(tests, _Bodies(within, writing)))
    os.close(writing)
    with os.fdopen(reading) as lines:
        left = [within[int(line)] for line in lines]
    _, status = os.waitpid(session, 0)
    if status:
        raise SystemExit(f"{', '.join(tests)}: these tests fail without any change")
    return [change for change in (*left, *around) if not is_noticed(change, tests)]


def is_noticed(change: Change, tests: Sequence[str]) -> bool:
    """Whether a test fails if the module of the change is imported from its changed code."""

    def trial() -> int:
        sys.meta_path.insert(0, _Replaced(change))
        return _pytest(tests)

    return _fails(trial)


class _Bodies:
    """Runs the collected tests once for each change of a function's body, and once without."""

    def __init__(self, changes: Sequence[Change], unnoticed: int) -> None:
        """The place of each unnoticed change is written to the file descriptor `unnoticed`."""
        self._changes = changes
        self._unnoticed = unnoticed

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Puts the property tests last: they take the longest."""
        items.sort(key=lambda item: hasattr(getattr(item, "obj", None), "hypothesis"))

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of the usual run."""
        if session.testsfailed or not session.items or _fails(partial(_run, session.items)):
            raise session.Failed("the tests fail without any change")
        for index, change in enumerate(self._changes):
            if not _fails(partial(_run_changed, change, session.items)):
                os.write(self._unnoticed, f"{index}\n".encode())
        return True


def _run(items: Sequence[pytest.Item]) -> int:
    for item, following in zip(items, [*items[1:], None], strict=True):
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
            return 1
    return 0


def _run_changed(change: Change, items: Sequence[pytest.Item]) -> int:
    _apply(change)
    return _run(items)


def _apply(change: Change) -> None:
    """Gives the function its changed code. Raises if it cannot: such a change is noticed, too."""
    found: Any = importlib.import_module(change.path.removesuffix(".py").replace("/", "."))
    code = change.code
    for name in change.function.split("."):
        found = vars(found)[name]
        [code] = [c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == name]
    found = getattr(found, "fget", None) or getattr(found, "__func__", found)
    assert isinstance(found, FunctionType)
    found.__code__ = code


class _Replaced(MetaPathFinder):
    """Finds the module of a change in its changed code, in place of its file."""

    def __init__(self, change: Change) -> None:
        self._name = change.path.removesuffix(".py").replace("/", ".")
        self._code = change.code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        spec.loader = _Loader(fullname, spec.origin or "", self._code)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, code: CodeType) -> None:
        super().__init__(fullname, path)
        self._changed = code

    def get_code(self, fullname: str) -> CodeType:
        return self._changed


class _NoShrinking:
    """A property test that fails need not look for the smallest example."""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        usual = hypothesis.settings.get_profile(PROFILE)
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile(PROFILE, usual, phases=phases)
        hypothesis.settings.load_profile(PROFILE)


def _pytest(tests: Sequence[str], *plugins: object) -> int:
    return int(pytest.main([*_OPTIONS, *tests], plugins=[_NoShrinking(), *plugins]))


def _fails(trial: Callable[[], int]) -> bool:
    def bounded() -> int:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
        return trial()

    _, status = os.waitpid(_fork(bounded), 0)
    return status != 0


def _fork(work: Callable[[], int]) -> int:
    """The pid of a process that works in silence and ends with what the work returns."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        status = work()
    finally:
        os._exit(status)
