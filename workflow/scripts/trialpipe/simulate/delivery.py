"""What a course's simulation hands over: raw tables by writer, truth, and what may be spoilt."""

from __future__ import annotations

from dataclasses import dataclass, field

from trialpipe.simulate.defects import Maker
from trialpipe.simulate.raw import Table
from trialpipe.simulate.truth import Rows


@dataclass
class Delivery:
    """``forms`` and ``sheets`` as the defects know them, ``files``: tables by writer, ``truth``: by file name.

    ``makers`` make the defects; rows of ``touched`` (by ``id``) carry none.
    """

    forms: dict[str, Table]
    sheets: list[Table]
    files: dict[str, list[Table]]
    truth: dict[str, Rows]
    makers: dict[str, Maker]
    touched: set[int] = field(default_factory=set)
