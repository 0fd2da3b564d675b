"""Where the outside reference cases lie."""

from __future__ import annotations

from pathlib import Path

from helpers import needs

ROOT = Path(__file__).resolve().parents[2].parent / "shared" / "reference"


def reference_case(group: str, case: str) -> Path:
    """Folder of a reference case. Skips the test when it is absent; fails it when REQUIRE_ALL=1."""
    folder = ROOT / group / case
    if not folder.is_dir():
        needs.lacking(f"reference case {group}/{case} is not beside the project (../shared/reference)")
    return folder
