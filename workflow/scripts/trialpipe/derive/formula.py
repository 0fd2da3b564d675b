"""Arithmetic of patient-level variables: a closed subset of Python expressions, read with ``ast``, never run.

Allowed: numbers, quoted text, names of ADSL columns, ``+ - * / **``, unary minus, brackets, comparisons, which give 1
or 0, and ``round(x, digits)``, which rounds halves away from zero on the decimal number that a person reads. A missing
value makes the result missing; so does a division by zero. Dates count as days, so the difference of two dates is
elapsed days.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal

from trialpipe.derive.errors import config_error

Value = float | str | None
ROUND = "round"
_MOST_DIGITS = 10

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARE: dict[type[ast.cmpop], Callable[[object, object], bool]] = {
    ast.Lt: operator.lt,  # type: ignore[dict-item]
    ast.LtE: operator.le,  # type: ignore[dict-item]
    ast.Gt: operator.gt,  # type: ignore[dict-item]
    ast.GtE: operator.ge,  # type: ignore[dict-item]
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def names(expression: str) -> list[str]:
    """Columns an expression reads, in order of appearance."""
    found = [node.id for node in ast.walk(parse(expression)) if isinstance(node, ast.Name) and node.id != ROUND]
    return list(dict.fromkeys(found))


def parse(expression: str) -> ast.expr:
    """Syntax tree of an expression. Raises DataError if it holds anything but the allowed arithmetic."""
    try:
        tree = ast.parse(expression, mode="eval").body
    except SyntaxError as error:
        raise _refused(expression, "is not an arithmetic expression") from error
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise _refused(expression, f"holds {type(node).__name__}, which is not allowed")
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            raise _refused(expression, "holds a chained comparison")
        if isinstance(node, ast.Constant) and type(node.value) not in (int, float, str):
            raise _refused(expression, f"holds the constant {node.value!r}")
        if isinstance(node, ast.Call) and not _is_round(node):
            raise _refused(expression, "holds a call other than round(x, digits) with 0 to 10 digits")
    return tree


def _is_round(node: ast.Call) -> bool:
    if not isinstance(node.func, ast.Name) or node.func.id != ROUND or len(node.args) != 2 or node.keywords:
        return False
    digits = node.args[1]
    whole = isinstance(digits, ast.Constant) and type(digits.value) is int
    return whole and 0 <= digits.value <= _MOST_DIGITS  # type: ignore[attr-defined]


_ALLOWED = (
    ast.BinOp,
    ast.UnaryOp,
    ast.USub,
    ast.UAdd,
    ast.Compare,
    ast.Call,
    ast.Name,
    ast.Load,
    ast.Constant,
    *_BINARY,
    *_COMPARE,
)


def evaluate(tree: ast.expr, row: Mapping[str, Value]) -> float | None:
    """Value of a parsed expression for one patient; None if a value it needs is missing or undefined."""
    result = _value(tree, row)
    if isinstance(result, (str, complex)) or result is None:
        return None
    number = float(result)
    return number if abs(number) != float("inf") and number == number else None


def _value(node: ast.expr, row: Mapping[str, Value]) -> Value:
    if isinstance(node, ast.Constant):
        return node.value  # type: ignore[return-value]
    if isinstance(node, ast.Name):
        return row[node.id]
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, row)
        return None if value is None or isinstance(value, str) else -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.Call):
        return _rounded(_value(node.args[0], row), node.args[1].value)  # type: ignore[attr-defined]
    if isinstance(node, ast.Compare):
        return _compared(_value(node.left, row), node.ops[0], _value(node.comparators[0], row))
    assert isinstance(node, ast.BinOp)
    return _computed(_value(node.left, row), node.op, _value(node.right, row))


def _rounded(value: Value, digits: int) -> Value:
    if value is None or isinstance(value, str) or abs(value) == float("inf") or value != value:
        return None
    return float(Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP))


def _compared(left: Value, op: ast.cmpop, right: Value) -> Value:
    if left is None or right is None or isinstance(left, str) != isinstance(right, str):
        return None
    return 1.0 if _COMPARE[type(op)](left, right) else 0.0


def _computed(left: Value, op: ast.operator, right: Value) -> Value:
    if left is None or right is None or isinstance(left, str) or isinstance(right, str):
        return None
    try:
        result = _BINARY[type(op)](left, right)
    except (ZeroDivisionError, OverflowError):
        return None
    return None if isinstance(result, complex) else result


def _refused(expression: str, message: str) -> Exception:
    return config_error(
        "formulas.expression",
        expression,
        message,
        "use numbers, ADSL variables, + - * / **, brackets, comparisons, round(x, 1)",
    )
