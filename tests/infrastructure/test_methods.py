"""The methods' table: it holds the contract, the whole contract, and README says the same."""

import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from google.protobuf.descriptor import MethodDescriptor

from application.access import Door, rule_of
from infrastructure.contract import SERVICE
from infrastructure.rpc.method import LaneName, MethodRow
from infrastructure.rpc.workflows.methods import METHODS, TABLE

README = Path(__file__).parents[2] / "README.md"
WRITES, LOOKUPS, LISTS = LaneName.WRITES, LaneName.LOOKUPS, LaneName.LISTS
PUBLIC, INTERNAL = Door.PUBLIC, Door.INTERNAL
# The callers that a method is for, and its lane.
EXPECTED = {
    "CreateWorkflow": (PUBLIC, WRITES),
    "UpdateWorkflow": (PUBLIC, WRITES),
    "UpdateWorkflowBuildStatus": (INTERNAL, WRITES),
    "GetWorkflow": (PUBLIC, LOOKUPS),
    "GetWorkflowByID": (INTERNAL, LOOKUPS),
    "IncrementWorkflowConsecutiveJobFailuresCount": (INTERNAL, WRITES),
    "ResetWorkflowConsecutiveJobFailuresCount": (INTERNAL, WRITES),
    "TerminateWorkflow": (PUBLIC, WRITES),
    "DeleteWorkflow": (PUBLIC, WRITES),
    "ListWorkflows": (PUBLIC, LISTS),
}


def test_every_method_of_the_contract_has_one_row_with_its_door_and_its_lane() -> None:
    assert [row.name for row in METHODS] == [method.name for method in SERVICE.methods]
    rules = TABLE.rules()
    assert {row.name: (rules[row.name].door, row.lane) for row in METHODS} == EXPECTED


@pytest.mark.parametrize("row", METHODS, ids=[row.name for row in METHODS])
def test_a_row_takes_the_request_of_the_contract(row: MethodRow[Any, Any, Any]) -> None:
    method: MethodDescriptor = SERVICE.methods_by_name[row.name]
    assert row.request.DESCRIPTOR is method.input_type
    assert get_type_hints(row.convert)["request"] is row.request


def test_readme_lists_the_methods_and_marks_those_behind_the_internal_door() -> None:
    listed = re.findall(r"^\| ([A-Z]\w+)( \*)? \|", README.read_text(), re.MULTILINE)
    assert [(name, bool(star)) for name, star in listed] == [
        (row.name, rule_of(TABLE.name, row.name).door is INTERNAL) for row in METHODS
    ]
