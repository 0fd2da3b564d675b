"""Refuse data files outside the listed places, and large files anywhere: real data never meets git.

Without arguments every file that git tracks or has staged is checked; exit code 1 names each offender.
"""

from __future__ import annotations

import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

ALLOWED = Path(__file__).with_name("data_allowed.txt")
ENDINGS = {
    ".csv", ".tsv", ".xlsx", ".xls", ".xlsm", ".ods", ".parquet", ".feather", ".arrow", ".xpt", ".sas7bdat",
    ".sav", ".dta", ".rds", ".rdata", ".rda", ".xml", ".rcc", ".zip", ".gz", ".7z", ".tar", ".json", ".ndjson",
    ".sqlite",    ".db", ".mdb", ".accdb", ".pkl", ".pickle", ".npz", ".h5", ".fcs", ".docx", ".pdf",
}  # fmt: skip
LARGEST = 5_000_000


def allowed_places() -> list[str]:
    """Patterns of places where data may stand."""
    lines = ALLOWED.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def offences(names: list[str], root: Path, places: list[str]) -> list[str]:
    """One line per file that must not be committed."""
    found = []
    for name in sorted(names):
        path = root / name
        if path.suffix.lower() in ENDINGS and not any(fnmatch(name, place) for place in places):
            found.append(f"{name}: a data file outside the listed places (tools/data_allowed.txt)")
        elif path.is_file() and path.stat().st_size > LARGEST:
            found.append(f"{name}: {path.stat().st_size} bytes, more than {LARGEST}")
    return found


def tracked(root: Path) -> list[str]:
    """Files that git tracks or has staged."""
    out = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout
    return [name for name in out.decode("utf-8").split("\0") if name]


def main() -> int:
    """Exit code 1 if a file must not be committed."""
    root = Path.cwd()
    found = offences(tracked(root), root, allowed_places())
    for line in found:
        print(f"ERROR {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
