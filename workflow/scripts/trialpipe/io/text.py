"""Words as people write them, and the one writer of text files: UTF-8, LF, one newline at the end, beside and moved."""

from __future__ import annotations

import os
from pathlib import Path

UNITS = (("10*9/", "10\u2079/"), ("Cel", "\u00b0C"), ("ug/", "\u00b5g/"), ("umol", "\u00b5mol"), ("uL", "\u00b5L"))


def printed_unit(unit: str) -> str:
    """A UCUM unit as people write it."""
    if unit == "d":
        return "days"
    for code, shown in UNITS:
        unit = unit.replace(code, shown)
    return unit


def inside(phrase: str) -> str:
    """A phrase inside a sentence: its capital becomes small, unless it begins with an abbreviation."""
    return phrase[0].lower() + phrase[1:] if phrase[1:2].islower() else phrase


def write_text(text: str, path: str | Path) -> None:
    """Write ``text`` to ``path`` atomically."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    partial.write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")
    os.replace(partial, target)
