"""A method that is declared but not built: a row that says so, never a number."""

from __future__ import annotations

from typing import Any

from trialpipe.analyse.context import OVERALL, Context
from trialpipe.analyse.formats import Undefined
from trialpipe.analyse.rows import Manner
from trialpipe.config.analyses import Planned

NOT_IMPLEMENTED = "not implemented"


def run(analysis: Planned, context: Context) -> list[dict[str, Any]]:
    """One row with a null value."""
    gone = Undefined(NOT_IMPLEMENTED, NOT_IMPLEMENTED)
    return context.cell({"estimate": gone}, {}, Manner(method=analysis.method), group=OVERALL, term=analysis.method)
