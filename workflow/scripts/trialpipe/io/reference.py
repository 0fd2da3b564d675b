"""Tables of knowledge under ``resources/reference``: found from the library's own place, read as text."""

from __future__ import annotations

import csv
from pathlib import Path

REFERENCE = Path(__file__).resolve().parents[4] / "resources" / "reference"


def rows(name: str) -> list[dict[str, str]]:
    """Rows of a reference CSV as text, comment lines (``#``) left out. FileNotFoundError if absent."""
    with open(REFERENCE / name, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(line for line in stream if not line.startswith("#")))
