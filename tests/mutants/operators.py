"""All the small mistakes that could be made in a module, one at a time.

Docstrings, annotations, decorators and prose (f-strings, and texts with a space in them) are left
alone: no test should depend on them.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from tests.mutants.trial import Change

Variants = Iterator[tuple[ast.AST, str]]
"""What can stand in place of a node, and how that reads."""

_SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Continue: ast.Break,
    ast.Break: ast.Continue,
}
_LEFT_ALONE = ("annotation", "returns", "decorator_list", "bases")


def changes(path: str, tree: ast.Module) -> Iterator[Change]:
    """Every change of a module, in the order of its text."""
    seen: Counter[str] = Counter()
    for spot in _spots(tree):
        node = spot.node
        for variant, text in _variants(node):
            spot.put(variant)
            code = compile(ast.fix_missing_locations(tree), path, "exec")
            spot.put(node)
            seen[f"{spot.place} {text}"] += 1
            again = seen[f"{spot.place} {text}"]
            name = f"{text} ({again})" if again > 1 else text
            yield Change(path, spot.place, name, code, spot.function)


@dataclass(frozen=True)
class _Spot:
    """The place of a node: in a field of its parent, in a class or function."""

    parent: ast.AST
    field: str
    index: int | None
    place: str
    function: str

    @property
    def node(self) -> ast.AST:
        value = getattr(self.parent, self.field)
        node: ast.AST = value if self.index is None else value[self.index]
        return node

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def _spots(parent: ast.AST, place: str = "", function: str = "") -> Iterator[_Spot]:
    for field, value in ast.iter_fields(parent):
        if field in _LEFT_ALONE:
            continue
        body = function or (
            place if field == "body" and isinstance(parent, ast.FunctionDef) else ""
        )
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if isinstance(child, ast.AST) and not _is_left_alone(parent, child):
                at = index if isinstance(value, list) else None
                yield _Spot(parent, field, at, place or "module", body)
                name = getattr(child, "name", "") if isinstance(child, ast.stmt) else ""
                yield from _spots(child, f"{place}.{name}".strip("."), body)


def items_left_out(node: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    """A literal without one of its items, for each of them."""
    for variant, text in _dict(node) if isinstance(node, ast.Dict) else _lacking(node, "elts"):
        assert isinstance(variant, ast.expr)
        yield variant, text


def _variants(node: ast.AST) -> Variants:
    for kind, operator in _OPERATORS:
        if isinstance(node, kind):
            yield from operator(node)


def _constant(node: ast.Constant) -> Variants:
    match node.value:
        case bool(value):
            yield _becomes(node, ast.Constant(not value))
        case int(value) | float(value):
            yield _becomes(node, ast.Constant(value + 1))
            yield _becomes(node, ast.Constant(value - 1))
        case str(value) if " " not in value.strip():
            yield _becomes(node, ast.Constant(value + "X"))


def _compare(node: ast.Compare) -> Variants:
    for index, operator in enumerate(node.ops):
        swapped = _SWAPPED[type(operator)]()
        ops = [*node.ops[:index], swapped, *node.ops[index + 1 :]]
        yield _becomes(node, _with(node, ops=ops))


def _operation(node: ast.BoolOp | ast.BinOp | ast.AugAssign) -> Variants:
    if swapped := _SWAPPED.get(type(node.op)):
        yield _becomes(node, _with(node, op=swapped()))


def _unary(node: ast.UnaryOp) -> Variants:
    if isinstance(node.op, ast.Not):
        yield _becomes(node, node.operand)


def _condition(node: ast.If | ast.IfExp | ast.While) -> Variants:
    yield _with(node, test=ast.UnaryOp(ast.Not(), node.test)), f"not `{_text(node.test)}`"


def _comprehension(node: ast.comprehension) -> Variants:
    yield from _lacking(node, "ifs")


def _call(node: ast.Call) -> Variants:
    yield from _lacking(node, "args")
    yield from _lacking(node, "keywords")


def _collection(node: ast.List | ast.Tuple | ast.Set) -> Variants:
    if not isinstance(getattr(node, "ctx", None), ast.Store) and len(node.elts) > 1:
        yield from _lacking(node, "elts")


def _dict(node: ast.Dict) -> Variants:
    for index, key in enumerate(node.keys):
        keys, values = _without(node.keys, index), _without(node.values, index)
        yield _with(node, keys=keys, values=values), f"without `{_text(key or node)}`"


def _match(node: ast.Match) -> Variants:
    if len(node.cases) > 1:
        for index, case in enumerate(node.cases):
            left = _without(node.cases, index)
            yield _with(node, cases=left), f"without `case {_text(case.pattern)}`"


def _slice(node: ast.Slice) -> Variants:
    for bound in ("lower", "upper"):
        if getattr(node, bound) is not None:
            yield _becomes(node, _with(node, **{bound: None}))


def _return(node: ast.Return) -> Variants:
    if node.value is not None and not (
        isinstance(node.value, ast.Constant) and node.value.value is None
    ):
        yield _becomes(node, ast.Return(ast.Constant(None)))


def _jump(node: ast.Continue | ast.Break) -> Variants:
    yield _becomes(node, _SWAPPED[type(node)]())


def _statement(node: ast.stmt) -> Variants:
    yield ast.Pass(), f"without `{_text(node)}`"


_OPERATORS: tuple[tuple[Any, Callable[[Any], Variants]], ...] = (
    (ast.Constant, _constant),
    (ast.Compare, _compare),
    (ast.BoolOp | ast.BinOp | ast.AugAssign, _operation),
    (ast.UnaryOp, _unary),
    (ast.If | ast.IfExp | ast.While, _condition),
    (ast.comprehension, _comprehension),
    (ast.Call, _call),
    (ast.List | ast.Tuple | ast.Set, _collection),
    (ast.Dict, _dict),
    (ast.Match, _match),
    (ast.Slice, _slice),
    (ast.Return, _return),
    (ast.Continue | ast.Break, _jump),
    (ast.Expr | ast.AugAssign | ast.Raise, _statement),
)


def _becomes(node: ast.AST, variant: ast.AST) -> tuple[ast.AST, str]:
    return variant, f"`{_text(node)}` → `{_text(variant)}`"


def _lacking(node: ast.AST, field: str) -> Variants:
    """The node without one of the items of a field, for each of them."""
    items: list[ast.AST] = getattr(node, field)
    for index, item in enumerate(items):
        yield _with(node, **{field: _without(items, index)}), f"without `{_text(item)}`"


def _with(node: ast.AST, **fields: object) -> ast.AST:
    """A copy of a node in which some fields are others."""
    return type(node)(**{**dict(ast.iter_fields(node)), **fields})


def _without(items: Sequence[Any], index: int) -> list[Any]:
    return [*items[:index], *items[index + 1 :]]


def _is_left_alone(parent: ast.AST, node: ast.AST) -> bool:
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    type_arguments = isinstance(parent, ast.Subscript) and isinstance(node, ast.Tuple)
    return docstring or type_arguments or isinstance(node, ast.JoinedStr)


def _text(node: ast.AST) -> str:
    """A node as text on one line, cut if it is long."""
    line = " ".join(ast.unparse(ast.fix_missing_locations(deepcopy(node))).split())
    return line if len(line) <= 80 else f"{line[:60]} … {line[-15:]}"
