"""Deletes each row of the tables that the service stands on, one at a time: a test must fail.

Usage: python -m tests.mutants.rows

The tables are the error map, the methods, the columns of a workflow's row and the facts. A field
is also added to Workflow, without its column.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.mutants.operators import items_left_out
from tests.mutants.trial import LIBRARIES, Change, is_noticed, tree_of, warm_up


@dataclass(frozen=True)
class Table:
    """A literal of a module that has rows, and the tests that hold it."""

    path: str
    name: str
    tests: Sequence[str]


TABLES = (
    Table("infrastructure/rpc/errors.py", "RULES", ["tests/infrastructure/test_errors.py"]),
    Table(
        "infrastructure/rpc/workflows/methods.py",
        "METHODS",
        ["tests/infrastructure/test_methods.py"],
    ),
    Table("infrastructure/readmodel/rows.py", "_FIXED", ["tests/infrastructure/test_rows.py"]),
    Table("infrastructure/readmodel/rows.py", "_CHANGING", ["tests/infrastructure/test_rows.py"]),
    Table("domain/events.py", "EVENT_TYPES", ["tests/infrastructure/test_stored_form.py"]),
)
FIELDS = Table("domain/workflow.py", "Workflow", ["tests/infrastructure/test_rows.py"])


def main() -> int:
    """The exit code: 0 if each change of a table makes a test fail."""
    warm_up(*LIBRARIES)
    held = True
    for table in (*TABLES, FIELDS):
        same = Change(table.path, table.name, "as it is", compile(tree_of(table.path), "", "exec"))
        assert not is_noticed(same, table.tests), f"{table.tests} fail without any change"
        made = list(_without_a_row(table) if table in TABLES else _with_a_field(table))
        assert made, f"{table.path} has no {table.name} with rows"
        for change in made:
            noticed = is_noticed(change, table.tests)
            held &= noticed
            print(f"{'a test fails' if noticed else 'NO TEST FAILS'}: {change.name}", flush=True)
    return 0 if held else 1


def _without_a_row(table: Table) -> Iterator[Change]:
    tree = tree_of(table.path)
    for statement in tree.body:
        match statement:
            case (
                ast.AnnAssign(target=ast.Name(id=table.name), value=ast.expr() as rows)
                | ast.Assign(targets=[ast.Name(id=table.name)], value=rows)
            ):
                for fewer, text in items_left_out(rows):
                    statement.value = fewer
                    code = compile(ast.fix_missing_locations(tree), table.path, "exec")
                    yield Change(table.path, table.name, text, code)
                statement.value = rows


def _with_a_field(table: Table) -> Iterator[Change]:
    tree = tree_of(table.path)
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef) and statement.name == table.name:
            statement.body += ast.parse("added: str = ''").body
            code = compile(ast.fix_missing_locations(tree), table.path, "exec")
            yield Change(table.path, table.name, "with a field that has no column", code)


if __name__ == "__main__":
    sys.exit(main())
